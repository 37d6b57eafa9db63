# kill -9 at any moment, and Ctrl-C: what comes out in the end equals an uninterrupted run, byte for byte.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
tiny_recipe > tiny.ini

"$QFW" run tiny.ini --run.dir=whole 2> whole.log

# Killed between two checkpoints, in the middle of an epoch: started in the background until it has passed step 7.
"$QFW" run tiny.ini --run.dir=killed 2> killed.log &
pid=$!
wait_for killed/checkpoints/step_000000005.h5
kill -9 $pid 2> /dev/null || true
wait $pid 2> /dev/null || true
[ -e killed/checkpoints/step_000000005.h5 ] || fail "the run was killed before its first checkpoint"
rm -f killed/checkpoints/step_00000001*.h5 killed/checkpoints/step_00000002*.h5  # as if it had been killed earlier, however fast it was
"$QFW" run tiny.ini --run.dir=killed 2> resumed.log
grep -q "resuming after step 5" resumed.log || fail "it did not resume: $(cat resumed.log)"
for step in 10 15 20; do
  cmp "whole/checkpoints/step_$(printf %09d $step).h5" "killed/checkpoints/step_$(printf %09d $step).h5" || fail "checkpoint $step differs"
done
for file in layers.csv evaluation.json; do cmp whole/$file killed/$file || fail "$file of the run that was killed differs"; done
if command -v h5diff > /dev/null; then
  h5diff whole/checkpoints/step_000000020.h5 killed/checkpoints/step_000000020.h5 || fail "h5diff finds differences"
fi

# The random numbers of the integer backward pass are those of the step, wherever a run was stopped.
"$QFW" run tiny.ini --run.dir=rounded --quantizer.backward=int8 2> rounded.log
cp -r rounded parts
rm -f parts/checkpoints/step_00000001*.h5 parts/checkpoints/step_00000002*.h5
expect 0 "resuming after step 5" "$QFW" run tiny.ini --run.dir=parts --quantizer.backward=int8
cmp rounded/checkpoints/step_000000020.h5 parts/checkpoints/step_000000020.h5 || fail "stochastic rounding goes on in another way"
cmp -s rounded/checkpoints/step_000000020.h5 whole/checkpoints/step_000000020.h5 && fail "quantizer.backward changes nothing"
expect 2 "started with another recipe: quantizer.backward was float, is int8" "$QFW" run tiny.ini --run.dir=whole --quantizer.backward=int8

# Ctrl-C saves at once and stops with 130; the same command goes on.
"$QFW" run tiny.ini --run.dir=stopped --train.steps=100000 --schedule.num_epochs=400 2> stopped.log &
pid=$!
wait_for stopped/checkpoints/step_000000005.h5
kill -INT $pid
status=0
wait $pid || status=$?
[ $status = 130 ] || fail "Ctrl-C ended with status $status: $(cat stopped.log)"
grep -q '"status": "interrupted"' stopped/report.json || fail "no report of the interruption"
step=$(grep -oE "stopped after step [0-9]+" stopped.log | grep -oE "[0-9]+")
[ -e "stopped/checkpoints/step_$(printf %09d "$step").h5" ] || fail "no checkpoint of step $step"
expect 0 "resuming after step $step" "$QFW" run tiny.ini --run.dir=stopped --schedule.num_epochs=400 --train.steps=$((step + 2))

# A finished run says so; another recipe is not mixed into it; a second process is refused.
expect 0 "this run is finished: 20 steps" "$QFW" run tiny.ini --run.dir=whole
"$QFW" run tiny.ini --run.dir=whole 2> /dev/null | grep "$(grep -oE '"eval_loss": [0-9.]{4}' whole/report.json | grep -oE '[0-9.]+$')" > /dev/null ||
  fail "a finished run reports another result than it had"
expect 2 "started with another recipe: quantizer.weight_prec was 4, is 2" "$QFW" run tiny.ini --run.dir=whole --quantizer.weight_prec=2
"$QFW" run tiny.ini --run.dir=busy --train.steps=100000 --schedule.num_epochs=400 2> busy.log &
pid=$!
wait_for busy/checkpoints/step_000000005.h5
expect 2 "process $pid is running" "$QFW" run tiny.ini --run.dir=busy
kill -9 $pid
wait $pid 2> /dev/null || true

# Where only an evaluation is left, no speed is told.
cp -r whole evaluated
rm evaluated/checkpoints/step_000000020.h5
expect 0 "^eval_accuracy .*, 15 steps$" "$QFW" run tiny.ini --run.dir=evaluated --train.steps=15

# A damaged newest checkpoint is noticed, and the one before it used.
cp -r whole damaged
truncate -s 1000 damaged/checkpoints/step_000000020.h5
expect 0 "passing over a checkpoint" "$QFW" run tiny.ini --run.dir=damaged
cmp whole/checkpoints/step_000000020.h5 damaged/checkpoints/step_000000020.h5 || fail "the repaired run differs"
