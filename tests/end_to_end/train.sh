# What a run leaves behind, evaluation of it, and agreement between backends.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
tiny_recipe > tiny.ini

expect 0 "^eval_accuracy [0-9.]+ " "$QFW" run tiny.ini --run.dir=run --metrics.bounds=true
for file in recipe.ini environment.json report.json log.txt best.h5 checkpoints/step_000000020.h5; do
  [ -e run/$file ] || fail "there is no run/$file"
done
compgen -G 'run/events.out.tfevents.*' > /dev/null || fail "there is no event file"
find run -name '*.tmp*' | grep . && fail "temporary files are left"

# Equal runs give equal files, also from the resolved recipe.
sed 's/^dir = .*/dir = again/' run/recipe.ini > again.ini
"$QFW" run again.ini 2> /dev/null
cmp run/checkpoints/step_000000020.h5 again/checkpoints/step_000000020.h5 || fail "the resolved recipe does not reproduce the run"

# Every image counts, the partial last batch too, and the batch size does not matter.
"$QFW" eval run --json > first.json
[ "$(json_field examples < first.json)" = 100 ] || fail "$(cat first.json)"
"$QFW" eval run --json --eval.batch_size=7 > second.json
cmp first.json second.json || fail "the batch size changes the evaluation: $(cat first.json second.json)"
"$QFW" eval run --json --eval.examples=130 --logits=logits.h5 > third.json
[ "$(json_field examples < third.json)" = 130 ] || fail "$(cat third.json)"
if command -v h5dump > /dev/null; then
  h5dump -H logits.h5 | grep "( 130, 10 )" > /dev/null || fail "logits.h5 does not hold 130 x 10 logits"
fi
top1=$(json_field top1 < first.json)
grep -q "\"eval_accuracy\": $top1" run/report.json || fail "report and eval differ: $top1"

# An integer network evaluates to the same logits, bit for bit, on the reference backend.
"$QFW" eval run --json --logits=cpu.h5 > /dev/null 2>&1
"$QFW" eval run --json --backend.name=reference --logits=reference.h5 > /dev/null 2>&1
cmp cpu.h5 reference.h5 || fail "cpu and reference give different logits"

# The backend is one line: the same steps on the reference backend agree.
"$QFW" run tiny.ini --run.dir=reference --backend.name=reference --train.steps=3 2> reference.log
"$QFW" run tiny.ini --run.dir=cpu --train.steps=3 2> cpu.log
a=$(json_field eval_loss < reference/report.json) b=$(json_field eval_loss < cpu/report.json)
awk -v a="$a" -v b="$b" 'BEGIN { d = a - b; exit !(d < 1e-3 && d > -1e-3) }' || fail "eval_loss $a on reference, $b on cpu"

# Passes that are compiled train to the same bits as interpreted ones; the log says which there are.
"$QFW" run tiny.ini --run.dir=interpreted --backend.groups=interpreted 2> interpreted.log
if command -v h5diff > /dev/null; then
  end=checkpoints/step_000000020.h5
  h5diff run/$end interpreted/$end /variables /variables || fail "interpreted passes train to other variables"
fi
grep -q "passes: interpreter" interpreted.log || fail "the log does not say that passes are interpreted: $(cat interpreted.log)"
QFW_DUMP=plan "$QFW" bench tiny.ini --steps=1 --backend.groups=interpreted > plan.txt 2>&1
grep -q "interpreted by" plan.txt || fail "QFW_DUMP=plan does not name interpreted passes"

# A measurement that is cut short shows what it has, and says so with its exit status.
"$QFW" bench tiny.ini --steps=1000000 --json > cut.json 2> cut.log &
pid=$!
for _ in $(seq 200); do
  grep -q "1 of 1000000" cut.log && break
  sleep 0.1
done
kill -INT $pid
status=0
wait $pid || status=$?
[ $status = 130 ] || fail "a bench that is interrupted ends with status $status"
grep -q '"interrupted": true' cut.json || fail "$(cat cut.json)"
