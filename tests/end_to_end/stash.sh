# What a step keeps for its backward pass: `qfw explain` lists it beside all else that needs memory, without data and without training.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
tiny_recipe > tiny.ini
made=(--dataset.name=synthetic --dataset.height=28 --dataset.width=28 --augment.name=none)

"$QFW" explain tiny.ini "${made[@]}" > explain.txt 2> /dev/null
sed -n '/^kept for backward/,/^$/p' explain.txt > stash.txt
awk 'length($0) > 80' stash.txt | grep . && fail "a line has more than 80 columns"
grep -Eq '^kept for backward, MiB +values +f32 .*sum +%$' stash.txt || fail "$(cat explain.txt)"
grep -Eq '^stage1/block0/conv_1 +[0-9]+ +[0-9.]+ ' stash.txt || fail "a layer is missing: $(cat stash.txt)"
grep -Eq '^all +[0-9]+ .* 100.0$' stash.txt || fail "there is no sum: $(cat stash.txt)"
tr '\n' ' ' < stash.txt | grep -E > /dev/null 'kept for backward among intermediate values of [0-9.]+ \([0-9.]+ times\); parameters [0-9.]+, optimizer [0-9.]+' ||
  fail "what memory is needed for is not said: $(cat stash.txt)"

# The JSON has every value, and they add up.
"$QFW" explain tiny.ini "${made[@]}" --json > explain.json 2> /dev/null
sum=$(sed -n '/"stash": \[/,/^  \]/s/.*"bytes": \([0-9]*\).*/\1/p' explain.json | awk '{ s += $1 } END { print s }')
[ "$sum" = "$(json_field stash_bytes < explain.json)" ] || fail "the values have $sum bytes, not $(json_field stash_bytes < explain.json)"
[ "$sum" -lt "$(json_field arena_bytes < explain.json)" ] || fail "more is kept than there is"

# Twice the batch keeps twice as much, but for what has no batch.
twice=$("$QFW" explain tiny.ini "${made[@]}" --train.batch_size=64 --json 2> /dev/null | json_field stash_bytes)
awk -v a="$sum" -v b="$twice" 'BEGIN { exit !(b > 1.9 * a && b <= 2 * a) }' || fail "$sum bytes are kept at a batch of 32, $twice at 64"

# With part of it computed again less is kept; what is, and what that saves, is said.
"$QFW" explain tiny.ini "${made[@]}" --train.recompute=all > again.txt 2> /dev/null
grep -Eq '^kept for backward, MiB .* again$' again.txt || fail "there is no column of what is computed again: $(cat again.txt)"
tr '\n' ' ' < again.txt | grep -E > /dev/null 'recompute all: values of [0-9.]+ in all are computed again when they are needed \(.*[0-9]+ conv2d.*\); without that' ||
  fail "what is computed again is not said: $(cat again.txt)"
"$QFW" explain tiny.ini "${made[@]}" --train.recompute=all --json > again.json 2> /dev/null
[ "$(json_field stash_bytes < again.json)" -lt "$sum" ] || fail "no less is kept"
[ "$(json_field stash_bytes_without_recompute < again.json)" = "$sum" ] || fail "what would be kept otherwise is not said"
"$QFW" explain tiny.ini "${made[@]}" --train.recompute=auto --train.memory_limit_mib=1 > /dev/null 2> refused.txt && fail "1 MiB was enough"
grep -q 'more than train.memory_limit_mib = 1' refused.txt || fail "$(cat refused.txt)"

# What a later phase needs counts before the first step, too, and what is named as needed is more than the limit.
limit=1 late=''
until "$QFW" run tiny.ini "${made[@]}" --run.dir=fits --train.batch_size=256 --train.recompute=auto --train.memory_limit_mib=$limit \
  --backend.compute=bf16 --quantizer.activation_bound_start_step=1 --train.steps=3 --eval.per_epoch=0 --eval.examples=32 > out.txt 2>&1; do
  needs=$(sed -nE "s/.*takes ([0-9]+) MiB even with all recomputed, more than train.memory_limit_mib = $limit;.*/\1/p" out.txt)
  [ -n "$needs" ] || fail "at $limit MiB: $(cat out.txt)"
  [ "$needs" -gt "$limit" ] || fail "$needs MiB are more than $limit"
  [ ! -e fits/checkpoints/step_000000001.h5 ] && [ "$(cat fits/series.csv 2> /dev/null | wc -l)" -le 1 ] || fail "steps were made before $(cat out.txt)"
  grep -q 'a training step (.*activations' out.txt && late=yes
  limit=$needs
done
[ -n "$late" ] || fail "no limit was too low for the later phase alone"

"$QFW" explain tiny.ini "${made[@]}" --backend.name=reference 2> /dev/null > reference.txt
grep -q 'kept for backward' reference.txt && fail "reference plans no memory"
echo "stash: $sum bytes are listed"
