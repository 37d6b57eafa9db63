#!/usr/bin/env bash
# Installs what the build, the tests and the quickstart need on Debian 12, and only what is missing. Says what it did.
# Needs root or sudo if a Debian package is missing; oneDNN goes into .deps within the tree.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  build-essential cmake ninja-build ccache pkg-config
  libboost1.81-dev libboost-filesystem1.81-dev libboost-json1.81-dev
  libhdf5-dev hdf5-tools libhwy-dev libxxhash-dev libfmt-dev libspdlog-dev libprotobuf-dev protobuf-compiler zlib1g-dev
  libjpeg62-turbo-dev libpng-dev libwebp-dev libjs-chart.js
  libgtest-dev libgmock-dev strace
  dataset-fashion-mnist
)
onednn_wheel=onednn-devel-cpu-gomp==2023.2.0  # oneDNN 3.2; Debian 12 has 2.7

say() { echo "setup: $*"; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo > /dev/null; then
    sudo "$@"
  else
    say "needs root for: $*; run it as root, or install sudo" >&2
    exit 1
  fi
}

# Prints those of its arguments that are not installed.
missing_of() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2> /dev/null | sed -n 's/^installed //p') || true
  comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<< "$installed")
}

# Whether a oneDNN >= 3 with its CMake package lies below a prefix.
has_onednn() {
  local header
  for header in "$1"/include/dnnl_version.h "$1"/include/*/dnnl_version.h "$1"/include/oneapi/dnnl/dnnl_version.h; do
    [ -f "$header" ] || continue
    [ "$(sed -n 's/^#define DNNL_VERSION_MAJOR *//p' "$header")" -ge 3 ] 2> /dev/null || continue
    compgen -G "$1/lib*/cmake/dnnl/dnnl-config.cmake" > /dev/null && return 0
    compgen -G "$1/lib/*/cmake/dnnl/dnnl-config.cmake" > /dev/null && return 0
  done
  return 1
}

if ! command -v dpkg-query > /dev/null; then
  say "this script knows Debian 12 only; elsewhere install the packages that docs/dependencies.md lists" >&2
  exit 1
fi

onednn=missing
for prefix in .deps /usr /usr/local; do
  if has_onednn "$prefix"; then onednn=$prefix; break; fi
done
[ "$onednn" != missing ] || packages+=(python3-venv ca-certificates)

mapfile -t missing < <(missing_of "${packages[@]}")
if [ "${#missing[@]}" -gt 0 ]; then
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
  mapfile -t still < <(missing_of "${missing[@]}")
  if [ "${#still[@]}" -gt 0 ]; then
    say "apt-get finished, but these are still missing: ${still[*]}" >&2
    exit 1
  fi
fi

if [ "$onednn" = missing ]; then
  say "installing oneDNN from PyPI ($onednn_wheel) into .deps"
  [ -x .deps/bin/pip ] || python3 -m venv .deps
  .deps/bin/pip install --quiet --disable-pip-version-check --no-input "$onednn_wheel"
  if ! has_onednn .deps; then
    say "the wheel brought no oneDNN >= 3 into .deps; remove .deps and try again" >&2
    exit 1
  fi
fi

if [ "${#missing[@]}" -eq 0 ] && [ "$onednn" != missing ]; then
  say "nothing missing"
else
  say "done"
fi
