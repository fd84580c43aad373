#include "partition/shapes.h"

#include <algorithm>

#include "base/text.h"
#include "partition/shape_walk.h"
#include "sql/parse.h"

namespace pgtend::partition {

std::string_view name(Prunes prunes) {
  switch (prunes) {
    case Prunes::AtPlan:
      return "at plan time";
    case Prunes::AtStart:
      return "at executor start";
    case Prunes::WhileRunning:
      return "while running";
    case Prunes::Never:
      return "never";
    case Prunes::Mixed:
      return "mixed";
    case Prunes::NotRead:
      return "not read";
  }
  return "unknown";
}

Result<Prediction> predict(const KeyTable& table, std::string_view sql, bool custom) {
  const sql::Tree tree = TRY(sql::parse(sql));
  if (tree.statements().size() != 1) {
    return Error{ErrorCode::Invalid, "not exactly one statement"};
  }
  const json::object* holder = tree.statements()[0].if_object();
  const json::value* statement = holder ? sql::member(*holder, "stmt") : nullptr;
  const Walked walked = statement ? walk(*statement, table, custom) : Walked();
  Prediction out{.references = walked.references};
  if (out.references.empty() && walked.inserts) {
    out.prunes = Prunes::NotRead;
    out.reason = "a row that is inserted finds its partition by itself";
    return out;
  }
  if (out.references.empty()) {
    return Error{ErrorCode::NotFound, cat("the statement does not read ", table.name)};
  }
  out.prunes = out.references[0].prunes;
  out.reason = out.references[0].reason;
  const bool alike = std::ranges::all_of(
      out.references, [&](const Reference& reference) { return reference.prunes == out.prunes; });
  if (alike) return out;
  out.prunes = Prunes::Mixed;
  std::vector<std::string> parts;
  for (const Reference& reference : out.references) {
    parts.push_back(
        cat(reference.alias, ": ", name(reference.prunes), " (", reference.reason, ")"));
  }
  out.reason = join(parts, "; ");
  return out;
}

}  // namespace pgtend::partition
