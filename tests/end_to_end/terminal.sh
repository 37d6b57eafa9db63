# What a terminal shows of a run: a line that fits, that stays alive in long steps, and of which nothing is left by Ctrl-C.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
command -v script > /dev/null || { echo "script(1), which makes a terminal, is not here"; exit 77; }
tiny_recipe > tiny.ini
unset COLUMNS
export TERM=xterm

# begin COLUMNS ARGUMENT...: the program in a terminal of that width, whose keys are descriptor 3 and whose output goes to `screen`.
# The terminal outlives the program: what a program writes last can be lost with its terminal.
begin() {
  local columns=$1
  shift
  rm -f keys screen && mkfifo keys
  # A background job of a script ignores SIGINT otherwise.
  SHELL=/bin/sh env --default-signal=INT script -qefc \
    "stty rows 24 cols $columns; trap : INT; '$QFW' $*; echo exit status: \$?; read -r wait_for_a_key" screen < keys > /dev/null 2>&1 &
  terminal=$!
  exec 3> keys
}
# ends STATUS
ends() {
  wait_for_text 'exit status: [0-9]'
  printf '\n' >&3
  wait $terminal || fail "script(1) failed: $(cat -v screen)"
  exec 3>&-
  grep -aq "exit status: $1" screen || fail "not the exit status $1: $(lines)"
}
wait_for_text() {  # wait_for_text PATTERN: on the screen, 60 s at most
  for _ in $(seq 1200); do
    [ -e screen ] && grep -aq -- "$1" screen && return
    sleep 0.05
  done
  fail "'$1' is not shown: $(cat -v screen)"
}
# What is left on the screen, line by line: after the last return, without what was cleared before it.
lines() { sed -e '/^Script \(started\|done\)/d' -e 's/\r*$//' -e 's/.*\r//' -e 's/\x1b\[K//g' screen; }
# Every state of the line that is redrawn, also below another line or in front of a ^C.
drawings() { tr '\r' '\n' < screen | sed -E -e 's/\x1b\[K//g' -e 's/\^C$//' | grep -E '^(left |[0-9]+:[0-9][0-9]  )'; }
# Until it was shown in full: the terminal throws away what nobody has read when Ctrl-C is typed.
wait_for_drawing() { wait_for_text "$1"$'[^\r]*\r'; }

# Ctrl-C: answered, saved, and a clean screen.
begin 80 run tiny.ini --run.dir=stopped --train.steps=100000 --schedule.num_epochs=400
wait_for stopped/checkpoints/step_000000005.h5
wait_for_drawing 'left .* images/s'
printf '\003' >&3
ends 130
lines > left
if grep -q '\^C\|^left ' left; then fail "something is left of the line: $(cat left)"; fi
grep -Eq '^\[warning\] stopping: .*; Ctrl-C again stops at once' left || fail "no answer: $(cat left)"
grep -Eq '^\[warning\] stopped after step [0-9]+; the same command goes on from there$' left || fail "no end: $(cat left)"
[ "$(grep -n 'stopping:' left | cut -d: -f1)" -lt "$(grep -n 'stopped after' left | cut -d: -f1)" ] || fail "the answer came late"
grep -q 'stopping: ' stopped/log.txt || fail "the log knows nothing of it"
drawings > drawn
[ "$(wc -L < drawn)" -lt 80 ] || fail "a line of 80 columns or more: $(cat drawn)"
grep -Eq '^left [0-9:?]+ +epoch [0-9.]+/[0-9]+ +loss [0-9.]+ +acc [0-9.]+% +[0-9]+ images/s' drawn || fail "not as expected: $(cat drawn)"

# A narrow one; and SIGTERM, from elsewhere.
begin 40 run tiny.ini --run.dir=narrow --train.steps=100000 --schedule.num_epochs=400
wait_for narrow/checkpoints/step_000000005.h5
wait_for_drawing 'left [0-9]'
kill -TERM "$(json_field pid < narrow/status.json)"
ends 130
lines > left
grep -Eq '^\[warning\] stopping: .*; SIGTERM again stops at once' left || fail "no answer: $(cat left)"
drawings > drawn
[ "$(wc -L < drawn)" -lt 40 ] || fail "a line of 40 columns or more: $(cat drawn)"
grep -Eq '^left [0-9:?]+ +epoch [0-9.]+/[0-9]+( +loss [0-9.]+)? *$' drawn || fail "not as expected: $(cat drawn)"

# A step of a minute: the line lives on, the first Ctrl-C is answered within it, the second ends the program at once.
begin 100 run tiny.ini --run.dir=slow --backend.name=reference --model.num_filters=32 --model.filter_multiplier=1 --train.batch_size=512 \
  --train.steps=100000 --schedule.num_epochs=4000
wait_for_text 'this step 0:0'
printf '\003' >&3
wait_for_text 'stopping: after this step'
printf '\003' >&3
ends 130
[ ! -e slow/report.json ] || fail "it was not stopped at once"
lines > left
if grep -q '\^C\|^left ' left; then fail "something is left of the line: $(cat left)"; fi
grep -Eq 'again stops at once and loses this step$' left || fail "it does not say what that costs: $(cat left)"
if grep -q 'stopped after' left; then fail "it went on: $(cat left)"; fi

# While it is made ready one Ctrl-C is enough: it ends at once, or, if the first step was faster than this script, after a step.
begin 100 run tiny.ini --run.dir=early --backend.name=reference --train.batch_size=64 --train.steps=100000 --schedule.num_epochs=400
wait_for_text 'compiling a training step'
printf '\003' >&3
ends 130
if [ -e early/report.json ]; then
  [ "$(json_field status < early/report.json)" = '"interrupted"' ] || fail "not interrupted"
  lines | grep > /dev/null 'stopping: ' || fail "no answer: $(lines)"
fi
if lines | grep > /dev/null '\^C\|^left '; then fail "something is left of the line: $(lines)"; fi
