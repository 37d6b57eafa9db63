# Plugins that throw, crash or return what they should not: one error that names them, exit status 1, nothing lost, nothing silent.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
plugins=$QFW_BINARY_DIR/tests/plugins
small_recipe() {
  cat <<'INI'
[model]
name = resnet
stages = 1
num_filters = 4
stem = small

[schedule]
name = cosine

[dataset]
name = fashion_mnist

[augment]
name = none

[train]
batch_size = 16
steps = 8

[eval]
batch_size = 32
examples = 64
per_epoch = 0
per_epoch_late = 0

[checkpoint]
every_steps = 2

[backend]
threads = 1
INI
}
small_recipe > small.ini
runs=0
# run_with FOLDER OPTION...: a new run with the plugins of tests/plugins/FOLDER.
run_with() {
  local folder=$1
  shift
  runs=$((runs + 1))
  "$QFW" run small.ini --plugin-dir="$plugins/$folder" --run.dir="run$runs" "$@"
}

# one_error PATTERN...: on the last command's stderr there is one error, it matches each pattern, and nothing ended the hard way.
one_error() {
  local pattern
  [ "$(grep -c '^qfw run: error:\|^qfw: error:' err)" = 1 ] || fail "not one error:"$'\n'"$(cat err)"
  if grep -q 'terminate called' err; then fail "std::terminate:"$'\n'"$(cat err)"; fi
  for pattern in "$@"; do grep -A9 '^qfw[ a-z]*: error:' err | grep -Eq -- "$pattern" || fail "no '$pattern' in:"$'\n'"$(cat err)"; done
}
refused() {  # refused "PATTERN;PATTERN..." FOLDER OPTION...
  local status=0 patterns
  IFS=';' read -ra patterns <<< "$1"
  shift
  run_with "$@" > out 2> err || status=$?
  [ "$status" = 1 ] || fail "exit status $status instead of 1 from: $*"$'\n'"$(cat err)"
  one_error "${patterns[@]}"
}

# Whatever is thrown, from wherever: data threads, replica threads, the main one.
from() { echo --"$1".name=thrower --"$1".from="$2" --"$1".what="$3"; }
file=libqfw_throwing_anything.so
refused "schedule:thrower threw int 42 from value;step 2;$file" throwing_anything $(from schedule value int)
refused "schedule:thrower threw text 'no licence'" throwing_anything $(from schedule constructor text)
refused "quantizer:thrower threw std::runtime_error: no licence from quantize;layer init_conv/weights;$file" throwing_anything \
  $(from quantizer quantize exception)
refused "quantizer:thrower threw .*OfItsOwn from phase" throwing_anything $(from quantizer phase own)
refused "quantizer:thrower threw int 42 from phase_name" throwing_anything $(from quantizer phase_name int)
refused "optimizer:thrower threw int 42 from update;layer optimizer/" throwing_anything $(from optimizer update int)
refused "dataset:thrower threw int 42 from get;example 17 of" throwing_anything $(from dataset get int)
refused "dataset:thrower threw int 42 from size" throwing_anything $(from dataset size int)
refused "dataset:thrower threw int 42 from classes" throwing_anything $(from dataset classes int)
refused "augment:thrower threw text 'no licence' from apply;example [0-9]+ of train" throwing_anything --dataset.name=thrower \
  $(from augment apply text)
refused "augment:thrower threw int 42 from output" throwing_anything $(from augment output int)
refused "model:thrower threw int 42 from build;layer second" throwing_anything $(from model build int)
for method in describe supports compile write run; do
  refused "backend:thrower threw int 42 from $method" throwing_anything --backend.name=thrower --backend.from=$method --quantizer.name=none
done
refused "communicator:thrower threw .*OfItsOwn from start\\(\\);$file" throwing_anything $(from communicator all_reduce own)
refused "failed to register: int 42;libqfw_throwing_odd.so" throwing_odd --schedule.name=throwing_odd
refused "option 'level' of schedule:bad_option has the default 0.5" bad_option --schedule.name=bad_option
refused "\[thrower\] no licence.*schedule:thrower" throwing_anything $(from schedule value error)

# Quantizers that break their contract; said before the step, in the first step of the phase in which they do.
for backend in cpu reference; do
  for arithmetic in integer fake_quant; do
    off_grid="--quantizer.name=off_grid --quantizer.arithmetic=$arithmetic --backend.name=$backend"
    refused "codes of the weights of layer .*conv_1 are not on the grid from -7 to 7 that quantizer off_grid;step 0;for example" misfits \
      $off_grid --quantizer.how=fraction
    refused "codes of the weights of layer .*conv_1;step 3;for example 10" misfits $off_grid --quantizer.how=beyond --quantizer.step=3
  done
done
refused "codes of the weights of layer .*no finite number" misfits $off_grid --quantizer.how=nan
refused "codes of the weights of layer .*conv_1;evaluation after step 8" misfits $off_grid --quantizer.how=only_evaluation
[ -e run$runs/checkpoints ] || fail "there is no checkpoint of the training"
# What a later phase does is found before the first step.
before_the_first_step() {
  if [ -n "$(find run$runs/checkpoints -name '*.h5' 2> /dev/null)" ]; then fail "it trained first"; fi
}
for how in "variables:variables differ between phases: .*count is not declared in the first step" "throws:threw std::exception" \
           "grid:off_grid returned a grid from 7 to -7" "scale:the scale f32"; do
  refused "${how#*:}" misfits $off_grid --quantizer.how=${how%%:*} --quantizer.step=5
  before_the_first_step
done

# Numbers that are none.
refused "schedule odd gives step 3 the learning rate nan" misfits --schedule.name=odd --schedule.instead=nan
refused "schedule odd gives step 3 the learning rate inf" misfits --schedule.name=odd --schedule.instead=inf
refused "schedule odd gives step 3 the learning rate -" misfits --schedule.name=odd --schedule.becomes=-1
refused "augment:spoiled made an image in which 1 of 784 values are not finite;example [0-9]+ of train" misfits --augment.name=spoiled
refused "augment:spoiled made an image;of validation" misfits --augment.name=spoiled --augment.training=false
idle="--model.name=idle --quantizer.name=none"
refused "a logit is -?nan in the evaluation after step 8;comes from head \(sqrt\);of validation" misfits $idle --model.logits=nan
refused "a logit is inf;comes from head \(exp\)" misfits $idle --model.logits=infinite
refused "1 of 1 values of head/variance are not finite after 8 steps" misfits $idle --model.logits=variance
[ ! -e run$runs/best.h5 ] || fail "an evaluation that is not finite was the best"
# A state that is not finite takes the place of no checkpoint.
refused "1 of 1 values of head/factor are not finite after 2 steps" misfits $idle --model.parameter=true --checkpoint.every_steps=1
kept=$(cd run$runs/checkpoints && echo *.h5)
[[ $kept =~ ^[^\ ]*[^0-9]0*1\.h5$ ]] || fail "it keeps the checkpoints $kept, not that of step 1 alone"

# A layer that only training has is one of the model's.
run_with misfits --model.name=idle --model.idle=false --model.auxiliary=true --quantizer.name=weights_only --layer:auxiliary.weight_prec=2 \
  > out 2> err || fail "$(cat err)"

# What nobody feeds or has declared, found before the first step.
refused "the graph has the input 'noise' f32\[10\], which no one feeds;images" misfits $idle --model.logits=input
before_the_first_step
refused "quantizer off_grid wants .*src/none_such observed, which it has not declared" misfits --quantizer.name=off_grid \
  --quantizer.how=observed --metrics.bounds=true
before_the_first_step

# Parameters without gradient are named, once; none where there are none.
run_with misfits $idle > out 2> err || fail "$(cat err)"
[ "$(grep -c 'no gradient reaches 2 of the parameters.*: idle/unused, idle/stopped' err)" = 1 ] || fail "$(cat err)"
run_with misfits $idle --model.idle=false > out 2> err || fail "$(cat err)"
if grep -q 'no gradient' err; then fail "$(cat err)"; fi
run_with misfits --quantizer.name=off_grid > out 2> err || fail "a good quantizer was refused: $(cat err)"

# A learned step that starts from the first batch.
run_with misfits --quantizer.name=learned_step --model.num_filters=8 --train.steps=200 --train.batch_size=32 --schedule.name=odd \
  --schedule.becomes=0.125 --eval.examples=500 --metrics.bounds=true > out 2> err ||
  fail "$(cat err)"
for operand in src weights; do
  grep -qa "dense/LearnedStep/$operand/channels" run$runs/events* || fail "the steps of $operand are not among the curves"
done
accuracy=$(grep -oE '^eval_accuracy 0\.[0-9]{2}' out | cut -d. -f2)
[ "$((10#$accuracy))" -gt 30 ] || fail "learned steps: $(cat out)"

# A schedule sees how many steps the run has, 8 and 4; its rate is taken as it is, whatever the batch.
run_with misfits --schedule.name=whole > out 2> err || fail "$(cat err)"
grep -q 'step 8/8 .*rate 0.125' err || fail "$(cat err)"
run_with misfits --schedule.name=whole --train.early_stop_steps=4 > out 2> err || fail "$(cat err)"
grep -q 'step 4/4 .*rate 0.25' err || fail "$(cat err)"

# A crash: a line that names the library, the signal's own exit status, and the last checkpoint.
crashed() {  # crashed HOW STATUS PATTERN
  local status=0
  (ulimit -c 0; run_with crashing --schedule.name=crashing --schedule.how="$1") > out 2> err || status=$?
  runs=$((runs + 1))
  [ "$status" = "$2" ] || fail "$1: exit status $status, expected $2"$'\n'"$(cat err)"
  [ "$(grep -Ec "$3" err)" = 1 ] || fail "$1: no '$3' in"$'\n'"$(cat err)"
  if [ "$1" != destructor ]; then
    expect 0 top-1 "$QFW" eval run$runs --plugin-dir="$plugins/crashing" --schedule.how=none 2> /dev/null
  fi
}
crashed segv 139 "qfw: crashed: SIGSEGV in the plugin library .*/libqfw_crashing.so"
crashed ill 132 "qfw: crashed: SIGILL in the plugin library .*/libqfw_crashing.so"
crashed fpe 136 "qfw: crashed: SIGFPE while this plugin was called: schedule:crashing of .*/libqfw_crashing.so"
crashed bus 135 "qfw: crashed: SIGBUS while .*schedule:crashing"
crashed abort 134 "qfw: crashed: SIGABRT while .*schedule:crashing"
crashed stack 139 "qfw: crashed: SIGSEGV in the plugin library .*/libqfw_crashing.so"
crashed thread 1 "error: \[plugin\] .*libqfw_crashing.so threw int 42 where nothing can catch it"
crashed destructor 1 "error: \[plugin\] schedule:crashing of .*libqfw_crashing.so threw std::runtime_error: not closed where nothing"
