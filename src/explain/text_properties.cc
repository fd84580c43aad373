#include "explain/text_properties.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "explain/number.h"
#include "explain/text_head.h"
#include "explain/text_lines.h"
#include "explain/text_pattern.h"

namespace pgtend::explain {
namespace {

// Lines of several properties. Of those that share a property the first that fits is written.
struct PatternSource {
  std::string_view pattern;
  std::string_view needs = {};  // written only beside this property
};
constexpr std::array<PatternSource, 33> kPatterns = {{
    {"actual time={Actual Startup Time.3}..{Actual Total Time.3} rows={Actual Rows.r} "
     "loops={Actual Loops}"},
    {"actual rows={Actual Rows.r} loops={Actual Loops}"},
    {"Buffers:[&,& shared[ hit={Shared Hit Blocks}][ read={Shared Read Blocks}]"
     "[ dirtied={Shared Dirtied Blocks}][ written={Shared Written Blocks}]]"
     "[&,& local[ hit={Local Hit Blocks}][ read={Local Read Blocks}]"
     "[ dirtied={Local Dirtied Blocks}][ written={Local Written Blocks}]]"
     "[&,& temp[ read={Temp Read Blocks}][ written={Temp Written Blocks}]]"},
    {"I/O Timings:[&,& shared[ read={Shared I/O Read Time.3}][ write={Shared I/O Write Time.3}]]"
     "[&,& local[ read={Local I/O Read Time.3}][ write={Local I/O Write Time.3}]]"
     "[&,& temp[ read={Temp I/O Read Time.3}][ write={Temp I/O Write Time.3}]]",
     "Shared I/O Read Time"},
    {"I/O Timings:[&,& shared/local[ read={I/O Read Time.3}][ write={I/O Write Time.3}]]"
     "[&,& temp[ read={Temp I/O Read Time.3}][ write={Temp I/O Write Time.3}]]",
     "Temp I/O Read Time"},
    {"I/O Timings:[ read={I/O Read Time.3}][ write={I/O Write Time.3}]"},
    {"WAL:[ records={WAL Records}][ fpi={WAL FPI}][ bytes={WAL Bytes}]"
     "[ buffers full={WAL Buffers Full}]"},
    {"Sort Method: <Sort Method>  <Sort Space Type>: {Sort Space Used}kB"},
    {"Buckets: {Hash Buckets}  Batches: {Hash Batches}  Memory Usage: {Peak Memory Usage}kB"
     "{=Original Hash Buckets=Hash Buckets}{=Original Hash Batches=Hash Batches}"},
    {"Buckets: {Hash Buckets} (originally {Original Hash Buckets})  Batches: {Hash Batches} "
     "(originally {Original Hash Batches})  Memory Usage: {Peak Memory Usage}kB"},
    {"Hits: {Cache Hits}  Misses: {Cache Misses}  Evictions: {Cache Evictions}  "
     "Overflows: {Cache Overflows}  Memory Usage: {Peak Memory Usage}kB"},
    {"Estimates: capacity={Estimated Capacity} distinct keys={Estimated Distinct Lookup Keys} "
     "lookups={Estimated Lookups} hit percent={Estimated Hit Percent.2}%"},
    {"Planned Partitions: {Planned Partitions!}  Batches: {HashAgg Batches}  "
     "Memory Usage: {Peak Memory Usage}kB[  Disk Usage: {Disk Usage}kB]"},
    {"Batches: {HashAgg Batches}  Memory Usage: {Peak Memory Usage}kB[  Disk Usage: "
     "{Disk Usage}kB]"},
    {"Heap Blocks:[ exact={Exact Heap Blocks}][ lossy={Lossy Heap Blocks}]"},
    {"Storage: <Storage>  Maximum Storage: {Maximum Storage}kB"},
    {"Tuples:[ inserted={Tuples Inserted}][ updated={Tuples Updated}][ deleted={Tuples Deleted}]"
     "[ skipped={Tuples Skipped}]",
     "Tuples Updated"},
    {"Full-sort Groups: {Full-sort Groups~Group Count}  Sort Method: "
     "<Full-sort Groups~Sort Methods Used,1>  Average Memory: "
     "{Full-sort Groups~Sort Space Memory~Average Sort Space Used}kB  Peak Memory: "
     "{Full-sort Groups~Sort Space Memory~Peak Sort Space Used}kB[  Average Disk: "
     "{Full-sort Groups~Sort Space Disk~Average Sort Space Used}kB  Peak Disk: "
     "{Full-sort Groups~Sort Space Disk~Peak Sort Space Used}kB]"},
    {"Full-sort Groups: {Full-sort Groups~Group Count}  Sort Method: "
     "<Full-sort Groups~Sort Methods Used,1>  Average Disk: "
     "{Full-sort Groups~Sort Space Disk~Average Sort Space Used}kB  Peak Disk: "
     "{Full-sort Groups~Sort Space Disk~Peak Sort Space Used}kB"},
    {"Full-sort Groups: {Full-sort Groups~Group Count}  Sort Methods: "
     "<Full-sort Groups~Sort Methods Used,2>  Average Memory: "
     "{Full-sort Groups~Sort Space Memory~Average Sort Space Used}kB  Peak Memory: "
     "{Full-sort Groups~Sort Space Memory~Peak Sort Space Used}kB[  Average Disk: "
     "{Full-sort Groups~Sort Space Disk~Average Sort Space Used}kB  Peak Disk: "
     "{Full-sort Groups~Sort Space Disk~Peak Sort Space Used}kB]"},
    {"Full-sort Groups: {Full-sort Groups~Group Count}  Sort Methods: "
     "<Full-sort Groups~Sort Methods Used,2>  Average Disk: "
     "{Full-sort Groups~Sort Space Disk~Average Sort Space Used}kB  Peak Disk: "
     "{Full-sort Groups~Sort Space Disk~Peak Sort Space Used}kB"},
    {"Pre-sorted Groups: {Pre-sorted Groups~Group Count}  Sort Method: "
     "<Pre-sorted Groups~Sort Methods Used,1>  Average Memory: "
     "{Pre-sorted Groups~Sort Space Memory~Average Sort Space Used}kB  Peak Memory: "
     "{Pre-sorted Groups~Sort Space Memory~Peak Sort Space Used}kB[  Average Disk: "
     "{Pre-sorted Groups~Sort Space Disk~Average Sort Space Used}kB  Peak Disk: "
     "{Pre-sorted Groups~Sort Space Disk~Peak Sort Space Used}kB]"},
    {"Pre-sorted Groups: {Pre-sorted Groups~Group Count}  Sort Method: "
     "<Pre-sorted Groups~Sort Methods Used,1>  Average Disk: "
     "{Pre-sorted Groups~Sort Space Disk~Average Sort Space Used}kB  Peak Disk: "
     "{Pre-sorted Groups~Sort Space Disk~Peak Sort Space Used}kB"},
    {"Pre-sorted Groups: {Pre-sorted Groups~Group Count}  Sort Methods: "
     "<Pre-sorted Groups~Sort Methods Used,2>  Average Memory: "
     "{Pre-sorted Groups~Sort Space Memory~Average Sort Space Used}kB  Peak Memory: "
     "{Pre-sorted Groups~Sort Space Memory~Peak Sort Space Used}kB[  Average Disk: "
     "{Pre-sorted Groups~Sort Space Disk~Average Sort Space Used}kB  Peak Disk: "
     "{Pre-sorted Groups~Sort Space Disk~Peak Sort Space Used}kB]"},
    {"Pre-sorted Groups: {Pre-sorted Groups~Group Count}  Sort Methods: "
     "<Pre-sorted Groups~Sort Methods Used,2>  Average Disk: "
     "{Pre-sorted Groups~Sort Space Disk~Average Sort Space Used}kB  Peak Disk: "
     "{Pre-sorted Groups~Sort Space Disk~Peak Sort Space Used}kB"},
    {"Sampling: <Sampling Method> (<Sampling Parameters,>) REPEATABLE (<Repeatable Seed>)"},
    {"Sampling: <Sampling Method> (<Sampling Parameters,>)"},
    {"Memory: used={Memory Used}kB  allocated={Memory Allocated}kB"},
    {"Serialization: time={Serialization~Time.3} ms  output={Serialization~Output Volume}kB  "
     "format=<Serialization~Format>"},
    {"Serialization: output={Serialization~Output Volume}kB  format=<Serialization~Format>"},
    {"Options: Inlining <Options~Inlining>, Optimization <Options~Optimization>, Expressions "
     "<Options~Expressions>, Deforming <Options~Deforming>"},
    {"Timing: Generation {Timing~Generation~Total.3} ms (Deform {Timing~Generation~Deform.3} ms), "
     "Inlining {Timing~Inlining.3} ms, Optimization {Timing~Optimization.3} ms, Emission "
     "{Timing~Emission.3} ms, Total {Timing~Total.3} ms"},
    {"Timing: Generation {Timing~Generation.3} ms, Inlining {Timing~Inlining.3} ms, Optimization "
     "{Timing~Optimization.3} ms, Emission {Timing~Emission.3} ms, Total {Timing~Total.3} ms"},
}};

enum class Kind : uint8_t {
  Text,     // as it is
  List,     // of texts
  Count,    // a number
  Counter,  // a number that is left out when it is zero
  Time,     // milliseconds, three decimals
  Bytes,    // a number and " b"
  Flag,     // left out when it is false
};
struct PropertyKind {
  std::string_view name;
  Kind kind;
};
constexpr std::array<PropertyKind, 60> kKinds = {{
    {"Output", Kind::List},
    {"Sort Key", Kind::List},
    {"Presorted Key", Kind::List},
    {"Group Key", Kind::List},
    {"Params Evaluated", Kind::List},
    {"Conflict Arbiter Indexes", Kind::List},
    {"Rows Removed by Filter", Kind::Counter},
    {"Rows Removed by Join Filter", Kind::Counter},
    {"Rows Removed by Index Recheck", Kind::Counter},
    {"Rows Removed by Conflict Filter", Kind::Counter},
    {"Subplans Removed", Kind::Counter},
    {"Planned Partitions", Kind::Counter},
    {"Heap Fetches", Kind::Count},
    {"Index Searches", Kind::Count},
    {"Workers Planned", Kind::Count},
    {"Workers Launched", Kind::Count},
    {"Tuples Inserted", Kind::Count},
    {"Conflicting Tuples", Kind::Count},
    {"Batch Size", Kind::Count},
    {"Query Identifier", Kind::Count},
    {"Functions", Kind::Count},
    {"Planning Time", Kind::Time},
    {"Execution Time", Kind::Time},
    {"Foreign File Size", Kind::Bytes},
    {"Disabled", Kind::Flag},
    {"Single Copy", Kind::Flag},
    {"Inner Unique", Kind::Flag},
    {"Filter", Kind::Text},
    {"One-Time Filter", Kind::Text},
    {"Join Filter", Kind::Text},
    {"Conflict Filter", Kind::Text},
    {"Index Cond", Kind::Text},
    {"Recheck Cond", Kind::Text},
    {"TID Cond", Kind::Text},
    {"Hash Cond", Kind::Text},
    {"Merge Cond", Kind::Text},
    {"Order By", Kind::Text},
    {"Run Condition", Kind::Text},
    {"Window", Kind::Text},
    {"Cache Key", Kind::Text},
    {"Cache Mode", Kind::Text},
    {"Conflict Resolution", Kind::Text},
    {"Function Call", Kind::Text},
    {"Table Function Call", Kind::Text},
    {"Remote SQL", Kind::Text},
    {"Relations", Kind::Text},
    {"Foreign File", Kind::Text},
    {"Foreign Program", Kind::Text},
    {"Replaces", Kind::Text},
    {"Query Text", Kind::Text},
    {"Query Parameters", Kind::Text},
    // Read as part of a line above; so they are printed if they stand alone.
    {"Sort Method", Kind::Text},
    {"Sort Space Used", Kind::Count},
    {"Sort Space Type", Kind::Text},
    {"Hash Buckets", Kind::Count},
    {"Hash Batches", Kind::Count},
    {"Original Hash Buckets", Kind::Counter},
    {"Original Hash Batches", Kind::Counter},
    {"Peak Memory Usage", Kind::Count},
    {"Disk Usage", Kind::Counter},
}};

struct PatternRow {
  LinePattern pattern;
  std::string_view needs;
  std::vector<std::string_view> names;
};

// The tables above, by what a line begins with and by what it prints. Made once.
struct Tables {
  std::vector<PatternRow> patterns;
  // By the front of the line up to its first colon; "" for those without one.
  std::unordered_map<std::string_view, std::vector<const PatternRow*>> by_label;
  std::unordered_map<std::string_view, std::vector<const PatternRow*>> by_name;
  std::unordered_map<std::string_view, const PropertyKind*> kinds;
};

const Tables& tables() {
  static const Tables made = [] {
    Tables out;
    for (const PatternSource& row : kPatterns) {
      LinePattern pattern(row.pattern);
      std::vector<std::string_view> names = pattern.names();
      out.patterns.push_back({std::move(pattern), row.needs, std::move(names)});
    }
    for (const PatternRow& row : out.patterns) {
      const std::string_view front = row.pattern.front();
      const size_t colon = front.find(':');
      out.by_label[colon == front.npos ? "" : front.substr(0, colon)].push_back(&row);
      for (const std::string_view name : row.names) out.by_name[name].push_back(&row);
    }
    for (const PropertyKind& row : kKinds) out.kinds.emplace(row.name, &row);
    return out;
  }();
  return made;
}

template <class Rows>
const std::vector<const PatternRow*>& rows_at(const Rows& rows, std::string_view key) {
  static const std::vector<const PatternRow*> none;
  const auto at = rows.find(key);
  return at == rows.end() ? none : at->second;
}

const PropertyKind* kind_of(std::string_view name) {
  const auto at = tables().kinds.find(name);
  return at == tables().kinds.end() ? nullptr : at->second;
}

// A value of a kind that is not known: a number or a flag only if it is printed the same again.
Value guessed(std::string_view text) {
  if (text == "true" || text == "false") return text == "true";
  const Value number = number_value(text);
  if (number.is_int64() && number_text(number, 0) == text) return number;
  return text;
}

std::string_view without(std::string_view text, std::string_view unit) {
  if (text.ends_with(unit)) text.remove_suffix(unit.size());
  return text;
}

Value value_of(const PropertyKind* kind, std::string_view text, Arena& arena) {
  if (!kind) return guessed(text);
  switch (kind->kind) {
    case Kind::Text:
      return text;
    case Kind::List:
      return list_value(text, arena);
    case Kind::Count:
      return number_value(text);
    case Kind::Time:
      return number_value(without(text, " ms"));
    case Kind::Bytes:
      return number_value(without(text, " b"));
    case Kind::Counter: {
      const Value number = number_value(text);
      return is_shown(number) ? number : Value(text);  // a zero that is printed is rounded
    }
    case Kind::Flag:
      if (text == "true" || text == "false") return text == "true";
      return text;
  }
  std::abort();
}

std::string joined(const List& list) {
  std::string out;
  for (const Value& entry : list) {
    if (!out.empty()) out += ", ";
    if (entry.is_string()) {
      out += entry.get_string();
    } else {
      out += to_text(entry);
    }
  }
  return out;
}

bool is_list_of_one(const Value& value) {
  return value.is_array() && value.get_array().size() == 1;
}

// Whether `list` holds lists of one: a name that was printed several times. Its first entry tells.
bool is_repeated(const List& list) { return !list.empty() && is_list_of_one(list.front()); }

std::string write_value(std::string_view name, const Value& value) {
  const PropertyKind* kind = kind_of(name);
  if (value.is_null()) return std::string(name);
  if (value.is_string()) {
    std::string out = cat(name, ": ", value.get_string());
    if (kind && kind->kind == Kind::Time) out += " ms";
    if (kind && kind->kind == Kind::Bytes) out += " b";
    return out;
  }
  if (value.is_array()) return cat(name, ": ", joined(value.get_array()));
  if (value.is_bool()) return cat(name, ": ", value.get_bool() ? "true" : "false");
  if (kind && kind->kind == Kind::Time) return cat(name, ": ", number_text(value, 3), " ms");
  if (kind && kind->kind == Kind::Bytes) return cat(name, ": ", number_text(value, 0), " b");
  if (!kind && value.is_double()) return cat(name, ": ", to_text(value));
  return cat(name, ": ", number_text(value, 0));
}

const LinePattern& timed_trigger() {
  static const LinePattern pattern(": time={Time.3} calls={Calls}");
  return pattern;
}
const LinePattern& counted_trigger() {
  static const LinePattern pattern(": calls={Calls}");
  return pattern;
}

bool is_left_out(std::string_view name, const Value& value) {
  const PropertyKind* kind = kind_of(name);
  if (value.is_object()) return true;
  if (value.is_array()) {
    return value.get_array().empty() || value.get_array().front().is_object();
  }
  if (!kind) return false;
  if (kind->kind == Kind::Flag) return value.is_bool() && !value.get_bool();
  return kind->kind == Kind::Counter && !is_shown(value);
}

}  // namespace

std::optional<std::string_view> after_label(std::string_view line, std::string_view label) {
  if (!line.starts_with(label)) return {};
  line.remove_prefix(label.size());
  if (!line.starts_with(": ")) return {};
  return line.substr(2);
}

Value list_value(std::string_view text, Arena& arena) {
  List& out = new_list(arena);
  for (const std::string_view entry : split_list(text)) out.push_back(entry);
  return out;
}

void add_property(Properties& out, std::string_view name, Value value) {
  // A line below a node cannot change what the node's own line says.
  if (is_of_head(name)) return add_property(out, out.arena().name(cat(name, ":")), value);
  const auto [old, added] = out.emplace(name, value);
  if (added) return;
  const auto list_of_one = [&](Value entry) -> List& {
    List& list = new_list(out.arena());
    list.push_back(entry);
    return list;
  };
  if (!old->is_array() || !is_repeated(old->get_array())) *old = list_of_one(list_of_one(*old));
  old->get_array().push_back(list_of_one(value));
}

void read_property(std::string_view line, Properties& out) {
  const std::string_view label = line.substr(0, std::min(line.find(':'), line.size()));
  for (const std::string_view key : {label, std::string_view()}) {
    for (const PatternRow* row : rows_at(tables().by_label, key)) {
      if (row->pattern.read(line, out)) return;
    }
  }
  size_t colon = line.find(':');
  const size_t quote = line.find_first_of("'\"");
  while (colon < quote && colon + 1 < line.size() && line[colon + 1] != ' ') {
    colon = line.find(':', colon + 1);
  }
  if (colon == line.npos || colon > quote || colon + 2 > line.size()) {
    add_property(out, line, nullptr);
    return;
  }
  const std::string_view name = line.substr(0, colon);
  const std::string_view text = line.substr(colon + 2);
  if (name == "Settings") {
    Properties& settings = new_properties(out.arena());
    if (read_settings(text, settings)) return add_property(out, name, settings);
  }
  add_property(out, name, value_of(kind_of(name), text, out.arena()));
}

std::vector<std::string> write_property(const Properties& properties, std::string_view name,
                                        std::vector<std::string_view>& done) {
  for (const PatternRow* row : rows_at(tables().by_name, name)) {
    if (!row->pattern.can_write(properties)) continue;
    if (!row->needs.empty() && !property(properties, row->needs)) continue;
    done.insert(done.end(), row->names.begin(), row->names.end());
    std::string line = row->pattern.write(properties);
    return line.empty() ? std::vector<std::string>{} : std::vector{std::move(line)};
  }
  const Value* value = find_member(properties, name);
  std::vector<std::string> out;
  if (!value || is_left_out(name, *value)) return out;
  if (value->is_array() && is_repeated(value->get_array())) {
    for (const Value& entry : value->get_array()) {
      if (is_list_of_one(entry)) out.push_back(write_value(name, entry.get_array().front()));
    }
    return out;
  }
  out.push_back(write_value(name, *value));
  return out;
}

// Values are printed as they are, with quotes in them: one ends where the next setting begins.
bool read_settings(std::string_view source, Properties& out) {
  std::string_view text = source;
  while (!text.empty()) {
    const size_t equals = text.find(" = '");
    if (equals == text.npos) return false;
    const std::string_view name = text.substr(0, equals);
    text.remove_prefix(equals + 4);
    size_t end = text.find("', ");
    while (end != text.npos) {
      const size_t next = text.find(" = '", end);
      const std::string_view between =
          next == text.npos ? text : text.substr(end + 3, next - end - 3);
      if (between.find_first_of(" ',\"=") == between.npos) break;
      end = text.find("', ", end + 1);
    }
    const std::string_view value = end == text.npos ? without(text, "'") : text.substr(0, end);
    add_property(out, name, value);
    text.remove_prefix(end == text.npos ? text.size() : end + 3);
  }
  return !out.empty() && write_settings(out) == source;
}

std::string write_settings(const Properties& settings) {
  std::string out;
  for (const auto& entry : settings) {
    if (!out.empty()) out += ", ";
    const Value& value = entry.value;
    const std::string shown = value.is_string() ? std::string(value.get_string()) : to_text(value);
    out += cat(entry.key, " = '", shown, "'");
  }
  return out;
}

bool read_trigger(std::string_view line, Properties& out) {
  if (!line.starts_with("Trigger ")) return false;
  const size_t colon = std::max(line.rfind(": time=") + 1, line.rfind(": calls=") + 1);
  if (colon == 0) return false;
  const std::string_view figures = line.substr(colon - 1);
  Properties numbers(out.arena());
  if (!timed_trigger().read(figures, numbers) && !counted_trigger().read(figures, numbers)) {
    return false;
  }
  const std::string_view label = line.substr(0, colon - 1);
  std::string_view names = label.substr(7);
  constexpr std::string_view kConstraint = " for constraint ";
  const size_t constraint = names.find(kConstraint);
  const size_t on = names.rfind(" on ");
  if (on != names.npos) {
    out.emplace("Relation", names.substr(on + 4));
    names = names.substr(0, on);
  }
  if (constraint < names.size()) {
    out.emplace("Constraint Name", names.substr(constraint + kConstraint.size()));
    names = names.substr(0, constraint);
  }
  if (names.size() > 1) out.emplace("Trigger Name", names.substr(1));
  out.emplace("Shown As", label);
  for (const auto& entry : numbers) out.emplace(entry.key, entry.value);
  return true;
}

std::string write_trigger(const Properties& trigger, bool verbose, bool several_relations) {
  const auto text = [&](std::string_view name) {
    const Value* value = property(trigger, name);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  std::string out = text("Shown As");
  if (out.empty()) {
    out = "Trigger";
    const std::string constraint = text("Constraint Name");
    if (verbose || constraint.empty()) out += cat(" ", text("Trigger Name"));
    if (!constraint.empty()) out += cat(" for constraint ", constraint);
    if (several_relations) out += cat(" on ", text("Relation"));
  }
  const bool timed = trigger.contains("Time");
  return out + (timed ? timed_trigger() : counted_trigger()).write(trigger);
}

}  // namespace pgtend::explain
