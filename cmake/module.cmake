# module(name [needs…] [LIBS libraries…]): one static library from src/<name>/*.cc.
# A need must have been declared above it, so that the order of src/CMakeLists.txt is the layering.
# LIBS are the foreign libraries behind this module's wall; no other module sees their headers.
function(module name)
  cmake_parse_arguments(ARG "" "" "LIBS" ${ARGN})
  set(dir ${PROJECT_SOURCE_DIR}/src/${name})
  file(GLOB sources CONFIGURE_DEPENDS ${dir}/*.cc)
  file(GLOB headers CONFIGURE_DEPENDS ${dir}/*.h)
  foreach(need IN LISTS ARG_UNPARSED_ARGUMENTS)
    if(NOT TARGET ${need})
      message(FATAL_ERROR "module ${name} needs ${need}, which is not declared above it: "
        "a module uses only what stands before it in src/CMakeLists.txt")
    endif()
  endforeach()
  add_library(${name} STATIC ${sources})
  target_sources(${name} PUBLIC FILE_SET headers TYPE HEADERS
    BASE_DIRS ${PROJECT_SOURCE_DIR}/src FILES ${headers})
  set_target_properties(${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON LINKER_LANGUAGE CXX)
  target_link_libraries(${name} PUBLIC ${ARG_UNPARSED_ARGUMENTS} PRIVATE ${ARG_LIBS})
  target_precompile_headers(${name} REUSE_FROM precompiled_product)
  set_property(GLOBAL APPEND PROPERTY PGTEND_MODULES ${name})
endfunction()
