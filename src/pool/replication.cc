#include "pool/replication.h"

#include <algorithm>

#include "base/text.h"
#include "wire/startup.h"

namespace pgtend::pool {
namespace {

// Any beginning of `word` of `least` letters and more.
bool shortens(std::string_view value, std::string_view word, size_t least) {
  return value.size() >= least && value.size() <= word.size() &&
         equal_ignoring_case(value, word.substr(0, value.size()));
}

}  // namespace

std::string_view name_of(Replication kind) {
  switch (kind) {
    case Replication::None:
      return "none";
    case Replication::Physical:
      return "physical";
    case Replication::Logical:
      return "logical";
  }
  return "";
}

std::string_view value_of(Replication kind) {
  switch (kind) {
    case Replication::None:
      return "false";
    case Replication::Physical:
      return "true";
    case Replication::Logical:
      return "database";
  }
  return "";
}

Result<Replication> read_replication(std::string_view value) {
  if (value == "database") return Replication::Logical;
  const bool yes =
      shortens(value, "true", 1) || shortens(value, "yes", 1) || shortens(value, "on", 2);
  if (yes || value == "1") return Replication::Physical;
  const bool no =
      shortens(value, "false", 1) || shortens(value, "no", 1) || shortens(value, "off", 2);
  if (no || value == "0") return Replication::None;
  return Error{ErrorCode::Invalid,
               cat("invalid value for parameter \"replication\": \"", value, '"'), "22023",
               "Valid values are: \"false\", 0, \"true\", 1, \"database\"."};
}

bool Replicating::sets(std::string_view name) const {
  return std::ranges::any_of(parameters, [name](const auto& parameter) {
    if (parameter.first != "options") return false;
    const auto settings = wire::parse_options(parameter.second);
    // What cannot be read here is the server's to refuse.
    return settings && std::ranges::any_of(*settings, [name](const auto& setting) {
             return equal_ignoring_case(setting.first, name);
           });
  });
}

}  // namespace pgtend::pool
