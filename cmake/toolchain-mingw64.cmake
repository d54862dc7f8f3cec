# Cross-build for 64-bit Windows with Debian's mingw-w64 (posix threads); programs run under Wine.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix) # for users of the installed library
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)

# APR and cmocka, cross-built by tools/setup.
if(DEFINED ENV{BROOD_CACHE})
  set(BROOD_DEPS_PREFIX "$ENV{BROOD_CACHE}/mingw" CACHE PATH "Where the Windows builds of APR and cmocka are")
else()
  set(BROOD_DEPS_PREFIX "${CMAKE_CURRENT_LIST_DIR}/../.cache/mingw" CACHE PATH "Where the Windows builds of APR and cmocka are")
endif()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BROOD_DEPS_PREFIX)

set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32 "${BROOD_DEPS_PREFIX}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# Programs and DLLs run alone: no libgcc or libwinpthread DLL beside them.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "-static")
set(CMAKE_MODULE_LINKER_FLAGS_INIT "-static")

set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/wine-run")
