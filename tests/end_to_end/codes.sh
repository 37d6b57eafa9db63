# Integer codes for C and FPGA: a file alone gives the logits of `qfw eval`, bit for bit, with thresholds in the place of floats.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
images=/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz
python=
for candidate in python3 "$QFW_BINARY_DIR/../bench/venv/bin/python"; do
  if "$candidate" -c 'import numpy' 2> /dev/null; then
    python=$candidate
    break
  fi
done

tiny_recipe > tiny.ini
"$QFW" run tiny.ini --run.dir=first > /dev/null 2>&1

expect 0 "the same bits as qfw's evaluation" "$QFW" export first codes.npz
expect 0 "stage1/block0/conv_3, input: 15 thresholds on the sums of stage1/block0/conv_2, compared for every sum" \
  "$QFW" export first again.npz --exporter.verbose=true
cmp codes.npz again.npz || fail "equal exports differ"
expect 0 "conv_1, input: no thresholds: add of stage1/block0 joins stage1/block0/conv_proj and stage1/block0/conv_3" \
  "$QFW" export first again.npz --exporter.verbose=true --model.stages=1,1
expect 0 "codes.h5" "$QFW" export first codes.h5 --exporter=codes
h5ls -r codes.h5 > names.txt
grep -Eq '^/stage1/block0/conv_2/src/thresholds +Dataset \{4, 15\}' names.txt || fail "thresholds are not in the file: see names.txt"
h5dump -d description.json -b -o description.json codes.h5 > /dev/null
grep -q '"format": "qfw integer codes"' description.json || fail "the description is not in the file"

# A plain .h5 is still the weights alone.
"$QFW" export first weights.h5 > /dev/null
h5ls -r weights.h5 > names.txt
grep -q /params/ names.txt || fail "a file .h5 is no longer the weights alone"

expect 2 "layer init_conv.*arithmetic = fake_quant|arithmetic = fake_quant.*layer init_conv" \
  "$QFW" export first floats.npz --quantizer.arithmetic=fake_quant
expect 2 "let it end in .npz" "$QFW" export first codes.bin --exporter=codes
expect 2 "exporter.*threshold" "$QFW" export first codes.npz --exporter.threshold=true
[ ! -e floats.npz ] && [ ! -e codes.bin ] || fail "a refused export leaves a file"

# Every sum of 8 bits takes minutes here: Ctrl-C ends that at once, and nothing is left of it.
"$QFW" run tiny.ini --run.dir=wide --model.num_filters=64 --model.filter_multiplier=1 --quantizer.weight_prec=8 --quantizer.act_prec=8 \
  --train.steps=6 > /dev/null 2>&1
expect 130 "interrupted" timeout --preserve-status -s INT -k 20 2 "$QFW" export wide wide.npz --exporter.every_sum=true
compgen -G '*wide.*npz*' && fail "an interrupted export leaves a file"
expect 2 "every_sum is asked for with thresholds = false" "$QFW" export wide wide.npz --exporter.every_sum=true --exporter.thresholds=false

if [ -z "$python" ]; then
  echo "skipped: no python3 with numpy, which reads the files here"
  exit 77
fi
[ -e "$images" ] || { echo "skipped: no $images"; exit 77; }

# same_logits FILE OPTIONS...: those of the file, and of `qfw eval` with the same options.
same_logits() {
  local file=$1
  shift
  "$QFW" eval first --logits=logits.h5 "$@" > /dev/null 2>&1
  h5dump -d logits -b LE -o logits.bin logits.h5 > /dev/null
  expect 0 "^100 images, 0 differ" interpret "$file" integers
}
interpret() { "$python" "$QFW_SOURCE_DIR/tests/end_to_end/codes_interpreter.py" "$1" "$images" logits.bin "$2" 100; }

for options in "--quantizer.weight_prec=8 --quantizer.act_prec=8" \
  "--quantizer.weight_prec=2 --quantizer.act_prec=2 --quantizer.weight_half_shift=true --quantizer.act_half_shift=true" \
  "--quantizer.quant_type=aqt" "--backend.compute=bf16"; do
  # shellcheck disable=SC2086
  "$QFW" export first other.npz $options > /dev/null
  # shellcheck disable=SC2086
  same_logits other.npz $options
done
expect 0 "^100 images, 0 differ; 0 codes by thresholds" interpret other.npz floats
same_logits codes.npz
expect 0 "^100 images, 0 differ; 0 codes by thresholds" interpret codes.npz floats
! "$python" -c 'import h5py' 2> /dev/null || expect 0 "^100 images, 0 differ" interpret codes.h5 integers

# Codes that were altered are seen.
"$python" - << 'PYTHON'
import zipfile

with zipfile.ZipFile("codes.npz") as old, zipfile.ZipFile("altered.npz", "w") as new:
    for name in old.namelist():
        content = bytearray(old.read(name))
        if name == "init_conv/weights/codes.npy":  # those of all output channels at the last place
            content[-8:] = bytes(code ^ 3 for code in content[-8:])
        new.writestr(name, bytes(content))
PYTHON
expect 1 "^100 images, [1-9][0-9]* differ" interpret altered.npz integers
