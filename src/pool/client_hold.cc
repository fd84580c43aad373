// A client whose next message meets a HOLD TABLE. Only looked at while one stands.
#include <utility>

#include "base/text.h"
#include "pool/client.h"
#include "pool/pools.h"
#include "pool/shape.h"
#include "pool/table_holds.h"
#include "pool/texts.h"
#include "pool/worker.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

std::string_view cstring_at(std::string_view body, size_t at) {
  const std::string_view rest = body.substr(std::min(at, body.size()));
  return rest.substr(0, rest.find('\0'));
}

bool begins_call(char type) {
  return type == fe::kQuery || type == fe::kParse || type == fe::kBind || type == fe::kDescribe ||
         type == fe::kFunctionCall;
}

}  // namespace

bool Server::let_go() {
  if (stays_with_client() || !is_free()) return false;
  release();
  return true;
}

// The text that the message at the front of `bytes` is about.
Client::Spoken Client::spoken(const wire::Head& head, std::string_view bytes) const {
  const std::string_view body = bytes.substr(wire::kHeadBytes, head.body_bytes);
  const bool complete = body.size() == head.body_bytes;
  const auto named = [&](std::string_view name) -> Spoken {
    for (const auto* known : {statements_.get(), watched_.get()}) {
      const Statement* statement = known == nullptr ? nullptr : known->find(name);
      if (statement == nullptr) continue;
      const std::string_view text = statement->text();
      return {text, known == statements_.get() || text.size() < kShapeBytes};
    }
    return {};
  };
  switch (head.type) {
    case fe::kQuery:
      return {cstring_at(body, 0), complete};
    case fe::kParse:
      return {cstring_at(body, cstring_at(body, 0).size() + 1), complete};
    case fe::kBind: {
      const size_t name_at = cstring_at(body, 0).size() + 1;
      const std::string_view name = cstring_at(body, name_at);
      if (name_at + name.size() >= body.size()) return {};
      if (!name.empty()) return named(name);
      const uint64_t shape = server_ == nullptr ? 0 : server_->lease().unnamed_shape;
      const std::string_view text = worker_.queries().text(shape);
      return {text, !text.empty() && text.size() < Queries::kTextBytesMax};
    }
    case fe::kDescribe:
      // A statement that its link has not prepared yet is prepared for it.
      if (body.size() > 2 && body[0] == 'S' && body[1] != '\0') return named(cstring_at(body, 1));
      return {"", true};
    default:
      return {};
  }
}

// Whether what comes behind a BEGIN in the same batch is to wait: then the BEGIN waits with it.
uint64_t Client::held_in_batch(std::string_view bytes) const {
  for (wire::Head head; wire::read_head(bytes, head) == wire::HeadState::Whole;) {
    if (head.type == fe::kSync || bytes.size() < head.total()) return 0;
    if (begins_call(head.type)) {
      // A Bind of what was parsed in this batch has been looked at.
      const Spoken said = spoken(head, bytes);
      const bool own = head.type == fe::kBind && said.text.empty() && !said.whole;
      const uint64_t hold =
          own ? 0 : worker_.table_holds().against(pool_->database().name, said.text, said.whole);
      if (hold != 0) return hold;
    }
    bytes.remove_prefix(head.total());
  }
  return 0;
}

// Whether the message at the front of `bytes` may go on to a server. If not it waits (stop_ says
// so) or it has been answered here.
bool Client::passes_holds(const wire::Head& head, std::string_view bytes) {
  const std::string& database = pool_->database().name;
  const TableHolds& holds = worker_.table_holds();
  if (replicating_ != nullptr || inside_ || !begins_call(head.type) || !holds.concern(database)) {
    return true;
  }
  if (server_ != nullptr && !begun_only_) {
    const Lease& lease = server_->lease();
    // Who waited amid a transaction might be waited for by the one who holds.
    if (lease.expect().in_copy_in() || lease.expect().needs_sync()) return true;
    const bool settled = lease.expect().outstanding() == 0;
    if (settled && lease.status() != be::TransactionStatus::Idle) return true;
    const Spoken said = spoken(head, bytes);
    if (!settled) {
      if (holds.against(database, said.text, said.whole) == 0) return true;
      // Whether a transaction is open is not known before the answers have come.
      stop_ = Stop::Unsettled;
      return false;
    }
  }
  const Spoken said = spoken(head, bytes);
  held_by_ = holds.against(database, said.text, said.whole);
  const Beginning beginning = held_by_ != 0 ? Beginning::None : beginning_of(said.text);
  if (beginning != Beginning::None && head.type != fe::kQuery) {
    held_by_ = held_in_batch(bytes.substr(std::min<size_t>(head.total(), bytes.size())));
  }
  if (held_by_ != 0) {
    stop_ = Stop::Held;
    return false;
  }
  const bool alone = server_ == nullptr && begun_.empty() && pool_->mode() == PoolMode::Transaction;
  if (beginning == Beginning::Certain && head.type == fe::kQuery && alone) {
    begin_here(said.text);
    return false;
  }
  begun_only_ = only_begins(said.text);
  return true;
}

// A transaction that has not asked for anything yet needs no server: what comes next decides
// whether it waits. So one that waits has no link.
void Client::begin_here(std::string_view sql) {
  begun_ = sql;
  ++pool_->counters().query_count;
  Queries& queries = worker_.queries();
  const uint64_t call = queries.begin(pool_->owner(), queries.shape(sql), sql, worker_.now());
  queries.end(pool_->owner(), call, {}, worker_.now());
  std::string out;
  const char first =
      *std::ranges::find_if(sql, [](char c) { return std::string_view("bBsS").contains(c); });
  be::append_command_complete(out, first == 'b' || first == 'B' ? "BEGIN" : "START TRANSACTION");
  be::append_ready_for_query(out, be::TransactionStatus::InTransaction);
  deliver(out);
}

// What was answered here goes before what comes now.
void Client::send_begun() {
  fe::append_query(server_->prelude(), begun_);
  begun_.clear();
  server_->lease().sent(fe::kQuery, Route::Swallow, worker_.now());
}

// What comes from `rest` on waits. A link that nothing holds goes back.
void Client::hold_back(std::string_view rest) {
  if (state_ != State::Idle && state_ != State::Active) return;
  if (server_ != nullptr && !server_->prelude().empty()) server_->forward({});
  if (state_ != State::Idle && state_ != State::Active) return;
  held_ = rest;
  identity_.request_at = worker_.now();
  if (stop_ == Stop::Held) {
    if (server_ != nullptr && server_->let_go()) server_ = nullptr;
    if (server_ == nullptr) state_ = State::Waiting;
  }
  pool_->hold_back(*this);
  watch_end();
}

void Client::go_on() {
  pool_->counters().wait_time += static_cast<uint64_t>(
      std::chrono::duration_cast<microseconds>(worker_.now() - identity_.request_at).count());
  stop_ = Stop::None;
  held_by_ = 0;
  if (state_ == State::Waiting) state_ = State::Idle;
  pool_->clients.push_back(*this);
  const std::string held = std::exchange(held_, {});
  on_bytes(held);
  if (stop_ == Stop::None) read_on();
}

}  // namespace pgtend::pool
