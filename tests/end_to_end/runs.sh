# Run folders: their names, what `qfw runs` says of them, and what helps where two recipes want the same one.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
mkdir -p recipes/deep
tiny_recipe | sed 's/^steps = .*/steps = 6/' > recipes/tiny.ini
sed 's/^description = .*/description = the deep one, which has a long description that no terminal of eighty columns has room for/' recipes/tiny.ini > recipes/deep/tiny.ini

expect 0 "there are no runs in runs" "$QFW" runs
expect 2 "there is no folder absent" "$QFW" runs absent
[ "$("$QFW" runs --json)" = "[]" ] || fail "no runs as JSON: $("$QFW" runs --json)"

# Folders are named by the recipe's path.
"$QFW" run recipes/tiny.ini > /dev/null 2>&1
"$QFW" run "$PWD/recipes/deep/tiny.ini" > /dev/null 2>&1
[ -e runs/tiny/report.json ] || fail "no runs/tiny"
[ -e runs/deep/tiny/report.json ] || fail "no runs/deep/tiny"
(cd recipes/deep && "$QFW" run tiny.ini --train.steps=1 > /dev/null 2>&1 && [ -e runs/deep/tiny/report.json ]) || fail "below recipes/deep"
rm -r recipes/deep/runs
expect 0 "this run is finished" "$QFW" run runs/tiny/recipe.ini  # a run's own

# Another part in the same folder: one option that helps, and works.
expect 2 'quantizer.name was weights_and_auto_acts, is none .*; for a run of its own add --run.dir=runs/tiny-none$' \
  "$QFW" run recipes/tiny.ini --quantizer.name=none
expect 0 . "$QFW" run recipes/tiny.ini --quantizer.name=none --run.dir=runs/tiny-none
expect 2 'add --run.dir=runs/tiny-none-2$' "$QFW" run recipes/tiny.ini --quantizer.name=none
expect 2 'run.seed = 0, now it is 3 .*add --run.dir=runs/tiny-seed-3$' "$QFW" run recipes/tiny.ini --run.seed=3
expect 2 'add --run.dir=runs/tiny-num_epochs-9$' "$QFW" run recipes/tiny.ini --schedule.num_epochs=9
expect 2 'add --run.dir=runs/tiny-synthetic$' "$QFW" run recipes/tiny.ini --dataset.name=synthetic --dataset.height=32 --dataset.width=32
expect 2 'add --run.dir=runs/tiny-init_conv.weight_prec-8$' "$QFW" run recipes/tiny.ini --layer:init_conv.weight_prec=8

# A run from before folders were named by paths.
mv runs/deep/tiny runs/older && mkdir -p elsewhere/recipes/x && cp recipes/tiny.ini elsewhere/recipes/x/older.ini
sed -i 's/^description = .*/description = tiny/' runs/older/recipe.ini
rm runs/older/setup.json
expect 0 'runs/older has a run of this recipe.*this one begins in runs/x/older.*add --run.dir=runs/older' "$QFW" run elsewhere/recipes/x/older.ini
"$QFW" run elsewhere/recipes/x/older.ini > again.txt 2>&1
if grep -q "has a run of this recipe" again.txt; then fail "it is said twice"; fi
rm -r runs/x

# A finished one, one that runs, one that was killed, one that was stopped, and one that diverged.
long="--train.steps=100000 --schedule.num_epochs=400 --checkpoint.every_steps=5"
"$QFW" run recipes/tiny.ini $long --run.dir=runs/running > /dev/null 2>&1 &
running=$!
"$QFW" run recipes/tiny.ini $long --run.dir=runs/killed > /dev/null 2>&1 &
killed=$!
"$QFW" run recipes/tiny.ini $long --run.dir=runs/stopped > /dev/null 2>&1 &
stopped=$!
for run in running killed stopped; do wait_for runs/$run/checkpoints/step_000000005.h5; done
kill -9 $killed
kill -INT $stopped
wait $killed $stopped 2> /dev/null || true
state() { "$QFW" runs "${2:-runs}" --json | grep -A1 "\"folder\": \"[^\"]*$1\"" | grep -oE '"state": "[a-z]+"' | cut -d'"' -f4; }
says() { [ "$(state "$1")" = "$2" ] || fail "$1 is '$(state "$1")', not $2: $("$QFW" runs)"; }
says tiny finished
[[ $(state running) =~ ^(starting|compiling|training|evaluating|saving)$ ]] || fail "the running one is $(state running)"
grep -q . <<< "$(state killed | grep -E 'killed|unfinished')" || fail "the killed one is $(state killed)"
says stopped interrupted
grep -q "\"process\": $running" <<< "$("$QFW" runs --json)" || fail "the process of the running one"
grep -qE '^runs/tiny +finished +6/6 ' <<< "$("$QFW" runs)" || fail "$("$QFW" runs)"
kill -9 $running; wait $running 2> /dev/null || true
[ "$(state running)" = killed ] || fail "killed, and $(state running)"

# Live figures come from status.json; a lock that nobody holds makes a killed run of one at work.
now=$(date +%s)
cat > runs/running/status.json <<JSON
{"pid": 1, "host": "$(uname -n)", "started": $now, "written": $now, "state": "training", "error": null, "step": 77, "total_steps": 154,
 "epoch": 1.5, "epochs": 3, "eval_accuracy": 0.5, "best_accuracy": 0.625, "best_step": 70, "images_per_second": 1234.5}
JSON
says running killed
grep -q '"best_accuracy": 0.625' <<< "$("$QFW" runs --json)" || fail "no best accuracy of status.json"
sed -i 's/"training"/"diverged"/' runs/running/status.json
rm runs/running/checkpoints/*
says running diverged
grep -qE '^runs/running +diverged +77/154 ' <<< "$("$QFW" runs)" || fail "$("$QFW" runs)"

# Whatever else lies there is told and stops nothing.
mkdir -p runs/damaged/checkpoints runs/foreign runs/nothing/here runs/pipe/checkpoints
echo '{"status": "fin' > runs/damaged/report.json
printf '[run\n' > runs/damaged/recipe.ini
echo '[1, 2]' > runs/foreign/report.json
mkfifo runs/pipe/recipe.ini runs/pipe/report.json
ln -s .. runs/nothing/here/circle
ln -s ../tiny runs/again
listed=$(timeout 60 "$QFW" runs) || fail "the list ended with $?"
for line in '^runs/damaged +damaged: 2 files' '^    report.json: it is no valid JSON' '^    recipe.ini: .*not a section header' '^runs/foreign ' \
  '^    report.json: it holds no object' '^    report.json: it is a pipe' '^runs/stopped +interrupted'; do
  grep -qE -- "$line" <<< "$listed" || fail "no line /$line/ in"$'\n'"$listed"
done
[ "$(grep -c '^runs/\(tiny\|again\) ' <<< "$listed")" = 1 ] || fail "one run, listed twice"$'\n'"$listed"
"$QFW" runs --json > all.json
[ "$(grep -c '"folder"' all.json)" = 9 ] || fail "$(grep '"folder"' all.json)"

# A finished run of which a file is lost or cut is not listed as if nothing were.
for file in status.json recipe.ini checkpoints/step_000000006.h5; do
  cp runs/tiny/$file kept
  head -c 100 kept > runs/tiny/$file
  [ $file != recipe.ini ] || : > runs/tiny/$file
  grep -qE "^runs/tiny +damaged: $file" <<< "$("$QFW" runs)" || fail "$file is damaged: $("$QFW" runs)"
  grep -q "^    $file: it " <<< "$("$QFW" runs)" || fail "why $file is damaged: $("$QFW" runs)"
  says tiny damaged
  cp kept runs/tiny/$file
done
says tiny finished

# What is no file where one should be is told; a checkpoint's place is neither gone on from nor passed over.
newest=checkpoints/step_000000006.h5
mv runs/tiny/$newest kept
for kind in folder pipe link; do
  case $kind in
  folder) mkdir runs/tiny/$newest ;;
  pipe) mkfifo runs/tiny/$newest ;;
  link) ln -s nowhere runs/tiny/$newest ;;
  esac
  grep -qE "^runs/tiny +damaged: $newest" <<< "$("$QFW" runs)" || fail "a $kind for a checkpoint: $("$QFW" runs)"
  expect 0 "runs/tiny: $newest: it is a $kind" "$QFW" report runs/tiny
  expect 1 "$newest: it is a $kind.*; make it readable, or take it away" timeout 60 "$QFW" eval runs/tiny
  expect 1 "$newest: it is a $kind.*; make it readable, or take it away" timeout 60 "$QFW" run recipes/tiny.ini
  rm -r runs/tiny/$newest
done
mv kept runs/tiny/$newest
mkfifo runs/tiny/events.out.tfevents.1.host
grep -q '^    events.out.tfevents.1.host: it is a pipe, not a file' <<< "$("$QFW" runs)" || fail "a pipe for curves: $("$QFW" runs)"
rm runs/tiny/events.out.tfevents.1.host
says tiny finished
mv runs/tiny/.lock kept && mkdir runs/tiny/.lock
expect 1 'cannot lock runs/tiny/.lock: it is a folder, not a file; move it away' "$QFW" run recipes/tiny.ini
expect 1 'cannot create recipes/tiny.ini: there is something of that name that is no folder; choose another' \
  "$QFW" run recipes/tiny.ini --run.dir=recipes/tiny.ini
rmdir runs/tiny/.lock && mv kept runs/tiny/.lock
head -c 3000 "$QFW" > binary && cp runs/tiny/series.csv kept && cp binary runs/tiny/series.csv
grep -q '^    series.csv: its first line names no column `step`' <<< "$("$QFW" runs)" || fail "a binary series: $("$QFW" runs)"
cp kept runs/tiny/series.csv

# Nor is what may not be read taken for what is not there. Root may read everything: it takes the part of another user.
others() { "$@"; }
if [ "$(id -u)" = 0 ]; then others() { setpriv --reuid=65534 --clear-groups "$@"; }; fi
cp -r runs/tiny closed
chmod 000 closed/report.json && [ "$(id -u)" != 0 ] || chown -R 65534 closed
expect 0 'report.json: this user may not read it; make it readable' others "$QFW" runs closed
chmod 000 closed
expect 0 'closed +unknown' others "$QFW" runs closed
for verb in report watch; do expect 1 "\[$verb\] this user may not look into the folder \(closed\); make it readable" others timeout 60 "$QFW" $verb closed; done
expect 1 'cannot look for closed/recipe.ini: Permission denied; make' others "$QFW" eval closed
expect 1 'cannot lock closed/.lock: Permission denied; make it writable for this user, or choose another --run.dir' others "$QFW" run recipes/tiny.ini --run.dir=closed
expect 0 'plugins: .*closed is not searched: it cannot be read: Permission denied' others "$QFW" list --plugin-dir=closed
chmod 755 closed && rm -r closed

# Names with control characters reach no terminal as they are, and no page.
odd=$'odd\e[31m\xc2\x9b\r\nname'
mkdir "$odd" && cp -r runs/tiny "$odd/run" && cp recipes/tiny.ini "$odd/$odd.ini"
sed -i $'s/^description = .*/description = one \e[31m\xc2\x9b two/' "$odd/run/recipe.ini" "$odd/$odd.ini"
for command in "runs" "runs --json" "report" "eval" "report --json" "export"; do
  [ "$command" != export ] || set -- "$odd/weights.h5"
  "$QFW" $command "$odd/run" "$@" > shown.txt 2>&1 || [ "$command" = export ] || fail "$command ended with $?: $(cat shown.txt)"
  [ -s shown.txt ] || fail "$command says nothing"
  LC_ALL=C grep -q $'[\e\r]\|\xc2\x9b' shown.txt && fail "$command prints a control character: $(cat -v shown.txt)"
done
for command in "explain" "explain --settings" "bench --steps=1" "data info"; do
  "$QFW" $command "$odd/$odd.ini" > shown.txt 2>&1 || fail "$command ended with $?: $(cat shown.txt)"
  LC_ALL=C grep -q $'[\e\r]\|\xc2\x9b' shown.txt && fail "$command prints a control character: $(cat -v shown.txt)"
done
LC_ALL=C sed -n '/<title>/p; /id="data"/p' "$odd/run/report.html" > parts.txt
[ -s parts.txt ] || fail "no title in the page"
LC_ALL=C grep -q $'[\e\r]\|\xc2\x9b' parts.txt && fail "a control character in the page: $(head -c 300 parts.txt | cat -v)"
rm -r "$odd"

cp runs/tiny/series.csv kept
: > runs/tiny/series.csv
grep -q '^    series.csv: it is empty' <<< "$("$QFW" runs)" || fail "an empty series: $("$QFW" runs)"
expect 0 'runs/tiny: series.csv: it is empty' "$QFW" report runs/tiny
cp kept runs/tiny/series.csv

# What is damaged of what the newest checkpoint tells is made again; settings that have no effect are not announced.
for file in status.json recipe.ini report.json report.html hparams.json; do : > runs/tiny/$file; done
expect 0 'this run is finished: 6 steps' "$QFW" run recipes/tiny.ini
for file in status.json recipe.ini report.json report.html; do [ -s runs/tiny/$file ] || fail "$file is not made again"; done
says tiny finished
expect 0 'so what is set otherwise now is not applied: eval.batch_size was 48, is 12$' "$QFW" run recipes/tiny.ini --eval.batch_size=12
"$QFW" run recipes/tiny.ini --eval.batch_size=12 2>&1 | grep -E 'continuing with|compiling' && fail "a finished run is said to go on"

# A start that is refused changes nothing and compiles nothing.
find runs/tiny -type f ! -name .lock -exec sha256sum {} + | sort > before.txt
"$QFW" run recipes/tiny.ini --quantizer.weight_prec=2 2>&1 | grep compiling && fail "it compiled before it was refused"
find runs/tiny -type f ! -name .lock -exec sha256sum {} + | sort | cmp before.txt || fail "a refused start changed the folder"

# Written last comes last; a folder that is a run itself is listed.
touch -d '2100-01-01' runs/tiny/log.txt
tail -n 1 <<< "$("$QFW" runs)" | grep -q '^runs/tiny ' || fail "the newest is not the last"
grep -q '^runs/tiny ' <<< "$("$QFW" runs runs/tiny)" || fail "a run folder itself is not listed"

# It fits the terminal.
if command -v script > /dev/null; then
  cat > all.sh <<'END'
set -e
exec 2> said.txt  # progress, which has other rules
"$QFW" runs; "$QFW" list; "$QFW" describe; "$QFW" describe quantizer; "$QFW" describe quantizer weights_only; "$QFW" describe train
"$QFW" describe quantizer.weight_prec; "$QFW" explain recipes/tiny.ini --settings; "$QFW" explain recipes/tiny.ini --cost
"$QFW" --help
for verb in run runs watch report eval explain data import export hparams bench list describe completion help version; do "$QFW" help $verb; done
"$QFW" help hparams generate; "$QFW" eval runs/tiny; "$QFW" bench recipes/tiny.ini --steps=1; "$QFW" data info recipes/tiny.ini
END
  for columns in 40 60 80 120; do
    script -qec "stty cols $columns; QFW='$QFW' bash all.sh" /dev/null < /dev/null | tr -d '\r' > shown.txt
    # A word that is longer than a line sticks out, by itself.
    awk -v most=$columns 'length($0) > most && !/^ *[^ ]+$/' shown.txt > wide.txt
    [ ! -s wide.txt ] || fail "more than $columns columns: $(cat wide.txt)"
    for line in '^runs/tiny' '^train.batch_size = 32' '^quantizer +weights_only' '^ *conv_1|conv_1( |$)' '^(total|weight_prec)( |$)'; do
      grep -qE -- "$line" shown.txt || fail "no /$line/ at $columns columns: $(cat shown.txt)"
    done
  done
fi
