#!/usr/bin/env bash
# Everything that a device check needs on another machine, in one folder or file that may be carried there: qfw with the libraries of
# this system that it needs, test programs, small data, compiled device code, bench/device/check.sh. It runs on x86-64 Linux with this
# system's glibc or a later one, and nothing is fetched there (docs/cuda.md, "Device check").
#   bundle.sh OUT [OPTION]...
#     OUT              a folder, or a file that ends in .tar.xz; there must be none of that name
#     --build DIR      where qfw and its tests are built (build/release)
#     --code A,B       devices whose code is compiled beforehand: a100, h100, b200, t4, or none (a100,h100,b200; none without NVRTC)
#     --plans A,B      devices whose plans of cuDNN's are made beforehand: h100, h200, a100, or none (h100,h200; none without cuDNN)
#     --quick          what check.sh --quick needs, alone: no code, no plans, a shorter training
# What takes minutes is the code: device checks are minutes long, too, and compile it in seconds on many cores.
set -euo pipefail

say() { echo "bundle: $*"; }

give_up() {
  say "$*" >&2
  exit 1
}

usage() {
  sed -nE '/^set /q; 2,$s/^# ?//p' "$0" >&2
  exit 2
}

source_dir=$(realpath "$(dirname "$0")/..")
target='' build=$source_dir/build/release code=a100,h100,b200 plans=h100,h200 quick=''
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=yes code=none plans=none ;;
    --build | --code | --plans)
      [ $# -ge 2 ] || usage
      declare "${1#--}=$2"
      shift
      ;;
    -*) usage ;;
    *)
      [ -z "$target" ] || usage
      target=$1
      ;;
  esac
  shift
done
[ -n "$target" ] || usage
[ ! -e "$target" ] || give_up "$target is there already"
build=$(realpath -m "$build")
for file in bin/qfw bin/libqfw_backend_cuda.so bin/libqfw_backend_cpu.so tests/bin/conformance tests/bin/device_check tests/bin/same_values; do
  [ -e "$build/$file" ] || give_up "there is no $build/$file; 'make build' builds it"
done
mkdir -p "$(dirname "$target")"
folder=$(mktemp -d "$(dirname "$(realpath -m "$target")")/.bundle.XXXXXX")
trap 'rm -rf "$folder"' EXIT
tree=$folder/qfw-device-check
mkdir -p "$tree/expected"

# glibc is the other machine's; everything else comes along.
is_glibc='^(ld-linux-x86-64|lib(c|m|dl|rt|pthread|resolv|util|anl|mvec|nsl|nss_[a-z]+|BrokenLocale|thread_db))\.so\.[0-9]+$'

programs_of() { find "$tree"/qfw/{bin,lib,tests} -type f; }

# ldd's lines of all files in the tree, without this shell's surroundings: name, then where it is.
resolved() {
  programs_of | while read -r file; do
    env -i LD_LIBRARY_PATH="$tree/qfw/lib" ldd "$file" | awk -v file="$file" '/=>/ { print $1, ($3 == "not" ? "nowhere" : $3), file }'
  done | sort -u
}

install_programs() {
  say "programs"
  cmake --install "$build" --prefix "$tree/qfw" --strip > "$folder/install.log" || give_up "cmake --install failed: $(tail -n 3 "$folder/install.log")"
  cmake --install "$build" --prefix "$tree/qfw" --strip --component device_check > "$folder/install.log" ||
    give_up "cmake --install of the tests failed: $(tail -n 3 "$folder/install.log")"
  rm -rf "$tree/qfw/include" "$tree"/qfw/lib/{cmake,pkgconfig} "$tree"/qfw/lib/libqfw_predict.* "$tree/qfw/share/bash-completion" "$tree"/qfw/lib/*.a
  install -m 755 "$source_dir/bench/device/check.sh" "$tree/"
  install -m 644 "$source_dir"/bench/device/{peers.py,small.ini} "$tree/"
}

copy_libraries() {
  say "libraries"
  local name path file
  resolved | while read -r name path file; do
    [[ ! $name =~ $is_glibc && $path == /* && $path != "$tree"/* ]] || continue
    [ -e "$tree/qfw/lib/$name" ] || install -m 644 "$path" "$tree/qfw/lib/$name"
  done
  while read -r name path file; do
    [[ $name =~ $is_glibc || $path == "$tree"/* ]] || give_up "$file needs $name, which is ${path/#\//outside of the bundle: /}"
  done < <(resolved)
}

# The latest glibc that a symbol asks for.
needed_glibc() {
  programs_of | xargs grep -ahoE 'GLIBC_2\.[0-9]+' | sort -uV | tail -n 1 | sed 's/GLIBC_//'
}

qfw() { env -u QFW_PLUGIN_PATH LD_LIBRARY_PATH="$tree/qfw/lib" "$tree/qfw/bin/qfw" "$@"; }

# logged COMMAND...
logged() {
  "$@" > "$folder/log" 2>&1 || give_up "$* failed: $(tail -n 3 "$folder/log")"
}

# A small network that cpu trained, its logits, and the losses on the way.
make_expected() {
  say "what cpu makes of a small network"
  local steps=60 sizes=()
  [ -z "$quick" ] || { steps=6 sizes=(--train.batch_size=8 --eval.examples=64); }
  logged qfw run "$tree/small.ini" --run.dir="$folder/run" --train.steps=$steps "${sizes[@]}"
  logged qfw eval "$folder/run" --logits="$tree/expected/logits.h5"
  local last
  printf -v last 'step_%09d.h5' $steps
  mkdir -p "$tree/expected/run/checkpoints"
  cp "$folder/run/recipe.ini" "$folder/run/series.csv" "$folder/run/environment.json" "$tree/expected/run/"
  cp "$folder/run/checkpoints/$last" "$tree/expected/run/checkpoints/"
  rm -rf "$folder/run"
  [ -z "$quick" ] || return 0
  logged qfw run "$tree/small.ini" --run.dir="$folder/run" --train.steps=$steps --backend.compute=bf16
  cp "$folder/run/series.csv" "$tree/expected/bf16.csv"
  rm -rf "$folder/run"
}

# What check.sh will run, on a device that only compiles. Failures there are no matter: nothing is computed.
compile_for() {  # compile_for MODEL PLANS(true, false)
  local model=$1 plans=$2 float=(--quantizer.name=none) w8=(--quantizer.weight_prec=8 --quantizer.act_prec=8) of=()
  local recipe=$tree/qfw/share/qfw/recipes/resnet50_w4a4.ini
  export XDG_CACHE_HOME=$folder/cache QFW_PLUGIN_PATH=$build/tests/compiling
  compile() {
    LD_LIBRARY_PATH="$tree/qfw/lib" "$tree/qfw/bin/qfw" "$@" --backend.name=cuda_compiling --backend.model="$model" --backend.plans="$plans" \
      > "$folder/log" 2>&1 || give_up "compiling for $model failed: $(tail -n 1 "$folder/log")"
  }
  [ "$plans" = false ] || of=(--plans --whole)
  "$build/tests/bin/device_check_on_host" --device="$model" "${of[@]}" > "$folder/log" 2>&1 || [ $? -eq 1 ] ||
    give_up "compiling for $model failed: $(tail -n 1 "$folder/log")"
  compile run "$tree/small.ini" --run.dir="$folder/run" --train.steps=6
  rm -rf "$folder/run"
  compile bench "$recipe" --steps=1 --backend.compute=bf16 --train.batch_size=256 "${float[@]}"
  if [ "$plans" = false ]; then
    compile bench "$recipe" --steps=1 --backend.compute=bf16 --train.batch_size=256 "${w8[@]}"
    compile bench "$recipe" --steps=1 --backend.compute=bf16 --train.batch_size=256
    local batch
    for batch in 1 256; do
      compile bench "$recipe" --eval --steps=1 --backend.compute=bf16 --eval.batch_size=$batch "${float[@]}"
      compile bench "$recipe" --eval --steps=1 --backend.compute=bf16 --eval.batch_size=$batch "${w8[@]}"
    done
    compile bench "$recipe" --eval --steps=1 --eval.batch_size=16
  fi
  unset XDG_CACHE_HOME QFW_PLUGIN_PATH
}

is_installed() { QFW_PLUGIN_PATH=$build/tests/compiling qfw_compiling describe backend cuda_compiling 2> /dev/null | grep > /dev/null '^On this machine'; }
qfw_compiling() { LD_LIBRARY_PATH="$tree/qfw/lib" "$tree/qfw/bin/qfw" "$@"; }

make_code() {
  local model
  if [ "$code$plans" != nonenone ] && ! is_installed; then
    say "NVRTC is not here: code is left to the device's machine"
    code=none plans=none
  fi
  for model in ${code//,/ }; do
    [ "$model" != none ] || continue
    say "code for $model"
    compile_for "$model" false
  done
  for model in ${plans//,/ }; do
    [ "$model" != none ] || continue
    say "cuDNN's plans for $model"
    compile_for "$model" true
  done
  [ -d "$folder/cache/qfw/cubins" ] || return 0
  # Of a plan the text begins with its engine, behind 24 bytes of header.
  mkdir -p "$tree/cubins" "$tree/plans"
  local file
  for file in "$folder/cache/qfw/cubins"/*.qfwcode; do
    if [ "$(dd if="$file" bs=1 skip=24 count=7 status=none | tr -d '\0')" = "engine " ]; then mv "$file" "$tree/plans/"; else mv "$file" "$tree/cubins/"; fi
  done
}

write_manifest() {
  {
    echo "qfw: $(qfw --version | sed 's/^qfw //')"
    echo "made: $(date -u +%Y-%m-%dT%H:%MZ)"
    echo "system: $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)"
    echo "processor: $(sed -nE 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)"
    echo "glibc: $(needed_glibc)"
    echo "code: $code, $(find "$tree/cubins" -type f 2> /dev/null | wc -l) kernels"
    echo "plans: $plans, $(find "$tree/plans" -type f 2> /dev/null | wc -l)"
    [ "$code" = none ] || echo "compiler: $(tr '\n' ' ' < "$folder/compiler.txt" | grep -oE 'NVRTC [0-9.]+' | head -n 1)"
    echo "libraries: $(find "$tree/qfw/lib" -maxdepth 1 -type f -printf '%f\n' | sort | tr '\n' ' ')"
  } > "$tree/manifest.txt"
}

install_programs
copy_libraries
make_expected
make_code
QFW_PLUGIN_PATH=$build/tests/compiling qfw_compiling describe backend cuda_compiling > "$folder/compiler.txt" 2>&1 || true
write_manifest
if [[ $target == *.tar.xz ]]; then
  say "packing"
  tar -C "$folder" -cf - qfw-device-check | xz -T0 > "$folder/packed"
  size=$(stat -c %s "$folder/packed")
  [ "$size" -lt $((60 << 20)) ] || give_up "it has $((size >> 20)) MiB, 60 are the most that every machine takes; leave out code with --code"
  mv -T "$folder/packed" "$target"
  say "$target: $((size >> 20)) MiB; there: tar -xf $(basename "$target") && qfw-device-check/check.sh"
else
  chmod 755 "$tree"
  mv -T "$tree" "$target"
  say "$target: $(du -sm "$target" | cut -f1) MiB; there: $(basename "$target")/check.sh"
fi
