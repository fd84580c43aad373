// Memory that is about to be filled.
#pragma once

#include <cstddef>

namespace pgtend {

// Asks the kernel to back [`at`, `at` + `bytes`), which will soon be written from end to end, with
// huge pages: filling hundreds of megabytes is mostly faults of small ones. Without effect on less
// than a huge page or where the kernel does not give them. Thread: any.
void expect_filling(const void* at, size_t bytes);

}  // namespace pgtend
