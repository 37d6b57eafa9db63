#!/usr/bin/env bash
# Writes the reference of keys in docs/recipe.md, all that follows its mark, as `qfw describe --markdown` has it.
# Usage: scripts/recipe_reference.sh [--check]     --check: changes nothing, and fails where the file differs. QFW: the program.
set -euo pipefail
tree=$(cd "$(dirname "$0")/.." && pwd)
qfw=${QFW:-$tree/build/release/bin/qfw}
file=$tree/docs/recipe.md
mark='<!-- What follows is written by scripts/recipe_reference.sh. -->'

grep -qxF -- "$mark" "$file" || { echo "$file has no line '$mark'" >&2; exit 1; }
new=$(mktemp)
trap 'rm -f "$new"' EXIT
{ sed "/^<!-- What follows is written by/q" "$file"; echo; QFW_PLUGIN_PATH='' "$qfw" describe --markdown; } > "$new"
if [ "${1:-}" = --check ]; then
  diff -u "$file" "$new" && { echo "docs/recipe.md: as the program says"; exit 0; }
  echo "docs/recipe.md is not what the program says (- is, + should be); renew it with scripts/recipe_reference.sh" >&2
  exit 1
fi
cat "$new" > "$file"
