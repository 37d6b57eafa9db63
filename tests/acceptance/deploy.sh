# What docs/deploy.md promises, shown on networks that were trained for it: a line for each promise, `ok`, `FAILED`, or `skipped` with the reason. What smaller
# tests show is theirs: they are run as they are. Exit status 1 where a line fails.
#
# QFW_DEPLOY_IMAGES: how many validation images each comparison takes (500; a release takes all 10000). QFW_DEPLOY_RUNS: a folder with the trained runs, and with
# older versions of ONNX Runtime; what is not in it is made. QFW_PYTHON: a Python with numpy, onnx and onnxruntime.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
images=${QFW_DEPLOY_IMAGES:-500}
runs=$(realpath -m "${QFW_DEPLOY_RUNS:-runs}")
python=${QFW_PYTHON:-$QFW_SOURCE_DIR/build/bench/venv/bin/python}
[ -x "$python" ] || python=python3
tests=$QFW_SOURCE_DIR/tests/end_to_end
failures=0

told() {  # told ok|skipped|FAILED TEXT
  printf '%-8s %s\n' "$1" "$2"
  if [ "$1" = FAILED ]; then failures=$((failures + 1)); fi
}

# shows WHAT STATUS PATTERN COMMAND...: exit status and a line of the output are as expected; the line is told. Status 77: skipped.
shows() {
  local what=$1 expected=$2 pattern=$3 output line status=0
  shift 3
  output=$("$@" 2>&1) || status=$?
  if [ "$status" = 77 ]; then
    told skipped "$what: $(tail -n 1 <<< "$output")"
  elif [ "$status" = "$expected" ] && line=$(grep -E -- "$pattern" <<< "$output" | tail -n 1); then
    told ok "$what: $line"
  else
    told FAILED "$what: exit status $status, expected $expected and a line that matches '$pattern', from: $*"$'\n'"$output"
  fi
}

# Commands for `shows`.
script() {  # script NAME: a test of tests/end_to_end, in a folder of that name
  mkdir -p "$1" && (cd "$1" && bash "$tests/$1.sh" 2>&1) && echo "e2e.$1 passes"
}
in_python() {  # in_python PYTHON FILE LOGITS EXPECTED BATCH: by ONNX Runtime's own interface, which knows nothing of qfw
  echo "${@:2}" | "$1" "$tests/onnx_export.py"
}
emulated() {  # emulated PROCESSOR FILE LOGITS EXPECTED BATCH: likewise, on that one
  echo "${*:2}" | qemu-x86_64 -cpu "$1" "$(command -v "$python")" "$tests/onnx_export.py"
}
valid() {  # all files that were written
  local files=(*.onnx)
  printf '%s none valid 1\n' "${files[@]}" | "$python" "$tests/onnx_export.py" && echo "${#files[@]} files are valid"
}
agrees() {  # agrees NAME PERCENT: as qdq, where sums do not saturate (session.x64quantprecision, docs/deploy.md)
  "$QFW" export "$runs/$1" "$1-qdq.onnx" --exporter.form=qdq > export.txt && in_python "$python" "$1-qdq.onnx" "$1.h5" "$2" 100
}
predicts() {  # predicts NAME: pixels and files through the C library, files through `qfw predict`
  local seen=(predict/pictures/00*.png)
  LD_LIBRARY_PATH=$PWD/predict/alone predict/predict_idx "$1.onnx" predict/images.idx "$images" predicted.bin pictures &&
    cmp predicted.bin "$1.bin" &&
    "$QFW" predict "$runs/$1" "${seen[@]}" --json --top=10 > run.json 2> predict.txt &&
    "$QFW" predict "$1.onnx" "${seen[@]}" --json --top=10 > cpu.json &&
    "$QFW" predict "$1.onnx" "${seen[@]}" --json --top=10 --backend.name=reference > reference.json &&
    cmp run.json cpu.json && cmp cpu.json reference.json &&
    echo "$images images have the bytes of qfw eval; run, cpu and reference agree on $(grep -c top run.json)"
}
compares() {  # compares NAME: the exported thresholds, by an interpreter of its own
  "$QFW" export "$runs/$1" "$1.npz" --exporter.every_sum=true --exporter.verbose=true 2> thresholds.txt > export.txt || return 1
  "$python" -c 'import numpy' || return 77
  "$python" "$tests/codes_interpreter.py" "$1.npz" "$mnist" "$1.bin" integers $((images < 200 ? images : 200)) > interpreted.txt &&
    echo "$(cat interpreted.txt); thresholds of $(grep -c 'compared for' thresholds.txt) layers," \
      "$(grep -c 'compared for every sum' thresholds.txt) of them compared for every sum"
}

mnist=$(find /usr/share/dataset-fashion-mnist /usr/share/datasets -name 't10k-images*.gz' 2> /dev/null | head -n 1) || true
[ -n "$mnist" ] || { echo "Fashion-MNIST is not installed"; exit 77; }

# trained NAME OPTION...: the quickstart's network after 150 steps, activations quantized from the 60th on; and its logits.
trained() {
  local run=$runs/$1
  networks+=("$1")
  [ -e "$run/report.json" ] || "$QFW" run "$QFW_SOURCE_DIR/recipes/quickstart.ini" --run.dir="$run" --train.steps=150 --schedule.num_epochs=1 \
    --quantizer.activation_bound_start_step=60 --eval.per_epoch=0 --eval.per_epoch_late=0 "${@:2}" > train.txt 2>&1 || fail "$(cat train.txt)"
  "$QFW" eval "$run" --eval.examples="$images" --logits="$1.h5" > eval.txt 2>&1 || fail "$(cat eval.txt)"
  h5dump -d logits -b LE -o "$1.bin" "$1.h5" > /dev/null
}
# All layers alike, the first and the last too.
all=(--layer:init_conv.weight_prec --layer:init_conv.act_prec --layer:dense.weight_prec --layer:dense.act_prec
  --quantizer.weight_prec --quantizer.act_prec)
networks=()
trained w8a8 "${all[@]/%/=8}"
trained w4a4 "${all[@]/%/=4}"
trained w2a2 "${all[@]/%/=2}" --layer:init_conv.act_prec=8 --layer:dense.act_prec=8
trained halves "${all[@]/%/=4}" --quantizer.weight_half_shift=true --quantizer.act_half_shift=true
trained aqt "${all[@]/%/=8}" --quantizer.quant_type=aqt
trained bf16 --backend.compute=bf16

# Equal bits, and what breaks them.
verified="^equal: .* $images images$"
if "$QFW" describe backend onnxruntime | grep > /dev/null "On this machine: onnxruntime"; then
  for name in "${networks[@]}"; do
    opset=21
    [ "$name" != w2a2 ] || opset=25
    shows "$name, 100 images at once" 0 "$verified" \
      "$QFW" export "$runs/$name" "$name.onnx" --verify="$images" --eval.batch_size=100 --exporter.opset=$opset
    shows "$name, pixels, one image at once" 0 "$verified" \
      "$QFW" export "$runs/$name" "$name-pixels.onnx" --verify="$images" --exporter.input=pixels --exporter.batch=1
  done
  shows "w8a8 as qdq, the same class on 99.9 %" 0 "^ok" agrees w8a8 99.9
  shows "w4a4 as qdq, the same class on 99 %" 0 "^ok" agrees w4a4 99
  alter_codes w8a8.onnx altered.onnx stage2/block0/conv_2/weights/codes 1 64
  shows "one code altered by hand" 1 "the first layer that differs is stage2/block0/conv_2: [0-9]+ of its [0-9]+ sums" \
    "$QFW" export "$runs/w8a8" altered.onnx --verify-only="$images"
  rm altered.onnx
  if ! grep -Eqw 'avx_vnni|avx512_vnni' /proc/cpuinfo; then
    told ok "without VNNI: this processor has none, so that nothing here was computed with it"
  fi
  if command -v qemu-x86_64 > /dev/null; then
    "$QFW" eval "$runs/w8a8" --eval.examples=4 --logits=few.h5 > eval.txt 2>&1
    shows "without VNNI: an emulated Haswell" 0 '^ok' emulated Haswell w8a8.onnx few.h5 equal 4
    shows "without AVX and FMA: an emulated Nehalem" 0 '^ok' emulated Nehalem w8a8.onnx few.h5 equal 4
  else
    told skipped "emulated processors: there is no qemu-x86_64 (Debian: qemu-user)"
  fi
else
  told skipped "equal bits, qdq, an altered code: ONNX Runtime is not here (scripts/setup.sh verify)"
  for name in "${networks[@]}"; do "$QFW" export "$runs/$name" "$name.onnx" > export.txt; done
fi
for name in w8a8 w4a4; do
  "$QFW" export "$runs/$name" $name-13.onnx --exporter.opset=13 > export.txt
  shows "$name, ONNX Runtime in Python" 0 '^ok' in_python "$python" $name.onnx $name.h5 equal 100
done
for version in 1.16.3 1.20.1; do
  venv=$runs/onnxruntime-$version
  if ! "$venv/bin/python" -c 'import numpy, onnx, onnxruntime' 2> /dev/null && ! { rm -rf "$venv" && python3 -m venv "$venv" &&
    "$venv/bin/python" -m pip install --quiet --only-binary=:all: "onnxruntime==$version" 'numpy<2' onnx; } > pip.txt 2>&1; then
    told skipped "ONNX Runtime $version: $(tail -n 1 pip.txt)"
    continue
  fi
  for name in w8a8 w4a4; do
    file=$name.onnx
    [ $version != 1.16.3 ] || file=$name-13.onnx
    shows "$file, ONNX Runtime $version" 0 '^ok' in_python "$venv/bin/python" $file $name.h5 equal 100
  done
done
shows "onnx.checker" 0 ' files are valid$' valid
shows "a layer of floats" 2 'form = exact is asked for, and stage1/block0/conv_2 is computed with floats' \
  "$QFW" export "$runs/w4a4" floats.onnx --layer:stage1/block0/conv_2.weight_prec=none
[ ! -e floats.onnx ] || told FAILED "a refused export leaves a file"

# Prediction.
mkdir pictures
shows "libqfw_predict, installed" 0 passes script predict
if [ -x predict/predict_idx ]; then
  for name in "${networks[@]}"; do shows "$name, predicted" 0 "^$images images" predicts "$name"; done
fi

# Integer codes.
for name in "${networks[@]}"; do shows "$name, codes" 0 ' 0 differ; ' compares "$name"; done
shows "codes and thresholds" 0 passes script codes
shows "thresholds of every quantizer, all sums" 0 PASSED "$QFW_BINARY_DIR/tests/bin/unit_codes" --gtest_filter='*Thresholds*:*Compared*:SumRange*'

# Weights that others trained.
shows "imports beside torchvision" 0 passes script torchvision_oracle
shows "imports, a malicious pickle among them" 0 passes script import_foreign
shows "calibration" 0 passes script calibrate

echo "$failures failed"
[ $failures = 0 ]
