// A file that is written as a whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pgtend::cli {

// Whether `path` may be written, asked before the work whose outcome it is to hold. "-" is standard
// output. Errors: Denied or NotFound, with what to do.
Status check_writable(const std::string& path);

// Writes `text` to `path`. A regular file is replaced when all of it is on disk, under a name of
// its own beside it until then; a device or pipe is written to. Errors: as check_writable(), Limit
// when the disk is full.
Status write_whole(const std::string& path, std::string_view text);

}  // namespace pgtend::cli
