#include "reshape/apply.h"

#include "base/text.h"
#include "base/units.h"
#include "pg/quote.h"

namespace pgtend::reshape {
namespace {

constexpr int kShown = 5;  // keys of a difference
constexpr milliseconds kLook{200};

// A handful of keys is to be looked up by index, whatever the statistics of the moment say.
constexpr std::string_view kByIndex =
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off";

// Runs a long statement so that a cancel is heard.
Result<pg::Rows> patiently(care::Rounds& rounds, pg::Connection& conn, const std::string& sql) {
  TRY(conn.start(sql));
  while (true) {
    auto rows = TRY(conn.finish_within(kLook));
    if (rows) return std::move(*rows);
    const Status go_on = rounds.pause(microseconds(0));
    if (go_on) continue;
    (void)conn.canceller().cancel();
    (void)conn.finish_within(seconds(10));
    return go_on.error();
  }
}

Result<std::vector<int64_t>> numbers(std::string_view text) {
  std::vector<int64_t> out;
  for (const std::string_view word : split(text, ' ')) {
    if (!word.empty()) out.push_back(TRY(parse_int(word)));
  }
  return out;
}

Result<std::vector<size_t>> leaves_of(const pg::Row& row, const Flow& flow) {
  std::vector<size_t> out;
  for (const int64_t number : TRY(numbers(row.text(2)))) {
    // A row before the first leaf was never there; if it is still in the source, inserting it
    // fails.
    if (number < 1) continue;
    if (number > static_cast<int64_t>(flow.leaves.size())) {
      return Error{ErrorCode::Internal, cat("there is no leaf ", number)};
    }
    out.push_back(static_cast<size_t>(number - 1));
  }
  return out;
}

// What was written after the TRUNCATE is in the log and comes with it.
Status follow_truncates(pg::Connection& conn, const Flow& flow, std::string_view emptied) {
  for (const int64_t number : TRY(numbers(emptied))) {
    if (number < 1 || number > static_cast<int64_t>(flow.sources.size())) {
      return Error{ErrorCode::Internal, cat("there is no source ", number)};
    }
    TRY_DURING(conn.exec(empty_target(flow, static_cast<size_t>(number))), "following a TRUNCATE");
  }
  return ok();
}

struct Taken {
  int64_t entries = 0;
  std::vector<size_t> leaves = {};
};

Result<Taken> take_over(pg::Connection& conn, const Flow& flow, int64_t most) {
  const pg::Rows rows = TRY_DURING(conn.query(take_keys(flow, most)), "taking changes of the log");
  Taken out{.entries = TRY(rows[0].get<int64_t>(0)), .leaves = TRY(leaves_of(rows[0], flow))};
  TRY(follow_truncates(conn, flow, rows[0].text(1)));
  if (out.entries == 0) return out;
  TRY(conn.exec(kByIndex));
  for (const size_t leaf : out.leaves) {
    TRY_DURING(conn.query(delete_keys(flow, leaf)), cat("deleting from ", flow.leaves[leaf]));
  }
  TRY_DURING(conn.query(insert_keys(flow)), cat("inserting into ", flow.target));
  return out;
}

}  // namespace

Status prepare_apply(pg::Connection& conn, const Flow& flow) {
  for (const std::string& sql : make_keys(flow)) TRY(conn.exec(sql));
  return ok();
}

Result<int64_t> apply(pg::Connection& conn, const Flow& flow, int64_t most) {
  TRY(conn.exec("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"));
  return TRY(take_over(conn, flow, most)).entries;
}

Result<int64_t> apply_last(pg::Connection& conn, const Flow& flow) {
  const Taken taken = TRY(take_over(conn, flow, 0));
  for (const size_t leaf : taken.leaves) {
    const pg::Rows rows = TRY_DURING(conn.query(compare_keys(flow, leaf)),
                                     cat("comparing rows of ", flow.leaves[leaf]));
    const std::string different = TRY(rows.scalar());
    if (different == "0") continue;
    return Error{ErrorCode::Internal, cat(different, " rows of ", flow.leaves[leaf],
                                          " are not what was last written to ", flow.name)};
  }
  return taken.entries;
}

Result<int64_t> compare(care::Rounds& rounds, pg::Connection& conn, const Flow& flow) {
  TRY(conn.exec("SET LOCAL statement_timeout = 0; SET LOCAL jit = off"));
  const pg::Rows rows = TRY_DURING(patiently(rounds, conn, compare_all(flow)), "comparing");
  int64_t total = 0;
  std::string differences;
  int count = 0;
  for (const pg::Row row : rows) {
    const auto leaf = TRY(row.get<std::optional<int64_t>>(0));
    if (!leaf) {
      total = TRY(row.get<int64_t>(1));
      continue;
    }
    ++count;
    if (count > kShown) continue;
    const auto index = static_cast<size_t>(*leaf - 1);
    differences +=
        cat(differences.empty() ? "" : "; ",
            index < flow.leaves.size() ? flow.leaves[index] : "outside of all partitions", ": ",
            grouped(TRY(row.get<int64_t>(1))), " rows before, ", grouped(TRY(row.get<int64_t>(2))),
            " after");
    const pg::Rows keys = TRY(patiently(rounds, conn, compare_leaf(flow, *leaf, kShown)));
    for (const pg::Row key : keys) {
      differences += cat(", ", printable(key.text(0)), " ", key.text(1));
    }
  }
  if (count == 0) return total;
  return Error{ErrorCode::Internal,
               cat("the rows of ", flow.target, " are not those of ", flow.name, ", in ", count,
                   count == 1 ? " part: " : " parts: ", differences)}
      .hinting("nothing was swapped; abort and begin anew, and please report it");
}

}  // namespace pgtend::reshape
