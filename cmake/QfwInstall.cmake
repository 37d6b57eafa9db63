# `cmake --install`: bin/qfw, lib/libqfw_core.so, lib/qfw/ (the plugins), include/qfw, lib/cmake/qfw, share/qfw/recipes,
# share/doc/qfw and the completion for bash. Libraries find each other relative to themselves, so the tree may be moved. The target `programs` builds it all.
include(CMakePackageConfigHelpers)

install(TARGETS qfw RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS qfw_core EXPORT qfw_targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT qfw_targets NAMESPACE qfw:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/qfw)
install(DIRECTORY core/include/qfw ${PROJECT_BINARY_DIR}/core/include/qfw DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
install(DIRECTORY recipes/ DESTINATION ${CMAKE_INSTALL_DATADIR}/qfw/recipes FILES_MATCHING PATTERN "*.ini")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
# Of chart.js, which is in the program and in its pages.
if(EXISTS /usr/share/doc/libjs-chart.js/copyright)
  install(FILES /usr/share/doc/libjs-chart.js/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR}/chart.js)
endif()

# The program writes what completes its words; where bash-completion looks for it.
set(completion ${CMAKE_BINARY_DIR}/qfw.bash)
install(CODE "execute_process(COMMAND \"$<TARGET_FILE:qfw>\" completion bash OUTPUT_FILE \"${completion}\" COMMAND_ERROR_IS_FATAL ANY)")
install(FILES ${completion} DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME qfw)

configure_package_config_file(cmake/qfw-config.cmake.in ${CMAKE_BINARY_DIR}/qfw-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/qfw)
# Plugins match a core by its fingerprint, which no range of versions describes.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/qfw-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/qfw-config.cmake ${CMAKE_BINARY_DIR}/qfw-config-version.cmake cmake/QfwPlugin.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/qfw)

# For programs that predict and know nothing of the rest: find_package(qfw_predict), pkg-config qfw_predict.
install(TARGETS qfw_predict EXPORT qfw_predict_targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT qfw_predict_targets NAMESPACE qfw_predict:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/qfw_predict)
install(FILES predict/include/qfw_predict.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
configure_package_config_file(cmake/qfw_predict-config.cmake.in ${CMAKE_BINARY_DIR}/qfw_predict-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/qfw_predict)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/qfw_predict-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/qfw_predict-config.cmake ${CMAKE_BINARY_DIR}/qfw_predict-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/qfw_predict)
configure_file(cmake/qfw_predict.pc.in ${CMAKE_BINARY_DIR}/qfw_predict.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/qfw_predict.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# A oneDNN from .deps would be left behind by a move, so it comes along, among the plugins, where no other program finds it, and
# with its licences. One of the system stays where it is.
cmake_path(IS_PREFIX CMAKE_CURRENT_SOURCE_DIR "${dnnl_DIR}" NORMALIZE QFW_BUNDLES_ONEDNN)
if(QFW_BUNDLES_ONEDNN)
  get_target_property(dnnl_file DNNL::dnnl IMPORTED_LOCATION_RELEASE)
  get_target_property(dnnl_soname DNNL::dnnl IMPORTED_SONAME_RELEASE)
  install(FILES ${dnnl_file} DESTINATION ${CMAKE_INSTALL_LIBDIR}/qfw RENAME ${dnnl_soname})
  file(GLOB dnnl_licences .deps/share/doc/*/LICENSE .deps/share/doc/*/THIRD-PARTY-PROGRAMS)
  list(LENGTH dnnl_licences count)
  if(NOT count EQUAL 2)
    message(WARNING "The licences of the oneDNN in .deps are not in .deps/share/doc: do not pass on what is installed from here")
  endif()
  install(FILES ${dnnl_licences} DESTINATION ${CMAKE_INSTALL_DOCDIR}/oneDNN)
endif()
