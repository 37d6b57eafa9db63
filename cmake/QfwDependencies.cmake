find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Boost 1.81 CONFIG REQUIRED COMPONENTS filesystem json)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Protobuf REQUIRED)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(dnnl 3 CONFIG REQUIRED)  # scripts/setup.sh puts one into .deps where the system has none
find_package(PkgConfig REQUIRED)
pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(WEBP REQUIRED IMPORTED_TARGET libwebp)
pkg_check_modules(ZIP REQUIRED IMPORTED_TARGET libzip)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  find_path(XBYAK_INCLUDE_DIR xbyak/xbyak.h REQUIRED)  # headers only; not every version has a CMake package
  add_library(xbyak::xbyak INTERFACE IMPORTED)
  target_include_directories(xbyak::xbyak SYSTEM INTERFACE ${XBYAK_INCLUDE_DIR})
endif()

# CMake's own module needs the C language and links all that HDF5 itself was linked with; pkg-config names the library alone.
pkg_search_module(HDF5 REQUIRED IMPORTED_TARGET hdf5-serial hdf5)
add_library(hdf5::hdf5 ALIAS PkgConfig::HDF5)
# The names mean what they mean in HDF5 1.10, whichever version is here.
target_compile_definitions(PkgConfig::HDF5 INTERFACE H5_USE_110_API)
