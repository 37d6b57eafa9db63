# Exported networks are run by ONNX Runtime and compared bit by bit; a wrong code is found and its layer named.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"

missing=$(QFW_ONNXRUNTIME=/nowhere "$QFW" describe backend onnxruntime)
grep -q "Not on this machine: .*QFW_ONNXRUNTIME = /nowhere cannot be used" <<< "$(tr '\n' ' ' <<< "$missing")" ||
  fail "describe does not say that ONNX Runtime is missing: $missing"

tiny_recipe > w4.ini
sed 's/_prec = 4/_prec = 8/' w4.ini > w8.ini
for run in w4 w8; do "$QFW" run $run.ini --run.dir=$run 2> $run.log || fail "$(cat $run.log)"; done

# Without ONNX Runtime a file is written, and nothing said of it that was not shown; --verify is refused before anything is written.
(
  export QFW_ONNXRUNTIME=/nowhere
  expect 0 "nothing was verified" "$QFW" export w4 unverified.onnx
  expect 1 "QFW_ONNXRUNTIME = /nowhere cannot be used: there is no such file" "$QFW" export w4 none.onnx --verify
  [ ! -e none.onnx ] || fail "there is a file that was not verified"
)
# The longest name that there is: temporary ones must not be longer.
long=$(printf 'n%.0s' $(seq 250)).onnx
expect 0 "nothing was verified" "$QFW" export w4 "$long"
[ -s "$long" ] || fail "a file with a long name is not there"
expect 2 "writes nothing" "$QFW" export w4 none.onnx --verify --verify-only
expect 2 "nothing to verify" "$QFW" export w4 none.h5 --verify
expect 2 "at least 1" "$QFW" export w4 none.onnx --verify=0
expect 2 "no such file to verify" "$QFW" export w4 none.onnx --verify-only

# Options that would have no effect.
expect 2 "packed is asked for with form = float" "$QFW" export w4 none.onnx --exporter.form=float --exporter.packed=true
expect 2 "packed is asked for with form = qdq" "$QFW" export w4 none.onnx --exporter.form=qdq --exporter.packed=false
expect 2 "packed = true is asked for with opset = 13" "$QFW" export w4 none.onnx --exporter.opset=13 --exporter.packed=true
expect 2 "layout = nhwc is asked for with input = pixels" "$QFW" export w4 none.onnx --exporter.input=pixels --exporter.layout=nhwc
expect 2 "int8_only is asked for with form = exact" "$QFW" export w4 none.onnx --exporter.int8_only=true
[ ! -e none.onnx ] || fail "written in spite of options that contradict each other"

if ! "$QFW" describe backend onnxruntime > described.txt || ! grep -q "On this machine: onnxruntime" described.txt; then
  echo "skipped: ONNX Runtime is not here (scripts/setup.sh verify)"
  exit 77
fi

# Equal in every way, and the file says so.
ways="levels disable_all, basic, extended, all, threads 1 and 2"
for run in w4 w8; do
  expect 0 "^equal: onnxruntime [0-9.]+ cpu, $ways, 100 images$" "$QFW" export $run $run.onnx --verify
  grep -aq "equal: onnxruntime [0-9.]* cpu, $ways, 100 images" $run.onnx || fail "$run.onnx does not say what was proven"
  expect 0 "^equal: .* 100 images$" "$QFW" export $run $run.onnx --verify-only
done
expect 0 "^equal: .* 7 images$" "$QFW" export w4 w4.onnx --verify-only=7
expect 0 "^equal: .* 130 images$" "$QFW" export w4 w4.onnx --verify=130
expect 2 "it would be compared with itself" "$QFW" export w4 itself.onnx --verify=7 --backend.name=onnxruntime
expect 2 "batch" "$QFW" export w4 huge.onnx --exporter.batch=1000000000
# The last batch of these is not full, and zeros need be no pixels.
expect 0 "^equal: .* 21 images$" "$QFW" export w4 seen.onnx --verify=21 --exporter.input=pixels --augment.mean=0.3 --augment.stddev=0.4

# What an evaluation gives, ONNX Runtime gives; it trains nothing.
"$QFW" eval w4 --logits=cpu.h5 --json > cpu.json 2> /dev/null
"$QFW" eval w4 --logits=ort.h5 --json --backend.name=onnxruntime --backend.threads=1 > ort.json 2> ort.log || fail "$(cat ort.log)"
cmp cpu.h5 ort.h5 || fail "qfw eval gives other logits on onnxruntime"
cmp cpu.json ort.json || fail "$(cat cpu.json ort.json)"
"$QFW" eval w4 --logits=file.h5 --backend.name=onnxruntime --backend.threads=2 --backend.model=w4.onnx > /dev/null 2>&1
cmp cpu.h5 file.h5 || fail "the exported file gives other logits"
# The last batch is not full (100 images, 48 at a time): what fills it up are no pixels.
"$QFW" export w4 pixels.onnx --exporter.input=pixels > /dev/null
"$QFW" eval w4 --logits=pixels.h5 --backend.name=onnxruntime --backend.threads=2 --backend.model=pixels.onnx > /dev/null 2> ort.log ||
  fail "pixels: $(cat ort.log)"
cmp cpu.h5 pixels.h5 || fail "the file that takes pixels gives other logits"
expect 1 "takes pixels, and .* in an image stands for none" "$QFW" eval w4 --backend.name=onnxruntime --backend.threads=2 \
  --backend.model=pixels.onnx --augment.mean=0.3
expect 1 "ONNX Runtime evaluates networks and trains none" "$QFW" run w4.ini --run.dir=none --backend.name=onnxruntime --backend.threads=1
expect 1 "the file was written of another checkpoint: [0-9a-f]{16} after step" "$QFW" export w8 w4.onnx --verify-only

# The options that a file was written with are its own; others are refused.
expect 0 "nothing was verified" "$QFW" export w4 nhwc.onnx --exporter.layout=nhwc --exporter.opset=13 --exporter.batch=7
expect 0 "^equal: .* 20 images$" "$QFW" export w4 nhwc.onnx --verify-only=20
expect 0 "^equal: .* 20 images$" "$QFW" export w4 nhwc.onnx --verify-only=20 --exporter.layout=nhwc
expect 2 "--exporter.opset=21 is not what the file was written with" "$QFW" export w4 nhwc.onnx --verify-only --exporter.opset=21
cp w4.onnx before.onnx
"$QFW" export w4 w4.onnx --verify=7 > /dev/null 2>&1
expect 0 "^equal: .* 7 images$" "$QFW" export w4 w4.onnx --verify-only=7
"$QFW" export w4 w4.onnx --verify=130 > /dev/null 2>&1
cmp before.onnx w4.onnx || fail "equal runs, options and proofs give other bytes"

# What is only close has an error of its own.
expect 0 "^close: .* of 50 images" "$QFW" export w4 close.onnx --exporter.form=qdq --verify=50 --agreement=0
expect 0 "^close: .* of 50 images" "$QFW" export w4 close.onnx --verify-only=50
alter_codes close.onnx altered.onnx dense/bias 4 1
expect 1 "this is not what qfw writes of the run: initializer dense/bias differs" "$QFW" export w4 altered.onnx --verify-only=50
expect 2 "nothing is to be verified" "$QFW" export w4 none.onnx --agreement=90
expect 2 "from 0 to 100" "$QFW" export w4 none.onnx --verify --agreement=101
expect 2 "made to be equal" "$QFW" export w4 none.onnx --verify=7 --agreement=90

# More than one code, for of a network that was hardly trained a code that changes no logit is nothing to be found.
for layer in init_conv stage1/block0/conv_proj dense; do
  alter_codes w4.onnx altered.onnx $layer/weights/codes 12 1
  expect 1 "the first layer that differs is $layer: [0-9]+ of its [0-9]+ sums" "$QFW" export w4 altered.onnx --verify-only
  expect 1 "initializer $layer/weights/codes differs" "$QFW" export w4 altered.onnx --verify-only
done
# What changes no logit is found, too: a word of the metadata, a code that no image meets, a weight of what is only close.
for word in 'height": 28/height": 29' 'qfw.phase/qfw.phbse' 'Sneaker/Sneakes'; do
  LC_ALL=C sed "s/$word/" w4.onnx > altered.onnx
  cmp -s w4.onnx altered.onnx && continue
  expect 1 "no logit tells, but this is not what qfw writes of the run: .*metadata qfw" "$QFW" export w4 altered.onnx --verify-only=7
done
# Nor is a proof taken over, or another version an excuse for other labels.
"$QFW" export w4 unproven.onnx > /dev/null
LC_ALL=C sed 's/equal by construction, not compared with a runtime/equal: onnxruntime 1.32.0 cpu, all of the images!!/' unproven.onnx > altered.onnx
cmp -s unproven.onnx altered.onnx && fail "the guarantee was not altered"
expect 0 "not repeated now is what the file says of itself: equal: .* all of the images!!" "$QFW" export w4 altered.onnx --verify-only=7
LC_ALL=C sed 's/0\.1\.0 (\(.\)/0.0.9 (\1/g' w4.onnx > older.onnx
cmp -s w4.onnx older.onnx && fail "the version was not altered"
expect 0 "^equal: .* 7 images$" "$QFW" export w4 older.onnx --verify-only=7
LC_ALL=C sed 's/Sneaker/Sneakes/' older.onnx > altered.onnx
expect 1 "not what qfw writes of the run: metadata qfw.labels differ" "$QFW" export w4 altered.onnx --verify-only=7
alter_codes older.onnx altered.onnx dense/weights/codes 12 1
expect 1 "the first layer that differs is dense" "$QFW" export w4 altered.onnx --verify-only
expect 1 "it was written with .act_prec = 4., and here it is .act_prec = 3." "$QFW" export w4 w4.onnx --verify-only=7 --quantizer.act_prec=3
expect 2 "no folder for temporary files" env TMPDIR=/nowhere "$QFW" export w4 w4.onnx --verify-only=7
LC_ALL=C sed 's/qfw.checkpoint\(..\)./qfw.checkpoint\1x/' w4.onnx > altered.onnx
expect 1 "another checkpoint" "$QFW" export w4 altered.onnx --verify-only=7

# Other things than models of this network.
head -c 2000 w4.onnx > cut.onnx
echo "no model" > text.onnx
touch empty.onnx
for foreign in cut text empty; do
  cp $foreign.onnx kept
  expect 1 "no file of the exporter onnx, or only a part of one" "$QFW" export w4 $foreign.onnx --verify-only
  expect 2 "there is a file of that name that the exporter onnx did not write" "$QFW" export w4 $foreign.onnx --verify
  cmp $foreign.onnx kept || fail "somebody else's file was replaced"
done
# An evaluation of such a file says what it is, and what the runtime says of it in a line. So is an ONNX file without a graph.
on_ort=(--backend.name=onnxruntime --backend.threads=2)
not_onnx="no ONNX file, or only a part of one \(ONNX Runtime [0-9.]+ says: [^/]*\); name a file"
expect 1 "cut.onnx cannot be loaded: its 2000 bytes are $not_onnx" "$QFW" eval w4 "${on_ort[@]}" --backend.model=cut.onnx
expect 1 "text.onnx cannot be loaded: its 9 bytes are $not_onnx" "$QFW" eval w4 "${on_ort[@]}" --backend.model=text.onnx
printf '\x08\x08\x12\x05other' > other.onnx
expect 1 "other.onnx cannot be loaded: it has no metadata qfw.form, so .qfw export. did not write it \(ONNX Runtime [0-9.]+ says: " \
  "$QFW" eval w4 "${on_ort[@]}" --backend.model=other.onnx
rm other.onnx

# One of another checkpoint, which gives logits as well.
sed 's/_rate = 0.1/_rate = 0.05/' w4.ini > other.ini
"$QFW" run other.ini --run.dir=other > /dev/null 2>&1
expect 2 "the model is of another run or checkpoint: [0-9]+ of [0-9]+ constants differ" \
  "$QFW" eval other "${on_ort[@]}" --backend.model=w4.onnx
# A file of another form is evaluated where that is not denied.
"$QFW" export w4 qdq.onnx --exporter.form=qdq > /dev/null
expect 2 "backend.form = exact is asked for, and the model is of the form qdq" "$QFW" eval w4 "${on_ort[@]}" --backend.model=qdq.onnx --backend.form=exact
expect 0 "top-1" "$QFW" eval w4 "${on_ort[@]}" --backend.model=qdq.onnx --backend.form=qdq

# What is no file is told, and never waited for.
mkfifo pipe.onnx
for model in pipe.onnx .; do
  expect 1 "it is a (pipe|folder), not a file" timeout 20 "$QFW" eval w4 "${on_ort[@]}" --backend.model=$model
done

# Values of layers that are not there.
alter_codes w4.onnx renamed.onnx dense/weights/codes 12 1
LC_ALL=C sed -i 's#init_conv/sums#init_conv/sumz#g' renamed.onnx
expect 1 "has no values PATH/sums.* which the form exact alone has .its inputs: images f32\[n, 1, 28, 28\]; .*metadata qfw.form: exact" \
  "$QFW" export w4 renamed.onnx --verify-only

# Images for others: the layout of ONNX's own tests.
expect 0 "many_check: 5 images and their logits" "$QFW" export w4 many.onnx --check=5
cmp many.onnx many_check/model.onnx || fail "the folder has another model"
[ "$(wc -c < many_check/test_data_set_0/input_0.pb)" -gt $((5 * 28 * 28 * 4)) ] || fail "input_0.pb is too short"
[ "$(wc -c < many_check/test_data_set_0/output_0.pb)" -gt $((5 * 10 * 4)) ] || fail "output_0.pb is too short"
expect 0 "--check=20000 is more than there is: split validation has 10000 images, and all are taken" \
  "$QFW" export w4 all.onnx --check=20000
expect 0 "many_check: 3 images" "$QFW" export w4 many.onnx --check=3
expect 0 "many_check: 1 image and its logits" "$QFW" export w4 many.onnx --check=1
expect 2 "too few images" "$QFW" export w4 none.onnx --check=3 --exporter.batch=4 --verify
mkdir -p theirs_check/test_data_set_0
echo mine | tee theirs_check/model.onnx > theirs_check/test_data_set_0/input_0.pb
expect 2 "does not write.*theirs_check/model.onnx" "$QFW" export w4 theirs.onnx --check=3
[ "$(cat theirs_check/model.onnx theirs_check/test_data_set_0/input_0.pb)" = $'mine\nmine' ] || fail "files of the user's are gone"
mkdir other_check
touch other_check/mine
expect 2 "does not write.*other_check" "$QFW" export w4 other.onnx --check=3
touch many_check/test_data_set_0/mine
expect 2 "does not write.*many_check/test_data_set_0/mine" "$QFW" export w4 many.onnx --check=3
[ -e many_check/test_data_set_0/mine ] || fail "a file of the user's is gone"
rm many_check/test_data_set_0/mine
[ ! -e other.onnx ] || fail "written in spite of a folder in the way"

find . -name '*qfw-tmp*' | grep . && fail "temporary files are left"
exit 0
