# Weights under the original's names: out of a run, into another, and from the reference data.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
golden=${QFW_GOLDEN_DIR:-$QFW_SOURCE_DIR/tests/golden}
tiny_recipe > tiny.ini

# A trained run goes out and comes back: the same evaluation, bit for bit, with its bounds in use at once.
"$QFW" run tiny.ini --run.dir=first > /dev/null 2>&1
"$QFW" export first first.h5 > /dev/null
expect 0 "bounds are set" "$QFW" import tiny.ini first.h5 --run.dir=second
"$QFW" eval first --logits=first_logits.h5 > /dev/null 2>&1
"$QFW" eval second --logits=second_logits.h5 > /dev/null 2>&1
cmp first_logits.h5 second_logits.h5 || fail "imported weights evaluate to other logits"
expect 2 "ends as those of exporter onnx do \(first.onnx\)" "$QFW" export first first.onnx --format=aqt
[ ! -e first.onnx ] || fail "HDF5 lies under the name of another kind of file"
h5ls -r first.h5 > names.txt
grep -q "/get_bounds/ResidualBlock_1/conv1/GetBounds_0/bounds" names.txt || fail "names are not the original's: see names.txt"
"$QFW" export second second.h5 > /dev/null
h5diff first.h5 second.h5 || fail "what comes back out differs"

# Training goes on from there, quantized from its first step.
QFW_LOG=info expect 0 "step 0: compiling a training step \(weights, activations" "$QFW" run tiny.ini --run.dir=second --train.steps=2
QFW_LOG=info expect 0 "resuming after step 2" "$QFW" run tiny.ini --run.dir=second --train.steps=3

expect 2 "has checkpoints already" "$QFW" import tiny.ini first.h5 --run.dir=second
expect 1 "there is no group /nowhere" "$QFW" import tiny.ini first.h5 --group=/nowhere --run.dir=third
expect 1 "another shape or type: params/DenseAqt_0/kernel" "$QFW" import tiny.ini first.h5 --model.stages=1 --run.dir=third
expect 1 "the file lacks: .*\(for stage3/block0/conv" "$QFW" import tiny.ini first.h5 --model.stages=1,1,1 --run.dir=third
expect 0 "grey changes nothing: params/init_conv/kernel has one input channel in the file, too" "$QFW" import tiny.ini first.h5 --grey --run.dir=grey
expect 1 "another shape or type: params/init_conv/kernel is" "$QFW" import tiny.ini first.h5 --model.num_filters=16 --run.dir=third
head -c 3000 first.h5 > cut.h5
expect 1 "damaged" "$QFW" import tiny.ini cut.h5 --run.dir=third
mkfifo pipe.h5
expect 1 "a pipe" "$QFW" import tiny.ini pipe.h5 --run.dir=third
expect 1 "no format knows the names in the file \(labels, logits\)" "$QFW" import tiny.ini first_logits.h5 --run.dir=third
expect 1 "none of the .* tensors .*the file holds: labels, logits" "$QFW" import tiny.ini first_logits.h5 --format=aqt --run.dir=third
[ ! -e third ] || fail "a refused import leaves a folder"
expect 0 "variables imported$" "$QFW" import tiny.ini first.h5 --quantizer.name=none --run.dir=float

# The reference's own states.
if [ -e "$golden/resnet_trace_micro_auto_w4a4.h5" ]; then
  for state in initial after_8; do
    "$QFW" import tiny.ini "$golden/resnet_trace_micro_auto_w4a4.h5" --group=/$state --run.dir=golden_$state --model.stages=2,1 --model.num_filters=16 \
      --model.stem=imagenet --dataset.name=elsewhere --dataset.shape=32,32,3 --dataset.classes=10 --dataset.train_examples=32 \
      --train.batch_size=8 --augment.name=none > /dev/null 2>&1 || fail "cannot import $state of the reference"
    "$QFW" export golden_$state golden_$state.h5 --group=$state > /dev/null 2>&1
    for part in params batch_stats get_bounds; do
      h5diff golden_$state.h5 "$golden/resnet_trace_micro_auto_w4a4.h5" /$state/$part /$state/$part || fail "$state/$part differs"
    done
  done
fi
