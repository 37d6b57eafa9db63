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
tr '\n' ' ' < stash.txt | grep -Eq 'kept for backward among intermediate values of [0-9.]+ \([0-9.]+ times\); parameters [0-9.]+, optimizer [0-9.]+' ||
  fail "what memory is needed for is not said: $(cat stash.txt)"

# The JSON has every value, and they add up.
"$QFW" explain tiny.ini "${made[@]}" --json > explain.json 2> /dev/null
sum=$(sed -n '/"stash": \[/,/^  \]/s/.*"bytes": \([0-9]*\).*/\1/p' explain.json | awk '{ s += $1 } END { print s }')
[ "$sum" = "$(json_field stash_bytes < explain.json)" ] || fail "the values have $sum bytes, not $(json_field stash_bytes < explain.json)"
[ "$sum" -lt "$(json_field arena_bytes < explain.json)" ] || fail "more is kept than there is"

# Twice the batch keeps twice as much, but for what has no batch.
twice=$("$QFW" explain tiny.ini "${made[@]}" --train.batch_size=64 --json 2> /dev/null | json_field stash_bytes)
awk -v a="$sum" -v b="$twice" 'BEGIN { exit !(b > 1.9 * a && b <= 2 * a) }' || fail "$sum bytes are kept at a batch of 32, $twice at 64"

"$QFW" explain tiny.ini "${made[@]}" --backend.name=reference 2> /dev/null > reference.txt
grep -q 'kept for backward' reference.txt && fail "reference plans no memory"
echo "stash: $sum bytes are listed"
