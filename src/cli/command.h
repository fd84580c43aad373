// The table of subcommands. Parsing, help, "did you mean" and docs/commands.md loop over its rows;
// adding a command is adding a row in commands.cc and a file with its run function.
#pragma once

#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/output.h"
#include "pg/options.h"

namespace pgtend::cli {

// One parameter of a command. `name` is "--flag" or, for an object, an upper-case word ("TABLE";
// "[TABLE]" when it may be left out). `value` names what a flag takes; "" is a switch, "FILE..."
// one or more words.
struct Parameter {
  std::string_view name;
  std::string_view value;
  std::string_view help;
  bool each_adds = false;  // may be given several times, one value each time
};

// The parsed command line of one command.
class Args {
 public:
  bool has(std::string_view name) const;
  // The value given for `name`, or `fallback`.
  std::string get(std::string_view name, std::string_view fallback = "") const;
  // All values given for `name`; empty without it.
  const std::vector<std::string>& list(std::string_view name) const;
  // The value as a whole number within [low, high]. Errors: Invalid, naming flag and range.
  Result<int64_t> number(std::string_view name, int64_t fallback, int64_t low, int64_t high) const;

  void set(std::string_view name, std::vector<std::string> values);

  pg::Options connection;
  bool apply = false;
  std::string program;  // argv[0]'s path, to find the other program beside it
  std::stop_token stop;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;  // none is empty
};

// What a command needs besides its own parameters.
enum class Needs : unsigned char { Nothing, Connection };

struct Command {
  std::string_view area;
  std::string_view verb;  // "" when the area has one command only
  std::string_view summary;
  Needs needs;
  std::span<const Parameter> parameters;
  // Does the work and fills `output`; the value is the exit code (0, or 1 for findings).
  Result<int> (*run)(const Args& args, Output& output);
};

// All commands, in the order of the help. The first one of an area is what the area alone means.
std::span<const Command> commands();
// Parameters that every command takes, and those of commands that connect (as psql names them).
std::span<const Parameter> general_parameters();
std::span<const Parameter> connection_parameters();

// The table as the page docs/commands.md.
std::string commands_page();

}  // namespace pgtend::cli
