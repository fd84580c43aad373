#include "explain/parse_xml.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "explain/json_string.h"
#include "explain/xml_names.h"

namespace pgtend::explain {
namespace {

bool is_xml_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

std::string_view tag_name(std::string_view inside) {
  const auto end = std::find_if(inside.begin(), inside.end(),
                                [](char c) { return is_xml_blank(c) || c == '/'; });
  return inside.substr(0, static_cast<size_t>(end - inside.begin()));
}

// The character that "#60" or "#x3c" names.
std::optional<uint32_t> character_of(std::string_view reference) {
  reference.remove_prefix(1);
  const bool hex = reference.starts_with('x') || reference.starts_with('X');
  if (hex) reference.remove_prefix(1);
  uint32_t code = 0;
  const char* end = reference.data() + reference.size();
  const auto read = std::from_chars(reference.data(), end, code, hex ? 16 : 10);
  if (read.ec != std::errc{} || read.ptr != end) return {};
  return code;
}

// Appends `text` with XML's five entities and character references replaced; others stay.
void append_unescaped(std::string& out, std::string_view text) {
  static constexpr std::pair<std::string_view, char> kEntities[] = {
      {"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
  constexpr size_t kEntityMax = 10;
  while (true) {
    const size_t at = std::min(text.find('&'), text.size());
    out += text.substr(0, at);
    text.remove_prefix(at);
    if (text.empty()) return;
    const size_t end = text.substr(0, kEntityMax).find(';');
    const std::string_view name =
        end == std::string_view::npos ? std::string_view() : text.substr(1, end - 1);
    const auto* known = std::find_if(std::begin(kEntities), std::end(kEntities),
                                     [&](const auto& entity) { return entity.first == name; });
    const auto code = name.starts_with('#') ? character_of(name) : std::nullopt;
    if (known != std::end(kEntities)) {
      out += known->second;
    } else if (code) {
      append_utf8(out, *code);
    } else {
      out += '&';
    }
    text.remove_prefix(known != std::end(kEntities) || code ? end + 1 : 1);
  }
}

// XML calls both groups of an Incremental Sort so, the full sorts first, and memory and disk inside
// them <Sort-Space>, memory first.
constexpr std::string_view kSortGroups = "Incremental-Sort-Groups";

bool is_external(const Value& method) {
  return method.is_string() && method.get_string().starts_with("external");
}

// Tells memory from disk: if only one of them was used, by the methods.
void name_sort_spaces(std::vector<XmlMember>& members) {
  bool in_memory = true;
  for (const XmlMember& member : members) {
    const List* methods = member.value.if_array();
    if (member.tag != "Sort-Methods-Used" || !methods) continue;
    in_memory = !std::all_of(methods->begin(), methods->end(), is_external);
  }
  for (XmlMember& member : members) {
    if (member.tag != "Sort-Space") continue;
    member.tag = in_memory ? "Sort-Space-Memory" : "Sort-Space-Disk";
    in_memory = false;
  }
}

// Reads the element and builds plans. Lives during one call.
class XmlReader {
 public:
  XmlReader(std::string_view text, const ParseLimits& limits) : text_(text), limits_(limits) {}

  Status run();
  size_t used() const { return at_; }
  std::vector<Plan>& plans() { return plans_; }

 private:
  enum class Kind : uint8_t { Explain, Query, Node, Plans, Value };
  struct Element {
    Kind kind;
    std::string tag;
    int sort_groups = 0;  // <Incremental-Sort-Groups> inside so far
  };
  // A Value that is open.
  struct Open {
    std::string text = {};
    std::vector<XmlMember> members = {};
  };

  Error wrong(std::string_view what) const;
  bool in(Kind kind) const { return !elements_.empty() && elements_.back().kind == kind; }
  Status step();
  Status markup();
  Status begin(std::string_view tag);
  Status end(std::string_view tag);
  Status end_value(std::string_view tag);
  void keep(std::string_view tag, Value value);
  Status finish_query();
  Value value_of(std::string_view tag, const Open& open);
  Status cut_off();

  std::string_view text_;
  ParseLimits limits_;
  size_t at_ = 0;
  std::vector<Element> elements_;
  std::vector<Open> open_;  // one a Value
  std::optional<PlanBuilder> builder_;
  std::vector<Plan> plans_;
  bool cut_ = false;
};

Error XmlReader::wrong(std::string_view what) const {
  const auto line =
      std::count(text_.begin(), text_.begin() + static_cast<ptrdiff_t>(at_), '\n') + 1;
  return {ErrorCode::Invalid, cat("XML at line ", line, ": ", what)};
}

// A plan begins: what stands beside <Plan> may come before it.
Status XmlReader::finish_query() {
  if (!builder_) return ok();
  PlanBuilder builder = std::move(*builder_);
  builder_.reset();
  if (!builder.has_root()) return ok();  // <Query> of a utility statement
  plans_.push_back(TRY_DURING(std::move(builder).finish(), "reading the plan"));
  return ok();
}

Status XmlReader::begin(std::string_view tag) {
  if (elements_.empty() && tag != "explain" && tag != "Query" && tag != "Plan") {
    return wrong(cat("<", printable(tag), "> begins no plan: is it EXPLAIN (FORMAT XML)?"));
  }
  if (elements_.empty() && tag == "explain") {
    elements_.push_back({Kind::Explain, std::string(tag)});
    return ok();
  }
  if ((elements_.empty() || in(Kind::Explain)) && tag == "Query") {
    TRY(finish_query());
    elements_.push_back({Kind::Query, std::string(tag)});
    return ok();
  }
  if (!builder_) builder_.emplace(limits_);
  const bool outside = elements_.empty() || in(Kind::Explain) || in(Kind::Query);
  if (tag == "Plan" && (outside || in(Kind::Plans))) {
    TRY(builder_->open_node());
    elements_.push_back({Kind::Node, std::string(tag)});
    return ok();
  }
  if (in(Kind::Plans)) return wrong("<Plans> holds something that is no <Plan>");
  if (tag == "Plans" && in(Kind::Node)) {
    elements_.push_back({Kind::Plans, std::string(tag)});
    return ok();
  }
  if (open_.size() >= kPropertyDepthMax) {
    return Error{ErrorCode::Limit,
                 cat("values nested deeper than ", kPropertyDepthMax, " levels outside <Plans>")};
  }
  elements_.push_back({Kind::Value, std::string(tag)});
  open_.emplace_back();
  return ok();
}

Value XmlReader::value_of(std::string_view tag, const Open& open) {
  Arena& arena = builder_->arena();
  if (open.members.empty()) {
    const bool laid_out = open.text.find('\n') != std::string::npos && trim(open.text).empty();
    if (laid_out) return new_list(arena);  // "<Triggers>\n  </Triggers>"
    // Settings are texts, whatever they look like.
    const bool setting = open_.size() > 0 && elements_.back().tag == "Settings";
    const std::string_view text = arena.copy(open.text);
    return setting ? Value(text) : xml_property_value(xml_property_name(tag), text);
  }
  if (is_xml_list(tag, open.members)) {
    List& list = new_list(arena);
    for (const XmlMember& member : open.members) list.push_back(member.value);
    return list;
  }
  Properties& object = new_properties(arena);
  for (const XmlMember& member : open.members) {
    const bool setting = tag == "Settings";
    object.emplace(arena.name(setting ? member.tag : xml_property_name(member.tag)), member.value);
  }
  return object;
}

// A finished value goes to the value or node that holds it.
void XmlReader::keep(std::string_view tag, Value value) {
  if (!open_.empty()) {
    open_.back().members.push_back({std::string(tag), value});
  } else {
    builder_->set(xml_property_name(tag), value);
  }
}

Status XmlReader::end_value(std::string_view tag) {
  Open open = std::move(open_.back());
  open_.pop_back();
  if (tag == kSortGroups) {
    name_sort_spaces(open.members);
    tag = elements_.back().sort_groups++ == 0 ? "Full-sort-Groups" : "Pre-sorted-Groups";
  }
  // Servers up to 18 close <Target-Tables> too late: what else is in it belongs to the node.
  const auto strays =
      std::stable_partition(open.members.begin(), open.members.end(), [&](const XmlMember& member) {
        return tag != "Target-Tables" || member.tag == "Target-Table";
      });
  for (auto stray = strays; stray != open.members.end(); ++stray) {
    keep(stray->tag, stray->value);
  }
  open.members.erase(strays, open.members.end());
  keep(tag, value_of(tag, open));
  return ok();
}

Status XmlReader::end(std::string_view tag) {
  if (elements_.empty() || elements_.back().tag != tag) {
    return wrong(cat("</", printable(tag), "> ends no open element"));
  }
  const Element element = std::move(elements_.back());
  elements_.pop_back();
  switch (element.kind) {
    case Kind::Explain:
    case Kind::Query:
      return finish_query();
    case Kind::Node:
      TRY_DURING(builder_->close_node(), "reading the plan");
      return elements_.empty() ? finish_query() : ok();
    case Kind::Plans:
      return ok();
    case Kind::Value:
      return end_value(element.tag);
  }
  return ok();
}

// From "<" on.
Status XmlReader::markup() {
  const std::string_view rest = text_.substr(at_);
  const bool comment = rest.starts_with("<!--");
  const std::string_view closing = comment ? "-->" : rest.starts_with("<?") ? "?>" : ">";
  const size_t close = rest.find(closing, 1);
  if (close == std::string_view::npos) {
    cut_ = true;
    return ok();
  }
  const std::string_view inside = rest.substr(1, close - 1);
  if (inside.starts_with('!') && !comment) return wrong("no <!…> belongs in a plan");
  if (inside.starts_with('/')) {
    TRY(end(trim(inside.substr(1))));
  } else if (!comment && !inside.starts_with('?')) {
    const std::string_view tag = tag_name(inside);
    if (tag.empty()) return wrong("a tag without a name");
    TRY(begin(tag));
    if (inside.ends_with('/')) TRY(end(tag));
  }
  at_ += close + closing.size();
  return ok();
}

Status XmlReader::step() {
  if (text_[at_] == '<') return markup();
  const size_t end = std::min(text_.find('<', at_), text_.size());
  const std::string_view text = text_.substr(at_, end - at_);
  if (in(Kind::Value)) {
    append_unescaped(open_.back().text, text);
  } else if (elements_.empty() && !trim(text).empty()) {
    return wrong("text where a tag is expected");
  }
  at_ = end;
  return ok();
}

// Ends what is open; half a value is left out.
Status XmlReader::cut_off() {
  const auto lines = std::count(text_.begin(), text_.end(), '\n');
  at_ = text_.size();
  if (!builder_) return ok();
  builder_->cut_off(static_cast<size_t>(lines) + (text_.ends_with('\n') ? 0 : 1));
  return finish_query();
}

Status XmlReader::run() {
  bool begun = false;
  do {
    if (at_ == text_.size() || cut_) break;
    TRY(step());
    begun = begun || !elements_.empty();
  } while (!begun || !elements_.empty());
  return elements_.empty() && !cut_ ? ok() : cut_off();
}

}  // namespace

bool may_begin_xml_plan(std::string_view line) {
  line = trim(line);
  for (const std::string_view tag : {"<explain", "<Plan>", "<Query>", "<?xml"}) {
    if (line.starts_with(tag)) return true;
  }
  return false;
}

PlansRead read_xml_plans(std::string_view text, const ParseLimits& limits) {
  XmlReader reader(text, limits);
  Status read = reader.run();
  PlansRead out{std::move(reader.plans()), {}, 0, reader.used(), {}};
  if (!read) out.error = std::move(read).error();
  return out;
}

Result<Plan> parse_xml_plan(std::string_view text, const ParseLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return Error{ErrorCode::Limit, cat("reading the plan: XML of ", text.size(),
                                       " bytes is over the limit of ", limits.bytes_max)};
  }
  PlansRead read = read_xml_plans(text, limits);
  const std::string_view rest = text.substr(read.used);
  return only_plan(std::move(read), rest, "no <Plan> in the XML: is it EXPLAIN (FORMAT XML)?");
}

}  // namespace pgtend::explain
