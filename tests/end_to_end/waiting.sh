# How threads that wait for each other do that is settled before OpenMP is loaded, unless the user said something of the kind.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
unset OMP_WAIT_POLICY GOMP_SPINCOUNT KMP_BLOCKTIME KMP_LIBRARY

# spin_count SETTING...: what the runtime that the backend brings along goes by.
spin_count() { env "$@" OMP_DISPLAY_ENV=verbose "$QFW" describe backend cpu 2>&1 | sed -n "s/.*GOMP_SPINCOUNT = '\(.*\)'.*/\1/p"; }

plain=$(spin_count)
[ -n "$plain" ] || { echo "the backend was not built with GCC's OpenMP"; exit 77; }
[ "$plain" = 3000 ] || fail "threads spin $plain times, expected 3000"
[ "$(spin_count GOMP_SPINCOUNT=77)" = 77 ] || fail "the user's count is not taken"
[ "$(spin_count OMP_WAIT_POLICY=passive)" = 0 ] || fail "the user's policy is not taken"
default=$(spin_count KMP_LIBRARY=throughput)
[ "$default" != 3000 ] && [ "$(spin_count KMP_BLOCKTIME=200)" = "$default" ] || fail "LLVM's settings are the user's, too: $default"
