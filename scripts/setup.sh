#!/usr/bin/env bash
# Installs what is missing, and nothing else, on Debian, Ubuntu and their relatives. Says what it did.
#   setup.sh run       what the program needs to be built and to train the quickstart
#   setup.sh test      what the tests need as well (so without an argument, too)
#   setup.sh package   what making a .deb needs beside `run`
#   setup.sh verify    ONNX Runtime beside `run`, for `qfw export --verify`; `test` brings it, too, where it can be fetched
# Debian packages need root or sudo; without either, the command is printed for someone who has it. A oneDNN that the distribution
# does not have goes into .deps within the tree, and so does ONNX Runtime.
set -euo pipefail
cd "$(dirname "$0")/.."

for_run=(
  build-essential cmake ninja-build ccache pkg-config
  libhdf5-dev libhwy-dev libxxhash-dev libfmt-dev libspdlog-dev libprotobuf-dev protobuf-compiler zlib1g-dev
  libjpeg-dev libpng-dev libwebp-dev libzip-dev libjs-chart.js
  dataset-fashion-mnist
)
[ "$(uname -m)" != x86_64 ] || for_run+=(libxbyak-dev)
for_test=(libgtest-dev libgmock-dev strace hdf5-tools)
for_package=(dpkg-dev file)
least_boost=1.81
boost_parts=(libboost-dev libboost-filesystem-dev libboost-json-dev)
onednn_wheel=onednn-devel-cpu-gomp==2023.2.0  # oneDNN 3.2
onnxruntime_version=1.32.0
declare -A onnxruntime_sha256=(
  [x86_64]=99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8
  [aarch64]=e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054
)

say() { echo "setup: $*"; }

give_up() {
  say "$*" >&2
  exit 1
}

# Prints those of its arguments that are not installed.
missing_of() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2> /dev/null | sed -n 's/^installed //p') || true
  comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<< "$installed")
}

# The version that is installed, or would be; empty if apt knows no such package.
version_of() {
  local policy found
  policy=$(LC_ALL=C apt-cache policy "$1" 2> /dev/null)
  for found in Installed Candidate; do
    found=$(sed -n "s/^ *$found: //p" <<< "$policy")
    if [ -n "$found" ] && [ "$found" != "(none)" ]; then
      echo "$found"
      return
    fi
  done
}

is_at_least() { [ -n "$1" ] && dpkg --compare-versions "$1" ge "$2"; }

# The packages of a Boost that is new enough: the distribution's own, else the newest of those that it has beside it.
boost_packages() {
  if is_at_least "$(version_of libboost-json-dev)" "$least_boost"; then
    printf '%s\n' "${boost_parts[@]}"
    return
  fi
  local beside
  beside=$(apt-cache pkgnames libboost-json1. | sed -nE 's/^libboost-json(1\.[0-9]+)-dev$/\1/p' | sort -V | tail -n 1)
  is_at_least "$beside" "$least_boost" || return 1
  printf '%s\n' "${boost_parts[@]}" | sed "s/-dev$/$beside-dev/"
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

onednn_is_here() {
  local prefix
  for prefix in .deps /usr /usr/local; do
    if has_onednn "$prefix"; then return 0; fi
  done
  return 1
}

# Sets `packages` to all that are wanted, as far as apt's lists tell.
choose_packages() {
  packages=("${for_run[@]}" "${more[@]}")
  local boost
  if boost=$(boost_packages); then
    mapfile -t -O "${#packages[@]}" packages <<< "$boost"
  else
    packages+=("${boost_parts[@]}")
    boost_is_old=yes
  fi
  wheel=
  if onednn_is_here; then return; fi
  if is_at_least "$(version_of libdnnl-dev)" 3; then
    packages+=(libdnnl-dev)
  else
    wheel=$onednn_wheel
    packages+=(python3-venv ca-certificates)
  fi
}

onnxruntime_is_here() { compgen -G '.deps/onnxruntime/capi/libonnxruntime.so.*' > /dev/null; }

# Puts ONNX Runtime's library and its licences into .deps/onnxruntime. Of the wheel for one Python, whichever Python is here: only
# the library is wanted. Fails, saying why, where it cannot be fetched.
fetch_onnxruntime() {
  local machine sha256 folder
  machine=$(uname -m)
  sha256=${onnxruntime_sha256[$machine]:-}
  if [ -z "$sha256" ]; then
    say "there is no ONNX Runtime for $machine on PyPI"
    return 1
  fi
  if ! [ -x .deps/bin/pip ] && ! python3 -m venv .deps > /dev/null 2>&1; then
    say "there is no pip to fetch ONNX Runtime with (Debian: python3-venv)"
    return 1
  fi
  folder=$(mktemp -d .deps/onnxruntime.XXXXXX)
  if ! .deps/bin/pip install --quiet --disable-pip-version-check --no-input --no-deps --no-compile --only-binary=:all: \
    --implementation cp --python-version 3.12 --platform "manylinux_2_28_$machine" --target "$folder" --require-hashes \
    -r /dev/stdin <<< "onnxruntime==$onnxruntime_version --hash=sha256:$sha256"; then
    rm -rf "$folder"
    say "pip could not install ONNX Runtime $onnxruntime_version; see above. Is PyPI reachable?"
    return 1
  fi
  if ! { rm -rf .deps/onnxruntime && mkdir -p "$folder/kept/capi" &&
    mv "$folder"/onnxruntime/capi/libonnxruntime.so.* "$folder/kept/capi" &&
    mv "$folder"/onnxruntime/LICENSE "$folder"/onnxruntime/ThirdPartyNotices.txt "$folder/kept" &&
    mv "$folder/kept" .deps/onnxruntime; }; then
    rm -rf "$folder"
    say "the wheel of ONNX Runtime holds other files than expected"
    return 1
  fi
  rm -rf "$folder"
}

# Fails where neither this user nor sudo may install packages. At a terminal sudo may ask for a password.
find_root() {
  root=()
  [ "$(id -u)" -ne 0 ] || return 0
  command -v sudo > /dev/null || return 1
  root=(sudo)
  sudo -n true 2> /dev/null || { [ -t 0 ] && sudo -v; }
}

onnxruntime=
case ${1:-test} in
  run) more=() ;;
  test)
    more=("${for_test[@]}" "${for_package[@]}")
    boost_parts+=(libboost-context-dev)
    onnxruntime=offered
    ;;
  package) more=("${for_package[@]}") ;;
  verify)
    more=(python3-venv ca-certificates)
    onnxruntime=wanted
    ;;
  *) give_up "there is no part '$1'; there are: run, test, package, verify" ;;
esac

if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
  say "there is no apt here. Install these by your system's names (docs/dependencies.md says what each is for), with Boost >= $least_boost:" >&2
  say "  ${for_run[*]} ${boost_parts[*]} libdnnl-dev ${more[*]}" >&2
  give_up "then: cmake --preset release && cmake --build --preset release --target programs"
fi

boost_is_old=
choose_packages
mapfile -t missing < <(missing_of "${packages[@]}")

if [ "${#missing[@]}" -gt 0 ]; then
  can_install=yes
  find_root || can_install=
  if [ -n "$can_install" ]; then
    "${root[@]}" apt-get update -qq || give_up "apt-get update failed; see above"
    boost_is_old=
    choose_packages  # by lists that are up to date
    mapfile -t missing < <(missing_of "${packages[@]}")
  fi
  [ -z "$boost_is_old" ] || [ -z "$(version_of cmake)" ] ||
    give_up "this distribution has no Boost >= $least_boost (libboost-json-dev is '$(version_of libboost-json-dev)'); install one, then build with CMake as CONTRIBUTING.md says"
  if [ -z "$can_install" ]; then
    say "${#missing[@]} packages are missing, and neither are you root nor can sudo be used. Have an administrator run:" >&2
    [ -n "$(version_of cmake)" ] || echo "  apt-get update   # then run this again: apt's lists are empty, and the names below may be other ones" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  say "installing ${#missing[@]} packages: ${missing[*]}"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove "${missing[@]}" > /dev/null ||
    give_up "apt-get could not install them; see above"
  mapfile -t still < <(missing_of "${missing[@]}")
  [ -z "${still[*]}" ] || give_up "apt-get finished, but these are still missing: ${still[*]}"
fi

if [ -n "$wheel" ]; then
  say "installing oneDNN from PyPI ($wheel) into .deps: the distribution has none of version 3"
  [ -x .deps/bin/pip ] || python3 -m venv .deps
  .deps/bin/pip install --quiet --disable-pip-version-check --no-input "$wheel" ||
    give_up "pip could not install it; is PyPI reachable? An own oneDNN >= 3 below .deps or /usr/local serves as well"
  has_onednn .deps || give_up "the wheel brought no oneDNN >= 3 into .deps; remove .deps and try again"
fi

fetched=
if [ -n "$onnxruntime" ] && ! onnxruntime_is_here; then
  say "installing ONNX Runtime $onnxruntime_version from PyPI into .deps, for qfw export --verify"
  if fetch_onnxruntime; then
    fetched=yes
  else
    [ "$onnxruntime" != wanted ] || give_up "qfw does without ONNX Runtime, but for --verify"
    say "going on without: tests of --verify are skipped"
  fi
fi

if [ "${#missing[@]}" -eq 0 ] && [ -z "$wheel" ] && [ -z "$fetched" ]; then
  say "nothing missing"
else
  say "done"
fi
