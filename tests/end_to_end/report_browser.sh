# The pages in a browser: all is drawn, no script fails, nothing is asked of any server. Skipped where there is no Chromium.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
sample=$QFW_BINARY_DIR/tests/bin/sample_run
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ]; then
  echo "there is no Chromium"
  exit 77
fi

# dom ADDRESS: the page once its scripts have run, in `dom`; what the browser says of it in `log`.
dom() {
  timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$PWD/profile" --no-first-run \
    --disable-background-networking --virtual-time-budget="${2:-5000}" --enable-logging=stderr --v=0 --log-net-log="$PWD/net.json" --dump-dom "$1" > dom 2> log ||
    fail "the browser failed: $(tail -n 5 log)"
}
# page ADDRESS PATTERN...: it was drawn without a fault, and holds what matches the patterns.
page() {
  local address=$1 pattern
  shift
  dom "$address"
  head -c 2000 dom | grep -oE '<html[^>]*>' > root || fail "no page at $address"
  grep -q 'data-faults' root && fail "a script of $address failed: $(cat root)"
  grep -E 'CONSOLE' log && fail "the console of $address says so"
  for pattern in "$@"; do grep -Eq -- "$pattern" dom || fail "no '$pattern' in the page $address; $(cat root)"; done
  if [[ $address == file:* ]] && grep -oE '"url":"(https?|wss?)://[^"]*"' net.json | grep -vE 'google|gvt1|chrom' ; then fail "$address asks servers"; fi
}

"$sample" small && "$sample" large resnet50 && "$sample" eight bits=8 seed=3
for run in small large eight; do "$QFW" report "$run" > /dev/null; done
page "file://$PWD/small/report.html" 'data-rendered="6 charts, 1 heatmaps' '91\.03[^0-9<]*%' 'T-shirt/top' 'stage1/block0/conv_1' 'badge-finished'
page "file://$PWD/large/report.html" 'data-rendered="6 charts, 2 heatmaps' 'stage4/block15/conv_3'
"$QFW" report small large eight > /dev/null
page "file://$PWD/compare.html" 'data-rendered="4 charts' 'Settings that differ' 'quantizer.weight_prec'

# A run of an older version, of which only curves are known; and one of which nothing can be read.
mkdir old && cp small/series.csv small/recipe.ini small/environment.json old
"$QFW" report old > /dev/null
page "file://$PWD/old/report.html" 'data-rendered="6 charts' 'There is no evaluation.json'
mkdir damaged
for file in setup.json status.json report.json evaluation.json environment.json series.csv layers.csv recipe.ini; do echo '{[' > damaged/$file; done
"$QFW" report damaged > /dev/null
page "file://$PWD/damaged/report.html" 'data-rendered' 'it is no valid JSON'

# A learning rate next to nothing ends no axis; and of thousands of layers as much is drawn as a page can show.
"$sample" tiny
awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; ++i) if ($i == "learning_rate") column = i } NR > 1 && $column != "" { $column = "1e-308" } 1' \
  small/series.csv > tiny/series.csv
grep -q 1e-308 tiny/series.csv || fail "no learning rates: $(head -n 3 tiny/series.csv)"
"$QFW" report tiny > /dev/null
page "file://$PWD/tiny/report.html" 'data-rendered="6 charts, 1 heatmaps'
mkdir many && cp small/series.csv many
awk 'BEGIN {
  printf "{\"layers\": ["
  for (i = 0; i < 1500; ++i) printf "%s{\"path\": \"layer_%d\", \"op\": \"conv2d\", \"multiplications\": 1}", i ? ", " : "", i
  print "]}"
}' > many/setup.json
awk 'BEGIN {
  print "step,layer,operand,bound,bound_min,bound_max,clipped"
  for (step = 1; step <= 20; ++step) for (i = 0; i < 600; ++i) print step ",layer_" i ",input,1,1,1,0.01"
}' > many/layers.csv
"$QFW" report many > /dev/null
page "file://$PWD/many/report.html" 'data-rendered="6 charts, 1 heatmaps' 'The first 500 of 1,500, as they are sorted' 'The first 200 of 600'
[ "$(grep -o '<tr>' dom | wc -l)" -lt 1200 ] || fail "all rows are there"

# Whatever a run is called, it stays text.
evil='</script><script>document.documentElement.dataset.faults="evil"</script><img src=x onerror="document.documentElement.dataset.faults=1">'
"$sample" evil "description=$evil" "class=$evil" state=failed "error=$evil"
"$QFW" report evil > /dev/null
page "file://$PWD/evil/report.html" 'data-rendered="6 charts' '&lt;img src=x onerror='

# Live: it waits, begins by itself, and draws.
"$QFW" watch later --port=0 > address 2> watch.log &
watcher=$!
for _ in $(seq 100); do grep -q / address && break; sleep 0.05; done
page "$(cat address)" 'Waiting for the run to begin'
mkdir later
exec 5> later/.lock
flock 5  # as the process of a run has it
"$sample" later state=evaluating steps=1404
page "$(cat address)" 'data-rendered="6 charts' 'evaluating: 6,250 of 10,000 images' 'role="progressbar"'
exec 5>&-
# On another machine, which nobody here can look at: how long ago it was heard of.
sed -i -E 's/"host": *"[^"]*"/"host": "elsewhere"/; s/"written": *[0-9.]+/"written": 1700000000/' later/status.json
page "$(cat address)" 'evaluating\?' 'is evaluating, or was [0-9]+[^<]* ago: it runs on elsewhere'
kill -INT $watcher
wait $watcher || true
