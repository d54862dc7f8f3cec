# What the library links: BROOD_LIBRARIES, with APR as the imported target brood::apr. Used by the build
# and, installed, by broodConfig.cmake, because users of the static library link the same. Where
# something is missing, BROOD_MISSING says what.

set(BROOD_MISSING "")
find_package(Threads)
if(NOT Threads_FOUND)
  list(APPEND BROOD_MISSING "threads")
endif()

if(NOT TARGET brood::apr)
  if(WIN32)
    # A static APR: beside the installed library, or in the prefix that tools/setup fills.
    find_path(BROOD_APR_INCLUDE_DIR apr_general.h
      HINTS ${BROOD_DEPS_PREFIX} PATH_SUFFIXES include include/apr-1 NO_CMAKE_FIND_ROOT_PATH)
    find_library(BROOD_APR_LIBRARY NAMES apr-1
      HINTS ${BROOD_DEPS_PREFIX} PATH_SUFFIXES lib NO_CMAKE_FIND_ROOT_PATH)
    mark_as_advanced(BROOD_APR_INCLUDE_DIR BROOD_APR_LIBRARY)
    if(BROOD_APR_LIBRARY)
      add_library(brood::apr STATIC IMPORTED)
      set_target_properties(brood::apr PROPERTIES
        IMPORTED_LOCATION "${BROOD_APR_LIBRARY}"
        INTERFACE_LINK_LIBRARIES "ws2_32;mswsock;rpcrt4;shell32;advapi32;iphlpapi")
    endif()
    if(BROOD_APR_INCLUDE_DIR AND TARGET brood::apr)
      set_target_properties(brood::apr PROPERTIES
        INTERFACE_COMPILE_DEFINITIONS "APR_DECLARE_STATIC"
        INTERFACE_INCLUDE_DIRECTORIES "${BROOD_APR_INCLUDE_DIR}")
    endif()
  else()
    find_package(PkgConfig)
    if(PkgConfig_FOUND)
      pkg_check_modules(BROOD_APR apr-1)
    endif()
    if(BROOD_APR_FOUND)
      add_library(brood::apr INTERFACE IMPORTED)
      # Not APR's own flags: they define _GNU_SOURCE for everybody. _DEFAULT_SOURCE is what apr.h
      # needs to find PATH_MAX under -std=c11.
      set_target_properties(brood::apr PROPERTIES
        INTERFACE_COMPILE_DEFINITIONS "_DEFAULT_SOURCE"
        INTERFACE_INCLUDE_DIRECTORIES "${BROOD_APR_INCLUDE_DIRS}"
        INTERFACE_LINK_LIBRARIES "${BROOD_APR_LINK_LIBRARIES}")
    endif()
  endif()
  if(NOT TARGET brood::apr)
    list(APPEND BROOD_MISSING "APR 1.7 (libapr1-dev; for Windows in BROOD_DEPS_PREFIX=${BROOD_DEPS_PREFIX})")
  endif()
endif()

set(BROOD_LIBRARIES brood::apr Threads::Threads)
if(WIN32)
  list(APPEND BROOD_LIBRARIES ws2_32 mswsock rpcrt4 shell32 advapi32 iphlpapi bcrypt psapi ntdll)
else()
  list(APPEND BROOD_LIBRARIES ${CMAKE_DL_LIBS})
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    list(APPEND BROOD_LIBRARIES rt)
  endif()
endif()
