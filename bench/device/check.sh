#!/usr/bin/env bash
# Checks and measures qfw on an NVIDIA GPU with what scripts/bundle.sh made: one command, under 8 minutes on an H100, nothing fetched.
#   check.sh [OPTION]...
#     --out DIR         where results go: summary.txt, figures.txt, logs.tar.gz ($OUT, or device-check-DATE)
#     --bundle DIR      what bundle.sh made (the folder of this script)
#     --only A,B        these stages alone: arithmetic, logits, training, conformance, speed, profile, again (speed, a second time)
#     --limit SECONDS   no stage goes on longer than so many seconds after the start (470)
#     --device N        which GPU (0)
#     --quick           tiny sizes and no hurry, to try the script where there is no GPU: with
#     --backend NAME    another backend than cuda, --plugins DIR its plugin's folder, --device-check PROGRAM its arithmetic
# A line for each thing: `name: ok | WRONG found, expected | number unit | left out, why`.
# $PYTHON is the Python that has PyTorch (python3).
# Exit status 0: all right, 1: something is wrong, 2: wrong usage, or what is needed is missing, 3: there is no device.
set -uo pipefail

script=$(realpath "$0")
stages=(arithmetic logits training conformance speed profile again)

give_up() {
  echo "check: $*" >&2
  exit 2
}

usage() {
  sed -nE '/^set /q; 2,$s/^# ?//p' "$script" >&2
  exit 2
}

read_options() {
  bundle=$(dirname "$script") out=${OUT:-device-check-$(date +%Y%m%d-%H%M%S)}
  only='' limit=470 backend=cuda device=0 quick='' plugins='' device_check=''
  while [ $# -gt 0 ]; do
    case $1 in
      --quick) quick=yes ;;
      --out | --bundle | --only | --limit | --backend | --device | --plugins | --device-check)
        [ $# -ge 2 ] || usage
        local name=${1#--}
        declare -g "${name//-/_}=$2"
        shift
        ;;
      *) usage ;;
    esac
    shift
  done
  [ -z "$quick" ] || [ "$limit" != 470 ] || limit=2000  # where nothing is fast
  [[ $limit =~ ^[1-9][0-9]*$ && $device =~ ^[0-9]+$ ]] || usage
  bundle=$(realpath -m "$bundle")
  local word
  for word in ${only//,/ }; do
    [[ " ${stages[*]} " == *" $word "* ]] || give_up "--only: there is no stage '$word'; there are: ${stages[*]}"
  done
}

# ---- What stages are made of.

qfw() { LD_LIBRARY_PATH=$bundle/qfw/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$bundle/qfw/bin/qfw" "$@"; }
program() { LD_LIBRARY_PATH=$bundle/qfw/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$@"; }

# logged NAME COMMAND...: its output goes to a file. Where it fails, that is said with the last line.
logged() {
  local name=$1 status=0
  shift
  "$@" > "$logs/$name.log" 2>&1 || status=$?
  [ $status -eq 0 ] || echo "$name: WRONG status $status: $(grep -v '^ *$' "$logs/$name.log" | tail -n 1 | cut -c1-400), expected 0"
  return $status
}

figure() { echo "$1 $2" >> "$figures"; }  # figure NAME NUMBER

# The largest number of that name, if there is one.
best() { awk -v name="$1" '$1 == name && (n++ == 0 || $2 > most) { most = $2 } END { if (n > 0) print most }' "$figures"; }

on_device() { echo --backend.name="$backend" --backend.device="$device"; }

# same NAME A.h5 B.h5 [GROUP]
same() {
  local name=$1
  shift
  echo "$name: $(program "$bundle/qfw/tests/same_values" "$@" 2>&1 | tail -n 1 | cut -c1-400)"
}

# ---- Stages, in the order of their worth.

stage_arithmetic() {
  local log=$logs/device_check.txt options=(--device="$device")
  [ -z "$quick" ] || options=(--small)
  local status=0
  program timeout --foreground -k 2 $((${stage_seconds:?} - 8)) "$device_check" "${options[@]}" > "$log" 2>&1 || status=$?
  [ $status -le 1 ] || echo "device_check: WRONG status $status after: $(tail -n 1 "$log"), expected 0 or 1"
  # cuDNN's plans that were made without a device, which only a device can judge: without them everything takes longer.
  if [ -d "$bundle/plans" ] && grep -qE '^(products|bf16 product|gradient).*WRONG' "$log"; then
    (cd "$bundle/plans" && for file in *; do rm -f "$XDG_CACHE_HOME/qfw/cubins/$file"; done)
    echo "plans that were made beforehand: WRONG, done without; what was said with them: $(grep -E '^(products|bf16 product|gradient).*WRONG' "$log" | head -n 1)"
    program "$device_check" "${options[@]}" --only=products > "$logs/device_check_again.txt" 2>&1
    { grep -vE '^(products|bf16 product|gradient)' "$log"; grep -v '^device:' "$logs/device_check_again.txt"; } > "$log.new" && mv "$log.new" "$log"
  fi
  cat "$log"
  local copied
  copied=$(sed -nE 's/^copy on the device, read and written: ([0-9.e+]+) GB.s$/\1/p' "$log")
  [ -z "$copied" ] || figure copy_gb_per_second "$copied"
}

stage_logits() {
  local run=$bundle/expected/run
  # shellcheck disable=SC2046
  logged logits-small qfw eval "$run" $(on_device) --logits="$work/small.h5" &&
    same "logits of a small network, bit for bit those of cpu" "$work/small.h5" "$bundle/expected/logits.h5" && rm "$work/small.h5"
  [ -z "$quick" ] || return 0
  # Of ResNet50 the weights would be too much to carry: cpu makes both here.
  local options=(--dataset.name=synthetic --dataset.height=256 --dataset.width=256 --dataset.distinct=8 --dataset.validation_examples=16
    --eval.batch_size=16 --train.steps=1 --train.batch_size=8 --quantizer.activation_bound_start_step=0 --eval.per_epoch=0 --eval.per_epoch_late=0)
  if logged resnet50-cpu qfw run "$recipe" --run.dir="$work/resnet50" --backend.name=cpu "${options[@]}" &&
    logged resnet50-cpu-logits qfw eval "$work/resnet50" --backend.name=cpu --logits="$work/cpu.h5" &&
    logged resnet50-logits qfw eval "$work/resnet50" --backend.name="$backend" --backend.device="$device" --logits="$work/device.h5"; then
    same "logits of ResNet50, 4 bits, bit for bit those of cpu" "$work/device.h5" "$work/cpu.h5"
  fi
}

# compare_losses NAME SERIES EXPECTED TOLERANCE
compare_losses() {
  awk -F, -v name="$1" -v tolerance="$4" '
    FNR == 1 { file++; next }
    $4 == "" { next }
    file == 1 { expected[$1] = $4; next }
    !($1 in expected) { next }
    { n++; d = $4 - expected[$1]; if (d < 0) d = -d; if (!(d <= most)) { most = d; at = $1; found = $4 } }
    END {
      if (n == 0) print name ": WRONG no steps, expected some"
      else if (most <= tolerance) printf("%s: ok, %d steps, %.2g apart at most (tolerance %s)\n", name, n, most, tolerance)
      else printf("%s: WRONG %s at step %d, %.2g apart, expected %s within %s\n", name, found, at, most, expected[at], tolerance)
    }' "$3" "$2"
}

stage_training() {
  local steps=60 half=30 few=20 checked=''
  [ -z "$quick" ] || { steps=6 half=4 few=2; }
  printf -v checked 'checkpoints/step_%09d.h5' "$few"
  local last
  printf -v last 'checkpoints/step_%09d.h5' "$steps"
  train() {  # train NAME STEPS [OPTION]...
    local name=$1 to=$2
    shift 2
    # shellcheck disable=SC2046
    logged "training-$name" qfw run "$bundle/expected/run/recipe.ini" --run.dir="$work/$name" --train.steps="$to" $(on_device) "$@"
  }
  train whole $steps && compare_losses "losses of a training, near those of cpu" "$work/whole/series.csv" "$bundle/expected/run/series.csv" 0.01
  if train parts $half && train parts $steps; then
    same "a training that was resumed, bit for bit" "$work/parts/$last" "$work/whole/$last" /variables
  fi
  if train checked $few --backend.launch=checked; then
    same "launch = checked, bit for bit as recorded" "$work/checked/$checked" "$work/whole/$checked" /variables
  fi
  [ -n "$quick" ] || { train bf16 $steps --backend.compute=bf16 &&
    compare_losses "losses of a training in bf16, near those of cpu" "$work/bf16/series.csv" "$bundle/expected/bf16.csv" 0.05; }
  rm -rf "$work/whole" "$work/parts" "$work/checked" "$work/bf16"
}

stage_conformance() {
  local shards filter='Backends/*' i
  shards=$(nproc)
  [ "$shards" -le 12 ] || shards=12
  [ -z "$quick" ] || { shards=2 filter='Backends/Pooling.*'; }
  for ((i = 0; i < shards; i++)); do
    {
      QFW_CONFORMANCE_BACKENDS=$backend OMP_WAIT_POLICY=passive GTEST_TOTAL_SHARDS=$shards GTEST_SHARD_INDEX=$i \
        program timeout --foreground -k 2 $((${stage_seconds:?} - 5)) "$bundle/qfw/tests/conformance" --gtest_filter="$filter"
      echo "exit status $?"
    } > "$logs/conformance.$i.log" 2>&1 &
  done
  wait
  local passed failed whole
  passed=$(cat "$logs"/conformance.*.log | grep -c '^\[       OK \]')
  failed=$(grep -hE '^\[  FAILED  \] Backends.*\([0-9]+ ms\)' "$logs"/conformance.*.log | sed -E 's/^\[  FAILED  \] //; s/, where .*//' | sort)
  whole=$(grep -lE '^exit status [01]$' "$logs"/conformance.*.log | wc -l)
  if [ "$whole" -eq "$shards" ] && [ -z "$failed" ] && [ "$passed" -gt 0 ]; then
    echo "conformance: ok, $passed cases in $shards processes"
  else
    echo "conformance: WRONG $(grep -c . <<< "$failed") failed beside $passed right, $((shards - whole)) of $shards processes did not end by themselves, expected none"
    [ -z "$failed" ] || head -n 12 <<< "$failed" | sed 's/^/  /'
  fi
}

# bench NAME WHAT ARGUMENT...: runs `qfw bench`, prints what it says of speed, keeps it all.
bench() {
  local name=$1 what=$2 log memory='' sampler=''
  shift 2
  log=$logs/bench-$name-$round
  if command -v nvidia-smi > /dev/null; then
    nvidia-smi --id="$device" --query-gpu=memory.used --format=csv,noheader,nounits -lms 100 > "$log.memory" 2> /dev/null &
    sampler=$!
  fi
  # One that hangs must not take the others' time.
  program timeout --foreground -k 2 $((${stage_seconds:?} / 3)) "$bundle/qfw/bin/qfw" bench "$recipe" --json --backend.name="$backend" \
    --backend.device="$device" "${sizes[@]}" "$@" > "$log.json" 2> "$log.log"
  local status=$?
  [ -z "$sampler" ] || { kill "$sampler" 2> /dev/null; wait "$sampler" 2> /dev/null; }
  [ $status -eq 0 ] || { echo "$what: WRONG status $status: $(tail -n 1 "$log.log" | cut -c1-400), expected 0"; return; }
  local rate milliseconds
  rate=$(sed -nE 's/^ *"images_per_second": ([0-9.eE+-]+),?$/\1/p' "$log.json" | head -n 1)
  milliseconds=$(sed -nE 's/^ *"milliseconds": ([0-9.eE+-]+),?$/\1/p' "$log.json" | head -n 1)
  [ -n "$rate" ] || { echo "$what: WRONG no images_per_second in $log.json, expected some"; return; }
  [ ! -s "$log.memory" ] || memory=$(awk '$1 > most { most = $1 } END { printf(", peak memory %.1f GiB", most / 1024) }' "$log.memory")
  figure "$name" "$rate"
  printf '%s: %.1f img/s, %.2f ms%s\n' "$what" "$rate" "$milliseconds" "$memory"
}

peer() {  # peer MODE BATCH STEPS SECONDS
  local line log=$logs/torch-$1-$round.log
  if ! command -v "${PYTHON:-python3}" > /dev/null; then
    line="left out, there is no ${PYTHON:-python3}"
  else
    line=$(timeout --foreground -k 5 "$4" "${PYTHON:-python3}" "$bundle/peers.py" "$1" "$2" "$3" 2> "$log" | tail -n 1)
    [ -n "$line" ] || line="left out, $(if [ -s "$log" ]; then tail -n 1 "$log" | cut -c1-200; else echo "nothing within $4 s"; fi)"
  fi
  [[ $line != *img/s* ]] || figure "torch_$1" "$(sed -E 's/^[a-z]+: ([0-9.]+) .*/\1/' <<< "$line")"
  echo "PyTorch, $1: ${line#"$1: "}"
}

measure_speed() {
  local batch=256 w8=(--quantizer.weight_prec=8 --quantizer.act_prec=8) float=(--quantizer.name=none)
  sizes=(--backend.compute=bf16 --steps=30)
  if [ -n "$quick" ]; then
    recipe=$bundle/small.ini batch=8
    sizes=(--backend.compute=bf16 --steps=1)
    bench train_w4a4 "training W4A4, batch $batch" --train.batch_size=$batch
    bench eval_w4a4 "evaluation W4A4, batch $batch" --eval --eval.batch_size=$batch
    peer eager 2 1 30
    return
  fi
  bench train_bf16 "training bf16, batch $batch" --train.batch_size=$batch "${float[@]}"
  peer eager $batch 30 45
  bench train_w8a8 "training W8A8, batch $batch" --train.batch_size=$batch "${w8[@]}"
  bench train_w4a4 "training W4A4, batch $batch" --train.batch_size=$batch
  bench eval_bf16 "evaluation bf16, batch $batch" --eval --eval.batch_size=$batch "${float[@]}"
  bench eval_w8a8 "evaluation W8A8, batch $batch" --eval --eval.batch_size=$batch "${w8[@]}"
  bench eval_bf16_1 "evaluation bf16, batch 1" --eval --eval.batch_size=1 "${float[@]}"
  bench eval_w8a8_1 "evaluation W8A8, batch 1" --eval --eval.batch_size=1 "${w8[@]}"
  peer compile $batch 30 90
  [ "$round" = 2 ] || peer qat 128 10 60
}

stage_speed() { round=1 && measure_speed; }
stage_again() { round=2 && measure_speed; }

stage_profile() {
  local what options
  [ -z "$quick" ] || recipe=$bundle/small.ini
  for what in w4a4 bf16; do
    options=(--train.batch_size=256 --steps=5)
    [ -z "$quick" ] || options=(--train.batch_size=8 --steps=1)
    [ $what = w4a4 ] || options+=(--quantizer.name=none)
    # shellcheck disable=SC2046
    logged "profile-$what" qfw bench "$recipe" $(on_device) --backend.compute=bf16 --profile=all "${options[@]}" || continue
    echo "$what, by kind of op:"
    awk '/ calls?$/ { print "  " $0; n++ } n > 0 && !/ calls?$/ { exit }' "$logs/profile-$what.log"
    [ -z "$quick" ] || break
  done
}

# The aims of one H100, from the better of both rounds.
print_aims() {
  local copy torch
  copy=$(best copy_gb_per_second)
  torch=$( { best torch_eager; best torch_compile; } | sort -g | tail -n 1)
  aim() {  # aim WHAT FOUND OF FACTOR: FOUND >= FACTOR x OF
    if [ -z "$2" ] || [ -z "$3" ]; then echo "  $1: not measured"; return; fi
    awk -v what="$1" -v found="$2" -v of="$3" -v factor="$4" \
      'BEGIN { printf("  %s: %s, %.2f (%.0f img/s, %.0f)\n", what, found >= factor * of ? "reached" : "missed", found / of, found, of) }'
  }
  aim "first light, bf16 training >= 0.8 x PyTorch's best" "$(best train_bf16)" "$torch" 0.8
  aim "bf16 training >= 1.3 x PyTorch's best" "$(best train_bf16)" "$torch" 1.3
  aim "W8A8 training >= 1.0 x own bf16" "$(best train_w8a8)" "$(best train_bf16)" 1
  aim "W4A4 training >= 1.0 x own bf16" "$(best train_w4a4)" "$(best train_bf16)" 1
  aim "W8A8 training >= 4 x PyTorch's FX QAT" "$(best train_w8a8)" "$(best torch_qat)" 4
  aim "W8A8 evaluation >= 1.5 x own bf16, batch 256" "$(best eval_w8a8)" "$(best eval_bf16)" 1.5
  # docs/performance.md: 8,800 img/s at 3.0 TB/s.
  aim "bf16 training >= 1 / 1.6 of what memory allows" "$(best train_bf16)" "${copy:+$(awk -v copy="$copy" 'BEGIN { print 8800 * copy / 3000 }')}" 0.625
}

# ---- The whole.

wanted() { [ -z "$only" ] || [[ ,$only, == *,$1,* ]]; }

# run_stage NAME SECONDS: in a process of its own, which is killed when its time is up with all that it started: a program that goes on
# would take the device from the next stage.
run_stage() {
  local name=$1 seconds=$2 left=$((limit - SECONDS)) begin=$SECONDS status
  [ -z "$quick" ] || seconds=$((10 * seconds))
  wanted "$name" || return 0
  if [ "$left" -lt 10 ]; then
    echo "== $name: left out, the $limit seconds are over" | tee -a "$out/summary.txt"
    return 0
  fi
  [ "$seconds" -le "$left" ] || seconds=$left
  stage_seconds=$seconds timeout -s KILL "$seconds" bash "$script" --stage "$name" 2> "$logs/stage-$name.err" < /dev/null | tee "$logs/stage-$name.txt"
  status=${PIPESTATUS[0]}
  case $status in
    0) ;;
    124 | 137) echo "$name: WRONG stopped after $seconds s, expected its end" | tee -a "$logs/stage-$name.txt" ;;
    *) echo "$name: WRONG status $status: $(tail -n 1 "$logs/stage-$name.err"), expected 0" | tee -a "$logs/stage-$name.txt" ;;
  esac
  { echo "== $name ($((SECONDS - begin)) s)"; cat "$logs/stage-$name.txt"; } >> "$out/summary.txt"
  echo "== $name: $((SECONDS - begin)) s"
}

print_machine() {
  echo "qfw: $(qfw --version), bundle of $(sed -n 's/^made: //p' "$bundle/manifest.txt")"
  echo "machine: $(uname -sr), $(getconf GNU_LIBC_VERSION), $(nproc) cores, $(sed -nE 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)"
  if command -v nvidia-smi > /dev/null; then
    timeout -k 2 20 nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit --format=csv,noheader 2>&1 | sed 's/^/nvidia-smi: /'
  else
    echo "nvidia-smi: not here"
  fi
  echo "backend: $(sed -nE '/^On this machine: /,/^$/p' "$logs/describe.log" | tr '\n' ' ')"
}

require_bundle() {
  [ -e "$bundle/manifest.txt" ] || give_up "$bundle is no bundle: it has no manifest.txt; make one with scripts/bundle.sh, or name it with --bundle"
  [ "$(uname -m)" = x86_64 ] || give_up "the bundle is for x86-64, this is $(uname -m)"
  local needs has
  needs=$(sed -n 's/^glibc: //p' "$bundle/manifest.txt") has=$(getconf GNU_LIBC_VERSION 2> /dev/null | sed 's/.* //')
  [ -n "$has" ] || give_up "the bundle needs glibc $needs or later; getconf GNU_LIBC_VERSION tells none"
  [ "$(printf '%s\n' "$needs" "$has" | sort -V | head -n 1)" = "$needs" ] || give_up "the bundle needs glibc $needs or later, here is $has: make it on an older system"
  grep -qw avx2 /proc/cpuinfo || give_up "the bundle's cpu backend needs a processor with AVX2"
  local missing
  missing=$(program ldd "$bundle"/qfw/bin/qfw "$bundle"/qfw/tests/* "$bundle"/qfw/lib/qfw/*.so 2>&1 | grep -E 'not found' | sort -u)
  [ -z "$missing" ] || give_up "libraries are missing: $missing"
}

main() {
  require_bundle
  mkdir -p "$out" || give_up "cannot make the folder $out"
  work=$(mktemp -d) || give_up "cannot make a temporary folder"
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM
  out=$(realpath "$out") logs=$out/logs figures=$out/figures.txt
  recipe=$bundle/qfw/share/qfw/recipes/resnet50_w4a4.ini
  device_check=${device_check:-$bundle/qfw/tests/device_check}
  # Stages are processes of their own.
  export bundle out only limit backend device quick plugins device_check work logs figures recipe
  export XDG_CACHE_HOME=$work/cache TORCHINDUCTOR_CACHE_DIR=$work/inductor
  [ -z "$plugins" ] || export QFW_PLUGIN_PATH=$plugins
  mkdir -p "$logs" "$XDG_CACHE_HOME/qfw/cubins"
  : > "$figures"
  local folder
  for folder in cubins plans; do
    [ ! -d "$bundle/$folder" ] || cp -r "$bundle/$folder/." "$XDG_CACHE_HOME/qfw/cubins/"
  done

  program timeout -k 5 60 "$bundle/qfw/bin/qfw" describe backend "$backend" > "$logs/describe.log" 2>&1 || give_up "$(tail -n 1 "$logs/describe.log")"
  if grep -q '^Not on this machine' "$logs/describe.log"; then
    sed -nE '/^Not on this machine/,/^$/p' "$logs/describe.log" >&2
    echo "check: there is no device" >&2
    exit 3
  fi
  print_machine | tee "$out/summary.txt"
  run_stage arithmetic 60
  run_stage logits 60
  run_stage training 60
  run_stage conformance 100
  run_stage speed 200
  run_stage profile 40
  [ -n "$quick" ] || run_stage again 150

  {
    if [ -n "$(best train_bf16)" ]; then
      echo "== aims on one H100"
      print_aims
    fi
    echo "== result: $(grep -c ': ok' "$out/summary.txt") right, $(grep -c ': WRONG' "$out/summary.txt") wrong, $(grep -c 'left out, ' "$out/summary.txt") left out, after $SECONDS s"
  } > "$work/end.txt"
  tee -a "$out/summary.txt" < "$work/end.txt"
  grep ': WRONG' "$out/summary.txt" | sed 's/^/  /'
  tar -czf "$out/logs.tar.gz" -C "$out" logs && rm -rf "$logs"
  echo "results are in $out"
  ! grep -q ': WRONG' "$out/summary.txt"
}

if [ "${1:-}" = --stage ]; then
  "stage_$2"  # the script's own
else
  read_options "$@"
  main
fi
