# scripts/bundle.sh and bench/device/check.sh, in their quick form: what is bundled stands by itself, the emulated device passes, what is
# wrong is told, and so is that there is no GPU.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
emulated=$QFW_BINARY_DIR/tests/emulated
[ -e "$emulated/libqfw_backend_cuda_emulated.so" ] || { echo "the backend cuda is not built"; exit 77; }
unset QFW_PLUGIN_PATH LD_LIBRARY_PATH
bundle=$QFW_SOURCE_DIR/scripts/bundle.sh
for script in "$bundle" "$QFW_SOURCE_DIR/bench/device/check.sh" "$QFW_SOURCE_DIR/tests/device/compiles.sh"; do
  bash -n "$script" || fail "$script"
  ! command -v shellcheck > /dev/null || shellcheck "$script" || fail "shellcheck $script"
done
! command -v python3 > /dev/null || python3 - "$QFW_SOURCE_DIR/bench/device/peers.py" <<< 'import ast, sys; ast.parse(open(sys.argv[1]).read())' || fail "peers.py"

expect 0 "^bundle: carried: [0-9]+ MiB" "$bundle" carried --quick --build "$QFW_BINARY_DIR"
expect 1 "carried is there already" "$bundle" carried --quick --build "$QFW_BINARY_DIR"
expect 1 "there is no .*/nowhere/bin/qfw; 'make build' builds it" "$bundle" other --build nowhere
[ -z "$(find . -maxdepth 1 -name '.bundle*')" ] || fail "bundle.sh left something: $(ls -A)"
mv carried moved

# It needs glibc and nothing else of the system.
if [ "$(id -u)" -eq 0 ] && unshare --mount --pid --fork true 2> /dev/null; then
  libc=$(ldd moved/qfw/bin/qfw | awk '$1 == "libc.so.6" { print $3 }') loader=$(ldd moved/qfw/bin/qfw | awk '/ld-linux/ { print $1 }')
  mkdir -p "root$(dirname "$libc")" "root$(dirname "$loader")" root/proc root/moved
  cp -L "$loader" "root$loader"
  for name in c m dl rt pthread resolv; do cp -L "$(dirname "$libc")/lib$name.so".? "root$(dirname "$libc")/"; done
  cp -r moved/qfw root/moved/
  in_root() { LD_LIBRARY_PATH=/moved/qfw/lib unshare --mount --pid --fork --mount-proc="$PWD/root/proc" chroot root "$@"; }
  expect 0 "backend +cuda .*/moved/qfw/lib/qfw/libqfw_backend_cuda.so" in_root /moved/qfw/bin/qfw list
  expect 0 "^On this machine: cpu, " in_root /moved/qfw/bin/qfw describe backend cpu
  expect 3 "^there is no device: .*the driver \(libcuda.so.1\), the compiler NVRTC .*, cuDNN" in_root /moved/qfw/tests/device_check
  expect 0 "Backends/Convolution" in_root /moved/qfw/tests/conformance --gtest_list_tests
  rm -rf root
fi

check=(moved/check.sh --quick --backend cuda_emulated --plugins "$emulated" --device-check "$QFW_BINARY_DIR/tests/bin/device_check_on_host")
status=0
"${check[@]}" --out all > all.txt 2>&1 || status=$?
[ $status -eq 0 ] || fail "status $status: $(cat all.txt; tar -xzOf all/logs.tar.gz | tail -n 40)"
for line in "exp of some floats: ok" "mma m16n8k32 u8 x s8: ok, " "logits of a small network, bit for bit those of cpu: ok, " \
  "losses of a training, near those of cpu: ok, 6 steps" "a training that was resumed, bit for bit: ok" "launch = checked, bit for bit as recorded: ok" \
  "conformance: ok, [1-9][0-9]* cases in 2 processes" "training W4A4, batch 8: [0-9.]* img/s" "PyTorch, eager: " "  conv2d integer  *[0-9.]* ms " \
  "== result: [1-9][0-9]* right, 0 wrong, "; do
  grep -q "^$line" all/summary.txt || fail "no line '$line' in $(cat all/summary.txt)"
done
[ "$(find all -type f | wc -l)" -le 8 ] || fail "too many files: $(find all)"

# What is wrong is told, and the rest goes on.
cp -r moved/expected kept
awk -F, -v OFS=, '$1 == 5 { $4 += 0.02 } { print }' kept/run/series.csv > moved/expected/run/series.csv
"$QFW" eval kept/run --eval.examples=32 --logits=moved/expected/logits.h5 2> /dev/null > /dev/null
expect 1 "^losses of a training, near those of cpu: WRONG [0-9.]+ at step 5, 0.02 apart, expected .* within 0.01" "${check[@]}" --out wrong --only training,logits
grep -q '^logits of a small network, bit for bit those of cpu: WRONG labels is s32\[64\] and s32\[32\]' wrong/summary.txt || fail "logits: $(cat wrong/summary.txt)"
grep -q "^== result: 2 right, 2 wrong, " wrong/summary.txt || fail "$(cat wrong/summary.txt)"
same=$QFW_BINARY_DIR/tests/bin/same_values
"$QFW" run moved/small.ini --run.dir=run --train.steps=4 --eval.examples=32 2> /dev/null > /dev/null
expect 1 "^WRONG [1-9][0-9]* of [0-9]+ values differ, by [0-9.e-]+ at most, first " "$same" run/checkpoints/step_00000000{2,4}.h5 /variables
expect 0 "^ok, [1-9][0-9]* values" "$same" run/checkpoints/step_00000000{4,4}.h5
expect 2 "^WRONG .*no such file" "$same" run/checkpoints/step_000000004.h5 nowhere.h5

# What hangs and does not listen is gone when its stage is over.
mv moved/qfw/bin/qfw moved/qfw/bin/real
cat > moved/qfw/bin/qfw << 'END'
#!/usr/bin/env bash
[ "$1" = eval ] || exec "$(dirname "$0")/real" "$@"
trap '' TERM
echo $$ > hung
while :; do sleep 1; done
END
chmod 755 moved/qfw/bin/qfw
expect 1 "^logits: WRONG stopped after 1[0-9] s, expected its end" "${check[@]}" --out hangs --only logits --limit 16
# Killed, it is there until its new parent has noticed.
goes_on() { grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$(< hung)/status"; }
for _ in $(seq 50); do goes_on || break; sleep 0.1; done
goes_on && { kill -KILL "$(< hung)"; fail "what hung goes on after its stage"; }
mv moved/qfw/bin/real moved/qfw/bin/qfw

expect 2 "there is no stage 'nothing'" "${check[@]}" --only nothing
expect 2 "is no bundle" "${check[@]}" --bundle run
sed -i 's/^glibc: .*/glibc: 9.99/' moved/manifest.txt
expect 2 "needs glibc 9.99 or later, here is " "${check[@]}"
sed -i 's/^glibc: .*/glibc: 2.36/' moved/manifest.txt

if "$QFW" describe backend cuda | grep > /dev/null '^Not on this machine'; then
  expect 3 "^check: there is no device" moved/check.sh --out none
fi
mv moved/qfw/lib/libfmt.so.9 moved/qfw/lib/kept 2> /dev/null || mv moved/qfw/lib/libfmt.so.* moved/qfw/lib/kept
if ! ldconfig -p | grep > /dev/null libfmt; then
  expect 2 "libraries are missing: " "${check[@]}"
fi
echo "device_check: a bundle stands by itself, the emulated device passes"
