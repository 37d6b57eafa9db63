# kill -9 and signals at random instants; then the same command again, until it is done: the same bytes.
source "$QFW_SOURCE_DIR/tests/faults/support.bash"
prepare
kinds=(KILL INT TERM HUP) rounds=2
[ "$length" != long ] || rounds=100
RANDOM=$seed

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
      for delay in "${delays[@]}"; do
        status=0
        # `env`: a background job of a script ignores SIGINT otherwise.
        (cd try && exec env --default-signal=INT,HUP "${command[@]}") > out.txt 2> err.txt &
        pid=$!
        sleep "$(printf '%d.%06d' $((delay / 1000000)) $((delay % 1000000)))"
        kill -$kind $pid 2> /dev/null || true
        for ((wait_ms = 0; wait_ms < seconds * 20; ++wait_ms)); do kill -0 $pid 2> /dev/null || break; sleep 0.05; done
        kill -0 $pid 2> /dev/null && kill -9 $pid && status=124
        wait $pid 2> /dev/null || status=${status/#0/$?}
        [ $status != 124 ] || break
      done
      [ "$kind" != KILL ] || [ $status != 137 ] || status=130
      judge "$target" $status
      count "$target $kind $i"
    done
    [ ${#row[@]} = 0 ] || print_row "$target $kind" "$rounds"
  done
done
finish
