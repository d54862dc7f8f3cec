# On Windows a program's arguments and file names are in the system's code page, unless a manifest of its own says
# that they are UTF-8, as everywhere else.
if(WIN32 AND NOT MSVC)
  enable_language(RC)
endif()

function(brood_take_utf8 target)
  if(MSVC)
    target_sources(${target} PRIVATE "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/utf8.manifest")
  elseif(WIN32)
    target_sources(${target} PRIVATE "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/utf8.rc")
    target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_FUNCTION_LIST_DIR}")
  endif()
endfunction()
