# Sourced by the scripts here.
set -euo pipefail
trap 'kill -9 $(jobs -p) 2> /dev/null || true' EXIT

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# expect STATUS PATTERN COMMAND...: runs it, checks exit status and that stdout and stderr together match the pattern (extended).
expect() {
  local status=$1 pattern=$2 output actual=0
  shift 2
  output=$("$@" 2>&1) || actual=$?
  [ "$actual" = "$status" ] || fail "exit status $actual, expected $status, from: $*"$'\n'"$output"
  grep -Eq -- "$pattern" <<<"$output" || fail "no line matches '$pattern' in the output of: $*"$'\n'"$output"
}

# alter_codes MODEL.onnx ALTERED.onnx INITIALIZER COUNT BITS: a copy, with BITS flipped in some COUNT bytes of the initializer's data (2 KiB at least).
alter_codes() {
  local at byte
  cp "$1" "$2"
  at=$(LC_ALL=C grep -abo -- "$3J" "$2" | head -n 1 | cut -d: -f1) || true
  [ -n "$at" ] || fail "there is no initializer $3 in $1"
  at=$((at + ${#3} + 1 + 4))  # behind the length of the data
  for at in $(seq $at $((at + $4 - 1))); do
    byte=$(od -An -tu1 -j "$at" -N1 "$2")
    printf "$(printf '\\%03o' $((byte ^ $5)))" | dd of="$2" bs=1 seek="$at" conv=notrunc status=none
  done
}

wait_for() {  # wait_for FILE: until it is there, 30 s at most
  for _ in $(seq 600); do
    [ -e "$1" ] && return
    sleep 0.05
  done
  fail "there is still no $1"
}

# A recipe that trains a tiny quantized ResNet on real images in seconds.
tiny_recipe() {
  cat <<'INI'
description = tiny

[model]
name = resnet
stages = 1,1
num_filters = 8
filter_multiplier = 0.5
stem = small

[quantizer]
name = weights_and_auto_acts
weight_prec = 4
act_prec = 4
arithmetic = integer
activation_bound_start_step = 5

[schedule]
name = cosine
base_learning_rate = 0.1
num_epochs = 0.05
warmup_epochs = 0.005
cooldown_epochs = 0

[dataset]
name = fashion_mnist

[augment]
name = shift_flip
mean = 0.2860
stddev = 0.3530

[train]
batch_size = 32
steps = 20

[eval]
batch_size = 48
examples = 100
per_epoch = 0
per_epoch_late = 0

[checkpoint]
every_steps = 5
keep = 10

[backend]
name = cpu
threads = 2
INI
}

json_field() {  # json_field KEY < one flat JSON object
  grep -oE "\"$1\": ?[^,}]+" | head -n 1 | sed -E 's/^"[^"]+": ?//'
}
