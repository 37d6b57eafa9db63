# Networks exported as ONNX files give the logits of `qfw eval` in ONNX Runtime: the exact form to the bit, at each optimization
# level, with one thread and two; the others nearly. Skipped where Python has no onnx and onnxruntime.
#
# QFW_ONNX_RUN=FOLDER: this finished run of Fashion-MNIST instead of a tiny one; QFW_ONNX_EXAMPLES: images of each case;
# QFW_PYTHON: which Python.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
python=${QFW_PYTHON:-$QFW_SOURCE_DIR/build/bench/venv/bin/python}
[ -x "$python" ] || python=python3
"$python" "$QFW_SOURCE_DIR/tests/end_to_end/onnx_export.py" < /dev/null || exit $?

run=${QFW_ONNX_RUN:-}
examples=${QFW_ONNX_EXAMPLES:-96}
if [ -z "$run" ]; then
  run=$PWD/run
  tiny_recipe > tiny.ini
  "$QFW" run tiny.ini --run.dir="$run" --model.stem=imagenet --train.steps=60 --schedule.num_epochs=0.1 > train.txt 2>&1 ||
    fail "$(cat train.txt)"
fi

# evaluated NAME OVERRIDE...: the run's logits under these recipe keys, which its exports have too.
evaluated() {
  name=$1
  shift
  overrides=("$@")
  "$QFW" eval "$run" --eval.examples="$examples" --logits="$name.h5" "$@" > "$name.txt" 2>&1 || fail "$(cat "$name.txt")"
}

# exported FORM EXPECTED BATCH OPTION...: one more file to compare with the logits evaluated last.
exported() {
  local file
  file=$name-$(IFS=,; echo "$*" | tr -d '/').onnx
  local form=$1 expected=$2 batch=$3
  shift 3
  "$QFW" export "$run" "$file" --exporter.form="$form" "${@/#/--exporter.}" "${overrides[@]}" > export.txt || fail "no $file"
  if [ "$form" = exact ]; then grep -q 'same bits' export.txt; else grep -q 'close' export.txt; fi || fail "$(cat export.txt)"
  echo "$file $name.h5 $expected $batch" >> cases.txt
}

# The file written last with one weight's code altered: must be told from the one that it was.
altered() {
  local last
  last=$(tail -n 1 cases.txt)
  echo "${last%% *} $name.h5 altered 100" >> cases.txt
}

# All layers alike, the first and the last too.
all=(--layer:init_conv.weight_prec --layer:init_conv.act_prec --layer:dense.weight_prec --layer:dense.act_prec
  --quantizer.weight_prec --quantizer.act_prec)
four=("${all[@]/%/=4}") eight=("${all[@]/%/=8}") two=("${all[@]/%/=2}")

: > cases.txt
evaluated w8a8 "${eight[@]}"
exported exact equal 100
exported exact equal 1 input=pixels batch=1
exported qdq 99.9 100
evaluated w4a4 "${four[@]}"
exported exact equal 100
exported exact equal 33 layout=nhwc
exported exact equal 100 opset=13 input=pixels
exported exact equal 100 packed=false opset=25
altered
exported qdq 99 100 opset=13
exported float 99 100
evaluated torch "${four[@]}" --model.padding=torch
exported exact equal 100
evaluated w8a7 --quantizer.weight_prec=8 --quantizer.act_prec=7 --layer:dense.act_prec=7
exported qdq 99 100 int8_only=true
evaluated w2a2 "${two[@]}" --layer:init_conv.act_prec=8 --layer:dense.act_prec=8
exported exact equal 100 opset=25
exported exact equal 100
evaluated halves "${four[@]}" --quantizer.weight_half_shift=true --quantizer.act_half_shift=true
exported exact equal 100
exported exact equal 100 opset=13 input=pixels
exported qdq 99 100
evaluated aqt "${eight[@]}" --quantizer.quant_type=aqt
exported exact equal 100
evaluated bf16 --backend.compute=bf16
exported exact equal 100
exported qdq 90 100
evaluated none --quantizer.name=none
exported float 99.9 100

"$python" "$QFW_SOURCE_DIR/tests/end_to_end/onnx_export.py" < cases.txt || fail "some of these networks compute something else"
