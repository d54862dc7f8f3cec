# What the library links: BROOD_LIBRARIES, with APR as the imported target brood::apr.
# Used by the build and, installed, by broodConfig.cmake, because users of the static library link the same.

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

if(NOT TARGET brood::apr)
  if(WIN32)
    # A static APR: beside the installed library, or in the prefix that tools/setup fills.
    find_path(BROOD_APR_INCLUDE_DIR apr_general.h
      HINTS ${BROOD_DEPS_PREFIX} PATH_SUFFIXES include include/apr-1 NO_CMAKE_FIND_ROOT_PATH)
    find_library(BROOD_APR_LIBRARY NAMES apr-1
      HINTS ${BROOD_DEPS_PREFIX} PATH_SUFFIXES lib NO_CMAKE_FIND_ROOT_PATH)
    mark_as_advanced(BROOD_APR_INCLUDE_DIR BROOD_APR_LIBRARY)
    if(NOT BROOD_APR_INCLUDE_DIR OR NOT BROOD_APR_LIBRARY)
      message(FATAL_ERROR "APR not found in BROOD_DEPS_PREFIX=${BROOD_DEPS_PREFIX}: run tools/setup first")
    endif()
    add_library(brood::apr STATIC IMPORTED)
    set_target_properties(brood::apr PROPERTIES
      IMPORTED_LOCATION "${BROOD_APR_LIBRARY}"
      INTERFACE_COMPILE_DEFINITIONS "APR_DECLARE_STATIC"
      INTERFACE_INCLUDE_DIRECTORIES "${BROOD_APR_INCLUDE_DIR}"
      INTERFACE_LINK_LIBRARIES "ws2_32;mswsock;rpcrt4;shell32;advapi32;iphlpapi")
  else()
    find_package(PkgConfig REQUIRED)
    pkg_check_modules(BROOD_APR REQUIRED apr-1)
    add_library(brood::apr INTERFACE IMPORTED)
    # Not APR's own flags: they define _GNU_SOURCE for everybody. _DEFAULT_SOURCE is what apr.h needs
    # to find PATH_MAX under -std=c11.
    set_target_properties(brood::apr PROPERTIES
      INTERFACE_COMPILE_DEFINITIONS "_DEFAULT_SOURCE"
      INTERFACE_INCLUDE_DIRECTORIES "${BROOD_APR_INCLUDE_DIRS}"
      INTERFACE_LINK_LIBRARIES "${BROOD_APR_LINK_LIBRARIES}")
  endif()
endif()

set(BROOD_LIBRARIES brood::apr Threads::Threads)
if(WIN32)
  list(APPEND BROOD_LIBRARIES ws2_32 mswsock rpcrt4 shell32 advapi32 iphlpapi bcrypt psapi)
else()
  list(APPEND BROOD_LIBRARIES ${CMAKE_DL_LIBS} m)
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    list(APPEND BROOD_LIBRARIES rt)
  endif()
  if(EXISTS "${PROJECT_SOURCE_DIR}/src/posix/hmac.c")
    find_package(OpenSSL REQUIRED COMPONENTS Crypto)
    list(APPEND BROOD_LIBRARIES OpenSSL::Crypto)
  endif()
endif()
