# Streams, logs and files that cannot be written or read: one message, an exit status, never an abort or a wait.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
tiny_recipe > tiny.ini
short=(--train.steps=2 --checkpoint.every_steps=1 --eval.examples=48)

# ends STATUS COMMAND...: whatever its streams are.
ends() {
  local expected=$1 status=0
  shift
  "$@" || status=$?
  [ "$status" = "$expected" ] || fail "exit status $status, expected $expected, from: $*"
}
list() { "$QFW" list "$@"; }
to_full() { "$@" > /dev/full 2> err; }
closed() { "$@" >&- 2> err; }
mute() { "$@" > /dev/null 2>&-; }
deaf() { "$@" > /dev/full 2> /dev/full; }

# Standard output that does not arrive is a failure, and said once.
for way in to_full closed; do
  ends 1 $way "$QFW" list
  [ "$(grep -c 'standard output could not be written' err)" = 1 ] || fail "$way: $(cat err)"
done
(sleep 0.3 && exec "$QFW" list) 2> err | (exec <&- && sleep 0.6) && status=0 || status=$?
[ $status = 1 ] && grep -q 'standard output could not be written' err || fail "a reader that went away: $status, $(cat err)"
# Without standard error nothing is said, and nothing else changes.
ends 0 mute "$QFW" list
ends 2 mute "$QFW" no_such_verb
ends 2 deaf "$QFW" no_such_verb
ends 1 deaf "$QFW" list
# What is closed is not taken by a file: no message ends up in a checkpoint.
ends 0 mute "$QFW" run tiny.ini --run.dir=muted "${short[@]}"
ends 1 closed "$QFW" run tiny.ini --run.dir=closed "${short[@]}"
cmp muted/checkpoints/step_000000002.h5 closed/checkpoints/step_000000002.h5

# A log that cannot be written costs no training.
mkdir full && ln -s /dev/full full/log.txt
expect 0 "the log cannot be written" "$QFW" run tiny.ini --run.dir=full "${short[@]}"
cmp muted/checkpoints/step_000000002.h5 full/checkpoints/step_000000002.h5

# A pipe, a device and a folder are no files: told at once, never waited for.
mkfifo pipe
for what in pipe /dev/zero .; do
  ends 1 timeout 20 "$QFW" export closed "$what" > /dev/null 2> err
  grep -Eq 'it is a (pipe|device|folder), not a file' err || fail "export to $what: $(cat err)"
done
rm muted/checkpoints/*.h5 && mkfifo muted/checkpoints/step_000000002.h5
ends 1 timeout 20 "$QFW" eval muted > /dev/null 2> err
grep -q 'error: ' err || fail "eval of a pipe: $(cat err)"
