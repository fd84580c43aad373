// Named prepared statements. Those of a client that shares links get the server's names; in session
// mode they pass as they are, and the pool knows the texts behind them to count by.
#include <algorithm>
#include <utility>

#include "base/text.h"
#include "pool/client.h"
#include "pool/pools.h"
#include "pool/shape.h"
#include "pool/worker.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

bool is_named(std::string_view body) { return !body.empty() && body[0] != '\0'; }

// The two names at the front of a Bind, if both are there.
struct BindNames {
  std::string_view portal;
  std::string_view statement;
  size_t bytes = 0;  // of both, with their ends
};
std::optional<BindNames> bind_names(std::string_view body) {
  const size_t first = body.find('\0');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = body.find('\0', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  return BindNames{body.substr(0, first), body.substr(first + 1, second - first - 1), second + 1};
}

bool holds_names(char type) {
  return type == fe::kParse || type == fe::kBind || type == fe::kDescribe || type == fe::kClose;
}

// Whether a message of such a type is about a statement with a name.
bool names_statement(char type, std::string_view body) {
  if (type == fe::kParse) return is_named(body);
  if (type != fe::kBind) return !body.empty() && body[0] == 'S';
  const auto names = bind_names(body);
  return names && !names->statement.empty();
}

}  // namespace

// In session mode the names are the client's on the server, too: SQL may speak of them (EXECUTE,
// DEALLOCATE, pg_prepared_statements); so they are for a client with a link of its own. Whose names
// were replaced before a reload keeps that.
bool Client::maps_statements() const {
  if (statements_ != nullptr) return true;
  if (replicating_ != nullptr) return false;
  const bool wanted = worker_.config().settings.session.statements_max > 0;
  return wanted && pool_->mode() != PoolMode::Session;
}

// Whether enough of the message is there to see its names.
Client::Next Client::check_names(const wire::Head& head, std::string_view bytes) {
  if (!holds_names(head.type)) return Next::Pass;
  const std::string_view body = bytes.substr(wire::kHeadBytes);
  if (body.size() >= head.body_bytes) return Next::Pass;
  if (head.type == fe::kParse) return Next::Pass;  // an incomplete one is collected
  if (head.type == fe::kBind && bind_names(body)) return Next::Pass;
  if (!maps_statements()) return Next::Pass;
  return bytes.size() < kRestMax ? Next::More : Next::Bad;
}

// True if the rest of a named Parse is to be awaited; its beginning is kept.
bool Client::begin_collecting(const wire::Head& head, std::string_view bytes) {
  if (head.type != fe::kParse) return false;
  const std::string_view body = bytes.substr(wire::kHeadBytes);
  if (body.size() >= head.body_bytes || !is_named(body) || !maps_statements()) return false;
  collected_ = std::make_unique<std::string>();
  return true;
}

// True if the message is about a statement whose name may have to be replaced.
bool Client::is_mapped(const wire::Head& head, std::string_view bytes) const {
  if (!holds_names(head.type) || !names_statement(head.type, bytes.substr(wire::kHeadBytes))) {
    return false;
  }
  // The server skips it, or answers it with the end of a COPY.
  const Expectations& expect = server_->lease().expect();
  return !expect.is_skipping() && !expect.in_copy_in() && maps_statements();
}

// Rewrites the message at the front of `bytes`, of which at least the names are there. Returns how
// many of its bytes are dealt with: the rest goes to the server as it is. 0: nothing to rewrite.
size_t Client::map_message(const wire::Head& head, std::string_view bytes) {
  const std::string_view body = bytes.substr(wire::kHeadBytes, head.body_bytes);
  if (head.type == fe::kParse) return map_parse(head, body);
  if (head.type == fe::kBind) return map_bind(head, bytes);
  return map_target(head, body);
}

// Null when the name is unknown: then the client is closed, or the server will say so.
Statement* Client::known_statement(std::string_view name) {
  Statement* found = statements_ ? statements_->find(name) : nullptr;
  const auto answer = worker_.config().settings.session.statement_errors;
  if (found == nullptr && answer == StatementErrors::Pgbouncer) {
    fail("prepared statement did not exist");
  }
  return found;
}

size_t Client::map_parse(const wire::Head& head, std::string_view body) {
  const size_t end = body.find('\0');
  if (end == std::string_view::npos) return 0;  // the server refuses it
  const std::string_view name = body.substr(0, end);
  if (!statements_) statements_ = std::make_unique<ClientStatements>(worker_.statements());
  ++pool_->counters().client_parse_count;
  if (Statement* used = statements_->find(name)) {
    if (worker_.config().settings.session.statement_errors == StatementErrors::Pgbouncer) {
      fail("prepared statement name is already in use");
      return head.total();
    }
    // The server has one of this name, too, and answers as it should.
    server_->ensure(*used);
    fe::append_parse(server_->prelude(), {used->name, ""});
    server_->expect(fe::kParse);
    return head.total();
  }
  const std::string_view tail = body.substr(end + 1);
  if (!statements_->has_room_for(tail)) {
    fail(cat("more than ", ClientStatements::kNamesMax, " prepared statements, or ",
             ClientStatements::kBytesMax >> 20, " MiB of their texts"));
    return head.total();
  }
  Statement& statement = worker_.statements().acquire(tail);
  server_->parse(statement, statements_->add(name, statement));
  return head.total();
}

size_t Client::map_bind(const wire::Head& head, std::string_view bytes) {
  const auto names = bind_names(bytes.substr(wire::kHeadBytes));
  if (!names || names->statement.empty()) return 0;
  Statement* statement = known_statement(names->statement);
  if (state_ != State::Active) return head.total();
  if (statement == nullptr) return 0;
  server_->ensure(*statement);
  ++pool_->counters().bind_count;
  const uint64_t length = uint64_t{head.body_bytes} + sizeof(int32_t) - names->statement.size() +
                          statement->name.size();
  if (length > wire::kLengthMax) {
    fail("bad packet header");
    return head.total();
  }
  std::string& out = server_->prelude();
  out += fe::kBind;
  wire::put_i32(out, static_cast<int32_t>(length));
  wire::put_cstring(out, names->portal);
  wire::put_cstring(out, statement->name);
  const uint64_t shape = server_->begin_query(*statement);
  server_->lease().portal_shape = shape;
  server_->expect(fe::kBind, {statement->id, 0, shape});
  return wire::kHeadBytes + names->bytes;
}

// Describe and Close of a statement; those of a portal are the server's.
size_t Client::map_target(const wire::Head& head, std::string_view body) {
  const bool describes = head.type == fe::kDescribe;
  const auto target = describes ? fe::read_describe(body) : fe::read_close(body);
  if (!target || target->kind != 'S' || target->name.empty()) return 0;
  if (!describes) {
    if (!statements_) statements_ = std::make_unique<ClientStatements>(worker_.statements());
    server_->close_statement(statements_->remove(target->name));
    return head.total();
  }
  Statement* statement = known_statement(target->name);
  if (state_ != State::Active) return head.total();
  if (statement == nullptr) return 0;
  server_->ensure(*statement);
  fe::append_describe(server_->prelude(), {'S', statement->name});
  server_->expect(fe::kDescribe);
  return head.total();
}

// A Parse that passes as it is. The newest text counts: SQL may have closed the one before.
void Client::watch_parse(std::string_view name, std::string_view text) {
  if (maps_statements()) return;  // the server skips it
  if (!watched_) watched_ = std::make_unique<ClientStatements>(worker_.statements());
  watched_->confirm(watched_->remove(name));
  const std::string_view looked_at = text.substr(0, kShapeBytes);
  if (!watched_->has_room_for(looked_at)) return;
  watched_->add(name, worker_.statements().acquire(looked_at));
}

void Client::watch_close(std::string_view body) {
  const auto target = fe::read_close(body);
  if (!watched_ || !target || target->kind != 'S') return;
  watched_->confirm(watched_->remove(target->name));
}

// Which call a Bind that passes as it is begins, or goes on with.
uint64_t Client::shape_of_bind(std::string_view body) {
  const auto names = bind_names(body);
  if (!names) return 0;
  if (names->statement.empty()) return server_->lease().unnamed_shape;
  const Statement* statement = watched_ ? watched_->find(names->statement) : nullptr;
  return statement == nullptr ? 0 : server_->begin_query(*statement);
}

void Client::forget_statements() {
  if (statements_) statements_->clear();
  if (watched_) watched_->clear();
}

}  // namespace pgtend::pool
