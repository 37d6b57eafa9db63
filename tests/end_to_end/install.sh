#!/usr/bin/env bash
# What `cmake --install` installs works wherever it lies: the tree is moved, and its program tells its version, finds its plugins and
# its libraries there, explains an installed recipe and trains. Environment: see CMakeLists.txt.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"

DESTDIR=$PWD/stage cmake --install "$QFW_BINARY_DIR" --prefix /opt/qfw > install.log || fail "cmake --install: $(cat install.log)"
mv stage/opt/qfw moved
qfw=$PWD/moved/bin/qfw
unset LD_LIBRARY_PATH QFW_PLUGIN_PATH

# The version of CMakeLists.txt; a commit where the tree is a git repository, the one that is checked out.
version=$(sed -nE 's/^project\(qfw VERSION ([0-9.]+) .*/\1/p' "$QFW_SOURCE_DIR/CMakeLists.txt")
expect 0 "^qfw ${version//./\\.}( \([0-9a-f]{7,}(, modified)?\))?$" "$qfw" --version

expect 0 "$PWD/moved/lib/qfw/" "$qfw" list
[ "$("$qfw" list | grep -c "$PWD/moved/lib/qfw/")" -ge "$(ls moved/lib/qfw/libqfw_*.so | wc -l)" ] ||
  fail "not every installed plugin is listed: $("$qfw" list)"
expect 0 '^threads ' "$qfw" describe backend cpu
expect 0 'integer' "$qfw" explain moved/share/qfw/recipes/quickstart.ini
[ -s moved/share/doc/qfw/LICENSE ] || fail "the licence was not installed"
grep -q '^complete .*qfw' moved/share/bash-completion/completions/qfw || fail "nothing completes the words of qfw in bash"
if [ -e moved/lib/qfw/libdnnl.so.3 ]; then
  grep -q 'Apache License' moved/share/doc/qfw/oneDNN/LICENSE || fail "oneDNN was installed without its licence"
  [ -s moved/share/doc/qfw/oneDNN/THIRD-PARTY-PROGRAMS ] || fail "oneDNN was installed without the licences of what it contains"
fi

tiny_recipe > tiny.ini
expect 0 . "$qfw" run tiny.ini --run.dir=run --train.steps=2
installed=$("$qfw" --version)
grep -qF "\"qfw\": \"${installed#qfw }\"" run/environment.json || fail "environment.json has another version than $installed: $(cat run/environment.json)"
echo "install: a moved tree lists, explains and trains"
