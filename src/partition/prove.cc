#include "partition/prove.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/sql_lexer.h"
#include "base/text.h"
#include "explain/refusal.h"
#include "explain/sampling.h"
#include "partition/choose.h"
#include "partition/propose.h"
#include "partition/prove_facts.h"
#include "partition/scratch.h"
#include "pg/quote.h"
#include "sql/classify.h"
#include "sql/parse.h"
#include "sql/places.h"

namespace pgtend::partition {
namespace {

constexpr size_t kScratchMost = 300;  // partitions: about four seconds to make
constexpr size_t kAtOnce = 40;        // statements that make them, in a round trip

bool is_lost(const Error& error) {
  return error.code == ErrorCode::Unavailable || error.code == ErrorCode::Cancelled;
}

// Whether it asks for an order or for the ends of one.
bool asks_for_order(std::string_view sql) {
  const auto tree = sql::parse(sql);
  bool found = false;
  if (!tree) return found;
  sql::for_each_member(tree->root, [&](std::string_view name, const json::value& value) {
    found |= name == "sortClause";
    if (name != "FuncCall" || !value.is_object()) return;
    const std::string function = last_name(value.get_object(), "funcname");
    found |= function == "max" || function == "min";
  });
  return found;
}

int rank(const Prediction& prediction) {
  int out = 0;
  for (const Reference& reference : prediction.references) {
    out += static_cast<int>(reference.prunes);
  }
  return out;
}

// Proves statements in a transaction that the caller has opened. Thread: that of the connection.
class Prover {
 public:
  Prover(pg::Connection& conn, PartitionSet set, bool scratch, const ProveOptions& options)
      : conn_(conn), set_(std::move(set)), scratch_(scratch), options_(options) {}

  // Never fails for what is wrong with the statement. `values` for its parameters, or none.
  Result<Proof> prove(const facts::StatementFacts& statement, const pg::Params& values);

 private:
  Status examine(Proof& proof, const pg::Params& values);
  Result<Observed> look(const std::string& sql, const sql::StatementInfo& info,
                        const pg::Params& values, std::string* not_run);
  std::string redirected(const std::string& sql) const;
  Result<std::string> rewrite_of(const std::string& sql);
  Result<std::vector<std::string>> texts_of(const std::vector<Change>& changes);
  Result<std::string> text_of(const Change& change);
  Result<bool> midnights_once();
  // Runs `body` and takes back what it did, whether it failed or not.
  template <class Body>
  auto aside(Body body) -> decltype(body());

  pg::Connection& conn_;
  PartitionSet set_;
  bool scratch_;
  ProveOptions options_;
  std::optional<bool> midnights_once_;
};

template <class Body>
auto Prover::aside(Body body) -> decltype(body()) {
  TRY(conn_.exec("SAVEPOINT pgtend_proof"));
  auto out = body();
  TRY(conn_.exec("ROLLBACK TO SAVEPOINT pgtend_proof; RELEASE SAVEPOINT pgtend_proof"));
  return out;
}

// The statement about the temporary table of the same name.
std::string Prover::redirected(const std::string& sql) const {
  if (!scratch_) return sql;
  const auto places = sql::find_places(sql);
  if (!places) return sql;
  std::string out;
  size_t at = 0;
  for (const sql::TablePlace& table : places->tables) {
    if (table.schema.empty() || table.schema != set_.key.schema || table.name != set_.key.name) {
      continue;
    }
    out += sql.substr(at, table.place.begin - at);
    out += cat("pg_temp.", pg::ident(table.name));
    at = table.place.end;
  }
  return out + sql.substr(at);
}

Result<Observed> Prover::look(const std::string& sql, const sql::StatementInfo& info,
                              const pg::Params& values, std::string* not_run) {
  Question question{
      .sql = redirected(sql), .parameters = info.parameters, .values = values, .time = set_.middle};
  const bool ordered = asks_for_order(sql);
  std::vector<double> planning;
  Observed out;
  bool running = false;
  const auto once = [&](bool first) -> Status {
    const int before = first ? TRY(locks_held(conn_)) : 0;
    const explain::Plan plan = TRY(plan_of(conn_, question));
    planning.push_back(plan.planning_ms.value_or(0));
    if (!first) return ok();
    out = observe(plan, set_, ordered);
    out.locks = TRY(locks_held(conn_)) - before;
    running = worth_running(plan, set_);
    return ok();
  };
  for (int i = 0; i < std::max(options_.tries, 1); ++i) {
    const Status status = aside([&] { return once(i == 0); });
    if (!status) return status.error();
  }
  std::ranges::sort(planning);
  out.planning_ms = planning[planning.size() / 2];
  const bool bound = info.parameters == 0 || !values.empty();
  if (!not_run || !running || !bound) return out;
  if (!scratch_ && !options_.run) {
    *not_run = "read from the plan; --run runs it";
    return out;
  }
  const std::string refusal = TRY(explain::analyze_refusal(conn_, info, false));
  if (!refusal.empty()) {
    *not_run = cat("read from the plan: ", refusal);
    return out;
  }
  question.run = true;
  const auto ran = aside([&]() -> Result<Observed> {
    TRY(conn_.exec("SET LOCAL statement_timeout = 2000"));
    return observe(TRY(plan_of(conn_, question)), set_, ordered);
  });
  if (!ran) {
    if (is_lost(ran.error())) return ran.error();
    *not_run = cat("read from the plan: ", printable(ran.error().message));
    return out;
  }
  // A scan that was never come to proves nothing: then the plan is all there is.
  if (ran->executed.value_or(0) > 0 || ran->prunes != Prunes::Never) {
    out.prunes = ran->prunes;
    out.executed = ran->executed;
  }
  return out;
}

// One check a session: days from 1970 to 2100 in its time zone.
Result<bool> Prover::midnights_once() {
  if (!midnights_once_) {
    const pg::Rows rows = TRY(conn_.query(
        "SELECT NOT EXISTS (SELECT FROM generate_series(0, 47500) n, LATERAL (SELECT date "
        "'1970-01-01' + n AS d) x WHERE (d::timestamptz - interval '3 hours')::date >= d OR "
        "(d::timestamptz - interval '1 second')::date >= d)"));
    midnights_once_ = TRY(rows[0].get<bool>(0));
  }
  return *midnights_once_;
}

Result<std::string> Prover::text_of(const Change& change) {
  std::vector<std::string> bounds = change.bounds;
  bool clean = change.exact;
  if (change.computable && !bounds.empty()) {
    std::vector<std::string> texts;
    for (const std::string& bound : bounds) {
      texts.push_back(cat("((", bound, ")::", set_.key.type, ")::text"));
    }
    const pg::Rows rows = TRY(conn_.query(cat("SELECT ", join(texts, ", "))));
    if (!clean && !change.clean.empty()) {
      const pg::Rows equal = TRY(conn_.query(check_sql(set_.key, change)));
      clean = TRY(equal[0].get<std::optional<bool>>(0)).value_or(false);
    }
    for (size_t i = 0; i < bounds.size(); ++i) {
      if (rows[0].null(static_cast<int>(i))) return std::string();
      bounds[i] = pg::literal(rows[0].text(static_cast<int>(i)));
    }
  } else if (change.by_midnights) {
    clean = TRY(midnights_once());
  }
  return filled(clean && !change.clean.empty() ? change.clean : change.kept, bounds);
}

Result<std::vector<std::string>> Prover::texts_of(const std::vector<Change>& changes) {
  return aside([&]() -> Result<std::vector<std::string>> {
    // Names in bounds are those of the server, whatever the session's path has.
    TRY(conn_.exec("SET LOCAL search_path = pg_catalog; SET LOCAL DateStyle = 'ISO'"));
    std::vector<std::string> out;
    for (const Change& change : changes) out.push_back(TRY(text_of(change)));
    return out;
  });
}

// "" when nothing is gained.
Result<std::string> Prover::rewrite_of(const std::string& sql) {
  const auto list = changes(set_.key, sql);
  if (!list || list->empty()) return std::string();
  std::vector<Change> used = *list;
  const auto texts = texts_of(used);
  if (!texts) {
    if (is_lost(texts.error())) return texts.error();
    return std::string();
  }
  std::vector<std::string> put = *texts;
  for (size_t i = 0; i < put.size(); ++i) {
    if (put[i].empty()) put[i] = used[i].original;
  }
  const std::string out = replaced(sql, used, put);
  const auto before = predict(set_.key, sql), after = predict(set_.key, out);
  if (!before || !after || rank(*after) >= rank(*before)) return std::string();
  return out;
}

Status Prover::examine(Proof& proof, const pg::Params& values) {
  const sql::StatementInfo info = TRY(sql::classify(proof.statement.text));
  if (info.kind == sql::StatementKind::Utility || info.temporary) {
    return Error{ErrorCode::Invalid, "it is no statement with a plan"};
  }
  proof.statement.text = info.text;
  proof.prediction = TRY(predict(set_.key, info.text));
  const std::string refusal = TRY(explain::planning_refusal(conn_, info));
  if (!refusal.empty()) return Error{ErrorCode::Invalid, cat("it is not planned: ", refusal)};
  proof.observed = TRY(look(info.text, info, {}, &proof.not_run));
  if (proof.prediction.prunes == Prunes::NotRead && proof.observed.planned == 0) {
    proof.observed.prunes = Prunes::NotRead;
  }
  if (!values.empty()) {
    const auto custom = aside([&] { return look(info.text, info, values, nullptr); });
    if (custom) proof.custom = *custom;
    if (!custom && is_lost(custom.error())) return custom.error();
  }
  if (proof.prediction.prunes == Prunes::AtPlan || proof.prediction.prunes == Prunes::NotRead) {
    return ok();
  }
  const std::string rewrite = TRY(rewrite_of(info.text));
  if (rewrite.empty()) return ok();
  const auto shown = aside([&]() -> Result<Observed> {
    return look(rewrite, TRY(sql::classify(rewrite)), {}, &proof.not_run);
  });
  if (!shown) return is_lost(shown.error()) ? Status(shown.error()) : ok();
  proof.rewrite = rewrite;
  proof.rewritten = *shown;
  return ok();
}

Result<Proof> Prover::prove(const facts::StatementFacts& statement, const pg::Params& values) {
  Proof out{.statement = statement};
  const Status status = aside([&] { return examine(out, values); });
  if (status) {
    out.notes = notes_for(set_.key, out);
    return out;
  }
  if (is_lost(status.error())) return status.error();
  out.problem = status.error().message;
  out.rewrite.clear();
  return out;
}

// Values for parameters from the statistics of the table as it is, asked before there is another of
// its name.
Result<std::vector<pg::Params>> values_for(pg::Connection& conn,
                                           const std::vector<facts::StatementFacts>& statements) {
  std::vector<pg::Params> out;
  for (const facts::StatementFacts& statement : statements) {
    const auto values = explain::parameter_values(conn, statement.text, {}, true);
    if (!values && is_lost(values.error())) return values.error();
    out.push_back(values ? explain::to_params(*values) : pg::Params());
  }
  return out;
}

Status begin(pg::Connection& conn) {
  // The string literals of statements are what our parser takes them for.
  return conn.exec(
      "BEGIN; SET LOCAL standard_conforming_strings = on; SET LOCAL statement_timeout = 30000; "
      "SET LOCAL lock_timeout = 1000; SET LOCAL idle_in_transaction_session_timeout = 90000");
}

// Runs `body` in the transaction that begin() opens, and ends it.
template <class Body>
auto in_transaction(pg::Connection& conn, Body body) -> decltype(body()) {
  TRY(begin(conn));
  auto out = body();
  // A lost connection has rolled back by itself.
  (void)static_cast<bool>(conn.exec("ROLLBACK"));
  return out;
}

Status make_scratch(pg::Connection& conn, const std::vector<std::string>& statements) {
  for (size_t i = 0; i < statements.size(); i += kAtOnce) {
    std::string all;
    for (size_t j = i; j < std::min(i + kAtOnce, statements.size()); ++j) {
      all += cat(statements[j], ";\n");
    }
    TRY_DURING(conn.exec(all), "making the proposed partitions as temporary tables");
  }
  return ok();
}

Result<std::vector<Proof>> prove_all(Prover& prover,
                                     const std::vector<facts::StatementFacts>& statements,
                                     const std::vector<pg::Params>& values) {
  std::vector<Proof> out;
  for (size_t i = 0; i < statements.size(); ++i) {
    out.push_back(TRY(prover.prove(statements[i], values[i])));
  }
  return out;
}

void add_up(Proofs& out) {
  for (Proof& proof : out.proofs) {
    out.budget.total_ms += proof.statement.total_ms;
    if (!proof.problem.empty() || proof.per_call().prunes == Prunes::AtPlan ||
        proof.prediction.prunes == Prunes::NotRead) {
      continue;
    }
    double planning = proof.per_call().planning_ms;
    // Made for fewer partitions than there will be.
    if (out.proven > 0 && out.proven < out.partitions) {
      planning *= planning_ms_without_key(out.partitions) / planning_ms_without_key(out.proven);
    }
    out.budget.planning_ms += planning * static_cast<double>(proof.statement.calls);
  }
}

Result<Proofs> prove_partitioned(pg::Connection& conn, const facts::Layout& layout,
                                 const std::vector<facts::StatementFacts>& statements,
                                 const ProveOptions& options) {
  PartitionSet set = TRY(load_partition_set(conn, layout, names_called(statements)));
  Proofs out{.table = layout.qualified(), .partitions = static_cast<int>(set.leaves.size())};
  out.proven = out.partitions;
  const std::vector<pg::Params> values = TRY(values_for(conn, statements));
  const auto body = [&]() -> Result<std::vector<Proof>> {
    TRY(conn.exec("SET TRANSACTION READ ONLY"));
    Prover prover(conn, set, false, options);
    return prove_all(prover, statements, values);
  };
  out.proofs = TRY(in_transaction(conn, body));
  add_up(out);
  return out;
}

}  // namespace

Result<Proofs> prove_proposal(pg::Connection& conn, const Definition& table,
                              const Proposal& proposal,
                              const std::vector<facts::StatementFacts>& statements,
                              const ProveOptions& options) {
  Proposal made = proposal;
  made.slices = scratch_slices(table, proposal, kScratchMost);
  PartitionSet set{.key = key_table(table, proposal)};
  Proofs out{.table = table.qualified(),
             .proposed = true,
             .partitions = static_cast<int>(proposal.slices.size()),
             .proven = static_cast<int>(made.slices.size())};
  const NameFacts names = TRY(load_name_facts(conn, table.oid, set.key, names_called(statements)));
  set.key.bare_name = names.bare_name;
  set.key.functions = names.functions;
  const std::vector<pg::Params> values = TRY(values_for(conn, statements));
  const auto body = [&]() -> Result<std::vector<Proof>> {
    TRY(make_scratch(conn, scratch_statements(table, made)));
    set.leaves = TRY(temporary_leaves(conn, made));
    set.middle = made.slices[made.slices.size() / 2].from;
    TRY(conn.exec("SET TRANSACTION READ ONLY"));
    Prover prover(conn, set, true, options);
    return prove_all(prover, statements, values);
  };
  out.proofs = TRY(in_transaction(conn, body));
  add_up(out);
  out.budget.total_ms = std::max(out.budget.total_ms, options.total_ms);
  const Ordering ordering = TRY(load_ordering(conn, table, set.key));
  out.verdict = verdict_of(out, proposal, ordering);
  return out;
}

Result<Proofs> prove_statements(pg::Connection& conn, const std::string& table,
                                const std::vector<facts::StatementFacts>& statements,
                                const ProveOptions& options) {
  const facts::Layout layout = TRY(facts::load_layout(conn, table));
  if (layout.partitioned) return prove_partitioned(conn, layout, statements, options);
  const Definition definition = TRY(load_definition(conn, table));
  const Proposal proposal = TRY(propose_for(conn, definition, {.table = table}, {}));
  return prove_proposal(conn, definition, proposal, statements, options);
}

Result<Proof> prove_statement(pg::Connection& conn, const std::string& table,
                              const std::string& sql, const ProveOptions& options) {
  Proofs proofs = TRY(
      prove_statements(conn, table, std::vector<facts::StatementFacts>{{.text = sql}}, options));
  Proof& proof = proofs.proofs.at(0);
  if (!proof.problem.empty()) return Error{ErrorCode::Invalid, proof.problem};
  return std::move(proof);
}

std::vector<facts::StatementFacts> statements_of(std::string_view text) {
  std::vector<facts::StatementFacts> out;
  size_t begin = 0;
  const auto add = [&](size_t end) {
    const std::string_view part = trim(text.substr(begin, end - begin));
    if (!sql_tokens(part).empty()) {
      out.push_back({.id = cat("#", out.size() + 1), .text = std::string(part)});
    }
  };
  for (const SqlToken& token : sql_tokens(text)) {
    if (token.kind != SqlTokenKind::Symbol || token.text != ";") continue;
    const auto at = static_cast<size_t>(token.text.data() - text.data());
    add(at);
    begin = at + 1;
  }
  add(text.size());
  return out;
}

json::object to_json(const Observed& observed) {
  json::array names;
  for (const std::string& name : observed.partitions) names.emplace_back(name);
  return {{"class", name(observed.prunes)},
          {"total", observed.total},
          {"planned", observed.planned},
          {"scanned", observed.started},
          {"executed", observed.executed ? json::value(*observed.executed) : json::value(nullptr)},
          {"planning_ms", observed.planning_ms},
          {"locks", observed.locks},
          {"partitions", std::move(names)}};
}

json::object to_json(const Proof& proof) {
  json::object out{{"id", proof.statement.id},
                   {"query", proof.statement.text},
                   {"calls", proof.statement.calls},
                   {"total_ms", proof.statement.total_ms}};
  if (!proof.problem.empty()) {
    out["problem"] = proof.problem;
    return out;
  }
  out["predicted"] = name(proof.prediction.prunes);
  out["reason"] = proof.prediction.reason;
  out["observed"] = to_json(proof.observed);
  if (proof.custom) out["with_values"] = to_json(*proof.custom);
  if (!proof.not_run.empty()) out["not_run"] = proof.not_run;
  if (!proof.rewrite.empty()) out["rewrite"] = proof.rewrite;
  if (proof.rewritten) out["rewritten"] = to_json(*proof.rewritten);
  json::array notes;
  for (const std::string& note : proof.notes) notes.emplace_back(note);
  out["notes"] = std::move(notes);
  return out;
}

json::object to_json(const Proofs& proofs) {
  json::array list;
  for (const Proof& proof : proofs.proofs) list.push_back(to_json(proof));
  json::array verdict;
  for (const std::string& line : proofs.verdict) verdict.emplace_back(line);
  return {{"table", proofs.table},
          {"proposed", proofs.proposed},
          {"partitions", proofs.partitions},
          {"proven_on", proofs.proven},
          {"statements", std::move(list)},
          {"total_ms", proofs.budget.total_ms},
          {"planning_ms", proofs.budget.planning_ms},
          {"planning_share", proofs.budget.share()},
          {"verdict", std::move(verdict)}};
}

}  // namespace pgtend::partition
