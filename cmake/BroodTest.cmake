# How tests and examples are registered with CTest. The list of tests is the same on all systems: what cannot run
# on one is registered there as a skip with its reason.

set(BROOD_START_METHODS spawn fork forkserver)

# Seconds. A sanitizer makes everything several times slower; Wine takes forty times as long to start a process.
set(BROOD_TEST_TIMEOUT 60)
if(BROOD_SANITIZE OR CMAKE_CROSSCOMPILING)
  set(BROOD_TEST_TIMEOUT 180)
endif()

# brood_test(<name> <command…>): the limits and the skip code that all tests share.
function(brood_test name)
  add_test(NAME ${name} COMMAND ${ARGN})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${BROOD_TEST_TIMEOUT} SKIP_RETURN_CODE 77)
endfunction()

# brood_skip(<name> <reason>)
function(brood_skip name reason)
  add_test(NAME ${name} COMMAND ${CMAKE_COMMAND} -E echo "SKIPPED: ${name}: ${reason}")
  set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "^SKIPPED: ")
endfunction()

# brood_test_method(<name> <method> <command…>): a test <name>.<method>, told its start method by the environment.
function(brood_test_method name method)
  if(WIN32 AND NOT method STREQUAL "spawn")
    brood_skip(${name}.${method} "Windows starts processes by spawn alone")
  else()
    brood_test(${name}.${method} ${ARGN})
    set_tests_properties(${name}.${method} PROPERTIES ENVIRONMENT "BROOD_TEST_START_METHOD=${method}")
  endif()
endfunction()
