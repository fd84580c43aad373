# embed_page(module folder scripts…): src/<module>/<folder>/page.html, with its style sheet and these
# scripts inside, becomes two texts of <module>/<folder>_source.h: what stands before and after @DATA@.
# Run with -P, this file makes them. The page's policy names the hashes of what it may use.
function(embed_page module folder)
  set(sources page.html page.css ${ARGN})
  list(TRANSFORM sources PREPEND ${PROJECT_SOURCE_DIR}/src/${module}/${folder}/)
  set(out ${PROJECT_BINARY_DIR}/${module}_${folder}.cc)
  add_custom_command(OUTPUT ${out} DEPENDS ${sources} ${PROJECT_SOURCE_DIR}/cmake/page.cmake VERBATIM
    COMMAND ${CMAKE_COMMAND} "-DSOURCES=${sources}" -DMODULE=${module} -DFOLDER=${folder} -DOUT=${out}
      -P ${PROJECT_SOURCE_DIR}/cmake/page.cmake)
  target_sources(${module} PRIVATE ${out})
endfunction()

# The SHA-256 of `text` in base64, as a Content-Security-Policy has it.
function(policy_hash text variable)
  set(alphabet "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  string(SHA256 hex "${text}")
  string(APPEND hex "00")  # 33 bytes: the last digit becomes the padding
  set(out "")
  foreach(at RANGE 0 60 6)
    string(SUBSTRING "${hex}" ${at} 6 digits)
    foreach(shift 18 12 6 0)
      math(EXPR index "(0x${digits} >> ${shift}) & 63")
      string(SUBSTRING "${alphabet}" ${index} 1 letter)
      string(APPEND out "${letter}")
    endforeach()
  endforeach()
  string(SUBSTRING "${out}" 0 43 out)
  set(${variable} "sha256-${out}=" PARENT_SCOPE)
endfunction()

function(write_page)
  list(POP_FRONT SOURCES page_file style_file)
  file(READ ${page_file} page)
  file(READ ${style_file} style)
  set(script "(() => {\n'use strict';\n")
  foreach(file IN LISTS SOURCES)
    file(READ ${file} text)
    string(APPEND script "${text}")
  endforeach()
  string(APPEND script "})();\n")
  policy_hash("${style}" style_hash)
  policy_hash("${script}" script_hash)
  foreach(name style script style_hash script_hash)
    string(TOUPPER "@${name}@" place)
    string(REPLACE "${place}" "${${name}}" page "${page}")
  endforeach()
  string(FIND "${page}" "@DATA@" at)
  string(SUBSTRING "${page}" 0 ${at} head)
  math(EXPR at "${at} + 6")
  string(SUBSTRING "${page}" ${at} -1 tail)
  file(WRITE ${OUT} "// Made by cmake/page.cmake.\n#include \"${MODULE}/${FOLDER}_source.h\"\n"
    "namespace pgtend::${MODULE} {\nconst std::string_view kPageHead = R\"PGTEND(${head})PGTEND\";\n"
    "const std::string_view kPageTail = R\"PGTEND(${tail})PGTEND\";\n}\n")
endfunction()

if(CMAKE_SCRIPT_MODE_FILE)
  write_page()
endif()
