#!/usr/bin/env bash
# What a formatter does not see: lines of at most 128 columns, and statements that are not chained by commas.
# Usage: check_style.sh [ROOT]. Prints every offending line. Golden texts of tests are what they are.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

sources() { find core viewer plugins backends datasets bench tests -path tests/golden -prune -o \( -name '*.cc' -o -name '*.h' -o -name '*.js' -o -name '*.css' \) -print; }

long=$(sources | xargs awk 'length($0) > 128 && $0 !~ /^group of step/ { print FILENAME ":" FNR ": longer than 128 columns" }')
name='[A-Za-z_][A-Za-z_0-9.>()-]*(\[[^]]*\])*'
chained=$(sources | xargs grep -nE "^ +(if \(.*\) |else )?$name [-+*/|]?= [^{}]*, $name [-+*/|]?= [^{}]*;" \
  | grep -vE ':[0-9]+: +(for|const|auto|static|constexpr|int|double|float|bool|std::|[A-Za-z_:]+(<.*>)?[ *&]+[a-z_0-9]+ =)|\[[&=a-z, ]*\]' || true)

if [ -n "$long$chained" ]; then
  [ -z "$long" ] || echo "$long"
  [ -z "$chained" ] || sed 's/$/  # chained by a comma/' <<< "$chained"
  exit 1
fi
echo "style: no offences"
