# qfw watch: a run in another process, from before it begins until it is killed; and requests that are refused.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
sample=$QFW_BINARY_DIR/tests/bin/sample_run
tiny_recipe > tiny.ini

# watch FOLDER OPTION...: sets `watcher` and `port`.
watch() {
  rm -f address  # of the watcher before
  "$QFW" watch "$@" > address 2> watch.log &
  watcher=$!
  for _ in $(seq 200); do
    grep -qs / address && break
    kill -0 $watcher 2> /dev/null || fail "the watcher ended: $(cat watch.log)"
    sleep 0.05
  done
  port=$(sed -nE 's|^http://[^/]*:([0-9]+)/$|\1|p' address)
  [ -n "$port" ] || fail "no address: $(cat address watch.log)"
}

# send TEXT: as it is; prints what comes back until the other side closes.
send() {
  exec 3<> "/dev/tcp/127.0.0.1/$port"
  printf '%b' "$1" >&3 2> /dev/null || true
  timeout 30 cat <&3 || true
  exec 3>&-
}
get() { send "GET $1 HTTP/1.1\r\nHost: 127.0.0.1:$port\r\nConnection: close\r\n\r\n"; }
body_of() { get "$1" | sed '1,/^\r$/d'; }
status_of() { send "$1" | sed -nE '1s/^HTTP\/1.1 ([0-9]+) .*/\1/p'; }
refused() {  # refused STATUS REQUEST
  local status
  status=$(status_of "$2")
  [ "$status" = "$1" ] || fail "status '$status' instead of $1 for: $2"
}
until_update() {  # until_update PATTERN: the news match it, 60 s at most
  for _ in $(seq 600); do
    grep -Eq "$1" <<< "$(body_of /update)" && return
    sleep 0.1
  done
  fail "no '$1' in: $(body_of /update | head -c 600)"
}

# Before it begins, while it goes on, when it is killed, when it goes on, when it is finished.
watch run --port=0
grep -q "there is no run yet" watch.log || fail "$(cat watch.log)"
until_update '"mode":"waiting"'
get / | grep > /dev/null '<title>run</title>' || fail "no page: $(get / | head -c 300)"
"$QFW" run tiny.ini --run.dir=run --train.steps=100000 --schedule.num_epochs=400 > /dev/null 2>&1 &
run=$!
until_update '"name":"(running|training|evaluating|saving)".*"alive":true'
until_update '"training":\{"from":0,"rows":[1-9]'
cursor=$(body_of /update | grep -oE '"cursor":"[0-9.]+"' | grep -oE '[0-9.]{5,}')
body_of "/update?cursor=$cursor" > news
grep -q '"from":0' news && grep -q '"setup"' news && fail "all was sent again: $(head -c 300 news)"
wait_for run/checkpoints/step_000000005.h5
kill -9 $run
wait $run 2> /dev/null || true
until_update '"name":"killed"'
kill -0 $watcher || fail "the watcher ended with the run"
rm -r run
"$QFW" run tiny.ini --run.dir=run > /dev/null 2>&1
until_update '"name":"finished"'

# Several at once.
readers=()
for i in 1 2 3 4 5 6; do
  (exec 4<> "/dev/tcp/127.0.0.1/$port"; printf 'GET /update HTTP/1.1\r\nHost: localhost:%s\r\nConnection: close\r\n\r\n' "$port" >&4; cat <&4 > "news$i") &
  readers+=($!)
done
wait "${readers[@]}"
for i in 1 2 3 4 5 6; do grep -q '"cursor"' "news$i" || fail "reader $i got: $(head -c 200 "news$i")"; done

# What is refused. No path is a file's.
line="Host: localhost:$port\r\nConnection: close\r\n"
for path in /recipe.ini /../../etc/passwd /..%2f..%2fetc%2fpasswd /.lock //etc/passwd /run/0 /list/ '/%00'; do
  refused 404 "GET $path HTTP/1.1\r\n$line\r\n"
done
for method in POST PUT DELETE OPTIONS TRACE NONSENSE; do refused 405 "$method /update HTTP/1.1\r\n$line\r\n"; done
refused 403 "GET / HTTP/1.1\r\nHost: attacker.example:$port\r\nConnection: close\r\n\r\n"
refused 403 "GET /update HTTP/1.1\r\n${line}Origin: http://attacker.example\r\n\r\n"
refused 400 "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
refused 400 "GET /update?cursor=x HTTP/1.1\r\n$line\r\n"
refused 400 "nonsense\r\n\r\n"
refused 413 "GET / HTTP/1.1\r\n${line}Content-Length: 10\r\n\r\n0123456789"
refused 431 "GET / HTTP/1.1\r\n${line}X: $(printf '%9000s' | tr ' ' a)\r\n\r\n"
refused 431 "GET / HTTP/1.1\r\n${line}$(for i in $(seq 2000); do printf 'X: 1\\r\\n'; done)\r\n"
refused 403 "GET http://attacker.example:$port/ HTTP/1.1\r\n$line\r\n"
refused 403 "GET / HTTP/1.1\r\n${line}Origin: http://localhost:$port\r\nOrigin: http://localhost:$port\r\n\r\n"
refused 200 "GET / HTTP/1.1\r\n$line\r\n"
refused 200 "GET http://127.0.0.1:$port/ HTTP/1.1\r\n$line\r\n"
refused 200 "GET / HTTP/1.1\r\nHost: localhost:\r\nConnection: close\r\n\r\n"
get / | grep -i > /dev/null "^content-security-policy: default-src 'none'.*frame-ancestors 'none'" || fail "no policy"
get / | grep -i > /dev/null '^access-control' && fail "other pages are let in"

# It ends with Ctrl-C, and leaves the run alone.
before=$(find run | sort | md5sum)
kill -INT $watcher
status=0
wait $watcher || status=$?
[ $status = 130 ] || fail "Ctrl-C ended with $status: $(cat watch.log)"
[ "$before" = "$(find run | sort | md5sum)" ] || fail "watching changed the folder"

# A folder of runs; and where the port is taken.
mkdir runs && "$sample" runs/one && "$sample" runs/two state=interrupted
watch runs --port=0
body_of /list | grep > /dev/null '"name":"one".*"name":"two"\|"name":"two".*"name":"one"' || fail "$(body_of /list)"
for run in one two; do  # the list, `qfw runs` and the page say the same
  listed=$("$QFW" runs runs/$run --json | sed -nE 's/^ *"state": "([a-z]+)",$/\1/p')
  grep -q "\"name\":\"$run\",\"state\":\"$listed\"" <<< "$(body_of /list)" || fail "$run is $listed, but: $(body_of /list)"
  grep -q "\"name\": *\"$listed\"" <<< "$("$QFW" report runs/$run --json)" || fail "the page of $run is not $listed"
done
body_of /run/0/update | grep > /dev/null '"mode":"run"' || fail "$(body_of /run/0/update | head -c 200)"
expect 2 "port $port is taken" "$QFW" watch runs --port="$port"
expect 2 "is no IP address" "$QFW" watch runs --address=everywhere
expect 2 "from 0 .* to 65535" "$QFW" watch runs --port=70000
expect 2 "this is a file" "$QFW" watch tiny.ini
kill -TERM $watcher
wait $watcher || true

# Loopback, however it is written, is no network.
watch runs --port=0 --address=::ffff:127.0.0.1
grep -q "no password" watch.log && fail "loopback is warned of: $(cat watch.log)"
kill -TERM $watcher
wait $watcher || true
