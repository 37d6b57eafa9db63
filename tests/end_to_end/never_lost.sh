# What was trained stays: a run that cannot go on stops and touches nothing; an evaluation that fails costs no step.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
tiny_recipe > tiny.ini
quick() { "$QFW" run tiny.ini "$@" --train.steps=10; }

quick --run.dir=whole 2> whole.log
state() { find "$1" -name '*.h5' -exec sha256sum {} + | sort; }

# No checkpoint is whole: stop, whatever is wrong with them.
for fault in "truncate -s 700" "truncate -s 0" "sed -i s/[a-z]/X/g"; do
  rm -rf spoilt && cp -r whole spoilt
  find spoilt/checkpoints -name '*.h5' -exec $fault {} \;
  before=$(state spoilt)
  expect 1 "none of its 2 checkpoints is whole .*spoilt/checkpoints.*--run.dir" quick --run.dir=spoilt
  [ "$before" = "$(state spoilt)" ] || fail "a refused run changed files ($fault)"
  expect 1 "cannot use spoilt/checkpoints/step_000000010.h5" "$QFW" eval spoilt
done

# The folder of checkpoints cannot be read: that is not an empty one.
# Nor is one that may not be read a reason to go on from an older one. Root may read everything: it takes the part of another user.
others() { "$@"; }
if [ "$(id -u)" = 0 ]; then others() { setpriv --reuid=65534 --clear-groups "$@"; }; fi
cp -r whole closed
chmod 000 closed/checkpoints/step_000000010.h5
[ "$(id -u)" != 0 ] || chown -R 65534 closed
expect 1 "closed/checkpoints/step_000000010.h5: Permission denied; make it readable" others "$QFW" run tiny.ini --run.dir=closed --train.steps=12
[ ! -e closed/checkpoints/step_000000012.h5 ] || fail "it went on without the checkpoint that it may not read"
chmod 644 closed/checkpoints/step_000000010.h5 && chmod 000 closed/checkpoints
expect 1 "cannot list the checkpoints: Permission denied .*closed/checkpoints" others "$QFW" run tiny.ini --run.dir=closed --train.steps=12
chmod 755 closed/checkpoints
cp -r whole other && rm -r other/checkpoints && echo > other/checkpoints
expect 1 "checkpoints" quick --run.dir=other

# Other classes than those trained on are refused before anything is compared, by the recipe or, at the end, by the data.
drawn() {
  "$QFW" run tiny.ini --run.dir=synthetic --dataset.name=synthetic --dataset.height=32 --dataset.width=32 --schedule.num_epochs=1 "$@"
}
drawn --dataset.classes=10 --train.steps=2 2> synthetic.log || fail "$(cat synthetic.log)"
before=$(state synthetic)
expect 2 "dataset.classes was 10, is 7 .*for a run of its own add --run.dir=synthetic-classes-7" drawn --dataset.classes=7 --train.steps=4
[ "$before" = "$(state synthetic)" ] || fail "a refused run changed files"

# Another seed, a checkpoint under another name, results that would replace the run's own files: refused, or passed over with a word.
cp -r whole again && rm again/checkpoints/step_000000010.h5
expect 2 "run.seed = 0, now it is 5" quick --run.dir=again --run.seed=5
cp whole/checkpoints/step_000000005.h5 again/checkpoints/step_000000100.h5
expect 0 "holds the state after step 5: it was renamed or copied" quick --run.dir=again
cmp whole/checkpoints/step_000000010.h5 again/checkpoints/step_000000010.h5 || fail "the run beside a renamed checkpoint differs"
before=$(state whole)
for target in whole/checkpoints/step_000000010.h5 whole/checkpoints/new.h5 whole/recipe.ini whole/best.h5; do
  expect 2 "would replace a file of a run" "$QFW" export whole $target
  expect 2 "would replace a file of a run" "$QFW" eval whole --logits=$target
done
# Nor is a file of another run replaced, or one of somebody else's.
cp -r whole neighbour
for target in neighbour/recipe.ini neighbour/best.h5 neighbour/checkpoints/step_000000010.h5 neighbour/checkpoints/new.h5; do
  expect 2 "would replace a file of a run" "$QFW" export whole $target
  expect 2 "would replace a file of a run" "$QFW" eval whole --logits=$target
done
expect 2 "would replace a file of a run" "$QFW" report whole --json --out=neighbour/series.csv
[ "$(state whole | cut -d' ' -f1)" = "$(state neighbour | cut -d' ' -f1)" ] || fail "another run's files changed"
echo mine > mine.ini
expect 2 "no file of weights that qfw wrote .*mine.ini" "$QFW" export whole mine.ini --exporter=aqt
expect 2 "no exporter writes files that end like mine.ini" "$QFW" export whole mine.ini
expect 2 "no file of logits that qfw wrote .*mine.ini" "$QFW" eval whole --logits=mine.ini
expect 2 "no JSON .*mine.ini" "$QFW" report whole --json --out=mine.ini
[ "$(cat mine.ini)" = mine ] || fail "a file of the user's was replaced"
expect 0 "weights.h5" "$QFW" export whole weights.h5
expect 0 "weights.h5" "$QFW" export whole weights.h5
expect 0 "" "$QFW" eval whole --logits=logits.h5 --eval.examples=100
expect 0 "" "$QFW" eval whole --logits=logits.h5 --eval.examples=50
# HDF5 alone does not make a file ours: weights that somebody else trained, logits in place of weights.
cp whole/checkpoints/step_000000010.h5 theirs.h5
cp theirs.h5 theirs.npz
cp theirs.h5 theirs.onnx
for target in theirs.h5 logits.h5; do
  cp $target kept.h5
  expect 2 "no file of weights that qfw wrote .*$target" "$QFW" export whole $target
  expect 2 "did not write .*$target" "$QFW" export whole $target --exporter=codes
  cmp $target kept.h5 || fail "$target was replaced"
done
expect 2 "no file of logits that qfw wrote .*theirs.h5" "$QFW" eval whole --logits=theirs.h5
expect 2 "no file of logits that qfw wrote .*weights.h5" "$QFW" eval whole --logits=weights.h5
for target in theirs.npz theirs.onnx; do
  expect 2 "did not write .*$target" "$QFW" export whole $target
  cmp $target theirs.h5 || fail "$target was replaced"
done
[ "$before" = "$(state whole)" ] || fail "files of the run were replaced"

# Behind a link lies the file that is written; one to nowhere is nobody's to replace.
mkdir links
"$QFW" export whole links/real.h5 > /dev/null
cp links/real.h5 links/before.h5
ln -s real.h5 links/latest.h5
ln -s absent.h5 links/dangling.h5
expect 0 "real.h5" "$QFW" export whole links/latest.h5 --group=elsewhere
[ -L links/latest.h5 ] && ! cmp -s links/real.h5 links/before.h5 || fail "a link was replaced"
expect 2 "a link to what is not there" "$QFW" export whole links/dangling.h5
if [ "$(id -u)" != 0 ]; then
  chmod 444 links/real.h5
  expect 2 "may not write" "$QFW" export whole links/real.h5
fi

# What follows the last checkpoint is made up for: the report, and recipe.ini, which eval and export read.
rm whole/report.json
expect 0 "this run is finished" quick --run.dir=whole
[ "$(json_field status < whole/report.json)" = '"finished"' ] || fail "the missing report was not written"
rm again/recipe.ini && expect 0 . "$QFW" run tiny.ini --run.dir=again --train.steps=11
rm again/checkpoints/step_000000100.h5
expect 0 "step 11" "$QFW" eval again --eval.examples=50

# What decides the course must be equal, another split too; what mends a run may change; an evaluation under another recipe is said.
expect 2 "dataset.train_split was train, is validation" quick --run.dir=whole --dataset.train_split=validation
rm -rf mended && cp -r whole mended
expect 0 "another setting: dataset.on_corrupt was fail, is skip" "$QFW" run tiny.ini --run.dir=mended --train.steps=11 \
  --dataset.on_corrupt=skip --dataset.max_corrupt=7 --dataset.cache=memory
expect 0 "trained under another recipe: quantizer.weight_prec was 4, is 2" "$QFW" eval whole --quantizer.weight_prec=2

# A log that is a pipe is not waited for; a checkpoint that cannot be written is known before the first step.
rm -rf again && mkdir again && mkfifo again/log.txt
expect 0 "there will be no log file" timeout 100 "$QFW" run tiny.ini --run.dir=again --train.steps=2
mkdir -p blocked/best.h5
expect 1 "cannot write blocked/best.h5: it is a folder" quick --run.dir=blocked
[ -e blocked/checkpoints/step_000000005.h5 ] && fail "it trained before it looked"

# Results without a checkpoint are not trained over; what did not get that far is.
rm -rf pruned && cp -r whole pruned && rm -r pruned/checkpoints
expect 2 "but no checkpoint to go on from.*add --run.dir=pruned-new, or remove the folder" "$QFW" run tiny.ini --run.dir=pruned
cmp pruned/best.h5 whole/best.h5 && cmp pruned/series.csv whole/series.csv || fail "a refused start changed the run"
rm pruned/best.h5 && sed -i 's/"finished"/"interrupted"/' pruned/report.json
expect 0 "resnet|tiny|backend" "$QFW" run tiny.ini --run.dir=pruned --train.steps=2

# A split that is not there is named before the first step, with the key that chooses it.
expect 2 "there is no split test; the splits are train, validation.*dataset.validation_split" quick --run.dir=nosplit \
  --dataset.validation_split=test
expect 2 "there is no split nothing; .*dataset.train_split" quick --run.dir=nosplit --dataset.train_split=nothing
[ -e nosplit/checkpoints/step_000000005.h5 ] && fail "it trained without a split to evaluate on"
expect 0 "on 100 images" quick --run.dir=swapped --dataset.train_split=validation --dataset.validation_split=train

# An evaluation that fails: every step is saved, the report says what ended the run, and after mending the next start evaluates.
"$QFW" data convert --dataset.name=synthetic --dataset.train_examples=60 --dataset.validation_examples=20 --to=image_folder \
  --output=pictures > /dev/null 2>&1
last=$(find pictures/val -type f | sort | tail -n 1)
folder() {
  "$QFW" run tiny.ini --dataset.name=image_folder --dataset.data_dir=pictures --augment.name=imagenet_train --augment.image_size=32 \
    --train.batch_size=6 --schedule.num_epochs=1 --schedule.warmup_epochs=0 --checkpoint.every_steps=100 "$@"
}
folder --run.dir=sound 2> sound.log || fail "$(cat sound.log)"
cp "$last" kept && head -c 100 kept > "$last"
expect 1 "$(basename "$last")" folder --run.dir=unsound
[ -e unsound/checkpoints/step_000000010.h5 ] || fail "the last step was not saved: $(ls unsound/checkpoints)"
[ "$(json_field status < unsound/report.json)" = '"failed"' ] || fail "report.json hides the failure"
grep -q '"error": ".*'"$(basename "$last")" unsound/report.json || fail "report.json does not say what failed"
expect 1 "$(basename "$last")" folder --run.dir=early --eval.every_epochs=1 --train.steps=20 --schedule.num_epochs=2
[ -e early/checkpoints/step_000000010.h5 ] || fail "an evaluation in the middle cost the steps before it"
cp kept "$last"
expect 0 "eval_accuracy" folder --run.dir=unsound
cmp sound/checkpoints/step_000000010.h5 unsound/checkpoints/step_000000010.h5 || fail "the mended run differs from an undisturbed one"

# What an evaluation in between needs is not kept beyond the next checkpoint.
folder --run.dir=between --eval.per_epoch=5 --checkpoint.every_steps=4 2> /dev/null
[ "$(ls between/checkpoints | tr '\n' ' ')" = "step_000000004.h5 step_000000008.h5 step_000000010.h5 " ] ||
  fail "checkpoints left: $(ls between/checkpoints)"

# Data that changed: said once when the run goes on; not for a copy elsewhere.
folder --run.dir=half --eval.every_epochs=1 --train.steps=5 --schedule.num_epochs=2 2> half.log || fail "$(cat half.log)"
cp -r pictures elsewhere && cp -r half goes_on
folder --run.dir=goes_on --eval.every_epochs=1 --train.steps=20 --schedule.num_epochs=2 --dataset.data_dir=elsewhere > goes_on.log 2>&1 ||
  fail "$(cat goes_on.log)"
grep "the data have changed" goes_on.log && fail "a copy passes for other data"
for change in "cp $last ${last%/*}/new.${last##*.}" "rm ${last%/*}/new.${last##*.}"; do
  rm -rf goes_on && cp -r half goes_on
  eval "$change"
  folder --run.dir=goes_on --eval.every_epochs=1 --train.steps=20 --schedule.num_epochs=2 > goes_on.log 2>&1 || fail "$(cat goes_on.log)"
  said=$(grep -c "the data have changed" goes_on.log || true)
  case $change in
    cp*) [ "$said" = 1 ] && grep -q "split validation had 20 images, has 21" goes_on.log || fail "an added picture: $(cat goes_on.log)" ;;
    rm*) [ "$said" = 0 ] || fail "unchanged data: $(cat goes_on.log)" ;;
  esac
done
rm -rf goes_on && cp -r half goes_on
find pictures -name .qfw_classes -delete  # only classes with pictures are left, in both splits
rm -r pictures/val && cp -r pictures/train pictures/val
expect 2 "trained on 1000 classes, the data set has [0-9]+ .*for a run of its own add --run.dir=goes_on-data" folder --run.dir=goes_on \
  --eval.every_epochs=1 --train.steps=20 --schedule.num_epochs=2
