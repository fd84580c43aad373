// Ini files with PgBouncer's grammar: sections, whole-line comments, %include, and the connection
// strings that are the values of [databases].
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace pgtend {

// One `key = value` line.
struct IniEntry {
  std::string section;
  std::string key;
  std::string value;
  std::string file;
  int line = 0;

  // "file:line", for messages about this entry.
  std::string place() const;
};

inline constexpr int kIniIncludeDepthMax = 10;
inline constexpr size_t kIniBytesMax = size_t{16} << 20;  // of one file
inline constexpr size_t kIniEntriesMax = 1'000'000;       // of all files together

// The text of an included file, by the name written behind %include.
using IniSource = std::function<Result<std::string>(const std::string& name)>;

// The entries of `text`, in order, included files in their place. `name` is for messages.
// A section may come again; a repeated key comes again here: later ones override.
// Errors: Invalid with "file:line: cause", Limit beyond the bounds above, and those of `include`.
Result<std::vector<IniEntry>> parse_ini(std::string_view text, const std::string& name,
                                        const IniSource& include);

// The same from a file; %include names are relative to the working directory, as PgBouncer's are.
// Errors: NotFound, Denied besides those of parse_ini().
Result<std::vector<IniEntry>> read_ini(const std::string& path);

// A whole file as text, at most kIniBytesMax. Errors: NotFound, Denied, Limit.
Result<std::string> read_text_file(const std::string& path);

// The words of "key=value key='quoted ''value''' ...". Errors: Invalid.
Result<std::vector<std::pair<std::string, std::string>>> parse_connection_words(
    std::string_view text);

}  // namespace pgtend
