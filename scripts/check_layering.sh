#!/usr/bin/env bash
# The layers of the tree, checked by what each file includes:
#   core/include   only <...> and "qfw/..."
#   core/          nothing from plugins/, backends/, datasets/ or viewer/; but core/cli, the program, shows runs with viewer/
#   viewer/        the core, its inside too, and itself
#   plugins/, backends/, datasets/   "qfw/..." and their own folder; never core/src, never each other
#   backends/lowering  is shared by the other backends, and by nothing else ("qfw/lowering/...")
#   onnx/          "qfw/..." and its own folder; is shared by exporters, backends and predict/ ("qfw/onnx/...")
#   predict/       "qfw/..." and itself; backends.cc also backends/; its parts are the program's, too (core/cli)
# Usage: check_layering.sh [ROOT]. Prints every offending line, then what each folder depends on.
set -euo pipefail
root=$(realpath "${1:-$(dirname "$0")/..}")
cd "$root"
offences=0

# complain FILE:LINE INCLUDED WHY
complain() {
  echo "$1: includes \"$2\": $3"
  offences=$((offences + 1))
}

# Where "$2", included by file $1, is found: beside the file or in one of the folders that follow. Empty: nowhere in the tree.
resolve() {
  local file=$1 included=$2 folder
  shift 2
  for folder in "$(dirname "$file")" "$@"; do
    if [ -e "$folder/$included" ]; then
      realpath --relative-to="$root" "$folder/$included"
      return
    fi
  done
}

declare -A depends

check_folder() {
  local home=$1 file line included target
  shift
  depends[$home]=
  while IFS=: read -r file line included; do
    [ -n "$file" ] || continue
    target=$(resolve "$file" "$included" "$@")
    if [[ $included == qfw/lowering/* ]]; then
      [[ $home == backends/* ]] || complain "$file:$line" "$included" "the lowering is for backends only"
      [[ $home == backends/lowering || ${depends[$home]} == *lowering* ]] || depends[$home]+=" backends/lowering"
      continue
    fi
    if [[ $included == qfw/onnx/* ]]; then
      [[ $home == onnx || $home == predict || $home == backends/* || $home == plugins/exporters/* ]] ||
        complain "$file:$line" "$included" "ONNX files are for exporters, backends and predict/"
      [[ $home == onnx || ${depends[$home]} == *onnx* ]] || depends[$home]+=" onnx"
      continue
    fi
    [[ $included != qfw/* || $home == core* || ${depends[$home]} == *core/include* ]] || depends[$home]+=" core/include"
    case $home in
      core/include) [[ $included == qfw/* ]] || complain "$file:$line" "$included" "public headers include only qfw/" ;;
      core)
        if [[ $target == plugins/* || $target == backends/* || $target == datasets/* || $included =~ (^|/)(plugins|backends|datasets)/ ]]; then
          complain "$file:$line" "$included" "the core knows no plugin"
        fi
        if [[ $target == viewer/* || $included == viewer/* || $included == predict/* ]] && [[ $file != core/cli/* ]]; then
          complain "$file:$line" "$included" "the core knows neither viewer/ nor predict/; the program alone does"
        fi
        ;;
      predict)
        [[ $included == qfw/* || $included == qfw_predict.h || $target == predict/* || $file:$target == predict/backends.cc:backends/* ]] ||
          complain "$file:$line" "$included" "predict/ includes qfw/ and itself only; backends.cc makes the backends"
        ;;
      viewer)
        [[ $included == qfw/* || $target == viewer/* || $target == core/src/* ]] ||
          complain "$file:$line" "$included" "the viewer includes the core and itself only"
        ;;
      *)
        if [[ $included != qfw/* ]] && [[ $target != "$home"/* ]]; then
          # What is not in the tree at all is a generated or a system header; a path out of the folder never is.
          if [ -n "$target" ] || [[ $included == *..* ]] || [ -e "core/src/$included" ]; then
            complain "$file:$line" "$included" "plugins include qfw/ and their own folder only"
          fi
        fi
        ;;
    esac
  done < <(grep -rnoP --include='*.h' --include='*.cc' '^\s*#\s*include\s*"\K[^"]+' "$home" || true)
}

check_folder core/include core/include
check_folder core core/include core/src core/cli .
check_folder viewer core/include core/src .
check_folder onnx onnx core/include
check_folder predict core/include .
for home in plugins/*/*/ backends/*/ datasets/*/; do
  [ -d "$home" ] && check_folder "${home%/}" "$home" core/include
done

# No plugin's CMakeLists.txt may reach the core's inside either.
while IFS= read -r hit; do
  echo "$hit: plugins link qfw::core only"
  offences=$((offences + 1))
done < <(grep -rnE --include=CMakeLists.txt 'qfw_core_internal|core/src|qfw_viewer' plugins backends datasets onnx predict 2> /dev/null || true)

if [ "$offences" -gt 0 ]; then
  echo "$offences offences against the layering"
  exit 1
fi
for home in "${!depends[@]}"; do
  [[ $home == core* ]] || echo "$home ->${depends[$home]}"
done | sort
echo "layering: no offences"
