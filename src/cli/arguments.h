// Parses the words behind a command by the command's own parameter rows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/command.h"

namespace pgtend::cli {

struct Parsed {
  Args args;
  bool json = false;
  bool quiet = false;
  bool help = false;
};

// Errors: Invalid with what is wrong and, for a mistyped flag, the nearest one.
Result<Parsed> parse_arguments(const Command& command, const std::vector<std::string>& words);

// The help of one command, and of the program.
std::string help_text(const Command& command);
std::string help_text();

}  // namespace pgtend::cli
