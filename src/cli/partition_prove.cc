#include "cli/partition_prove.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/ini.h"
#include "base/text.h"
#include "cli/explain_worst.h"
#include "cli/lookout.h"
#include "partition/prove.h"
#include "pg/quote.h"

namespace pgtend::cli {
namespace {

using partition::Observed;
using partition::Proof;
using partition::Proofs;
using partition::Prunes;
using Workload = std::vector<facts::StatementFacts>;

constexpr int64_t kStatementsMost = 200;
constexpr Parameter kProve[] = {
    {"TABLE", "", "the table; of one that is not partitioned the proposed partitions are asked"},
    {"[SQL]", "", "the statement; it is planned, never run but for SELECTs on empty partitions"},
    {"--queries", "FILE", "statements of a file, separated by semicolons, instead of SQL"},
    {"--run", "",
     "partitioned table: run SELECTs that leave partitions out while running and change nothing, "
     "in a read-only transaction"},
};

Style style_of(Prunes prunes) {
  switch (prunes) {
    case Prunes::AtPlan:
    case Prunes::NotRead:
      return Style::Good;
    case Prunes::AtStart:
    case Prunes::WhileRunning:
    case Prunes::Mixed:
      return Style::Warn;
    case Prunes::Never:
      return Style::Bad;
  }
  return Style::Plain;
}

std::string counts(const Observed& observed) {
  std::string out = cat("planned ", observed.planned, " of ", observed.total);
  if (observed.started != observed.planned) out += cat(", started ", observed.started);
  if (observed.executed && *observed.executed != observed.started) {
    out += cat(", executed ", *observed.executed);
  }
  return out + fmt::format("; planning {:.2f} ms, {} locks", observed.planning_ms, observed.locks);
}

void print_proof(Output& output, const Proof& proof, double total_ms) {
  const size_t width = output.terminal().width;
  const std::string& id = proof.statement.id;
  std::string head = id.empty() ? "" : cat(printable(id), "  ");
  if (total_ms > 0) {
    head += fmt::format("{:.1f} % of the time, {} calls  ",
                        proof.statement.total_ms / total_ms * 100, proof.statement.calls);
  }
  if (!head.empty()) output.line(output.styled(Style::Bold, head));
  output.line(cat("  ", wrapped(printable(proof.statement.text), width - 2, 2)));
  if (!proof.problem.empty()) {
    output.line(cat("  nothing can be told: ", printable(proof.problem)));
    return;
  }
  output.line(cat("  ", output.styled(style_of(proof.observed.prunes), name(proof.observed.prunes)),
                  ": ", counts(proof.observed)));
  output.line(cat("    ", wrapped(printable(proof.prediction.reason), width - 4, 4)));
  if (!proof.agrees()) {
    output.line(cat(
        "    expected from the text: ", name(proof.prediction.prunes),
        proof.observed.planned == proof.observed.total && proof.prediction.prunes == Prunes::AtPlan
            ? ", but it asks for all partitions"
            : ""));
  }
  if (!proof.not_run.empty()) output.line(cat("    ", proof.not_run));
  if (proof.custom) {
    output.line(cat("    with values: ", name(proof.custom->prunes), ", ", counts(*proof.custom)));
  }
  if (!proof.rewrite.empty()) {
    output.line(cat("    the same rows, ", name(proof.rewritten->prunes), " (",
                    counts(*proof.rewritten), "):"));
    output.line(cat("      ", wrapped(printable(proof.rewrite), width - 6, 6)));
  }
  for (const std::string& note : proof.notes) output.line(cat("    ", wrapped(note, width - 4, 4)));
}

void print_proofs(Output& output, const Proofs& proofs) {
  for (const Proof& proof : proofs.proofs) print_proof(output, proof, proofs.budget.total_ms);
  for (const std::string& line : proofs.verdict) {
    output.line(cat("  ", wrapped(line, output.terminal().width - 2, 2)));
  }
}

// Those that name the table; `all_ms` is what all of them take.
Workload about(Workload all, const std::string& table, double& all_ms) {
  for (const facts::StatementFacts& statement : all) all_ms += statement.total_ms;
  std::erase_if(all, [&](const facts::StatementFacts& statement) {
    return lower(statement.text).find(lower(table)) == std::string::npos;
  });
  return all;
}
}  // namespace

std::span<const Parameter> partition_prove_parameters() { return kProve; }

Result<int> run_partition_prove(const Args& args, Output& output) {
  if (args.has("SQL") == args.has("--queries")) {
    return Error{ErrorCode::Invalid, "give one statement, or --queries FILE"};
  }
  Workload statements{{.text = args.get("SQL")}};
  if (args.has("--queries")) {
    statements = partition::statements_of(TRY(read_text_file(args.get("--queries"))));
  }
  Lookout lookout(args, output);
  pg::Connection conn = TRY(lookout.connect());
  TRY(conn.guard());
  const partition::ProveOptions options{.run = args.has("--run")};
  const Proofs proofs =
      TRY(partition::prove_statements(conn, args.get("TABLE"), statements, options));
  output.data()["pruning"] = partition::to_json(proofs);
  if (!args.has("--queries") && !proofs.proofs.at(0).problem.empty()) {
    return Error{ErrorCode::Invalid, proofs.proofs[0].problem};
  }
  output.line(cat(proofs.table, ": ", proofs.partitions, " partitions",
                  proofs.proposed ? ", proposed" : ""));
  print_proofs(output, proofs);
  if (!args.has("--queries")) {
    for (const std::string& each : proofs.proofs.at(0).observed.partitions) {
      if (!proofs.proposed) output.line(cat("  ", printable(each)));
    }
  }
  return std::ranges::any_of(proofs.proofs, [](const Proof& p) { return !p.problem.empty(); }) ? 1
                                                                                               : 0;
}

Status show_pruning(const Args& args, Output& output, pg::Connection& conn,
                    const partition::Proposal& proposal) {
  if (proposal.method != partition::Method::Range || proposal.step > 0) {
    output.line(proposal.method == partition::Method::Hash
                    ? "  pruning is not proven: that is done for ranges of time only; with = on "
                      "all columns "
                      "of the key one partition is read, with < or BETWEEN all are"
                    : "  pruning is not proven: that is done for ranges of time only");
    return ok();
  }
  double all_ms = 0;
  Workload statements;
  if (args.has("--queries")) {
    statements = partition::statements_of(TRY(read_text_file(args.get("--queries"))));
  } else if (args.has("--pool")) {
    statements = about(TRY(pool_statements(args)), proposal.table, all_ms);
  } else {
    facts::StatementList list = TRY(facts::load_statements(conn, kStatementsMost));
    if (!list.why_not.empty()) {
      output.line(
          cat("  pruning is not proven: ", list.why_not, "; give --queries FILE or --pool"));
      return ok();
    }
    statements = about(std::move(list.statements), proposal.table, all_ms);
  }
  const partition::Definition table =
      TRY(partition::load_definition(conn, pg::qualified(proposal.schema, proposal.table)));
  auto proven = partition::prove_proposal(conn, table, proposal, statements, {.total_ms = all_ms});
  if (!proven) {
    // The plan itself stands: a standby, no right to make temporary tables …
    if (proven.error().code == ErrorCode::Unavailable) return std::move(proven).error();
    output.warn(cat("pruning is not proven: ", printable(proven.error().message)));
    return ok();
  }
  Proofs proofs = std::move(proven).take();
  if (!args.has("--queries")) {
    // Others of its name, or that only mention it.
    std::erase_if(proofs.proofs, [](const Proof& p) { return !p.problem.empty(); });
  }
  output.data()["pruning"] = partition::to_json(proofs);
  output.line(
      output.styled(Style::Bold, cat("pruning: ", proofs.proofs.size(), " statements, planned on ",
                                     proofs.proven, " empty partitions")));
  print_proofs(output, proofs);
  return ok();
}

}  // namespace pgtend::cli
