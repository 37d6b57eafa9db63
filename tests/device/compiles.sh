#!/usr/bin/env bash
# NVRTC compiles the checks for a device that is not here; on it, where all that is read is zero, no check finds anything right.
# Usage: compiles.sh device_check_on_host MODEL. Status 77: there is no NVRTC.
set -euo pipefail
status=0
output=$(XDG_CACHE_HOME=$(mktemp -d) && export XDG_CACHE_HOME && trap 'rm -rf "$XDG_CACHE_HOME"' EXIT && "$1" --device="$2" 2>&1) || status=$?
if [ $status -eq 3 ]; then
  echo "$output"
  exit 77
fi
found=$(grep -c ': WRONG ' <<< "$output" || true)
if [ $status -ne 1 ] || [ "$found" -lt 25 ] || grep -qE ': ok|does not compile|no error' <<< "$output"; then
  echo "FAILED: status $status, $found wrong, of which none may be a failed compilation:"
  echo "$output"
  exit 1
fi
echo "compiled for $2; $found checks see that it computes nothing"
