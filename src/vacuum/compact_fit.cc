#include "vacuum/compact_fit.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::vacuum {
namespace {

constexpr int kVersionGrantOfRole = 150000;

Error invalid(const CompactTable& table, const std::string& why, const std::string& hint) {
  return Error{ErrorCode::Invalid, cat(table.table, " ", why)}.hinting(hint);
}

std::string some(const std::vector<std::string>& names) {
  constexpr size_t kNamed = 5;
  if (names.size() <= kNamed) return join(names, ", ");
  return cat(join({names.begin(), names.begin() + kNamed}, ", "), " and ", names.size() - kNamed,
             " more");
}

Status right_kind(const CompactTable& table) {
  if (table.standby) {
    return Error{ErrorCode::Unavailable, "the server is a standby and cannot change anything",
                 "25006"}
        .hinting("connect to the primary");
  }
  if (table.kind == 'p') {
    return invalid(table, "is partitioned and stores no rows itself",
                   table.leaves.empty() ? "it has no partitions"
                                        : cat("compact its partitions: ", some(table.leaves)));
  }
  if (table.kind == 'f') {
    return invalid(table, "is a foreign table", "compact it where its rows are stored");
  }
  if (table.kind == 'm') {
    return invalid(table, "is a materialised view, whose rows cannot be updated",
                   "REFRESH MATERIALIZED VIEW writes it anew");
  }
  if (table.kind != 'r') return invalid(table, "is not a table", "name a table");
  if (table.catalog) {
    return invalid(table, "belongs to the server", "its rows must not be updated by hand");
  }
  if (table.persistence == 't') {
    return invalid(table, "is temporary", "only its own session can change it");
  }
  if (table.access_method != "heap") {
    return invalid(table, cat("is stored by access method ", table.access_method),
                   "only heap tables have pages that rows can be moved between");
  }
  return ok();
}

bool fires(const CompactTrigger& trigger, int column) {
  return trigger.enabled != 'D' &&
         (trigger.columns.empty() ||
          std::ranges::find(trigger.columns, column) != trigger.columns.end());
}

// Triggers that an UPDATE of `column` would fire, by the roles of their session.
struct Firing {
  std::vector<std::string> origin = {};  // not in the role replica
  std::vector<std::string> others = {};  // ENABLE ALWAYS or ENABLE REPLICA
};

Firing firing(const CompactTable& table, int column) {
  Firing out;
  for (const CompactTrigger& trigger : table.triggers) {
    if (!fires(trigger, column)) continue;
    (trigger.enabled == 'O' ? out.origin : out.others).push_back(pg::ident(trigger.name));
  }
  return out;
}

// Best first: a column whose update fires no trigger, in no index, of fixed length, short.
const CompactColumn* best_column(const CompactTable& table) {
  const auto rank = [&](const CompactColumn& column) {
    const Firing fired = firing(table, column.number);
    return std::tuple(!fired.others.empty(), !fired.origin.empty(), column.indexed,
                      column.length < 0 && column.storage != 'p', column.length < 0, column.length,
                      column.number);
  };
  const CompactColumn* best = nullptr;
  for (const CompactColumn& column : table.columns) {
    if (column.generated || column.identity_always || column.feeds_generated ||
        !column.may_update) {
      continue;
    }
    if (best == nullptr || rank(column) < rank(*best)) best = &column;
  }
  return best;
}

Error no_column(const CompactTable& table) {
  const bool barred = std::ranges::any_of(table.columns, [](const CompactColumn& column) {
    return !column.generated && !column.identity_always && !column.feeds_generated;
  });
  if (barred || !table.may_read) {
    return Error{ErrorCode::Denied, cat("role ", table.role, " may not update ", table.table),
                 "42501"}
        .hinting(cat("GRANT SELECT, UPDATE ON ", table.table, " TO ", table.role));
  }
  return invalid(table,
                 "has no column that may be set to itself: all are generated, feed a generated "
                 "column or are GENERATED ALWAYS AS IDENTITY",
                 "only a rewrite helps, as VACUUM FULL or pg_repack do");
}

Status read_by_others(const CompactTable& table) {
  if (!table.publications.empty()) {
    return invalid(table, cat("is published by ", some(table.publications)),
                   "each moved row would be sent to the subscribers as an update; --published does "
                   "it nevertheless");
  }
  if (!table.decoders.empty()) {
    return invalid(table, cat("is decoded by slot ", some(table.decoders)),
                   "each moved row would be sent to its consumer as an update; --published does it "
                   "nevertheless");
  }
  return ok();
}

}  // namespace

Result<CompactFit> fit_to_move(const CompactTable& table, bool published_too) {
  TRY(right_kind(table));
  if (table.row_security) {
    return Error{ErrorCode::Denied,
                 cat("row security hides rows of ", table.table, " from role ", table.role),
                 "42501"}
        .hinting(cat("ALTER ROLE ", table.role, " BYPASSRLS"));
  }
  const CompactColumn* column = table.may_read ? best_column(table) : nullptr;
  if (column == nullptr) return no_column(table);
  if (table.update_rules) {
    return invalid(table, "has a rule ON UPDATE", "it would run for each row that is moved");
  }
  if (!published_too) TRY(read_by_others(table));
  const Firing fired = firing(table, column->number);
  if (!fired.others.empty()) {
    return invalid(
        table, cat("has triggers that fire in every session: ", some(fired.others)),
        "ENABLE ALWAYS and ENABLE REPLICA triggers would run for each row that is moved");
  }
  if (!fired.origin.empty() && !table.replica_role) {
    const std::string hint =
        table.version >= kVersionGrantOfRole
            ? cat("GRANT SET ON PARAMETER session_replication_role TO ", table.role)
            : std::string("connect as a superuser, who may set session_replication_role");
    return Error{ErrorCode::Denied,
                 cat("moving rows of ", table.table, " would fire ", some(fired.origin),
                     ", which role ", table.role, " may not prevent"),
                 "42501"}
        .hinting(hint);
  }
  return CompactFit{.column = pg::ident(column->name), .replica_role = table.replica_role};
}

namespace {

// Why the values of `column` cannot be stored anew, "" if they can.
std::string why_not_store(const CompactTable& table, const CompactColumn& column) {
  if (column.generated) return "is generated";
  if (column.feeds_generated) return "feeds a generated column";
  if (!column.may_update) return cat("may not be updated by role ", table.role);
  if (!column.array && !column.in_array) return "is of a type without an array type";
  const Firing fired = firing(table, column.number);
  if (!fired.others.empty()) return cat("has triggers that fire always: ", some(fired.others));
  if (!fired.origin.empty() && !table.replica_role) {
    return cat("has triggers that role ", table.role, " may not silence: ", some(fired.origin));
  }
  return "";
}

}  // namespace

Result<ToastFit> fit_to_store(const CompactTable& table) {
  ToastFit out{.replica_role = table.replica_role};
  for (const CompactColumn& column : table.columns) {
    if (column.length != -1 || column.storage == 'p') continue;  // never outside of its row
    const std::string why = why_not_store(table, column);
    if (why.empty()) {
      out.columns.push_back({pg::ident(column.name), column.array});
      out.indexed = out.indexed || column.indexed;
    } else {
      out.left_out.push_back(cat(pg::ident(column.name), " ", why));
    }
  }
  if (!out.columns.empty()) return out;
  return Error{ErrorCode::Invalid,
               out.left_out.empty()
                   ? cat(table.table, " has no column whose values lie outside of its rows")
                   : cat("no value of ", table.table, " can be stored anew: ", some(out.left_out))}
      .hinting("VACUUM FULL and pg_repack write TOAST anew");
}

}  // namespace pgtend::vacuum
