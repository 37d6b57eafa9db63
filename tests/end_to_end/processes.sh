# One run in two processes, which meet through a communicator of the tests: all agree, and the first alone writes.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
tiny_recipe | sed -E 's/^threads = .*/threads = 1/; s/^per_epoch = 0/per_epoch = 400/' > tiny.ini
sockets=$(mktemp -d) && trap 'rm -rf "$sockets"; kill -9 $(jobs -p) 2> /dev/null || true' EXIT

# process RANK VERB...: in the background; sets `pid`. What it prints is in out.RANK and err.RANK.
process() {
  local rank=$1
  shift
  # `env`: a background job of a script ignores SIGINT otherwise.
  TEST_RANK=$rank TEST_SIZE=2 TEST_SOCKET=$sockets/meet env --default-signal=INT "$QFW" "$@" --communicator.name=processes \
    --plugin-dir="$QFW_BINARY_DIR/tests/plugins/processes" > out.$rank 2> err.$rank &
  pid=$!
}

# both STATUS VERB...: in two processes, which both end with that status.
both() {
  local status=$1 first second actual
  shift
  process 0 "$@" && first=$pid
  process 1 "$@" && second=$pid
  for pid in $first $second; do
    actual=0
    wait "$pid" || actual=$?
    [ "$actual" = "$status" ] || fail "a process of $* ended with $actual, not $status: $(cat err.0 err.1)"
  done
}

"$QFW" run tiny.ini --run.dir=threads --communicator.name=threads --communicator.replicas=2 > threads.txt 2> /dev/null
last=checkpoints/step_000000020.h5
same_as_threads() { h5diff "threads/$last" "$1/$last" /variables /variables || fail "$1 ends with other variables than two threads"; }
rows() { cut -d , -f 1,4,6- "$1/series.csv"; }  # without times; the accuracy of a step is that of the first process's share

both 0 run tiny.ini --run.dir=two
same_as_threads two
h5diff "threads/$last" "two/$last" /metrics /metrics || fail "two processes remember other evaluations than two threads"
cmp <(rows threads) <(rows two) || fail "two processes have another series than two threads"
for file in layers.csv evaluation.json; do cmp "threads/$file" "two/$file" || fail "$file of two processes is another than that of two threads"; done
[ ! -s out.1 ] && [ ! -s err.1 ] || fail "the second process speaks: $(cat out.1 err.1)"
cmp <(cut -d , -f 1-3 threads.txt | grep eval) <(cut -d , -f 1-3 out.0 | grep eval) || fail "the first process prints: $(cat out.0)"
[ "$(compgen -G 'two/events.*' | wc -l)" = 1 ] || fail "more than one process writes events"

both 0 eval two --eval.batch_size=7
"$QFW" eval threads --eval.batch_size=7 --communicator.name=single > scores.txt 2> /dev/null
cmp scores.txt out.0 || fail "two processes evaluate to $(cat out.0), one to $(cat scores.txt)"
both 2 eval two --logits=logits.h5
grep -q "so not all logits" err.0 || fail "$(cat err.0)"

# An interrupt of one stops both after the same step; they go on together.
process 0 run tiny.ini --run.dir=parts --train.steps=4000 && first=$pid
process 1 run tiny.ini --run.dir=parts --train.steps=4000 && second=$pid
wait_for parts/checkpoints/step_000000005.h5
kill -INT "$second"
for pid in $first $second; do
  actual=0
  wait "$pid" || actual=$?
  [ "$actual" = 130 ] || fail "a process of an interrupted run ended with $actual: $(cat err.0 err.1)"
done
newest=$(basename "$(ls parts/checkpoints | tail -n 1)")
step=$((10#$(sed 's/[^0-9]//g' <<< "${newest%.h5}")))
"$QFW" run tiny.ini --run.dir=reference --train.steps=$((step + 3)) --communicator.name=threads --communicator.replicas=2 > /dev/null 2>&1
both 0 run tiny.ini --run.dir=parts --train.steps=$((step + 3))
end=checkpoints/$(printf 'step_%09d.h5' $((step + 3)))
h5diff "reference/$end" "parts/$end" /variables /variables || fail "an interrupted run of two processes ends with other variables"

# One that is killed leaves none waiting.
process 0 run tiny.ini --run.dir=killed --train.steps=4000 && first=$pid
process 1 run tiny.ini --run.dir=killed --train.steps=4000 && second=$pid
wait_for killed/checkpoints/step_000000005.h5
kill -9 "$second"
actual=0
wait "$first" || actual=$?
[ "$actual" = 1 ] || fail "the first of two processes ended with $actual after the second was killed: $(cat err.0)"
grep -q "another process of this run could not go on" err.0 || fail "$(cat err.0)"
both 0 run tiny.ini --run.dir=killed --train.steps=20
