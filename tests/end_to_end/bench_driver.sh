# What `make bench` does around its measurements: statistics, aims, tables, sections of the document, processes that fail. Skipped where there
# is no Python.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2> /dev/null; then
  echo "there is no Python >= 3.9"
  exit 77
fi
timeout 120 python3 "$QFW_SOURCE_DIR/tests/end_to_end/bench_driver.py" "$QFW_SOURCE_DIR" > out.txt 2>&1 || fail "$(cat out.txt)"
grep -qE '^Ran [1-9][0-9]+ tests' out.txt || fail "too few tests ran: $(cat out.txt)"
