# System calls that fail, once or from then on: strace injects the error. Short: a sample of the calls; long: every one.
source "$QFW_SOURCE_DIR/tests/faults/support.bash"
command -v strace > /dev/null || { echo "there is no strace here"; exit 77; }
strace -qq -o /dev/null -e trace=none true 2> /dev/null || { echo "processes may not be traced here (ptrace)"; exit 77; }
prepare

# CALL:FAULT[:sticky] for every target; retval=0: nothing was written, and no word why.
faults=(
  write:error=ENOSPC pwrite64:error=ENOSPC pwrite64:error=EIO fsync:error=EIO rename:error=EIO openat:error=EMFILE read:error=EIO pread64:error=EIO
  close:error=EIO ftruncate:error=EIO mkdir:error=ENOSPC unlink:error=EACCES flock:error=ENOLCK mmap:error=ENOMEM
  write:error=EINTR pwrite64:error=EINTR pread64:error=EINTR read:error=EINTR openat:error=EINTR fsync:error=EINTR pwrite64:retval=0
  write:error=ENOSPC:sticky pwrite64:error=ENOSPC:sticky fsync:error=EIO:sticky openat:error=EMFILE:sticky
)
# Not brk: the kernel's never returns an error, and the C library takes a made-up one for an address.
long_faults=(
  write:error=EIO write:error=EPIPE openat:error=EIO openat:error=ENOSPC openat:error=EACCES openat:error=ENOMEM rename:error=EROFS clone3:error=EAGAIN
  newfstatat:error=EIO fstat:error=EIO lseek:error=EIO getdents64:error=EIO munmap:error=ENOMEM syncfs:error=EIO unlinkat:error=EIO
  link:error=EPERM mkdir:error=EROFS flock:error=EINTR getdents64:error=ENOMEM
)
most=1
if [ "$length" = long ]; then faults+=("${long_faults[@]}") most=400; fi
of_the_loader=' openat read mmap close newfstatat fstat munmap '  # hundreds of equal ones, made before the program begins
names=$(printf '%s\n' "${faults[@]%%:*}" | sort -u | paste -sd,)

# Sets calls[NAME]: how often a target makes a call.
count_calls() {
  local name
  begin "$1"
  (cd try && strace -f --seccomp-bpf -qq -o ../calls.txt -e trace="$names" "${command[@]}") > /dev/null 2>&1 || fail "the traced $1 fails"
  for name in ${names//,/ }; do calls[$name]=$(grep -cE "^[0-9]+ +$name\(" calls.txt || true); done
}

# try_fault TARGET CALL ERROR STICKY N
try_fault() {
  local when=$5 status=0
  [ -z "$4" ] || when=$5+
  begin "$1"
  stderr_broken=
  (cd try && timeout -k 1 $seconds strace -f --seccomp-bpf -qq -o ../trace.txt -e trace="$2" -e inject="$2:$3:when=$when" "${command[@]}") > out.txt 2> err.txt ||
    status=$?
  if grep -q 'write(2, .*INJECTED' trace.txt; then stderr_broken=yes; fi  # nobody can be told then; calls count by process
  if grep -q '^OMP: Error' err.txt; then  # LLVM's OpenMP runtime ends the process when it gets no shared memory for itself
    row[runtime]=$((${row[runtime]:-0} + 1))
    return
  fi
  judge "$1" $status
  count "$1 $2:$3${4:+:$4} $5"
}

turn=0
for target in "${targets[@]}"; do
  declare -A calls=()
  count_calls "$target"
  for fault in "${faults[@]}"; do
    turn=$((turn + 1))
    # The short form takes every other fault, and the others with the next seed.
    [ "$length" = long ] || [ -n "$only" ] || [ $(((turn + seed) % 2)) = 0 ] || continue
    IFS=: read -r call error sticky <<< "$fault"
    declare -A row=()
    total=${calls[$call]} some=$most
    [[ $of_the_loader != *" $call "* || $some -le 40 ]] || some=40
    some=$((total < some ? total : some))
    for ((i = 0; i < some; ++i)); do
      # Spread over all calls, another sample for another seed.
      n=$((1 + (i * total + seed * 7919 % total) / some % total))
      chosen "$target $fault $n" && try_fault "$target" "$call" "$error" "$sticky" "$n"
    done
    [ ${#row[@]} = 0 ] || print_row "$target $fault" "of $total"
  done
done
finish
