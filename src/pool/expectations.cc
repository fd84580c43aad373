#include "pool/expectations.h"

#include "wire/backend.h"
#include "wire/frontend.h"

namespace pgtend::pool {

namespace {

namespace fe = wire::frontend;
namespace be = wire::backend;

}  // namespace

bool Expectations::ends_with_ready(Kind kind) {
  return kind == Kind::Query || kind == Kind::Function || kind == Kind::Sync;
}

Expectations::Entry& Expectations::entry(uint32_t index) { return ring_[(begin_ + index) & mask_]; }

const Expectations::Entry& Expectations::entry(uint32_t index) const {
  return ring_[(begin_ + index) & mask_];
}

void Expectations::push(Kind kind, Route route) {
  if (count_ == ring_.size()) {
    std::vector<Entry> bigger(ring_.size() * 2);
    for (uint32_t i = 0; i < count_; ++i) bigger[i] = entry(i);
    ring_.swap(bigger);
    mask_ = static_cast<uint32_t>(ring_.size()) - 1;
    begin_ = 0;
  }
  entry(count_) = {kind, route};
  ++count_;
}

void Expectations::sent(char type, Route route) {
  if (copy_in_) {
    // The server ignores Sync and Flush here; what is neither data nor the end fails its COPY.
    if (type != fe::kCopyData && type != fe::kSync && type != fe::kFlush) copy_in_ = false;
    return;
  }
  if (skipping_ && type != fe::kSync) return;
  switch (type) {
    case fe::kQuery:
      unsynced_ = false;
      return push(Kind::Query, route);
    case fe::kFunctionCall:
      unsynced_ = false;
      return push(Kind::Function, route);
    case fe::kSync:
      unsynced_ = skipping_ = false;
      return push(Kind::Sync, route);
    case fe::kCopyDone:
    case fe::kCopyFail:
      // Perhaps the end of a COPY that has not been answered yet, else ignored by the server.
      if (count_ > 0) push(Kind::CopyEnd, route);
      return;
    case fe::kParse:
      unsynced_ = true;
      return push(Kind::Parse, route);
    case fe::kBind:
      unsynced_ = true;
      return push(Kind::Bind, route);
    case fe::kDescribe:
      unsynced_ = true;
      return push(Kind::Describe, route);
    case fe::kExecute:
      unsynced_ = true;
      return push(Kind::Execute, route);
    case fe::kClose:
      unsynced_ = true;
      return push(Kind::Close, route);
    default:
      return;
  }
}

Route Expectations::received(char type) {
  drop_copy_ends();
  const Route route = count_ > 0 ? entry(0).route : Route::Forward;
  switch (type) {
    case be::kReadyForQuery:
      on_ready();
      break;
    case be::kErrorResponse:
      on_error();
      break;
    case be::kCopyInResponse:
    case be::kCopyBothResponse:
      on_copy_in();
      break;
    case be::kParseComplete:
      pop_if(Kind::Parse);
      break;
    case be::kBindComplete:
      pop_if(Kind::Bind);
      break;
    case be::kCloseComplete:
      pop_if(Kind::Close);
      break;
    case be::kNoData:
    case be::kRowDescription:
      pop_if(Kind::Describe);
      break;
    case be::kCommandComplete:
    case be::kEmptyQueryResponse:
    case be::kPortalSuspended:
      pop_if(Kind::Execute);
      break;
    default:
      break;
  }
  return route;
}

void Expectations::pop_if(Kind kind) {
  if (count_ > 0 && entry(0).kind == kind) pop();
}

// A CopyEnd at the front belongs to a COPY that is over, or never was.
void Expectations::drop_copy_ends() {
  while (count_ > 0 && entry(0).kind == Kind::CopyEnd) pop();
}

void Expectations::on_ready() {
  copy_in_ = false;
  if (count_ == 0 || !ends_with_ready(entry(0).kind)) {
    lost_ = true;
    return;
  }
  pop();
  drop_copy_ends();
}

// After an error in the extended protocol the server skips everything up to the next Sync. After
// one in a Query, function call or Sync it goes on with a ReadyForQuery.
void Expectations::on_error() {
  copy_in_ = false;
  if (count_ == 0 || ends_with_ready(entry(0).kind)) return;
  while (count_ > 0 && entry(0).kind != Kind::Sync) pop();
  skipping_ = count_ == 0;
}

// The server now ignores Sync until the copy ends: with a CopyEnd already sent, or one to come.
void Expectations::on_copy_in() {
  uint32_t kept = count_ > 0 ? 1 : 0;
  bool ended = false;
  for (uint32_t i = kept; i < count_; ++i) {
    const Entry next = entry(i);
    if (!ended && next.kind == Kind::CopyEnd) {
      ended = true;
    } else if (ended || next.kind != Kind::Sync) {
      entry(kept++) = next;
    }
  }
  count_ = kept;
  copy_in_ = !ended;
}

bool Expectations::settled() const {
  return count_ == 0 && !unsynced_ && !skipping_ && !copy_in_ && !lost_;
}

void Expectations::swallow_all() {
  for (uint32_t i = 0; i < count_; ++i) entry(i).route = Route::Swallow;
}

}  // namespace pgtend::pool
