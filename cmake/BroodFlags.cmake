# The warnings and sanitizers of everything built here. Directory options, so that neither exported
# targets nor a project that includes this one by add_subdirectory sees them.

if(MSVC)
  # Visual Studio 2022 17.8 or later: atomics behind a switch since 17.5, _Thread_local since 17.8.
  # The sources are UTF-8.
  add_compile_options(/W4 /utf-8 "$<$<COMPILE_LANG_AND_ID:C,MSVC>:/experimental:c11atomics>")
  set(brood_werror /WX)
else()
  set(warnings -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes)
  if(MINGW)
    list(APPEND warnings -Wno-float-conversion) # its isnan() and friends mention a conversion to float
  endif()
  add_compile_options("$<$<COMPILE_LANGUAGE:C>:${warnings}>")
  set(brood_werror -Werror)
endif()
if(BROOD_WERROR)
  add_compile_options(${brood_werror})
endif()
if(WIN32)
  add_compile_definitions(_WIN32_WINNT=0x0A00 WIN32_LEAN_AND_MEAN NOMINMAX __USE_MINGW_ANSI_STDIO=1)
  if(MINGW)
    # isnan and isinf of its <math.h> are macros that convert, in the branch that is not taken.
    add_compile_options(-Wno-float-conversion)
  endif()
endif()

if(BROOD_SANITIZE)
  list(JOIN BROOD_SANITIZE "," sanitizers)
  add_compile_options(-fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${sanitizers})
endif()
if(BROOD_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
