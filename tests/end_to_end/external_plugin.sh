#!/usr/bin/env bash
# A plugin outside the tree: qfw is installed, the tree it is installed in is moved, tests/external_plugin is built against it by
# find_package(qfw), listed, described and trained with; so is a backend on qfw::lowering. Environment: see CMakeLists.txt.
set -euo pipefail

fail() { echo "FAILED: $*" >&2; exit 1; }

cmake --install "$QFW_BINARY_DIR" --prefix "$PWD/before" > install.log
mv before moved
prefix=$PWD/moved
qfw=$prefix/bin/qfw
[ -x "$qfw" ] || fail "there is no bin/qfw in the installed tree"
[ -f "$prefix/share/qfw/recipes/quickstart.ini" ] || fail "the recipes were not installed"

# The moved tree is complete: its program finds the core, its plugins lie in lib/qfw, and none of it points back to where it came from.
LD_LIBRARY_PATH='' "$qfw" list > list.txt
grep -q "$prefix/lib/qfw/" list.txt || fail "the moved program lists no plugin of its own tree: $(cat list.txt)"
if grep -q "$QFW_BINARY_DIR/bin" list.txt; then fail "the moved program lists plugins of the build tree: $(cat list.txt)"; fi
for library in "$prefix"/lib/*.so* "$prefix"/lib/qfw/*.so; do
  if LD_LIBRARY_PATH='' ldd "$library" | grep -vF "=> $prefix/" | grep -E "not found|$QFW_BINARY_DIR/|$QFW_SOURCE_DIR/"; then
    fail "$library depends on what was left behind"
  fi
done

cmake -S "$QFW_SOURCE_DIR/tests/external_plugin" -B plugin -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix" > plugin.log \
  || { cat plugin.log; fail "the external project cannot be configured"; }
cmake --build plugin >> plugin.log || { cat plugin.log; fail "the external project cannot be built"; }
rm -rf plugin_folder && mkdir plugin_folder && cp plugin/libqfw_quantizer_dorefa.so plugin_folder

"$qfw" list quantizer | grep > /dev/null dorefa && fail "the plugin is listed without its folder"
"$qfw" list quantizer --plugin-dir=plugin_folder > list.txt
grep -Eq "^quantizer +dorefa +DoReFa-Net's k-bit weights" list.txt || fail "qfw list does not show it: $(cat list.txt)"
QFW_PLUGIN_PATH=$PWD/plugin_folder "$qfw" describe quantizer DOREFA > describe.txt
grep -Eq '^weight_prec +integer +4 +1 \.\. 7$' describe.txt || fail "qfw describe: $(cat describe.txt)"

recipe=$QFW_SOURCE_DIR/tests/external_plugin/dorefa.ini
status=0
"$qfw" run "$recipe" --run.dir=without 2> error.txt > /dev/null || status=$?
[ "$status" -eq 2 ] || fail "a recipe with a plugin that is not there ends with $status, not 2"
grep -q "dorefa" error.txt || fail "the error does not name the plugin: $(cat error.txt)"
grep -q "weights_and_auto_acts" error.txt || fail "the error does not list what is there: $(cat error.txt)"

"$qfw" run "$recipe" --run.dir=run --plugin-dir=plugin_folder > run.txt 2> run.log || { cat run.log; fail "training with it failed"; }
[ -s run/report.json ] || fail "the run left no report"
ls run/checkpoints/step_*.h5 > /dev/null || fail "the run left no checkpoint"
# Activations are clipped to [0, 1]; weights are squashed before they are rounded, so that none is clipped by its grid.
grep -Eq ',input,1,1,1,[0-9.e-]+$' run/layers.csv && grep -Eq ',weights,1,1,1,$' run/layers.csv || fail "layers.csv: $(cat run/layers.csv)"
"$qfw" explain "$recipe" --plugin-dir=plugin_folder > explain.txt
grep -q integer explain.txt || grep > /dev/null float explain.txt || fail "qfw explain shows no site: $(cat explain.txt)"
# A backend on the installed qfw::lowering: equal to the reference in every conformance case, and fit to train with replicas.
grep -q 'libqfw_lowering\.a' <<< "$(ls "$prefix/lib")" || fail "the lowering was not installed"
mkdir -p backend_folder && cp plugin/libqfw_backend_plain.so backend_folder
QFW_PLUGIN_PATH=$PWD/backend_folder QFW_CONFORMANCE_BACKENDS=plain "$QFW_BINARY_DIR/tests/bin/conformance" --gtest_brief=1 > conformance.txt \
  || { tail -n 30 conformance.txt; fail "the external backend differs from the reference"; }
"$qfw" run "$recipe" --run.dir=plain --train.steps=2 --train.batch_size=4 --eval.examples=4 --eval.batch_size=4 --backend.name=plain \
  --communicator.name=threads --plugin-dir=backend_folder --plugin-dir=plugin_folder > plain.txt 2> plain.log \
  || { cat plain.log; fail "training with the external backend failed"; }

echo "external plugin: built, listed, described and trained with; an external backend conforms"
