# qfw data, and training from what it made: real images as JPEG in every form that can be written.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
export XDG_CACHE_HOME=$PWD/cache
from=(--dataset.name=fashion_mnist)

for form in tfds image_folder hdf5; do
  "$QFW" data convert "${from[@]}" --to=$form --output=$form --resize=32 --examples=300 --writer.encoding=jpeg 2> /dev/null > /dev/null
done
declare -A reader=([tfds]=imagenet_tfds [image_folder]=image_folder [hdf5]=hdf5)
for form in tfds image_folder hdf5; do
  "$QFW" data verify --dataset.name="${reader[$form]}" --dataset.data_dir=$form --json > verify.json 2> /dev/null || fail "verify of $form: $(cat verify.json)"
  [ "$(grep -c '"records": 300' verify.json)" = 2 ] || fail "$form does not hold 300 images in each split: $(cat verify.json)"
  "$QFW" data info --dataset.name="${reader[$form]}" --dataset.data_dir=$form --json > $form.json 2> /dev/null
  grep -q '"jpeg": 300' $form.json || fail "no JPEG in $form: $(cat $form.json)"
done
# Every form holds the same images, so a network evaluates to the same numbers from each.
tiny_recipe | sed 's/^name = shift_flip/name = imagenet_train/; s/^stddev = .*/stddev = 0.3530\nimage_size = 28/; s/^num_epochs = .*/num_epochs = 1/' > jpeg.ini
for form in tfds image_folder hdf5; do
  "$QFW" run jpeg.ini --run.dir=run_$form --dataset.name="${reader[$form]}" --dataset.data_dir=$form --train.steps=6 --train.batch_size=20 \
    --eval.examples=100 > /dev/null 2> log_$form || fail "cannot train from $form: $(cat log_$form)"
done
loss=$(json_field eval_loss < run_tfds/report.json)
[ "$(json_field eval_loss < run_hdf5/report.json)" = "$loss" ] || fail "hdf5 and tfds train to other numbers"

# Both caches: the same numbers from memory; from disk after resizing, which changes nothing for images this small.
for cache in memory disk; do
  "$QFW" run jpeg.ini --run.dir=run_$cache --dataset.name=imagenet_tfds --dataset.data_dir=tfds --dataset.cache=$cache --dataset.cache_dir=cache \
    --train.steps=6 --train.batch_size=20 --eval.examples=100 > /dev/null 2>&1
done
[ "$(json_field eval_loss < run_memory/report.json)" = "$loss" ] || fail "the memory cache changes the numbers"
compgen -G 'cache/*_train.pixels' > /dev/null || fail "there is no file of cached pixels"

# A conversion that is killed goes on; the result is the same bytes. Another one is refused.
"$QFW" data convert "${from[@]}" --to=tfds --output=whole --split=train --examples=4000 --writer.shard_examples=100 > /dev/null 2>&1
"$QFW" data convert "${from[@]}" --to=tfds --output=parts --split=train --examples=4000 --writer.shard_examples=100 > /dev/null 2>&1 &
pid=$!
for _ in $(seq 600); do
  compgen -G 'parts/*tfrecord-*' > /dev/null && break
  sleep 0.01
done
kill -9 $pid 2> /dev/null || true
wait $pid 2> /dev/null || true
"$QFW" data convert "${from[@]}" --to=tfds --output=parts --split=train --examples=4000 --writer.shard_examples=100 > /dev/null 2>&1
rm -f parts/*.tmp
diff -r whole parts || fail "a conversion that was killed ends in other bytes"
expect 2 "another conversion was made in this folder" "$QFW" data convert "${from[@]}" --to=tfds --output=parts --split=train --examples=50
expect 2 "the folder is not empty" "$QFW" data convert "${from[@]}" --to=tfds --output=cache
expect 2 "forms are: .*hdf5.*tfds" "$QFW" data convert "${from[@]}"
expect 2 "no option shard_exampels.*shard_examples" "$QFW" data convert "${from[@]}" --to=tfds --output=new --writer.shard_exampels=3
expect 2 "json means nothing to .qfw data show.*it takes --output" "$QFW" data show "${from[@]}" --json
expect 2 "two ways to the size" "$QFW" data convert "${from[@]}" --to=tfds --output=new --resize=8 --shorter-side=8
expect 2 "there is no .qfw data inf." "$QFW" data inf "${from[@]}"

# A damaged record: verify counts it, a run stops at it, or goes on without it and says so.
cp -r tfds bad
shard=$(ls bad/*train.tfrecord-00000-of-*)
printf 'X' | dd of="$shard" bs=1 seek=3000 conv=notrunc 2> /dev/null
status=0
"$QFW" data verify --dataset.name=imagenet_tfds --dataset.data_dir=bad --json > verify.json 2> /dev/null || status=$?
[ $status = 1 ] || fail "verify of a damaged shard exits with $status"
grep -q '"bad": 1' verify.json || fail "verify counts other than 1: $(cat verify.json)"
grep -q 'record [0-9]* at offset [0-9]*' verify.json || fail "verify does not name the record: $(cat verify.json)"
bad=(jpeg.ini --dataset.name=imagenet_tfds --dataset.data_dir=bad --train.steps=15 --train.batch_size=20 --eval.examples=100)
expect 1 "do not fit their checksum .*record [0-9]+ at offset" "$QFW" run "${bad[@]}" --run.dir=stops
expect 0 "^eval_accuracy" "$QFW" run "${bad[@]}" --run.dir=skips --dataset.on_corrupt=skip
grep -q '"corrupt_examples": 1' skips/report.json || fail "the report does not count the corrupt example"
grep -q 'skipped: .*checksum' skips/log.txt || fail "the log does not name the corrupt example"
expect 1 "more than 0 corrupt examples" "$QFW" run "${bad[@]}" --run.dir=ceiling --dataset.on_corrupt=skip --dataset.max_corrupt=0
rm bad/*train.tfrecord-00000-of-*
expect 1 "a shard of split train is missing" "$QFW" run "${bad[@]}" --run.dir=missing

expect 0 "^pipeline +1 +[0-9]+" "$QFW" data bench --dataset.name=imagenet_tfds --dataset.data_dir=tfds --augment.name=imagenet_train --threads=2 --examples=200
expect 0 "^sheet.png$" "$QFW" data show --dataset.name=imagenet_tfds --dataset.data_dir=tfds --augment.name=imagenet_train --augment.image_size=48 --rows=3 --columns=4 --output=sheet.png
head -c 8 sheet.png | od -An -c | grep -q 'P   N   G' || fail "sheet.png is no PNG"

# What a conversion leaves out is named.
cp -r image_folder holed
first=$(find holed/train -type f | sort | sed -n 1p)
head -c 50 "$first" > cut && mv cut "$first"
expect 0 "left out: .*$(basename "$first")" "$QFW" data convert --dataset.name=image_folder --dataset.data_dir=holed --to=hdf5 \
  --output=holed_hdf5 --dataset.on_corrupt=skip

# A conversion knows the data that it began with, and its folder belongs to one process at a time.
again=("$QFW" data convert --dataset.name=image_folder --dataset.data_dir=image_folder --to=tfds --output=known)
"${again[@]}" > /dev/null 2>&1
touch "$(find image_folder/train -type f | sort | sed -n 1p)"
expect 2 "data that have changed since" "${again[@]}"
mkdir held && flock held sleep 5 &
wait_for held
sleep 0.2
expect 2 "another conversion is writing to this folder" "$QFW" data convert --dataset.name=image_folder --dataset.data_dir=image_folder \
  --to=tfds --output=held
expect 1 "cannot write /proc/nowhere" "$QFW" data convert --dataset.name=image_folder --dataset.data_dir=image_folder --to=tfds \
  --output=/proc/nowhere
