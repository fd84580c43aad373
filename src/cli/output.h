// What a command says: data on stdout, talk on stderr, or one JSON envelope on stdout.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/result.h"

namespace pgtend::cli {

// What the two streams can do. Colour only on a terminal, never when NO_COLOR is set.
struct Terminal {
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool color = false;        // of stdout
  bool ascii = false;        // the locale is not UTF-8
  bool full_screen = false;  // stdin and stdout are a terminal whose cursor can be moved
  size_t width = 100;        // columns of stdout's terminal, else 100
};
// Reads the environment and the streams of this process.
Terminal probe_terminal();

enum class Align : unsigned char { Left, Right };

// Rows under aligned headings. Cells are shown with control characters made visible.
struct Table {
  std::vector<std::string> headings;
  std::vector<Align> align;  // missing ones are Left
  std::vector<std::vector<std::string>> rows;
};
// The table as text, two spaces between columns, no trailing blanks.
std::string render(const Table& table);

enum class Style : unsigned char { Plain, Bold, Dim, Good, Bad, Warn };

// Thread: one. Buffers nothing but the JSON data.
class Output {
 public:
  Output(const Terminal& terminal, bool json, bool quiet);

  bool json() const { return json_; }
  const Terminal& terminal() const { return terminal_; }

  // Data for people; dropped in JSON mode.
  void line(std::string_view text = "");
  void table(const Table& table);
  // Talk: stderr; dropped when quiet.
  void note(std::string_view text);
  // A line on stderr that the next one overwrites; on a stream that is no terminal only the last
  // line of a piece of work is kept (`done`). Dropped when quiet.
  void progress(std::string_view text, bool done = false);
  // `text` in a colour if colour is on.
  std::string styled(Style style, std::string_view text) const;

  // The members of "data" in the envelope.
  json::object& data() { return data_; }
  // One more member, which `write` writes when the command ends: what is too deep for a
  // json::value.
  void data_member(std::string name, std::function<void(JsonWriter&)> write);
  // Kept for the envelope and shown on stderr.
  void warn(const std::string& text);
  // Kept for the envelope alone: the data for people shows it already.
  void keep_warning(const std::string& text);
  void missing_right(const std::string& text);

  // Ends the command: in JSON mode writes {schema, data, warnings, missing_rights}.
  void finish(std::string_view schema);
  // Says what went wrong: on stderr for people, as {schema, error} on stdout in JSON mode.
  void failed(const Error& error);

 private:
  void clear_progress();

  Terminal terminal_;
  bool json_;
  bool quiet_;
  bool progress_shown_ = false;
  json::object data_;
  std::vector<std::pair<std::string, std::function<void(JsonWriter&)>>> data_members_;
  json::array warnings_;
  json::array missing_rights_;
};

}  // namespace pgtend::cli
