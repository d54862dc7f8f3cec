# Install rules: libraries, headers, brood-host, the CMake package, the pkg-config file, and brood-wordcount.

include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/brood")

# Two export sets: a user of the shared library need not have what the static one links.
install(TARGETS brood_shared EXPORT broodTargets
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS brood_static EXPORT broodStaticTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT broodTargets NAMESPACE brood:: DESTINATION ${package_dir})
install(EXPORT broodStaticTargets NAMESPACE brood:: DESTINATION ${package_dir})
install(DIRECTORY include/brood DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

configure_package_config_file(cmake/broodConfig.cmake.in "${PROJECT_BINARY_DIR}/broodConfig.cmake"
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/broodConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/broodConfig.cmake" "${PROJECT_BINARY_DIR}/broodConfigVersion.cmake"
  cmake/BroodDependencies.cmake
  DESTINATION ${package_dir})

# Where the installed programs find the shared library when it is not in a system folder.
if(UNIX AND NOT APPLE AND NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  file(RELATIVE_PATH lib_from_bin "${CMAKE_INSTALL_FULL_BINDIR}" "${CMAKE_INSTALL_FULL_LIBDIR}")
  set(CMAKE_INSTALL_RPATH "$ORIGIN/${lib_from_bin}")
endif()
foreach(program brood-host brood_tool)
  if(TARGET ${program})
    set_target_properties(${program} PROPERTIES INSTALL_RPATH "${CMAKE_INSTALL_RPATH}")
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

# The word count, against the shared library: the program that shows that the package works.
if(BROOD_BUILD_EXAMPLES AND EXISTS "${PROJECT_SOURCE_DIR}/examples/wordcount.c")
  add_executable(brood-wordcount examples/wordcount.c)
  target_link_libraries(brood-wordcount PRIVATE brood_shared)
  brood_take_utf8(brood-wordcount)
  install(TARGETS brood-wordcount RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

if(WIN32)
  # Users of the static library link APR; it has no package of its own here.
  install(FILES "${BROOD_APR_LIBRARY}" DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES LICENSE DESTINATION share/brood)
  if(EXISTS "${BROOD_DEPS_PREFIX}/share/apr-LICENSE")
    install(FILES "${BROOD_DEPS_PREFIX}/share/apr-LICENSE" "${BROOD_DEPS_PREFIX}/share/apr-NOTICE"
      DESTINATION share/brood)
  endif()
  set(BROOD_PC_LIBS_PRIVATE apr-1 ${BROOD_LIBRARIES})
  list(FILTER BROOD_PC_LIBS_PRIVATE EXCLUDE REGEX "::")
  list(TRANSFORM BROOD_PC_LIBS_PRIVATE PREPEND "-l")
  list(JOIN BROOD_PC_LIBS_PRIVATE " " BROOD_PC_LIBS_PRIVATE)
  set(BROOD_PC_REQUIRES_PRIVATE "")
else()
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
  set(BROOD_PC_LIBS_PRIVATE "-ldl -pthread")
  set(BROOD_PC_REQUIRES_PRIVATE "apr-1")
endif()

# Found from where the file itself is, so that the prefix can be moved.
file(RELATIVE_PATH BROOD_PC_PREFIX
  "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" BROOD_PC_PREFIX "${BROOD_PC_PREFIX}")
configure_file(cmake/brood.pc.in "${PROJECT_BINARY_DIR}/brood.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/brood.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(CPACK_PACKAGE_NAME brood)
set(CPACK_PACKAGE_VENDOR "brood")
set(CPACK_PACKAGE_CONTACT "The brood developers <brood@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX "${CMAKE_INSTALL_PREFIX}")
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "${BROOD_CRYPTO_PACKAGE}") # loaded, not linked, so nobody else finds it
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  "${PROJECT_SOURCE_DIR}/packaging/debian/postinst" "${PROJECT_SOURCE_DIR}/packaging/debian/postrm")
include(CPack)
