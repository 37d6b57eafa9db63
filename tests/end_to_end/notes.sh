# What never takes effect is said at the start, by explain and in the report; and nothing is said where all is well.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
tiny_recipe > tiny.ini
explained() { "$QFW" explain tiny.ini "$@" 2>&1; }

# noted PATTERN OPTION...: explain has a note that matches, its JSON too.
noted() {
  local pattern=$1
  shift
  explained "$@" | grep -E "^note: .*$pattern" > /dev/null || fail "no note '$pattern' with $*: $(explained "$@" | grep '^note' || true)"
  "$QFW" explain tiny.ini --json "$@" 2> /dev/null | grep -E "$pattern" > /dev/null || fail "no '$pattern' in the JSON with $*"
}

explained | grep "^note" && fail "a recipe in which all is well has notes"
noted "activations of .* are never quantized in this run.*activation_bound_start_step = 20" --quantizer.activation_bound_start_step=20
noted "activations of .* stay floats for more than half" --quantizer.activation_bound_start_step=15
noted "weights of .* are never quantized" --quantizer.weight_quant_start_step=1
noted "weights of .* have a single level" --quantizer.weight_prec=1
explained --quantizer.weight_prec=1 --quantizer.weight_half_shift=true | grep "^note" && fail "half shift has two levels"
noted "activations of .* clipped to a bound of 0" --quantizer.name=weights_and_fixed_acts --quantizer.bounds=0
noted "layer:init_conv.* changes nothing" "--layer:init_conv.weight_prec=4"
noted "activation_bound_start_step = 100" "--layer:init_conv.activation_bound_start_step=100"
noted "arithmetic = integer has no effect on .*: activations are floats" --quantizer.activation_bound_start_step=-1
noted "arithmetic = integer, with backward = int8, has no effect on .*: activations are floats" --quantizer.activation_bound_start_step=-1 --quantizer.backward=int8
noted "backward = int8 has no effect: it takes the integer weights" --quantizer.arithmetic=fake_quant --quantizer.backward=int8
explained --quantizer.backward=int8 | grep "^note" && fail "an integer backward pass that takes place has notes"
explained --quantizer.backward=int8 | grep -Ec "backward s8 x s8 -> s32" | grep -qx "[1-9][0-9]*" || fail "explain does not show the integer backward pass"
explained --quantizer.backward=int8 | grep "^init_conv .*backward" && fail "images have no gradient"
noted "the schedule ends after 0.005 of the run's" --schedule.num_epochs=0.005 --train.epochs=0.05
noted "memory_limit_mib = 100 has no effect: train.recompute is none" --train.memory_limit_mib=100
explained --train.memory_limit_mib=1000 --train.recompute=auto | grep "^note" && fail "a limit that auto heeds has a note"
noted "backend.winograd = true has no effect" --backend.winograd=true
explained --backend.winograd=true --model.num_filters=32 | grep "^note" && fail "a Winograd that is taken has a note"
noted "backend.winograd = true has no effect" --backend.winograd=true --model.num_filters=32 --backend.compute=bf16
int8=(--backend.winograd=true --model.num_filters=32 --quantizer.backward=int8)
explained "${int8[@]}" | grep "^note.*winograd" && fail "before activations are quantized, Winograd is taken"
noted "backend.winograd = true has no effect" "${int8[@]}" --quantizer.name=weights_and_fixed_acts --quantizer.bounds=2
noted "within the warm-up" --schedule.num_epochs=0.05 --schedule.warmup_epochs=0.04
noted "warm-up and cool-down take" --schedule.warmup_epochs=0.003 --schedule.cooldown_epochs=0.049

expect 0 "warning\] weights of .* have a single level" "$QFW" run tiny.ini --run.dir=noted --train.steps=8 --quantizer.weight_prec=1
grep -q "have a single level" noted/report.json || fail "the report has no notes"
expect 0 . "$QFW" run tiny.ini --run.dir=quiet
grep -q '"notes": \[\]' quiet/report.json || fail "a quiet run has notes: $(grep -A3 notes quiet/report.json)"

# `bench`, where options are compared, says them, too.
expect 0 "warning\] train.memory_limit_mib = 100 has no effect" "$QFW" bench tiny.ini --steps=1 --train.memory_limit_mib=100
