# Post-training quantization: a float run becomes a quantized one, which evaluates, exports and trains on.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
tiny_recipe > tiny.ini
"$QFW" run tiny.ini --quantizer.name=none --train.steps=20 --run.dir=float > /dev/null 2>&1

# The run's recipe spells out `bounds = none`, and the new quantizer's default takes its place.
to_four="--quantizer.name=weights_and_auto_acts --quantizer.act_prec=4"
"$QFW" calibrate float $to_four --images=64 --batch-norm=3 --run.dir=mse > mse.txt 2> mse.log
grep -q "quantizer.bounds=auto: as the plugin" mse.log || fail "the default that was taken is not told: $(cat mse.log)"
grep -Eq '^layer +codes +largest +bound +clipped$' mse.txt || fail "no table: $(cat mse.txt)"
grep -Eq '^stage1/block0/conv_1 +-7 \.\. 7 +[0-9.]+ +[0-9.]+ \.\. [0-9.]+ +[0-9.]+ %$' mse.txt || fail "no row of conv_1: $(cat mse.txt)"
grep -q '^stage2/block0/conv_3 ' mse.txt || fail "a layer is missing"
grep -q 'mse from 64 images: the bounds of 10 layers; running moments from 3 batches' mse.txt || fail "no summary: $(cat mse.txt)"
expect 0 'top-1 [0-9.]+ %.*\(step 0\)' "$QFW" eval mse

! grep -q 'more than there is' mse.log || fail "told of fewer images: $(cat mse.log)"

# Every method, per tensor; JSON.
for method in max percentile mse kl; do
  "$QFW" calibrate float $to_four --quantizer.granularity=per_tensor --method=$method --images=64 --json --run.dir=$method-tensor > $method.json 2> /dev/null
  [ "$(json_field method < $method.json)" = "\"$method\"" ] || fail "$method: $(cat $method.json)"
  [ "$(json_field images < $method.json)" = 64 ] || fail "$method: $(cat $method.json)"
  grep -q '"layer":"init_conv","low":-7.*"per_channel":false' $method.json || fail "$method: $(cat $method.json)"
done
[ "$(json_field clipped < max.json)" = 0.0 ] || fail "max clips"
[ "$(json_field bound_max < max.json)" = "$(json_field largest < max.json)" ] || fail "max is not the largest"
cmp -s max.json kl.json && fail "methods do not differ"
expect 0 'bounds of' "$QFW" calibrate float $to_four --method=percentile --calibrator.percent=50 --images=8 --run.dir=half
expect 2 'calibrator percentile has no option percnt.*percent' "$QFW" calibrate float $to_four --method=percentile --calibrator.percnt=5 --run.dir=no
expect 2 'percent.*at most 100' "$QFW" calibrate float $to_four --method=percentile --calibrator.percent=101 --run.dir=no
expect 2 "calibrator.*'best'|no calibrator is called 'best'" "$QFW" calibrate float $to_four --method=best --run.dir=no

# Threads, batches and workers change nothing of what is chosen.
for other in --backend.threads=1 --eval.batch_size=7 --dataset.workers=3; do
  rm -rf again
  "$QFW" calibrate float $to_four --images=64 --batch-norm=3 --run.dir=again $other > again.txt 2> /dev/null
  cmp <(head -n -1 mse.txt) <(head -n -1 again.txt) || fail "$other: other bounds"
  h5diff mse/checkpoints/step_000000000.h5 again/checkpoints/step_000000000.h5 /variables /variables > difference.txt || fail "$other: $(head difference.txt)"
done

# The run goes on: quantized from its first step; it resumes; its weights go out.
QFW_LOG=info expect 0 'step 0: compiling a training step \(weights, activations' "$QFW" run mse/recipe.ini --train.steps=2
QFW_LOG=info expect 0 'resuming after step 2' "$QFW" run mse/recipe.ini --train.steps=3
expect 0 'max-tensor.h5' "$QFW" export max-tensor max-tensor.h5
h5ls -r max-tensor.h5 > names.txt
grep -q 'GetBounds_0/bounds' names.txt || fail "bounds are not exported"

# A recipe of its own, a recipe's run, a count of steps.
"$QFW" calibrate float --recipe=tiny.ini --images=16 --step=7 --run.dir=own > /dev/null 2>&1
[ -e own/checkpoints/step_000000007.h5 ] || fail "--step is not heeded"
sed 's/^name = weights_and_auto_acts/name = none/' tiny.ini > plain.ini
expect 2 'has no run yet' "$QFW" calibrate plain.ini --quantizer.name=weights_and_auto_acts --run.dir=no
"$QFW" run plain.ini --train.steps=2 > /dev/null 2>&1
expect 0 'bounds of' "$QFW" calibrate plain.ini --quantizer.name=weights_and_auto_acts --images=16 --run.dir=of_recipe

# Refusals leave nothing.
expect 2 'nothing to calibrate.*bounds = auto' "$QFW" calibrate float --run.dir=no
expect 2 'nothing to calibrate' "$QFW" calibrate float --quantizer.name=weights_and_fixed_acts --run.dir=no
expect 2 'has checkpoints already.*--run.dir=' "$QFW" calibrate float $to_four
expect 1 'lacks|of another|f32' "$QFW" calibrate float $to_four --model.num_filters=16 --run.dir=no
expect 2 '--images=0|at least 1' "$QFW" calibrate float $to_four --images=0 --run.dir=no
[ ! -e no ] || fail "a refused calibration leaves a folder"
"$QFW" calibrate float $to_four --images=100000 --eval.batch_size=8 --run.dir=no > /dev/null 2> interrupted.log &
pid=$!
for _ in $(seq 600); do
  ! grep -q 'calibrating float' interrupted.log || break
  sleep 0.05
done
kill -INT $pid
status=0
wait $pid || status=$?
[ $status = 130 ] || fail "interrupted with status $status: $(cat interrupted.log)"
[ ! -e no ] || fail "an interrupted calibration leaves a folder"
grep -q -- '--images=100000 is more than there is: split train has 60000 images, and all are taken' interrupted.log || fail "$(cat interrupted.log)"

# What changes nothing of an evaluation is told, once.
"$QFW" eval mse --quantizer.name=weights_only > /dev/null 2> idle.log
[ "$(grep -c 'quantizer.name=weights_only changes nothing: quantizer.bounds = auto is spelled out in mse/recipe.ini:.*add --quantizer.bounds=none' idle.log)" = 1 ] ||
  fail "the trap is silent: $(cat idle.log)"
"$QFW" eval mse --quantizer.name=weights_only --quantizer.bounds=none > /dev/null 2> idle.log
! grep -q 'quantizer.bounds=none changes nothing' idle.log || fail "what changes something is called idle"
expect 0 'schedule.base_learning_rate=0.5 changes nothing: it is about training' "$QFW" eval mse --schedule.base_learning_rate=0.5
"$QFW" eval mse --quantizer.weight_prec=2 --backend.threads=1 --eval.examples=50 > /dev/null 2> idle.log
! grep -q 'changes nothing' idle.log || fail "what changes something is called idle: $(cat idle.log)"
