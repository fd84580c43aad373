#include "base/ini.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/text.h"

namespace pgtend {
namespace {

constexpr std::string_view kInclude = "%include";

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-' || c == '*' || static_cast<unsigned char>(c) >= 0x80;
}

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Text in `quote`s at the front of `rest`, a doubled quote standing for itself; false if it never
// ends.
bool take_quoted(std::string_view& rest, char quote, std::string& out) {
  rest.remove_prefix(1);
  while (!rest.empty()) {
    const char c = rest[0];
    rest.remove_prefix(1);
    if (c != quote) {
      out.push_back(c);
    } else if (!rest.empty() && rest[0] == quote) {
      out.push_back(quote);
      rest.remove_prefix(1);
    } else {
      return true;
    }
  }
  return false;
}

class Parser {
 public:
  explicit Parser(const IniSource& include) : include_(include) {}

  Status parse(std::string_view text, const std::string& name, int depth) {
    if (text.size() > kIniBytesMax) {
      return Error{ErrorCode::Limit, cat(name, ": larger than ", kIniBytesMax, " bytes")};
    }
    int line = 0;
    for (const std::string_view raw : split(text, '\n')) {
      ++line;
      TRY(parse_line(trim(raw), {name, line, depth}));
    }
    return ok();
  }

  std::vector<IniEntry> take() && { return std::move(entries_); }

 private:
  struct Place {
    const std::string& file;
    int line;
    int depth;
  };

  static Error invalid(const Place& place, std::string_view cause) {
    return Error{ErrorCode::Invalid, cat(place.file, ':', place.line, ": ", cause)};
  }

  Status parse_line(std::string_view line, const Place& place) {
    if (line.empty() || line[0] == ';' || line[0] == '#') return ok();
    if (line.find('\0') != std::string_view::npos) return invalid(place, "a zero byte in the line");
    if (line[0] == '%') return parse_directive(line, place);
    if (line[0] == '[') {
      if (line.back() != ']') return invalid(place, "the section lacks its closing bracket");
      section_ = trim(line.substr(1, line.size() - 2));
      return ok();
    }
    return parse_entry(line, place);
  }

  Status parse_directive(std::string_view line, const Place& place) {
    if (!line.starts_with(kInclude) || line.size() == kInclude.size() ||
        !is_blank(line[kInclude.size()])) {
      return invalid(place,
                     cat("unknown directive \"", printable(line), "\"; only %include is known"));
    }
    if (place.depth >= kIniIncludeDepthMax) {
      return invalid(place, cat("%include nested deeper than ", kIniIncludeDepthMax));
    }
    const std::string name(trim(line.substr(kInclude.size())));
    const std::string text = TRY_DURING(include_(name), cat(place.file, ':', place.line));
    return parse(text, name, place.depth + 1);
  }

  Status parse_entry(std::string_view line, const Place& place) {
    IniEntry entry{section_, "", "", place.file, place.line};
    if (line[0] == '\'' || line[0] == '"') {
      if (!take_quoted(line, line[0], entry.key))
        return invalid(place, "the quoted name never ends");
    } else {
      size_t end = 0;
      while (end < line.size() && is_name_char(line[end])) ++end;
      entry.key = line.substr(0, end);
      line.remove_prefix(end);
    }
    line = trim(line);
    if (entry.key.empty() || line.empty() || line[0] != '=') {
      return invalid(place, "expected \"name = value\"");
    }
    if (section_.empty()) return invalid(place, "a value outside of any [section]");
    if (entries_.size() >= kIniEntriesMax) {
      return Error{ErrorCode::Limit,
                   cat(place.file, ':', place.line, ": more than ", kIniEntriesMax, " values")};
    }
    entry.value = trim(line.substr(1));
    entries_.push_back(std::move(entry));
    return ok();
  }

  const IniSource& include_;
  std::string section_;
  std::vector<IniEntry> entries_;
};

}  // namespace

std::string IniEntry::place() const { return cat(file, ':', line); }

Result<std::vector<IniEntry>> parse_ini(std::string_view text, const std::string& name,
                                        const IniSource& include) {
  Parser parser(include);
  TRY(parser.parse(text, name, 0));
  return std::move(parser).take();
}

Result<std::vector<IniEntry>> read_ini(const std::string& path) {
  const std::string text = TRY(read_text_file(path));
  return parse_ini(text, path, read_text_file);
}

Result<std::string> read_text_file(const std::string& path) {
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rbe"));
  if (!file) {
    const ErrorCode code = errno == ENOENT ? ErrorCode::NotFound : ErrorCode::Denied;
    return Error{code, cat("cannot open \"", printable(path), "\": ", std::strerror(errno))};
  }
  std::string text;
  char piece[8192];
  while (const size_t count = std::fread(piece, 1, sizeof piece, file.get())) {
    text.append(piece, count);
    if (text.size() > kIniBytesMax) {
      return Error{ErrorCode::Limit,
                   cat("\"", printable(path), "\" is larger than ", kIniBytesMax, " bytes")};
    }
  }
  if (std::ferror(file.get()) != 0) {
    return Error{ErrorCode::Denied,
                 cat("cannot read \"", printable(path), "\": ", std::strerror(errno))};
  }
  return text;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_connection_words(
    std::string_view text) {
  std::vector<std::pair<std::string, std::string>> words;
  std::string_view rest = trim(text);
  while (!rest.empty()) {
    size_t end = 0;
    while (end < rest.size() && is_name_char(rest[end])) ++end;
    std::string key(rest.substr(0, end));
    rest = trim(rest.substr(end));
    if (key.empty() || rest.empty() || rest[0] != '=') {
      return Error{ErrorCode::Invalid,
                   cat("expected \"key=value\" at \"",
                       printable(key.empty() ? rest.substr(0, 20) : key), "\"")};
    }
    rest = trim(rest.substr(1));
    std::string value;
    if (!rest.empty() && rest[0] == '\'') {
      if (!take_quoted(rest, '\'', value)) {
        return Error{ErrorCode::Invalid, cat("the quoted value of ", key, " never ends")};
      }
    } else {
      end = 0;
      while (end < rest.size() && !is_blank(rest[end])) ++end;
      value = rest.substr(0, end);
      rest.remove_prefix(end);
    }
    words.emplace_back(std::move(key), std::move(value));
    rest = trim(rest);
  }
  return words;
}

}  // namespace pgtend
