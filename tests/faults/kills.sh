# kill -9 and signals at random instants; then the same command again, until it is done: the same bytes.
source "$QFW_SOURCE_DIR/tests/faults/support.bash"
with_series=1
prepare
kinds=(KILL INT TERM HUP) rounds=2
[ "$length" != long ] || rounds=100
RANDOM=$seed

# disturb SIGNAL MICROSECONDS: one start of `command`, and its signal; sets `status`.
disturb() {
  local pid i
  status=0
  # `env`: a background job of a script ignores SIGINT otherwise.
  (cd try && exec env --default-signal=INT,HUP "${command[@]}") > out.txt 2> err.txt &
  pid=$!
  sleep "$(printf '%d.%06d' $(($2 / 1000000)) $(($2 % 1000000)))"
  kill -"$1" $pid || true
  for ((i = 0; i < seconds * 20; ++i)); do
    kill -0 $pid || break
    sleep 0.05
  done
  if kill -0 $pid; then kill -9 $pid && wait $pid || status=124; else wait $pid || status=$?; fi
}

for target in "${targets[@]}"; do
  begin "$target"
  start=${EPOCHREALTIME/./}
  (cd try && "${command[@]}") > /dev/null 2>&1
  took=$((${EPOCHREALTIME/./} - start))
  for kind in "${kinds[@]}"; do
    declare -A row=()
    for ((i = 0; i < rounds; ++i)); do
      # Twice in one try: what the second one meets was left by the first.
      delays=($((RANDOM * took / 32768)) $((RANDOM * took / 32768)))
      chosen "$target $kind $i" || continue
      begin "$target"
      for delay in "${delays[@]}"; do disturb "$kind" "$delay"; done 2> /dev/null  # the shell tells of killed jobs
      [ "$kind" != KILL ] || [ $status != 137 ] || status=130
      judge "$target" $status
      count "$target $kind $i"
    done
    [ ${#row[@]} = 0 ] || print_row "$target $kind" "$rounds"
  done
done
finish
