#!/usr/bin/env bash
# unknown_backend.sh CONFORMANCE: a backend that does not exist, or none at all, fails the suite and is named.
set -euo pipefail
expect() {
  local names=$1 message=$2 output status=0
  output=$(QFW_CONFORMANCE_BACKENDS=$names "$conformance" 2>&1) || status=$?
  [[ $status == 1 && $output == *"$message"* ]] && return
  echo "QFW_CONFORMANCE_BACKENDS='$names': status $status, expected 1 and \"$message\"; it printed: $output"
  exit 1
}
conformance=$1
expect nonsuch 'nonsuch'
expect reference,nonsuch 'names a backend that cannot be tested'
expect '' 'names no backend'
