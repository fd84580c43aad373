#include "cli/program.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "base/version.h"
#include "cli/arguments.h"
#include "cli/command.h"

namespace pgtend::cli {

namespace {
constexpr int kUsage = traits(ErrorCode::Invalid).exit_code;

void print(FILE* stream, const std::string& text) { std::fputs(text.c_str(), stream); }

bool has_verb(std::string_view area, std::string_view verb) {
  return std::ranges::any_of(commands(),
                             [&](const Command& c) { return c.area == area && c.verb == verb; });
}

// The command that `words` begin with; takes its words off the front. An area without a verb means
// its first command. Null when the area is unknown.
const Command* find_command(std::vector<std::string>& words) {
  const std::string area = words[0];
  const bool verb_given = words.size() > 1 && !words[1].empty() && has_verb(area, words[1]);
  const std::string verb = verb_given ? words[1] : "";
  for (const Command& command : commands()) {
    if (command.area != area || (verb_given && command.verb != verb)) continue;
    words.erase(words.begin(), words.begin() + (verb_given ? 2 : 1));
    return &command;
  }
  return nullptr;
}

int unknown_area(const std::string& area) {
  std::vector<std::string_view> known;
  for (const Command& command : commands()) known.push_back(command.area);
  std::string text = cat("pgtend: unknown area \"", printable(area), "\"");
  if (const auto near = nearest(area, known)) text += cat("; did you mean ", *near, "?");
  print(stderr, text + "\n  next: pgtend --help\n");
  return kUsage;
}
}  // namespace

int run_program(int argc, char** argv, std::stop_token stop) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty() || words[0] == "--help" || words[0] == "help") {
    print(words.empty() ? stderr : stdout, help_text());
    return words.empty() ? kUsage : 0;
  }
  if (words[0] == "--version") {
    print(stdout, cat("pgtend ", kVersion, "\n"));
    return 0;
  }
  const Command* command = find_command(words);
  if (command == nullptr) return unknown_area(words[0]);
  const bool json = std::ranges::find(words, "--json") != words.end();
  auto parsed = parse_arguments(*command, words);
  if (!parsed) {
    Output(probe_terminal(), json, false).failed(parsed.error());
    return exit_code(parsed.error());
  }
  if (parsed->help) {
    print(stdout, help_text(*command));
    return 0;
  }
  log::set_level(parsed->args.has("--verbose") ? log::Level::Debug : log::Level::Warn);
  parsed->args.program = argv[0];
  parsed->args.stop = std::move(stop);
  Output output(probe_terminal(), parsed->json, parsed->quiet);
  auto outcome = command->run(parsed->args, output);
  if (!outcome) {
    output.failed(outcome.error());
    return exit_code(outcome.error());
  }
  const std::string verb = command->verb.empty() ? "" : cat(".", command->verb);
  output.finish(cat("pgtend.", command->area, verb, "/1"));
  return *outcome;
}

}  // namespace pgtend::cli
