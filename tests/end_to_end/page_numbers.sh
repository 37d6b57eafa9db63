# What pages compute: axes end for every series, and large runs take no more work than a page can show. Run by node, with the chart.js
# that is built in; skipped where there is no node.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
if ! command -v node > /dev/null; then
  echo "there is no node"
  exit 77
fi
charts=$(sed -n 's/^QFW_CHART_JS:[A-Z]*=//p' "$QFW_BINARY_DIR/CMakeCache.txt")
[ -e "$charts" ] || fail "no chart.js: $charts"
status=0
timeout 120 node "$QFW_SOURCE_DIR/tests/end_to_end/page_numbers.js" "$charts" "$QFW_SOURCE_DIR/viewer/page" > out.txt 2>&1 || status=$?
[ $status != 124 ] || fail "it does not end: $(tail -n 3 out.txt)"
[ $status = 0 ] || fail "$(cat out.txt)"
