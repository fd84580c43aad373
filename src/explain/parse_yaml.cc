#include "explain/parse_yaml.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "explain/json_string.h"
#include "explain/number.h"
#include "explain/plan_document.h"

namespace pgtend::explain {
namespace {

// Reads lines until one is none of the document, and tells a PlanDocument. Lives during one call.
class YamlReader {
 public:
  YamlReader(std::string_view text, PlanDocument& document) : text_(text), document_(document) {}

  // Errors: Invalid with the line, those of the document.
  Status run();
  size_t used() const { return at_; }

 private:
  // An open list or object; its items or names begin in column `indent`.
  struct Block {
    size_t indent;
    bool list;
  };

  Error wrong(std::string_view what) const {
    return {ErrorCode::Invalid, cat("YAML at line ", line_, ": ", what)};
  }
  Result<bool> take(std::string_view line);
  Status open(size_t indent, bool list);
  Status settle();
  Status close_to(size_t indent, bool item);
  Status item(std::string_view rest, size_t indent);
  Status member(std::string_view content);
  Status scalar(std::string_view content);
  Status flow_list(std::string_view content);
  // Whether nothing but blanks follows `line`.
  bool at_end(std::string_view line) const {
    return trim(text_.substr(static_cast<size_t>(line.data() + line.size() - text_.data())))
        .empty();
  }

  std::string_view text_;
  PlanDocument& document_;
  size_t at_ = 0;
  size_t line_ = 0;  // the current one, from 1
  std::vector<Block> blocks_;
  // The last name (or dash) had nothing behind it: the next line tells whether a block follows.
  bool pending_ = false;
  std::string pending_name_;
  std::string string_;
  bool cut_off_ = false;
};

// Behind "- ", or "-" alone.
bool is_item(std::string_view content) { return content == "-" || content.starts_with("- "); }

// Where the name at the front of `content` ends: at ": " or at a colon that ends the line. npos if
// there is none, as in texts.
size_t name_end(std::string_view content) {
  if (content.empty() || content[0] == '"' || content[0] == '\'' || content[0] == '[') {
    return std::string_view::npos;
  }
  const size_t inside = content.find(": ");
  if (inside != std::string_view::npos) return inside;
  return content.ends_with(':') ? content.size() - 1 : std::string_view::npos;
}

std::string_view without_trailing_blanks(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

Status YamlReader::open(size_t indent, bool list) {
  TRY(list ? document_.begin_list() : document_.begin_object());
  blocks_.push_back({indent, list});
  pending_ = false;
  return ok();
}

// "Triggers:" with nothing below it.
Status YamlReader::settle() {
  if (!std::exchange(pending_, false)) return ok();
  TRY(document_.begin_list());
  return document_.end();
}

// Ends blocks that a line at `indent` is not part of.
Status YamlReader::close_to(size_t indent, bool item) {
  TRY(settle());
  while (!blocks_.empty()) {
    const Block& top = blocks_.back();
    // A list may begin in the column of its name. Without that a name in its column is one inside.
    const bool apart = blocks_.size() > 1 && blocks_[blocks_.size() - 2].indent < indent;
    const bool inside =
        top.indent < indent || (top.indent == indent && (top.list == item || (top.list && apart)));
    if (inside) break;
    TRY(document_.end());
    blocks_.pop_back();
  }
  return ok();
}

// ["a", "b"], of which lists may hold further ones: bounded, as the document is.
Status YamlReader::flow_list(std::string_view content) {
  size_t at = 0;
  size_t depth = 0;
  do {
    const char c = content[at];
    if (c == '[') {
      TRY(document_.begin_list());
      ++depth;
      ++at;
    } else if (c == ']') {
      TRY(document_.end());
      --depth;
      ++at;
    } else if (c == ',' || c == ' ') {
      ++at;
    } else if (c == '"') {
      const QuotedEnd end = read_json_string(content, at, string_);
      if (end == QuotedEnd::Bad) return wrong("a backslash that begins no escape");
      if (end == QuotedEnd::CutOff) break;
      TRY(document_.value(std::string_view(string_)));
    } else {
      const size_t end = std::min(content.find_first_of(",]", at), content.size());
      TRY(document_.value(number_value(trim(content.substr(at, end - at)))));
      at = end;
    }
  } while (depth > 0 && at < content.size());
  if (depth > 0) {
    if (!at_end(content)) return wrong("a list that is not closed");
    cut_off_ = true;
  }
  return ok();
}

Status YamlReader::scalar(std::string_view content) {
  if (content[0] == '[') return flow_list(content);
  if (content[0] == '"') {
    size_t at = 0;
    const QuotedEnd end = read_json_string(content, at, string_);
    if (end == QuotedEnd::Bad) return wrong("a backslash that begins no escape");
    if (end == QuotedEnd::CutOff) {
      if (!at_end(content)) return wrong("a text without its closing quote");
      cut_off_ = true;
      return ok();
    }
    return document_.value(std::string_view(string_));
  }
  if (content == "true" || content == "false") return document_.value(content == "true");
  if (content == "null" || content == "~") return document_.value(nullptr);
  return document_.value(number_value(content));
}

// "Name: value" in the innermost object.
Status YamlReader::member(std::string_view content) {
  const size_t end = name_end(content);
  TRY(document_.key(content.substr(0, end)));
  const std::string_view value = trim(content.substr(end + 1));
  if (!value.empty()) return scalar(value);
  pending_ = true;
  pending_name_ = content.substr(0, end);
  return ok();
}

// What stands behind the dash of a list's item, whose dash is in column `indent`.
Status YamlReader::item(std::string_view rest, size_t indent) {
  while (true) {
    const size_t blanks = std::min(rest.find_first_not_of(' '), rest.size());
    const std::string_view content = rest.substr(blanks);
    indent += 1 + blanks;
    if (content.empty()) {
      pending_ = true;
      pending_name_ = "-";
      return ok();
    }
    if (!is_item(content)) {
      if (name_end(content) == std::string_view::npos) return scalar(content);
      TRY(open(indent, false));
      return member(content);
    }
    TRY(open(indent, true));
    rest = content.substr(1);
  }
}

// False when `line` is none of the document any more.
Result<bool> YamlReader::take(std::string_view line) {
  const size_t indent = std::min(line.find_first_not_of(' '), line.size());
  const std::string_view content = line.substr(indent);
  const bool item_line = is_item(content);
  if (!item_line && name_end(content) == std::string_view::npos) {
    // Behind the document, or half of a line.
    cut_off_ = !blocks_.empty() && indent > blocks_.front().indent && at_end(line);
    if (cut_off_ || blocks_.empty() || indent <= blocks_.front().indent) return false;
    return wrong("neither a list's item nor a name with a value");
  }
  const bool begins_block =
      pending_ && (blocks_.back().indent < indent ||
                   (blocks_.back().indent == indent && item_line && !blocks_.back().list));
  if (blocks_.empty() || begins_block) {
    TRY(open(indent, item_line));
  } else {
    if (indent < blocks_.front().indent) return false;
    if (indent == blocks_.front().indent && item_line != blocks_.front().list) return false;
    TRY(close_to(indent, item_line));
    if (blocks_.empty() || blocks_.back().indent != indent) return wrong("an odd indentation");
  }
  TRY(item_line ? item(content.substr(1), indent) : member(content));
  return true;
}

Status YamlReader::run() {
  while (at_ < text_.size() && !cut_off_) {
    const size_t end = std::min(text_.find('\n', at_), text_.size());
    const std::string_view line = without_trailing_blanks(text_.substr(at_, end - at_));
    ++line_;
    if (blocks_.empty() && (line.empty() || line == "---")) {
      at_ = std::min(end + 1, text_.size());
      continue;
    }
    if (line.empty() || !TRY(take(line))) {
      --line_;
      break;
    }
    at_ = std::min(end + 1, text_.size());
  }
  if (cut_off_) at_ = text_.size();
  const bool half = cut_off_ || (pending_ && (pending_name_ == "Plans" || pending_name_ == "Plan"));
  if (half) return document_.cut_off(std::max<size_t>(line_, 1));
  TRY(settle());
  for (; !blocks_.empty(); blocks_.pop_back()) TRY(document_.end());
  return ok();
}

}  // namespace

bool may_begin_yaml_plan(std::string_view line) {
  line = without_trailing_blanks(line);
  if (line.starts_with("- ")) line = trim(line.substr(2));
  return line == "Plan:" || line.starts_with("Query Text: \"") || line.starts_with("Node Type: \"");
}

PlansRead read_yaml_plans(std::string_view text, const ParseLimits& limits) {
  PlanDocument document(limits);
  YamlReader reader(text, document);
  Status read = reader.run();
  PlansRead out{std::move(document.plans()), {}, document.entries(), reader.used(), {}};
  if (!read) out.error = std::move(read).error();
  return out;
}

Result<Plan> parse_yaml_plan(std::string_view text, const ParseLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return Error{ErrorCode::Limit, cat("reading the plan: YAML of ", text.size(),
                                       " bytes is over the limit of ", limits.bytes_max)};
  }
  PlansRead read = read_yaml_plans(text, limits);
  const std::string_view rest = text.substr(read.used);
  return only_plan(std::move(read), rest, "no \"Plan:\" in the YAML: is it EXPLAIN (FORMAT YAML)?");
}

}  // namespace pgtend::explain
