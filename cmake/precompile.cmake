# Headers that most sources read, compiled once: 460 s of compiling become about half. They are a
# cache, not a way to include: each header is also compiled alone, without them (./run lint).
set(precompiled_headers <algorithm> <array> <atomic> <chrono> <cmath> <cstdint> <cstdlib> <filesystem>
  <functional> <map> <memory> <optional> <set> <span> <string> <string_view> <unordered_map> <utility>
  <variant> <vector> <boost/json/object.hpp> <boost/json/array.hpp> <fmt/core.h>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-fpch-preprocess)  # lets ccache see what is inside
endif()
# One set of definitions for all sources: with others the compiled headers would not be taken.
foreach(library Boost::json Boost::container fmt::fmt spdlog::spdlog)
  add_compile_definitions($<TARGET_PROPERTY:${library},INTERFACE_COMPILE_DEFINITIONS>)
endforeach()

# precompiled(name [headers…]): an object of nothing that owns the compiled headers.
function(precompiled name)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${name}.cc CONTENT "")
  add_library(${name} OBJECT ${PROJECT_BINARY_DIR}/${name}.cc)
  target_link_libraries(${name} PRIVATE Boost::json fmt::fmt)
  target_precompile_headers(${name} PRIVATE ${precompiled_headers} ${ARGN})
endfunction()
precompiled(precompiled_product)
