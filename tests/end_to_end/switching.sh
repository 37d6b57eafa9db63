# Quantizer, schedule, optimizer, model depth, backend and augmentation are one line of a recipe each.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
tiny_recipe > tiny.ini

switch() {  # switch SECTION NAME: the recipe with that one line replaced
  awk -v section="[$1]" -v name="$2" '
    /^\[/ { inside = $0 == section }
    inside && /^name = / { print "name = " name; next }
    { print }' tiny.ini
}

count=0
trains() {  # trains SECTION NAME [OVERRIDE...]
  count=$((count + 1))
  switch "$1" "$2" > "switched_$count.ini"
  shift 2
  expect 0 "^eval_accuracy" "$QFW" run "switched_$count.ini" --run.dir="run_$count" --train.steps=3 "$@"
}

for quantizer in none weights_only weights_and_fixed_acts weights_and_auto_acts WEIGHTS_AND_AUTO_ACTS; do trains quantizer $quantizer; done
for schedule in linear piecewise step; do trains schedule $schedule; done
trains optimizer adam
trains augment none
trains backend reference
trains backend cpu --backend.compute=bf16
expect 0 "^eval_accuracy" "$QFW" run tiny.ini --run.dir=deeper --train.steps=2 --model.stages=1,2
expect 0 "stage4/block1/conv_3" "$QFW" explain tiny.ini --model.depth=29
expect 0 "model.stages .* is dropped: model.depth .* takes its place" "$QFW" explain tiny.ini --model.depth=29

# The original's spelling of the policy, and per-layer overrides.
sed 's/^name = weights_and_auto_acts/quant_target = WEIGHTS_AND_FIXED_ACT/' tiny.ini > original.ini
printf '\n[layer:stage1/**]\nweight_prec = 2\n' >> original.ini
"$QFW" explain original.ini --json > explained.json 2> /dev/null
grep -q '"weight_bits": 2' explained.json || fail "the layer override is not in force"

# ResNet50 on ImageNet, without ImageNet.
recipe=$QFW_SOURCE_DIR/recipes/resnet50_w4a4.ini
"$QFW" explain "$recipe" --json --backend.name=reference --train.batch_size=1 > resnet50.json 2> /dev/null
grep -q '"multiplications": 4089184256' resnet50.json || fail "not ResNet50's multiplications"
grep -q '"matmul_weights": 25502912' resnet50.json || fail "not ResNet50's weights"
grep -q '"integer": false' resnet50.json && fail "a layer is not integer"
expect 1 "there is no such folder \(nowhere\); point dataset.data_dir at" "$QFW" run "$recipe" --dataset.data_dir=nowhere
expect 2 "imagenet_elsewhere.*imagenet_tfds" "$QFW" run "$recipe" --dataset.name=imagenet_elsewhere

# Without a plugin's file only the recipes that name it break, and they say what is there.
mkdir tree
cp -a "$(dirname "$QFW")"/. tree/
rm tree/libqfw_optimizer_adam.so
expect 0 "^eval_accuracy" tree/qfw run tiny.ini --run.dir=without --train.steps=2
expect 2 "adam.*sgd" tree/qfw run tiny.ini --run.dir=adam --optimizer.name=adam
