# A loss that is not finite stops the run with the step and the first layer that produced it, and spoils nothing.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
tiny_recipe > tiny.ini

expect 1 "the loss of step [0-9]+ is .*(comes from [a-z0-9_/]+)" "$QFW" run tiny.ini --run.dir=run --schedule.base_learning_rate=1e30 \
  --schedule.warmup_epochs=0 --quantizer.name=none
# The quantizer's own infinities are not taken for the origin.
expect 1 "comes from init_bn " "$QFW" run tiny.ini --run.dir=quantized --schedule.base_learning_rate=1e30 --schedule.warmup_epochs=0
grep -q '"status": "diverged"' run/report.json || fail "the report does not say so"
grep -Eq '"first_nan_step": [0-9]+' run/report.json || fail "the report does not name the step"
