#!/usr/bin/env bash
# The README's two commands on a bare system: makes a minimal SUITE (bookworm, trixie, ...) in a folder, unpacks the commit that is
# checked out into it, runs there what `make run` and `make test` run, part by part, and prints how long each took.
#   try_bare.sh SUITE [FOLDER] [--only run|test] [--steps N] [--ccache DIR]
#     FOLDER        new or empty, and left there; without: a temporary one, removed at the end unless something failed
#     --only run    builds the program and trains; --only test: builds everything and runs the tests
#     --steps N     a shorter training
#     --ccache DIR  a compiler cache that outlives the folder: the one folder of this machine that is written to
# Needs root, debootstrap and unshare. Packages come from $MIRROR, or from where this machine's apt has its own; proxies, pip's
# configuration and certificates are this machine's. All mounts are in a namespace of their own and end with the script.
set -euo pipefail

say() { echo "try_bare: $*"; }

give_up() {
  say "$*" >&2
  exit 1
}

usage() {
  sed -nE '/^set /q; 2,$s/^# ?//p' "$0" >&2
  exit 2
}

suite='' folder='' only='' steps='' ccache='' inside=''
while [ $# -gt 0 ]; do
  case $1 in
    --only | --steps | --ccache)
      [ $# -ge 2 ] || usage
      declare "${1#--}=$2"
      shift
      ;;
    --inside) inside=yes ;;  # the script's own
    -*) usage ;;
    *) if [ -z "$suite" ]; then suite=$1; elif [ -z "$folder" ]; then folder=$1; else usage; fi ;;
  esac
  shift
done
[ -n "$suite" ] && [[ $only =~ ^(run|test|)$ ]] && [[ $steps =~ ^[0-9]*$ ]] || usage

source_dir=$(realpath "$(dirname "$0")/..")
git_here() { git -c safe.directory="$source_dir" -C "$source_dir" "$@"; }

# ---- Outside: a folder, and namespaces for mounts and processes. When the inside ends, however it does, nothing is mounted or runs in
# the folder any more: removing it reaches nothing else.
outside() {
  [ "$(id -u)" -eq 0 ] || give_up "needs root, to make a system in a folder and to mount its /proc"
  local tool
  for tool in debootstrap unshare git; do
    command -v $tool > /dev/null || give_up "needs $tool; on Debian: apt-get install debootstrap util-linux git"
  done
  [ -e "/usr/share/debootstrap/scripts/$suite" ] || give_up "debootstrap knows no suite '$suite'; see /usr/share/debootstrap/scripts"
  if [ -n "$ccache" ]; then
    [ -d "$ccache" ] || give_up "--ccache: there is no folder $ccache"
    ccache=$(realpath "$ccache")
  fi
  local commit keep=yes inner='' status=0
  commit=$(git_here rev-parse --short=7 HEAD) || give_up "$source_dir is no git repository; what is tried is its commit"
  if [ -z "$folder" ]; then
    folder=$(mktemp -d "/var/tmp/qfw-$suite.XXXXXX")
    keep=
  else
    mkdir -p "$folder"
    folder=$(realpath "$folder")
    [ -z "$(ls -A "$folder")" ] || give_up "$folder is not empty"
  fi

  end() {
    trap '' INT TERM HUP
    [ -z "$inner" ] || { kill -KILL "$inner" && wait "$inner"; } 2> /dev/null || true
    if [ -n "$keep" ]; then
      say "the system is left in $folder, its logs in $folder/logs"
      return
    fi
    local try
    for try in 1 2 3 4 5; do  # the last processes inside may be about to end
      rm -rf --one-file-system "$folder" 2> /dev/null && return
      sleep 1
    done
    say "$folder could not be removed" >&2
  }
  trap end EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP

  say "$suite in $folder, commit $commit"
  [ -z "$(git_here status --porcelain)" ] || say "what is not committed is left out"
  # In the background, so that a signal is answered at once. The death of unshare is that of the whole namespace.
  unshare --mount --propagation private --pid --fork --kill-child=KILL --mount-proc \
    bash "$0" --inside "$suite" "$folder" --only "$only" --steps "$steps" --ccache "$ccache" < /dev/null &
  inner=$!
  wait "$inner" || status=$?
  inner=''
  [ "$status" -eq 0 ] || keep=yes
  exit "$status"
}

# ---- Inside.
environment=(HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 CI=true)

default_mirror() {
  local site
  site=$(apt-get indextargets --format '$(SITE) $(COMPONENT)' 'Created-By: Packages' | sed -n 's/ main$//p' | head -n 1)
  [ -n "$site" ] || give_up "this machine's apt has no archive; name one: MIRROR=http://... $0 $suite"
  echo "$site"
}

make_system() {
  local components=main
  [ "$(readlink "/usr/share/debootstrap/scripts/$suite")" != gutsy ] || components=main,universe  # Ubuntu's suites are links to that
  debootstrap --variant=minbase --components=$components "$suite" "$root" "${MIRROR:-$(default_mirror)}"
  echo "127.0.0.1 localhost $(hostname)" > "$root/etc/hosts"
  # What of this machine's settings a program inside needs to reach archives and PyPI: nothing else.
  apt-config dump 2> /dev/null | grep -iE '^Acquire::(http|https)::Proxy' > "$root/etc/apt/apt.conf.d/99proxies" || true
  local file variable place
  for file in /etc/pip.conf "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf"; do
    [ -f "$file" ] || continue
    case $file in /etc/*) place=$root/etc/pip.conf ;; *) place=$root/root/${file#"$HOME"/} ;; esac
    mkdir -p "$(dirname "$place")" && cp "$file" "$place"
  done
  mkdir -p "$root/qfw" && git_here archive HEAD | tar -x -C "$root/qfw"
}

pass_on() {
  local variable
  for variable in $(compgen -e | grep -E '^PIP_|^(https?|no|all)_proxy$|^(HTTPS?|NO|ALL)_PROXY$|^CMAKE_BUILD_PARALLEL_LEVEL$'); do
    environment+=("$variable=${!variable}")
  done
  local certificates=${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}
  if [ -f "$certificates" ]; then
    cp "$certificates" "$root/etc/certificates-of-the-host.pem"
    environment+=(PIP_CERT=/etc/certificates-of-the-host.pem)
  fi
}

mount_inside() {
  mount -t proc proc "$root/proc"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t tmpfs tmpfs "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
  local place
  for place in ${PIP_FIND_LINKS:-}; do
    [ -d "$place" ] || continue
    mkdir -p "$root/$place"
    mount --bind "$place" "$root/$place"
    mount -o remount,bind,ro "$root/$place"
  done
  if [ -n "$ccache" ]; then
    mkdir -p "$root/ccache"
    mount --bind "$ccache" "$root/ccache"
    environment+=(CCACHE_DIR=/ccache)
  fi
}

in_system() { chroot "$root" /usr/bin/env -i "${environment[@]}" bash -euc "cd /qfw; $1"; }

# step NAME COMMAND...: runs it, its output into a log, and notes how long it took.
step() {
  local name=$1 begin=$SECONDS log status=0
  shift
  log=$folder/logs/$name.log
  say "$name ..."
  "$@" > "$log" 2>&1 || status=$?
  times+=("$(printf '%7d s  %s' $((SECONDS - begin)) "$name")")
  if [ "$status" -ne 0 ]; then
    tail -n 40 "$log" >&2
    printf '%s\n' "${times[@]}"
    give_up "$name failed with status $status; its output: $log"
  fi
}

inside() {
  [ $$ -eq 1 ] || give_up "--inside is for the script itself"
  root=$folder/system times=()
  mkdir -p "$folder/logs" "$root"
  step system make_system
  pass_on
  mount_inside
  in_system 'apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends make' \
    > "$folder/logs/make.log" 2>&1 || give_up "make could not be installed: $(tail -n 5 "$folder/logs/make.log")"
  if [ "$only" != test ]; then
    step packages in_system 'scripts/setup.sh run'
    step build in_system 'make programs'
    step training in_system "make run ${steps:+ARGS=--train.steps=$steps}"
  fi
  if [ "$only" != run ]; then
    step packages_of_tests in_system 'scripts/setup.sh test'
    step build_of_tests in_system 'make build'
    step tests in_system 'make test'
  fi
  echo "$suite: $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' "$root/etc/os-release"), $(nproc) cores"
  printf '%s\n' "${times[@]}"
  [ "$only" = test ] || grep -h '^eval_accuracy' "$folder/logs/training.log"
  [ "$only" = run ] || grep -hE 'tests passed|\(Skipped\)|tests did not run' "$folder/logs/tests.log"
}

if [ -n "$inside" ]; then inside; else outside; fi
