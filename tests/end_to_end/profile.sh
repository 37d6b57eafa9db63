# Where the time of a step goes: the table of `qfw bench --profile`, its JSON, and the trace.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
tiny_recipe > tiny.ini
made=(--dataset.name=synthetic --dataset.height=28 --dataset.width=28 --augment.name=none)
short=("${made[@]}" --steps=2)

"$QFW" bench tiny.ini "${short[@]}" --profile > table.txt 2> /dev/null
sed -n '/^ms of a step/,$p' table.txt | awk 'length($0) > 80' | grep . && fail "a line has more than 80 columns"
grep -Eq '^layer +% +forward +data +weights +passes +peak % +mem %$' table.txt || fail "$(cat table.txt)"
for layer in init_conv stage1/block0/conv_1 stage2/block0/conv_proj dense optimizer; do
  grep -Eq "^$layer +[0-9.]+ " table.txt || fail "$layer is not in the table: $(cat table.txt)"
done
grep -Eq '^all +100.0 ' table.txt || fail "the table has no sum"
grep -Eq '^ceiling of the step: [0-9.]+ ms' table.txt || fail "there is no ceiling"

# In the order of the network, and every layer that explain knows.
"$QFW" bench tiny.ini "${short[@]}" --profile=all > all.txt 2> /dev/null
"$QFW" explain tiny.ini "${made[@]}" --json 2> /dev/null | sed -n 's/.*"path": "\(.*\)",/\1/p' > layers.txt
[ -s layers.txt ] || fail "explain names no layers"
awk '$2 == "forward" && $1 != "all" { print $1 }' all.txt > forward.txt
cmp layers.txt forward.txt || fail "other layers than the model's: $(diff layers.txt forward.txt)"
grep -Eq '^stage1/block0/bn_1 +passes ' all.txt || fail "batch normalisations have no passes"

"$QFW" bench tiny.ini "${short[@]}" --profile --json 2> /dev/null > profile.json
grep -q '"ceiling_milliseconds": [0-9]' profile.json || fail "the JSON has no ceiling"
[ "$(grep -c '"part": "backward weights"' profile.json)" = "$(wc -l < layers.txt)" ] || fail "not every layer has its gradient"
"$QFW" bench tiny.ini "${short[@]}" --json 2> /dev/null > plain.json
grep -q '"profile"' plain.json && fail "there is a profile that nobody asked for"

# A trace is whole or not there; it replaces what is one, and nothing else.
"$QFW" bench tiny.ini "${short[@]}" --trace=trace.json --communicator.name=threads --communicator.replicas=2 > /dev/null 2> trace.log
grep -q 'the trace is in trace.json' trace.log || fail "$(cat trace.log)"
"$QFW" bench tiny.ini "${short[@]}" --trace=trace.json > /dev/null 2>&1 || fail "a trace is not replaced by another"
echo notes > notes.txt
expect 2 'there is a file of that name that is no JSON' "$QFW" bench tiny.ini "${short[@]}" --trace=notes.txt
[ "$(cat notes.txt)" = notes ] || fail "a file was replaced"
expect 1 'cannot write' "$QFW" bench tiny.ini "${short[@]}" --trace=absent/trace.json
expect 2 "give --profile, or --profile=all" "$QFW" bench tiny.ini --profile=most
"$QFW" bench --profile tiny.ini "${short[@]}" > /dev/null 2>&1 || fail "--profile takes the recipe for its value"

if command -v python3 > /dev/null; then
  python3 - <<'PY' || fail "the trace is not what Perfetto reads"
import json
trace = json.load(open("trace.json"))
events = trace["traceEvents"]
names = {e["name"] for e in events if e["ph"] == "M"}
assert {"process_name", "thread_name"} <= names, names
spans = [e for e in events if e["ph"] == "X"]
steps = [e for e in spans if e["name"].startswith("step ")]
tasks = [e for e in spans if not e["name"].startswith("step ")]
assert len(steps) == 2, len(steps)
for e in tasks:
    assert any(s["ts"] - 1e-3 <= e["ts"] and e["ts"] + e["dur"] <= s["ts"] + s["dur"] + 1e-3 for s in steps), e
for s in steps:
    inside = sum(e["dur"] for e in tasks if s["ts"] - 1e-3 <= e["ts"] < s["ts"] + s["dur"])
    assert 0.3 * s["dur"] < inside <= s["dur"], (inside, s["dur"])
layers = set(open("layers.txt").read().split())
assert layers <= {e["args"]["layer"] for e in tasks}
forward = [e for e in tasks if e["cat"] == "forward"]
assert forward and all(e["args"]["multiplications"] > 0 and "->" in e["args"]["shapes"] for e in forward)
PY
fi

# What was measured until Ctrl-C is kept.
"$QFW" bench tiny.ini "${made[@]}" --steps=1000000 --trace=cut.json > /dev/null 2> cut.log &
pid=$!
for _ in $(seq 200); do
  grep -q "1 of 1000000" cut.log && break
  sleep 0.1
done
kill -INT $pid
status=0
wait $pid || status=$?
[ $status = 130 ] || fail "a bench that is interrupted ends with status $status"
grep -q '"step 1"' cut.json && tail -n 1 cut.json | grep -q '^]}$' || fail "the trace of an interrupted bench is not whole"

# One variable holds oneDNN and the project's own loops to fewer instructions.
if grep -qw avx2 /proc/cpuinfo; then
  ONEDNN_MAX_CPU_ISA=AVX2 "$QFW" bench tiny.ini "${short[@]}" > capped.txt 2> /dev/null
  grep -q 'own kernels AVX2, Highway AVX2, passes: avx2' capped.txt || fail "$(grep ^backend capped.txt)"

  # A value that oneDNN ignores is told once, however many replicas there are.
  "$QFW" bench tiny.ini "${short[@]}" > free.txt 2> free.log
  grep MAX_CPU_ISA free.log && fail "a cap is told that nobody set"
  ONEDNN_MAX_CPU_ISA=AVX22 "$QFW" bench tiny.ini "${short[@]}" --communicator.name=threads --communicator.replicas=2 > ignored.txt 2> ignored.log
  grep -q '^\[warning\] ONEDNN_MAX_CPU_ISA is "AVX22", which oneDNN does not know and ignores; expected DEFAULT, SSE41, .*AVX512_CORE' ignored.log ||
    fail "an ignored cap is not told: $(cat ignored.log)"
  [ "$(grep -c MAX_CPU_ISA ignored.log)" = 1 ] || fail "an ignored cap is told more than once"
  kernels() { grep -oE 'oneDNN .*Highway [A-Z0-9_]+' "$1"; }
  [ "$(kernels free.txt)" = "$(kernels ignored.txt)" ] || fail "a cap that is ignored changes the kernels"
fi
echo "profile: tables, JSON and traces agree"
