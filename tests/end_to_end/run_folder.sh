# What a run writes down for reports and those who look on: with integers, with values on the grid, and with floats.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
tiny_recipe | sed 's/^per_epoch = 0/per_epoch = 200/' > tiny.ini

# Every one is JSON, and none was left half-written.
is_json() { ! command -v python3 > /dev/null || python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$1" || fail "$1 is no JSON"; }
steps() { tail -n +2 "$1" | cut -d , -f 1 | uniq; }
evaluations() { awk -F , 'NR > 1 && $9 != "" { print $1 }' "$1/series.csv"; }

for way in integer fake_quant none; do
  options=(--quantizer.arithmetic=$way)
  [ $way = none ] && options=(--quantizer.name=none)
  "$QFW" run tiny.ini --run.dir=./$way "${options[@]}" > $way.txt 2> $way.log || fail "$(cat $way.log)"
  grep -Eq '^eval_accuracy .* images/s \([0-9.]+ % of the machine.s peak\)$' $way.txt || fail "no share of the peak: $(cat $way.txt)"
  for file in setup.json status.json evaluation.json report.json; do is_json $way/$file; done
  find $way -name '*.qfw-tmp*' | grep . && fail "temporary files are left"
  [ "$(json_field state < $way/status.json)" = '"finished"' ] || fail "$(cat $way/status.json)"
  [ "$(json_field step < $way/evaluation.json)" = 20 ] || fail "the evaluation is not the last: $(head -n 3 $way/evaluation.json)"
  [ "$(json_field examples < $way/evaluation.json)" = 100 ] || fail "$(head -n 5 $way/evaluation.json)"
  [ "$(json_field top1 < $way/evaluation.json)" = "$(json_field eval_accuracy < $way/report.json)" ] || fail "evaluation and report differ"
  [ "$(evaluations $way | wc -l)" -ge 2 ] || fail "fewer than two evaluations"
  for file in setup evaluation; do grep -q '"T-shirt/top"' $way/$file.json || fail "$file.json has no names of classes"; done
  grep -q 'data:image/png;base64,iVBOR' $way/evaluation.json || fail "no image of what was mistaken"
  awk -v share="$(json_field peak_share < $way/report.json)" 'BEGIN { exit !(share > 0 && share < 1) }' || fail "peak_share: $(json_field peak_share < $way/report.json)"
done

# Of each layer the input and the weights, once bounds are set; a float has no line.
count=$("$QFW" explain tiny.ini --json 2> /dev/null | grep -c '"path"')
for way in integer fake_quant; do
  cmp <(evaluations $way) <(steps $way/layers.csv) || fail "not every evaluation is in layers.csv"
  [ "$(grep -c "^20,.*,input," $way/layers.csv)" = "$count" ] || fail "not $count inputs: $(cat $way/layers.csv)"
  [ "$(grep -c "^20,.*,weights," $way/layers.csv)" = "$count" ] || fail "not $count weights: $(cat $way/layers.csv)"
  grep -E "^20," $way/layers.csv | grep -E ',,|,$' && fail "a bound or a share is not known"
  awk -F , 'NR > 1 && ($5 > 1.0001 * $4 || $4 > 1.0001 * $6 || $7 < 0 || $7 > 1) { exit 1 }' $way/layers.csv || fail "bounds or shares that cannot be: $(cat $way/layers.csv)"
done
cmp <(head -n 1 integer/layers.csv) none/layers.csv || fail "floats are in layers.csv: $(cat none/layers.csv)"
grep -q '"integer": true' integer/setup.json || fail "no layer is integer"
grep -q '"integer": true' fake_quant/setup.json && fail "a layer is integer"

# Killed and gone on with: the same tables.
cp -r integer killed
rm killed/checkpoints/step_000000020.h5 killed/checkpoints/step_000000015.h5 killed/report.json
"$QFW" run tiny.ini --run.dir=killed > /dev/null 2>&1
for file in layers.csv evaluation.json; do cmp integer/$file killed/$file || fail "$file of a run that went on differs"; done

# Curves by their names.
grep -aq 'train/learning_rate' integer/events.* || fail "curves are not grouped"
grep -aq 'layers/.*/input_clipped' integer/events.* || fail "no curves of layers"
"$QFW" run tiny.ini --run.dir=original --metrics.tags=original --train.steps=6 > /dev/null 2>&1
grep -aq 'train_learning_rate' original/events.* && grep -aq 'steps per second' original/events.* && grep -aq 'eval_accuracy' original/events.* ||
  fail "the original's names are not there"
grep -aqE 'train/|eval/|layers/' original/events.* && fail "names that the original has not"

# One set of files whatever the number of replicas; examples are counted once.
"$QFW" run tiny.ini --run.dir=two --communicator.name=threads --communicator.replicas=2 > /dev/null 2>&1
[ "$(json_field replicas < two/setup.json)" = 2 ] || fail "$(head -n 12 two/setup.json)"
[ "$(json_field examples < two/evaluation.json)" = 100 ] || fail "two replicas evaluate $(json_field examples < two/evaluation.json) examples"

expect 0 '^[0-9.]+ % of the machine.s peak, which would be [0-9.]+ images/s$' "$QFW" bench tiny.ini --steps=2
"$QFW" bench tiny.ini --steps=2 --json 2> /dev/null | grep -E > /dev/null '"peak_share": 0\.[0-9]+' || fail "bench --json has no peak_share"
