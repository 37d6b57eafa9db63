#!/usr/bin/env bash
# One OpenMP runtime does the work of the backend `cpu` and of oneDNN within it, whichever compiler built them: two would each keep a pool
# of threads that spin against the other's. Environment: see CMakeLists.txt.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"

LD_BIND_NOW=1 LD_DEBUG=bindings LD_DEBUG_OUTPUT=bindings "$QFW" describe backend cpu > describe.txt
sed -nE 's/.*binding file [^ ]*(libqfw_backend_cpu|libdnnl)\.so[^ ]* \[0\] to ([^ ]*\/lib(g|i)?omp[^ ]*) .*/\1 \2/p' bindings.* | sort -u > bound.txt
for library in libqfw_backend_cpu libdnnl; do
  grep -q "^$library " bound.txt || fail "$library calls no OpenMP runtime that is known here: $(cat bound.txt)"
done
[ "$(cut -d' ' -f2 bound.txt | sort -u | wc -l)" = 1 ] || fail "the backend and oneDNN use different runtimes: $(cat bound.txt)"
echo "openmp: $(cut -d' ' -f2 bound.txt | sort -u)"
