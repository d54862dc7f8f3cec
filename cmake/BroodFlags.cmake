# brood_flags: the warnings and sanitizers that everything built here shares.

add_library(brood_flags INTERFACE)
if(MSVC)
  target_compile_options(brood_flags INTERFACE /W4 $<$<BOOL:${BROOD_WERROR}>:/WX>)
else()
  target_compile_options(brood_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
    $<$<BOOL:${BROOD_WERROR}>:-Werror>)
endif()
if(WIN32)
  target_compile_definitions(brood_flags INTERFACE
    _WIN32_WINNT=0x0A00 WIN32_LEAN_AND_MEAN NOMINMAX __USE_MINGW_ANSI_STDIO=1)
endif()

if(BROOD_SANITIZE)
  list(JOIN BROOD_SANITIZE "," brood_sanitizers)
  set(brood_sanitize_flags -fsanitize=${brood_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_compile_options(${brood_sanitize_flags})
  add_link_options(${brood_sanitize_flags})
endif()
if(BROOD_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
