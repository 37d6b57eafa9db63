#!/usr/bin/env bash
# The .deb that `make package` makes: what it depends on, what lies where, and that its program finds plugins and libraries when it is
# unpacked. Environment: see CMakeLists.txt.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"

for tool in dpkg-shlibdeps dpkg-deb file; do
  command -v "$tool" > /dev/null || { echo "skipped: there is no $tool"; exit 77; }
done
if grep -Eq "^QFW_SANITIZE:[A-Z]+=." "$QFW_BINARY_DIR/CMakeCache.txt"; then
  echo "skipped: a sanitizer's build is not packaged"
  exit 77
fi

cpack --config "$QFW_BINARY_DIR/CPackConfig.cmake" -G DEB -B "$PWD" > cpack.log 2>&1 || fail "cpack: $(cat cpack.log)"
dpkg-deb -I qfw_*.deb > control.txt
for library in libgomp1 libstdc++6 libhdf5- libboost-json libprotobuf libfmt; do
  grep '^ Depends: ' control.txt | grep -qF " $library" || fail "the package does not depend on $library: $(cat control.txt)"
done
grep -q '^ Recommends: .*dataset-fashion-mnist' control.txt || fail "the quickstart's images are not recommended: $(cat control.txt)"
dpkg-deb -x qfw_*.deb root
[ -s root/usr/share/doc/qfw/copyright ] || fail "there is no copyright file"
if find root/usr/lib -maxdepth 1 -name 'libdnnl*' | grep .; then fail "oneDNN lies where other programs would find it"; fi

unset LD_LIBRARY_PATH QFW_PLUGIN_PATH
expect 0 "$PWD/root/usr/lib/qfw/libqfw_backend_cpu.so" root/usr/bin/qfw list
expect 0 '^threads ' root/usr/bin/qfw describe backend cpu
echo "package: $(echo qfw_*.deb) has its dependencies and works where it is unpacked"
