# libcrypto, which src/posix/hmac.c loads when it needs it: BROOD_CRYPTO_LIBRARY is what to load, and
# BROOD_CRYPTO_PACKAGE the Debian package that has it, where there is one.

find_package(OpenSSL COMPONENTS Crypto)
if(NOT TARGET OpenSSL::Crypto)
  list(APPEND BROOD_MISSING "libcrypto (libssl-dev)")
  return()
endif()

# The name that stays the same from one patch to the next is inside of the file.
get_filename_component(crypto_file "${OPENSSL_CRYPTO_LIBRARY}" REALPATH)
get_filename_component(BROOD_CRYPTO_LIBRARY "${crypto_file}" NAME)
if(CMAKE_READELF)
  execute_process(COMMAND ${CMAKE_READELF} -d "${crypto_file}"
    OUTPUT_VARIABLE crypto_tags ERROR_QUIET)
  if(crypto_tags MATCHES "soname: \\[([^]]+)\\]")
    set(BROOD_CRYPTO_LIBRARY "${CMAKE_MATCH_1}")
  endif()
endif()
if(BROOD_CRYPTO_LIBRARY MATCHES "\\.a$")
  list(APPEND BROOD_MISSING "libcrypto as a shared library")
endif()

find_program(BROOD_DPKG_QUERY dpkg-query)
mark_as_advanced(BROOD_DPKG_QUERY)
set(BROOD_CRYPTO_PACKAGE "")
if(BROOD_DPKG_QUERY)
  execute_process(COMMAND ${BROOD_DPKG_QUERY} -S "${crypto_file}"
    OUTPUT_VARIABLE crypto_owner ERROR_QUIET)
  if(crypto_owner MATCHES "^([a-z0-9.+-]+)")
    set(BROOD_CRYPTO_PACKAGE "${CMAKE_MATCH_1}")
  endif()
endif()
