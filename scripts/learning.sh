#!/usr/bin/env bash
# Trains every recipe of recipes/parity three times in four ways and prints the table of docs/results.md.
# Usage: scripts/learning.sh [DIR]     runs go to DIR (default runs/learning); finished ones are kept, stopped ones go on
#   JOBS=2           runs at a time, each on one core
#   WAYS="fake_quant integer int8 bf16"    SEEDS="0 1 2"    int8: integer, with an integer backward pass
#   QFW=build/release/bin/qfw
# TABLE=only prints the table of what is there.
set -euo pipefail
tree=$(cd "$(dirname "$0")/.." && pwd)
dir=${1:-runs/learning}
qfw=${QFW:-$tree/build/release/bin/qfw}
ways=${WAYS:-fake_quant integer int8 bf16}
seeds=${SEEDS:-0 1 2}
names=(none w4 w8a8_auto w4a4_auto w2a2_auto w4a4_fixed w4a4_auto_init8_dense8)

# Where no layer has both operands quantized, integer arithmetic has nothing to change.
applies() { [[ ($1 != integer && $1 != int8) || ($2 != none && $2 != w4) ]]; }

one() {
  local way=$1 name=$2 seed=$3 run="$dir/$1/$2_$3" options=()
  case $way in
    integer) options+=(--quantizer.arithmetic=integer) ;;
    int8) options+=(--quantizer.arithmetic=integer --quantizer.backward=int8) ;;
    bf16) options+=(--backend.compute=bf16) ;;
  esac
  grep -qs '"status": "finished"' "$run/report.json" && return
  mkdir -p "$dir/$way"
  OMP_NUM_THREADS=1 "$qfw" run "$tree/recipes/parity/fashion_mnist_$name.ini" --run.dir="$run" --run.seed="$seed" \
    --dataset.workers=1 "${options[@]}" >"$run.out" 2>"$run.log" || { echo "failed: see $run.log" >&2; return 1; }
  echo "$way $name seed $seed: $(head -n 1 "$run.out" | cut -d' ' -f1-2)" >&2
}

train() {
  local way name seed
  for way in $ways; do for seed in $seeds; do for name in "${names[@]}"; do
    applies "$way" "$name" || continue
    while (($(jobs -rp | wc -l) >= ${JOBS:-2})); do wait -n || exit 1; done
    one "$way" "$name" "$seed" &
  done; done; done
  while (($(jobs -rp | wc -l) > 0)); do wait -n || exit 1; done
}

# Mean ± standard deviation of the last evaluation, in percent, and how many runs that is.
cell() {
  local way=$1 name=$2
  applies "$way" "$name" || { printf 'as fake_quant'; return; }
  for seed in $seeds; do
    grep -qs '"status": "finished"' "$dir/$way/${name}_$seed/report.json" &&
      sed -n 's/^ *"eval_accuracy": \([0-9.eE+-]*\),*$/\1/p' "$dir/$way/${name}_$seed/report.json" || true
  done | awk '{ v = 100 * $1; n++; sum += v; list[n] = v }
    END { if (n == 0) { printf "not run"; exit }
          mean = sum / n; for (i = 1; i <= n; i++) square += (list[i] - mean) ^ 2
          printf("%.2f ± %.2f (%d)", mean, (n > 1 ? sqrt(square / (n - 1)) : 0), n) }'
}

table() {
  local name
  echo "| recipe | f32, fake_quant | f32, integer | the same, backward = int8 | bf16, fake_quant |"
  echo "|---|---|---|---|---|"
  for name in "${names[@]}"; do
    echo "| $name | $(cell fake_quant "$name") | $(cell integer "$name") | $(cell int8 "$name") | $(cell bf16 "$name") |"
  done
}

[[ ${TABLE:-} == only ]] || train
table
