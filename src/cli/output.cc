#include "cli/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/text.h"

namespace pgtend::cli {

namespace {
constexpr size_t kWidthDefault = 100;

bool environment_has(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    if (!environment_has(name)) continue;
    const std::string value = lower(std::getenv(name));
    return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
  }
  return false;
}

void write(FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

void append_cell(std::string& line, std::string_view cell, size_t width, Align align) {
  const std::string padding(width - std::min(width, columns(cell)), ' ');
  if (align == Align::Right) line += padding;
  line += cell;
  if (align == Align::Left) line += padding;
}

std::string without_trailing_blanks(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}
}  // namespace

Terminal probe_terminal() {
  Terminal terminal;
  terminal.out_is_terminal = isatty(STDOUT_FILENO) == 1;
  terminal.err_is_terminal = isatty(STDERR_FILENO) == 1;
  const char* kind = std::getenv("TERM");
  const bool dumb = kind != nullptr && std::strcmp(kind, "dumb") == 0;
  terminal.color = terminal.out_is_terminal && !dumb && !environment_has("NO_COLOR");
  terminal.ascii = !locale_is_utf8();
  terminal.full_screen =
      terminal.out_is_terminal && isatty(STDIN_FILENO) == 1 && !dumb && environment_has("TERM");
  winsize size{};
  if (terminal.out_is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    terminal.width = size.ws_col;
  }
  return terminal;
}

std::string render(const Table& table) {
  std::vector<std::vector<std::string>> lines = {table.headings};
  for (const auto& row : table.rows) {
    auto& line = lines.emplace_back();
    for (const std::string& cell : row) line.push_back(printable(cell));
  }
  std::vector<size_t> widths(table.headings.size());
  for (const auto& line : lines) {
    for (size_t i = 0; i < widths.size() && i < line.size(); ++i) {
      widths[i] = std::max(widths[i], columns(line[i]));
    }
  }
  std::string out;
  for (const auto& cells : lines) {
    std::string line;
    for (size_t i = 0; i < widths.size() && i < cells.size(); ++i) {
      if (i > 0) line += "  ";
      append_cell(line, cells[i], widths[i], i < table.align.size() ? table.align[i] : Align::Left);
    }
    out += without_trailing_blanks(std::move(line)) + '\n';
  }
  return out;
}

Output::Output(const Terminal& terminal, bool json, bool quiet)
    : terminal_(terminal), json_(json), quiet_(quiet) {}

void Output::clear_progress() {
  if (std::exchange(progress_shown_, false)) write(stderr, "\r\x1b[K");
}

void Output::line(std::string_view text) {
  if (json_) return;
  clear_progress();
  write(stdout, cat(text, "\n"));
}

void Output::table(const Table& table) {
  if (json_) return;
  clear_progress();
  const std::string text = render(table);
  const size_t end_of_headings = text.find('\n');
  write(stdout,
        cat(styled(Style::Bold, text.substr(0, end_of_headings)), text.substr(end_of_headings)));
}

void Output::note(std::string_view text) {
  if (quiet_) return;
  clear_progress();
  write(stderr, cat(text, "\n"));
}

void Output::progress(std::string_view text, bool done) {
  if (quiet_) return;
  if (!terminal_.err_is_terminal) {
    if (done) write(stderr, cat(text, "\n"));
    return;
  }
  write(stderr, cat("\r", text, "\x1b[K", done ? "\n" : ""));
  progress_shown_ = !done;
}

std::string Output::styled(Style style, std::string_view text) const {
  static constexpr std::string_view kCodes[] = {"", "1", "2", "32", "31", "33"};
  const std::string_view code = kCodes[static_cast<size_t>(style)];
  if (!terminal_.color || code.empty()) return std::string(text);
  return cat("\x1b[", code, "m", text, "\x1b[0m");
}

void Output::data_member(std::string name, std::function<void(JsonWriter&)> write) {
  data_members_.emplace_back(std::move(name), std::move(write));
}

void Output::warn(const std::string& text) {
  warnings_.emplace_back(text);
  note(cat("warning: ", printable(text)));
}

void Output::keep_warning(const std::string& text) {
  warnings_.emplace_back(text);
  if (json_) note(cat("warning: ", printable(text)));
}

void Output::missing_right(const std::string& text) {
  missing_rights_.emplace_back(text);
  note(cat("missing right: ", printable(text)));
}

void Output::finish(std::string_view schema) {
  clear_progress();
  if (!json_) return;
  JsonWriter writer;
  writer.begin_object();
  writer.key("schema");
  writer.value(json::string(schema));
  writer.key("data");
  writer.begin_object();
  for (const auto& member : data_) {
    writer.key(std::string_view(member.key().data(), member.key().size()));
    writer.value(member.value());
  }
  for (const auto& [name, write_value] : data_members_) {
    writer.key(name);
    write_value(writer);
  }
  writer.end();
  writer.key("warnings");
  writer.value(warnings_);
  writer.key("missing_rights");
  writer.value(missing_rights_);
  writer.end();
  write(stdout, writer.take() + '\n');
}

void Output::failed(const Error& error) {
  clear_progress();
  if (json_) {
    const json::object report{{"schema", "pgtend.error/1"},
                              {"error",
                               {{"code", traits(error.code).name},
                                {"message", error.message},
                                {"sqlstate", error.sqlstate},
                                {"hint", error.hint}}}};
    write(stdout, to_pretty_text(report));
  }
  write(stderr, cat("pgtend: ", printable(error.message, true), "\n"));
  if (!error.hint.empty()) write(stderr, cat("  next: ", printable(error.hint, true), "\n"));
}

}  // namespace pgtend::cli
