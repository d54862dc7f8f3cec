# On Windows a program's arguments and file names are in the system's code page, unless a manifest of its own says
# that they are UTF-8, as everywhere else.
set(utf8_folder "${PROJECT_SOURCE_DIR}/examples")
if(WIN32 AND NOT MSVC)
  enable_language(RC)
endif()

function(brood_take_utf8 target)
  if(MSVC)
    target_sources(${target} PRIVATE "${utf8_folder}/utf8.manifest")
  elseif(WIN32)
    target_sources(${target} PRIVATE "${utf8_folder}/utf8.rc")
    target_include_directories(${target} PRIVATE "${utf8_folder}")
  endif()
endfunction()
