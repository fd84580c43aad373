#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/text.h"

namespace pgtend::cli {

namespace {
bool is_object(const Parameter& parameter) { return parameter.name[0] != '-'; }
bool is_optional_object(const Parameter& parameter) { return parameter.name[0] == '['; }

// "[TABLE]" → "TABLE"
std::string_view object_name(std::string_view name) {
  if (name.starts_with('[')) name = name.substr(1, name.size() - 2);
  return name;
}

std::vector<std::span<const Parameter>> groups_of(const Command& command) {
  std::vector<std::span<const Parameter>> groups = {command.parameters};
  if (command.needs == Needs::Connection) groups.push_back(connection_parameters());
  groups.push_back(general_parameters());
  return groups;
}

std::string title(const Command& command) {
  return command.verb.empty() ? std::string(command.area) : cat(command.area, " ", command.verb);
}

std::string usage(const Command& command) {
  std::string out = cat("usage: pgtend ", title(command));
  for (const Parameter& parameter : command.parameters) {
    if (is_object(parameter)) out += cat(" ", parameter.name);
  }
  return out + (command.needs == Needs::Connection ? " [options] [connection]\n" : " [options]\n");
}

void append_parameters(std::string& out, std::span<const Parameter> parameters) {
  constexpr size_t kColumn = 26;
  for (const Parameter& parameter : parameters) {
    std::string left =
        cat("  ", parameter.name, parameter.value.empty() ? "" : " ", parameter.value);
    left.resize(std::max(kColumn, left.size() + 2), ' ');
    out += cat(left, parameter.help, "\n");
  }
}

// What the user probably meant, for a word that starts with a dash.
std::string suggestion(const Command& command, const std::vector<std::string>& words) {
  std::vector<std::string_view> known;
  for (const auto group : groups_of(command)) {
    for (const Parameter& parameter : group) {
      for (const std::string_view name : split(parameter.name, ',')) known.push_back(name);
    }
  }
  for (const std::string& word : words) {
    const std::string name = word.substr(0, word.find('='));
    if (!name.starts_with("--") || std::ranges::find(known, name) != known.end()) continue;
    if (const auto near = nearest(name, known)) return cat("did you mean ", *near, "?");
  }
  return cat("see pgtend ", title(command), " --help");
}

// "--param=" as two words: CLI11 would take the word after it for the value.
std::vector<std::string> with_empty_values(const Command& command,
                                           const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (const std::string& word : words) {
    const bool empty = std::ranges::any_of(command.parameters, [&](const Parameter& parameter) {
      return parameter.each_adds && word == cat(parameter.name, "=");
    });
    out.push_back(empty ? word.substr(0, word.size() - 1) : word);
    if (empty) out.emplace_back();
  }
  return out;
}

// psql's -h -p -U -d over a -d that may be a whole connection string.
Result<pg::Options> connection_from(const Args& args) {
  pg::Options options = TRY(pg::Options::parse(args.get("-d")));
  static constexpr std::pair<std::string_view, const char*> kKeys[] = {
      {"-h", "host"}, {"-p", "port"}, {"-U", "user"}};
  for (const auto& [flag, key] : kKeys) {
    if (args.has(flag)) options.set(key, args.get(flag));
  }
  return options;
}
}  // namespace

bool Args::has(std::string_view name) const { return values_.contains(name); }

std::string Args::get(std::string_view name, std::string_view fallback) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string(fallback) : found->second.back();
}

const std::vector<std::string>& Args::list(std::string_view name) const {
  static const std::vector<std::string> none;
  const auto found = values_.find(name);
  return found == values_.end() ? none : found->second;
}

Result<int64_t> Args::number(std::string_view name, int64_t fallback, int64_t low,
                             int64_t high) const {
  if (!has(name)) return fallback;
  const auto value = parse_int(get(name));
  if (value && *value >= low && *value <= high) return *value;
  return Error{ErrorCode::Invalid, cat(name, " takes a whole number from ", low, " to ", high,
                                       ", not \"", printable(get(name)), "\"")};
}

void Args::set(std::string_view name, std::vector<std::string> values) {
  values_.insert_or_assign(std::string(name), std::move(values));
}

Result<Parsed> parse_arguments(const Command& command, const std::vector<std::string>& words) {
  CLI::App app;
  app.set_help_flag("");
  std::map<std::string, std::vector<std::string>> values;
  for (const auto group : groups_of(command)) {
    for (const Parameter& parameter : group) {
      const std::string key(object_name(split(parameter.name, ',')[0]));
      const std::string names(object_name(parameter.name));
      if (!is_object(parameter) && parameter.value.empty()) {
        app.add_flag_callback(names, [&values, key] { values[key] = {"yes"}; });
      } else if (parameter.value.ends_with("...")) {
        app.add_option_function<std::vector<std::string>>(
            names, [&values, key](const std::vector<std::string>& given) { values[key] = given; });
      } else if (parameter.each_adds) {
        auto* option = app.add_option_function<std::vector<std::string>>(
            names, [&values, key](const std::vector<std::string>& given) { values[key] = given; });
        option->expected(1)->allow_extra_args(false);
        option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      } else {
        auto* option = app.add_option_function<std::string>(
            names, [&values, key](const std::string& value) { values[key] = {value}; });
        option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
      }
    }
  }
  const std::vector<std::string> whole = with_empty_values(command, words);
  std::vector<std::string> reversed(whole.rbegin(), whole.rend());
  try {  // CLI11 reports by throwing
    app.parse(reversed);
  } catch (const CLI::ParseError& failure) {
    return Error{ErrorCode::Invalid, lower(failure.what())}.hinting(suggestion(command, words));
  }
  Parsed parsed;
  for (auto& [name, given] : values) parsed.args.set(name, std::move(given));
  parsed.help = parsed.args.has("--help");
  for (const Parameter& parameter : command.parameters) {
    if (!is_object(parameter) || is_optional_object(parameter) || parsed.help) continue;
    if (!parsed.args.has(parameter.name)) {
      return Error{ErrorCode::Invalid, cat("pgtend ", title(command), " needs ", parameter.name)}
          .hinting(cat(parameter.name, ": ", parameter.help));
    }
  }
  parsed.json = parsed.args.has("--json");
  parsed.quiet = parsed.args.has("--quiet");
  parsed.args.apply = parsed.args.has("--apply");
  if (command.needs == Needs::Connection)
    parsed.args.connection = TRY(connection_from(parsed.args));
  return parsed;
}

std::string help_text(const Command& command) {
  std::string out = cat(usage(command), "\n", command.summary, ".\n\n");
  append_parameters(out, command.parameters);
  if (command.needs == Needs::Connection) {
    out += "\nconnection, as psql takes it (environment, service and .pgpass work too):\n";
    append_parameters(out, connection_parameters());
  }
  out += "\neverywhere:\n";
  append_parameters(out, general_parameters());
  return out;
}

std::string help_text() {
  std::string out =
      "pgtend keeps a PostgreSQL database fast: it pools connections, explains slow queries,\n"
      "keeps vacuum and statistics ahead of the writes, and partitions big tables.\n\n"
      "usage: pgtend AREA [VERB] [object] [options] [connection]\n\n";
  constexpr size_t kColumn = 22;
  for (const Command& command : commands()) {
    std::string left = cat("  ", title(command));
    left.resize(std::max(kColumn, left.size() + 2), ' ');
    out += cat(left, command.summary, "\n");
  }
  return out +
         "\nNothing is changed unless --apply is given. pgtend AREA [VERB] --help tells more.\n"
         "exit codes: 0 fine, 1 findings (--fail-on), 2 usage, 3 cannot connect, 4 rights "
         "missing,\n"
         "5 action failed, 6 lock not obtained, 130 interrupted\n";
}

}  // namespace pgtend::cli
