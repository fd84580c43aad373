// The sources in page/, put together at build time (cmake/page.cmake): one HTML document without
// its data.
#pragma once

#include <string_view>

namespace pgtend::explain {

extern const std::string_view kPageHead;  // up to where the data belongs
extern const std::string_view kPageTail;

}  // namespace pgtend::explain
