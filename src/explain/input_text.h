// The outermost layers of pasted and mailed plans: encodings, terminal colours, line ends, mail
// quotes, markdown fences.
#pragma once

#include <string>
#include <string_view>

namespace pgtend::explain {

// `text` as UTF-8 with plain newlines: UTF-16 (what PowerShell writes) is converted, byte order
// marks and terminal escapes are gone, lines end as Unix's do, bytes that are no UTF-8 are read as
// Latin-1, no-break spaces in front of a line's text are blanks. Thread: any. Cost: O(size).
std::string plain_text(std::string_view text);

// `text` without the marks of quoting: "> " in front of lines, if most lines have them, as often as
// they are there, and lines of markdown fences (```), which become empty. Cost: O(size).
std::string unquoted(std::string text);

}  // namespace pgtend::explain
