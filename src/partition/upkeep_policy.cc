#include "partition/upkeep_policy.h"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/text.h"

namespace pgtend::partition {
namespace {

constexpr std::string_view kRetireNames[] = {"detach", "archive", "move", "drop"};

// One key of [partition."…"]: what the manual says and where it goes.
struct PolicyKey {
  std::string_view name;
  std::string_view takes;
  Status (*set)(UpkeepPolicy& policy, const toml::node& value);
};

const Error& wrong_kind() {
  static const Error error{ErrorCode::Invalid, "wrong kind of value"};
  return error;
}

Result<std::string> text_of(const toml::node& value) {
  const auto text = value.value_exact<std::string>();
  if (!text) return wrong_kind();
  if (text->empty()) return Error{ErrorCode::Invalid, "must not be empty"};
  if (text->find('\0') != std::string::npos) {
    return Error{ErrorCode::Invalid, "must not hold a NUL character"};
  }
  return *text;
}

Result<int> count_of(const toml::node& value, int low, int high) {
  const auto number = value.value_exact<int64_t>();
  if (!number) return wrong_kind();
  if (*number < low || *number > high) {
    return Error{ErrorCode::Invalid, cat(*number, " is not from ", low, " to ", high)};
  }
  return static_cast<int>(*number);
}

constexpr PolicyKey kPolicyKeys[] = {
    {"every", "an interval in quotes: '1 month', '6 hours'",
     [](UpkeepPolicy& p, const toml::node& v) -> Status {
       const std::string word = TRY(text_of(v));
       p.every = TRY(width_from(word));
       return ok();
     }},
    {"zone", "a time zone in quotes: 'Europe/Berlin'",
     [](UpkeepPolicy& p, const toml::node& v) -> Status {
       p.time_zone = TRY(text_of(v));
       return ok();
     }},
    {"anchor", "a date or time in quotes: '2025-01-31'",
     [](UpkeepPolicy& p, const toml::node& v) -> Status {
       p.anchor = TRY(text_of(v));
       return ok();
     }},
    {"ahead", "a whole number of partitions",
     [](UpkeepPolicy& p, const toml::node& v) -> Status {
       p.ahead = TRY(count_of(v, 0, kAheadMost));
       return ok();
     }},
    {"data_ahead", "a whole number of partitions",
     [](UpkeepPolicy& p, const toml::node& v) -> Status {
       p.data_ahead = TRY(count_of(v, 0, kDataAheadMost));
       return ok();
     }},
    {"create_max", "a whole number of partitions",
     [](UpkeepPolicy& p, const toml::node& v) -> Status {
       p.create_max = TRY(count_of(v, 1, kCreateMost));
       return ok();
     }},
    {"keep", "an interval in quotes: '13 months', '400 days'",
     [](UpkeepPolicy& p, const toml::node& v) -> Status {
       const std::string word = TRY(text_of(v));
       p.keep = TRY(width_from(word));
       return ok();
     }},
    {"retire", "'detach', 'archive', 'move' or 'drop'",
     [](UpkeepPolicy& p, const toml::node& v) -> Status {
       const std::string word = TRY(text_of(v));
       p.retire = TRY(retire_from(word));
       return ok();
     }},
    {"folder", "the path of a folder in quotes",
     [](UpkeepPolicy& p, const toml::node& v) -> Status {
       p.folder = TRY(text_of(v));
       return ok();
     }},
    {"tablespace", "the name of a tablespace in quotes",
     [](UpkeepPolicy& p, const toml::node& v) -> Status {
       p.tablespace = TRY(text_of(v));
       return ok();
     }},
};

Error at(const std::string& name, const toml::source_region& where, Error error) {
  const auto line = static_cast<int64_t>(where.begin.line);
  error.message = cat(name, ":", line, ": ", error.message);
  return error;
}

Error unknown_key(std::string_view key) {
  std::vector<std::string_view> known;
  for (const PolicyKey& row : kPolicyKeys) known.push_back(row.name);
  const auto near = nearest(key, known);
  std::vector<std::string> all(known.begin(), known.end());
  return Error{ErrorCode::Invalid, cat("unknown key ", printable(key))}.hinting(
      near ? cat("did you mean ", *near, "?") : cat("known are ", join(all, ", ")));
}

Result<UpkeepPolicy> policy_of(const std::string& table, const toml::node& node,
                               const std::string& name) {
  const toml::table* keys = node.as_table();
  if (keys == nullptr) {
    Error error{ErrorCode::Invalid, cat("partition.", printable(table), " is no table of keys")};
    return at(name, node.source(),
              std::move(error).hinting("write [partition.\"schema.name\"], then one key a line"));
  }
  UpkeepPolicy policy{.table = table};
  if (table.empty() || table.find('\0') != std::string::npos) {
    return at(name, node.source(), Error{ErrorCode::Invalid, "the table has no name"});
  }
  for (const auto& [key, value] : *keys) {
    const std::string_view word = key.str();
    const auto* row = std::ranges::find(kPolicyKeys, word, &PolicyKey::name);
    if (row == std::end(kPolicyKeys)) return at(name, key.source(), unknown_key(word));
    Status set = row->set(policy, value);
    if (set) continue;
    Error error = std::move(set).error().during(cat(printable(table), ", key ", word));
    if (error.hint.empty()) error.hint = cat(word, " takes ", row->takes);
    return at(name, value.source(), std::move(error));
  }
  Status fits = check_policy(policy);
  if (!fits) return at(name, node.source(), std::move(fits).error());
  return policy;
}

}  // namespace

std::string_view name(Retire retire) { return kRetireNames[static_cast<size_t>(retire)]; }

Result<Retire> retire_from(std::string_view word) {
  for (size_t i = 0; i < std::size(kRetireNames); ++i) {
    if (kRetireNames[i] == word) return static_cast<Retire>(i);
  }
  return Error{ErrorCode::Invalid,
               cat("\"", printable(word), "\" is none of detach, archive, move, drop")};
}

Status check_policy(const UpkeepPolicy& policy) {
  const auto wrong = [&](std::string_view what, std::string_view next) {
    return Error{ErrorCode::Invalid, cat(printable(policy.table), ": ", what)}.hinting(next);
  };
  if (policy.retire == Retire::Archive && policy.folder.empty()) {
    return wrong("retire = archive needs a folder", "name an existing folder for the files");
  }
  if (policy.retire == Retire::Move && policy.tablespace.empty()) {
    return wrong("retire = move needs a tablespace", "name the tablespace for old partitions");
  }
  if (policy.retire != Retire::Archive && !policy.folder.empty()) {
    return wrong("a folder is for retire = archive alone", "take the folder out, or archive");
  }
  if (policy.retire != Retire::Move && !policy.tablespace.empty()) {
    return wrong("a tablespace is for retire = move alone", "take the tablespace out, or move");
  }
  if (policy.retire != Retire::Detach && !policy.keep) {
    return wrong("nothing is retired without an age",
                 "say how long rows are kept: keep = '13 months'");
  }
  if (!policy.anchor.empty() && !policy.every) {
    return wrong("an anchor needs an interval", "say every = '1 month', too");
  }
  return ok();
}

Result<std::vector<UpkeepPolicy>> parse_policies(std::string_view text, const std::string& name) {
  if (text.size() > kPolicyBytesMax) {
    return Error{ErrorCode::Limit, cat(name, " is longer than ", kPolicyBytesMax, " bytes")};
  }
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const std::string_view cause = parsed.error().description();
    return at(name, parsed.error().source(), Error{ErrorCode::Invalid, printable(cause)});
  }
  const toml::table& root = parsed.table();
  std::vector<std::pair<toml::source_position, UpkeepPolicy>> found;
  for (const auto& [section, node] : root) {
    if (section.str() != "partition") {
      return at(
          name, section.source(),
          Error{ErrorCode::Invalid, cat("unknown section ", printable(section.str()))}.hinting(
              "policies stand under [partition.\"schema.name\"]"));
    }
    const toml::table* tables = node.as_table();
    if (tables == nullptr) {
      return at(name, node.source(), Error{ErrorCode::Invalid, "partition is no section"});
    }
    if (tables->size() > kPolicyTablesMax) {
      return Error{ErrorCode::Limit, cat(name, " has more than ", kPolicyTablesMax, " tables")};
    }
    for (const auto& [table, keys] : *tables) {
      UpkeepPolicy policy = TRY(policy_of(std::string(table.str()), keys, name));
      found.emplace_back(keys.source().begin, std::move(policy));
    }
  }
  std::ranges::stable_sort(found, [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<UpkeepPolicy> out;
  for (auto& [where, policy] : found) out.push_back(std::move(policy));
  return out;
}

Result<std::vector<UpkeepPolicy>> load_policies(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error{ErrorCode::NotFound, cat("cannot read ", printable(path))}.hinting(
        "--config names the file with the policies, pgtend.toml");
  }
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) return Error{ErrorCode::Denied, cat("reading ", printable(path), " failed")};
  return parse_policies(text.str(), printable(path));
}

json::object to_json(const UpkeepPolicy& policy) {
  json::object out{{"table", policy.table},           {"zone", policy.time_zone},
                   {"ahead", policy.ahead},           {"data_ahead", policy.data_ahead},
                   {"create_max", policy.create_max}, {"retire", name(policy.retire)}};
  if (policy.every) out["every"] = text(*policy.every);
  if (!policy.anchor.empty()) out["anchor"] = policy.anchor;
  if (policy.keep) out["keep"] = text(*policy.keep);
  if (!policy.folder.empty()) out["folder"] = policy.folder;
  if (!policy.tablespace.empty()) out["tablespace"] = policy.tablespace;
  return out;
}

}  // namespace pgtend::partition
