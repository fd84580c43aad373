// CHECK and DCHECK: stop the process when we broke our own rules. Never for what a user, the
// network or PostgreSQL can cause: that is a Result.
#pragma once

namespace pgtend {

// Writes "file:line: check failed: text" to stderr and aborts. Thread: any.
[[noreturn]] void check_failed(const char* file, int line, const char* text);

}  // namespace pgtend

#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::pgtend::check_failed(__FILE__, __LINE__, #condition))

#ifdef NDEBUG
#define DCHECK(condition) static_cast<void>(0)
#else
#define DCHECK(condition) CHECK(condition)
#endif
