# `make package`, or cpack: the installed tree as a .tar.gz that may be unpacked anywhere and, on Debian and its relatives, as a .deb
# whose dependencies are those of the libraries that its files were linked with (docs/install.md).
set(QFW_PACKAGE_CONTACT "qfw maintainers <maintainers@qfw.invalid>" CACHE STRING "who made the package: name and address")

set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_NAME qfw)
set(CPACK_PACKAGE_VENDOR "qfw maintainers")
set(CPACK_PACKAGE_CONTACT ${QFW_PACKAGE_CONTACT})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "trains and evaluates quantized residual networks")
set(CPACK_PACKAGE_DESCRIPTION "qfw trains and evaluates ResNets with 1- to 8-bit weights and activations.
Forward passes of quantized layers are exact integer convolutions, in training as in evaluation.
Models, quantizers, schedules, optimizers, data sets and backends are plugins that a recipe names.
The headers and the CMake package with which plugins are written are included.")
set(CPACK_PACKAGE_FILE_NAME ${PROJECT_NAME}-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_STRIP_FILES ON)
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

find_program(QFW_DPKG_SHLIBDEPS dpkg-shlibdeps)
if(QFW_DPKG_SHLIBDEPS)
  list(APPEND CPACK_GENERATOR DEB)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_SECTION science)
  set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
  set(CPACK_DEBIAN_PACKAGE_RECOMMENDS dataset-fashion-mnist)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})
endif()

# Debian's record of who holds which rights; what oneDNN's own licence texts say lies beside it.
if(QFW_BUNDLES_ONEDNN)
  set(onednn_stanza "
Files: usr/lib/qfw/libdnnl.so.*
Copyright: the oneDNN project's contributors
License: Apache-2.0
Comment: The text and the licences of what it contains lie in /usr/share/doc/qfw/oneDNN.
")
  list(APPEND CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_SOURCE_DIR}/.deps/lib)
endif()
configure_file(cmake/copyright.in ${CMAKE_BINARY_DIR}/copyright @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
include(CPack)
