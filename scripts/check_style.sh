#!/usr/bin/env bash
# What a formatter does not see: lines of at most 128 columns, statements that are not chained by commas, nothing of the standard library
# that clang 14 does not compile with GCC 12's (CONTRIBUTING.md).
# Usage: check_style.sh [ROOT]. Prints every offending line. Golden texts of tests are what they are.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

sources() { find core viewer plugins backends datasets bench tests -path tests/golden -prune -o \( -name '*.cc' -o -name '*.h' -o -name '*.js' -o -name '*.css' \) -print; }

long=$(sources | xargs awk 'length($0) > 128 && $0 !~ /^group of step/ { print FILENAME ":" FNR ": longer than 128 columns" }')
name='[A-Za-z_][A-Za-z_0-9.>()-]*(\[[^]]*\])*'
chained=$(sources | xargs grep -nE "^ +(if \(.*\) |else )?$name [-+*/|]?= [^{}]*, $name [-+*/|]?= [^{}]*;" \
  | grep -vE ':[0-9]+: +(for|const|auto|static|constexpr|int|double|float|bool|std::|[A-Za-z_:]+(<.*>)?[ *&]+[a-z_0-9]+ =)|\[[&=a-z, ]*\]' || true)
subranges='std::ranges::(unique|search|search_n|find_end|partition|stable_partition|remove|remove_if|rotate|equal_range)\('
newer=$(sources | grep -E '\.(cc|h)$' | xargs grep -nE "$subranges|std::(ranges::)?views?::" || true)

if [ -n "$long$chained$newer" ]; then
  [ -z "$long" ] || echo "$long"
  [ -z "$newer" ] || sed 's/$/  # clang 14 refuses it/' <<< "$newer"
  [ -z "$chained" ] || sed 's/$/  # chained by a comma/' <<< "$chained"
  exit 1
fi
echo "style: no offences"
