#include "pool/table_holds.h"

#include <algorithm>
#include <atomic>

#include "base/log.h"
#include "base/sql_lexer.h"
#include "base/text.h"
#include "pool/worker.h"
#include "pool/workers.h"

namespace pgtend::pool {
namespace {

// Takes `word` from the front of `text`, with the space before it.
bool take_word(std::string_view& text, std::string_view word) {
  const std::string_view rest = trim(text);
  const bool ends =
      rest.size() == word.size() ||
      (rest.size() > word.size() && std::string_view(" \t\r\n").contains(rest[word.size()]));
  if (!ends || !equal_ignoring_case(rest.substr(0, word.size()), word)) return false;
  text = rest.substr(word.size());
  return true;
}

// A database as PAUSE takes it, to the next space; quotes around it are optional.
std::optional<std::string> take_database(std::string_view& text) {
  text = trim(text);
  if (text.starts_with('"')) {
    auto name = take_table_name(text);
    if (!name || !name->schema.empty()) return std::nullopt;
    return std::move(name->name);
  }
  const size_t end = std::min(text.find_first_of(" \t\r\n"), text.size());
  if (end == 0) return std::nullopt;
  std::string name(text.substr(0, end));
  text.remove_prefix(end);
  return name;
}

std::optional<TableName> take_table(std::string_view& text) {
  text = trim(text);
  return take_table_name(text);
}

// True when the rest of `text` is a time that a hold may last, or nothing.
bool take_timeout(std::string_view text, milliseconds& timeout) {
  const bool named = take_word(text, "timeout");
  text = trim(text);
  if (text.empty()) return !named;
  const auto number = parse_int(text);
  if (!number || *number < 1 || *number > HoldRequest::kTimeoutMax.count()) return false;
  timeout = milliseconds(*number);
  return true;
}

bool is_open(const Server& server, Queries& queries, const TableHold& hold) {
  const Lease& lease = const_cast<Server&>(server).lease();
  if (lease.client() == nullptr || server.replicates()) return false;
  if (!lease.in_transaction() || lease.transaction_start() > hold.since) return false;
  if (lease.status() != Lease::Status::Idle || lease.expect().needs_sync()) return true;
  const std::string_view sql = queries.text(lease.expect().front().tag.shape);
  const bool whole = !sql.empty() && sql.size() < Queries::kTextBytesMax;
  return may_touch(sql, hold.tables, whole);
}

}  // namespace

std::optional<HoldRequest> parse_hold(std::string_view text) {
  HoldRequest request;
  if (!take_word(text, "table")) return std::nullopt;
  do {
    auto table = take_table(text);
    if (!table || request.tables.size() == HoldRequest::kTablesMax) return std::nullopt;
    request.tables.push_back(*std::move(table));
    text = trim(text);
    if (!text.starts_with(',')) break;
    text.remove_prefix(1);
  } while (true);
  if (take_word(text, "in")) {
    auto database = take_database(text);
    if (!database) return std::nullopt;
    request.database = *std::move(database);
  }
  if (!take_timeout(text, request.timeout)) return std::nullopt;
  return request;
}

std::optional<ReleaseRequest> parse_release(std::string_view text) {
  ReleaseRequest request;
  if (trim(text).empty()) return request;
  if (!take_word(text, "table")) return std::nullopt;
  request.table = take_table(text);
  if (!request.table) return std::nullopt;
  if (take_word(text, "in")) {
    auto database = take_database(text);
    if (!database) return std::nullopt;
    request.database = *std::move(database);
  }
  if (!trim(text).empty()) return std::nullopt;
  return request;
}

std::string TableHold::text() const {
  std::vector<std::string> names;
  for (const TableName& table : tables) names.push_back(text_of(table));
  return join(names, ", ");
}

bool TableHolds::concern(std::string_view database) const {
  return std::ranges::any_of(
      holds_, [database](const SharedHold& hold) { return hold->concerns(database); });
}

uint64_t TableHolds::against(std::string_view database, std::string_view sql, bool whole) const {
  for (const SharedHold& hold : holds_) {
    if (hold->concerns(database) && may_touch(sql, hold->tables, whole)) return hold->id;
  }
  return 0;
}

size_t open_before(Worker& worker, const TableHold& hold) {
  size_t open = 0;
  worker.each_server([&](Server& server) {
    const bool concerned = hold.concerns(server.pool().database().name);
    if (concerned && is_open(server, worker.queries(), hold)) ++open;
  });
  return open;
}

size_t end_holds(Worker& worker, const std::function<bool(const TableHold&)>& which) {
  const size_t ended = std::erase_if(worker.table_holds().holds_,
                                     [&which](const SharedHold& hold) { return which(*hold); });
  if (ended == 0) return 0;
  // What a transaction does from now on is not seen.
  worker.each_client([](Client& client) { client.forget_beginning(); });
  worker.pools().each([](Pool& pool) { pool.look_at_held_back(); });
  return ended;
}

// Each worker has a timer of its own: none waits for another's word to let its clients on.
void begin_hold(Worker& worker, const SharedHold& hold) {
  if (worker.is_held()) return;
  worker.table_holds().holds_.push_back(hold);
  worker.later(std::chrono::ceil<microseconds>(hold->until - worker.now()), [&worker, hold] {
    const bool ended =
        end_holds(worker, [&hold](const TableHold& each) { return each.id == hold->id; }) > 0;
    if (!ended || worker.index() != 0) return;
    log::warn(cat("HOLD TABLE ", printable(hold->text()), " was never released: its time is over"));
  });
}

void hold_tables(const Scope& scope, const HoldRequest& request, uint64_t client,
                 const std::function<void(Result<size_t>)>& done) {
  Worker& home = scope.workers.worker(scope.origin);
  if (!request.database.empty() && !home.config().database(request.database)) {
    return done(Error{ErrorCode::NotFound, cat("no such database: ", request.database)});
  }
  if (scope.workers.holder() != 0) {
    return done(Error{ErrorCode::Conflict, "suspended, or about to hand over"});
  }
  const SteadyTime now = home.now();
  auto hold = std::make_shared<TableHold>();
  *hold = {.id = scope.workers.next_id(),
           .tables = request.tables,
           .database = request.database,
           .since = now,
           .until = now + request.timeout,
           .client = client};
  auto open = std::make_shared<std::atomic<size_t>>(0);
  scope.workers.visit_all(
      scope.origin,
      [hold, open](Worker& worker) {
        begin_hold(worker, hold);
        *open += open_before(worker, *hold);
      },
      [open, done](Worker&) { done(open->load()); });
}

void release_tables(const Scope& scope, const ReleaseRequest& request, const Done& done) {
  auto ended = std::make_shared<std::atomic<size_t>>(0);
  const auto is_meant = [request](const TableHold& hold) {
    const bool table =
        !request.table || std::ranges::find(hold.tables, *request.table) != hold.tables.end();
    return table && (request.database.empty() || request.database == hold.database);
  };
  scope.workers.visit_all(
      scope.origin, [is_meant, ended](Worker& worker) { *ended += end_holds(worker, is_meant); },
      [ended, done](Worker&) {
        if (*ended > 0) return done(ok());
        done(Error{ErrorCode::NotFound, "no such table is held"});
      });
}

void release_tables_of(Worker& home, uint64_t client) {
  const auto end = [client](Worker& worker) {
    end_holds(worker, [client](const TableHold& hold) { return hold.client == client; });
  };
  home.workers().post_to_others(home.index(), end);
  // Not in the middle of whatever the client was in.
  home.loop().defer([&home, end] { end(home); });
}

}  // namespace pgtend::pool
