# `cmake --install`: bin/qfw, lib/libqfw_core.so, lib/qfw/ (the plugins), include/qfw, lib/cmake/qfw and share/qfw/recipes. Libraries
# find each other relative to themselves, so the tree may be moved.
include(CMakePackageConfigHelpers)

install(TARGETS qfw RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS qfw_core EXPORT qfw_targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT qfw_targets NAMESPACE qfw:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/qfw)
install(DIRECTORY core/include/qfw DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(DIRECTORY recipes/ DESTINATION ${CMAKE_INSTALL_DATADIR}/qfw/recipes FILES_MATCHING PATTERN "*.ini")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/qfw)

configure_package_config_file(cmake/qfw-config.cmake.in ${CMAKE_BINARY_DIR}/qfw-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/qfw)
# Plugins match a core by its fingerprint, which no range of versions describes.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/qfw-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/qfw-config.cmake ${CMAKE_BINARY_DIR}/qfw-config-version.cmake cmake/QfwPlugin.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/qfw)

# A oneDNN from .deps would be left behind by a move; one of the system stays where it is.
get_target_property(dnnl_file DNNL::dnnl IMPORTED_LOCATION_RELEASE)
if(dnnl_file MATCHES "^${CMAKE_CURRENT_SOURCE_DIR}/")
  get_target_property(dnnl_soname DNNL::dnnl IMPORTED_SONAME_RELEASE)
  install(FILES ${dnnl_file} DESTINATION ${CMAKE_INSTALL_LIBDIR} RENAME ${dnnl_soname}
          PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
endif()
