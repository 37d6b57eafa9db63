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
expect 2 "writes nothing" "$QFW" export w4 none.onnx --verify --verify-only
expect 2 "nothing to verify" "$QFW" export w4 none.h5 --verify
expect 2 "at least 1" "$QFW" export w4 none.onnx --verify=0
expect 2 "no such file to verify" "$QFW" export w4 none.onnx --verify-only

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
expect 1 "ONNX Runtime evaluates networks and trains none" "$QFW" run w4.ini --run.dir=none --backend.name=onnxruntime --backend.threads=1
expect 1 "the file does not compute what the run does" "$QFW" export w8 w4.onnx --verify-only

# More than one code, for of a network that was hardly trained a code that changes no logit is nothing to be found.
for layer in init_conv stage1/block0/conv_proj dense; do
  alter_codes w4.onnx altered.onnx $layer/weights/codes 12 1
  expect 1 "the first layer that differs is $layer: [0-9]+ of its [0-9]+ sums" "$QFW" export w4 altered.onnx --verify-only
done

# Other things than models of this network.
head -c 2000 w4.onnx > cut.onnx
expect 1 "ONNX Runtime [0-9.]+ refuses cut.onnx" "$QFW" export w4 cut.onnx --verify-only
echo "no model" > text.onnx
expect 1 "ONNX Runtime [0-9.]+ refuses text.onnx" "$QFW" export w4 text.onnx --verify-only

# Images for others: the layout of ONNX's own tests.
expect 0 "many_check: 5 images and their logits" "$QFW" export w4 many.onnx --check=5
cmp many.onnx many_check/model.onnx || fail "the folder has another model"
[ "$(wc -c < many_check/test_data_set_0/input_0.pb)" -gt $((5 * 28 * 28 * 4)) ] || fail "input_0.pb is too short"
[ "$(wc -c < many_check/test_data_set_0/output_0.pb)" -gt $((5 * 10 * 4)) ] || fail "output_0.pb is too short"
expect 0 "many_check: 3 images" "$QFW" export w4 many.onnx --check=3
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
