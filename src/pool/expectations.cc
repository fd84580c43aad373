#include "pool/expectations.h"

#include "pool/bag.h"
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

void Expectations::push(Kind kind, Route route, StatementTag tag) {
  if (count_ == ring_.size()) {
    std::vector<Entry> bigger(ring_.size() * 2);
    for (uint32_t i = 0; i < count_; ++i) bigger[i] = entry(i);
    ring_.swap(bigger);
    mask_ = static_cast<uint32_t>(ring_.size()) - 1;
    begin_ = 0;
  }
  entry(count_) = {kind, route, tag};
  ++count_;
}

void Expectations::sent(char type, Route route, StatementTag tag) {
  if (copy_in_) {
    if (type == fe::kCopyData || type == fe::kFlush) return;
    if (type == fe::kSync) copy_synced_ = true;
    copy_in_ = type == fe::kSync;
    if (type == fe::kSync || type == fe::kCopyDone || type == fe::kCopyFail) return;
    // A request ends the connection if the COPY still runs; it is answered if that has failed.
  }
  if (skipping_ && type != fe::kSync) {
    if (tag.statement != 0 || tag.serial != 0) skipped_.push_back({type == fe::kClose, route, tag});
    return;
  }
  switch (type) {
    case fe::kQuery:
      unsynced_ = false;
      return push(Kind::Query, route, tag);
    case fe::kFunctionCall:
      unsynced_ = false;
      return push(Kind::Function, route);
    case fe::kSync:
      unsynced_ = skipping_ = false;
      return push(Kind::Sync, route);
    case fe::kCopyData:
      if (count_ > 0 && entry(count_ - 1).kind != Kind::CopyData) push(Kind::CopyData, route);
      return;
    case fe::kCopyDone:
    case fe::kCopyFail:
      // Perhaps the end of a COPY that has not been answered yet, else ignored by the server.
      if (count_ > 0) push(Kind::CopyEnd, route);
      return;
    case fe::kParse:
      unsynced_ = unsynced_ || route != Route::Fake;
      return push(Kind::Parse, route, tag);
    case fe::kBind:
      unsynced_ = unsynced_ || route != Route::Fake;
      return push(Kind::Bind, route, tag);
    case fe::kDescribe:
      unsynced_ = true;
      return push(Kind::Describe, route);
    case fe::kExecute:
      unsynced_ = true;
      return push(Kind::Execute, route, tag);
    case fe::kClose:
      unsynced_ = unsynced_ || route != Route::Fake;
      return push(Kind::Close, route, tag);
    default:
      return;
  }
}

bool Expectations::mark_unnamed_parse() {
  if (count_ == 0 || entry(count_ - 1).kind != Kind::Parse) return false;
  entry(count_ - 1).kind = Kind::ParseUnnamed;
  return true;
}

Route Expectations::received(char type) {
  unnamed_failed_ = false;
  drop_copy_marks();
  Route route = count_ > 0 ? entry(0).route : Route::Forward;
  switch (type) {
    case be::kReadyForQuery:
      on_ready();
      break;
    case be::kErrorResponse:
      // A Parse or Close that the pool put in front of a request fails in that request's name.
      if (count_ > 0 && !ends_with_ready(entry(0).kind)) route = Route::Forward;
      on_error();
      break;
    case be::kCopyInResponse:
    case be::kCopyBothResponse:
      on_copy_in();
      break;
    case be::kParseComplete:
      pop_if(Kind::Parse) || pop_if(Kind::ParseUnnamed);
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
      copy_synced_ = false;  // the COPY ran to its end and ignored every Sync
      [[fallthrough]];
    case be::kEmptyQueryResponse:
    case be::kPortalSuspended:
      pop_if(Kind::Execute);
      break;
    default:
      break;
  }
  return route;
}

bool Expectations::pop_if(Kind kind) {
  if (count_ == 0 || entry(0).kind != kind) return false;
  pop();
  return true;
}

// Copy data at the front belongs to a COPY that is over, or never was.
void Expectations::drop_copy_marks() {
  while (count_ > 0 && (entry(0).kind == Kind::CopyData || entry(0).kind == Kind::CopyEnd)) pop();
}

void Expectations::on_ready() {
  copy_in_ = false;
  if (count_ == 0 || !ends_with_ready(entry(0).kind)) {
    lost_ = true;
    return;
  }
  pop();
  drop_copy_marks();
}

// After an error in the extended protocol the server skips everything up to the next Sync. After
// one in a Query, function call or Sync it goes on with a ReadyForQuery.
void Expectations::on_error() {
  copy_in_ = false;
  lost_ = lost_ || copy_synced_;
  if (count_ == 0 || ends_with_ready(entry(0).kind)) return;
  bool dropped = false;
  for (; count_ > 0 && entry(0).kind != Kind::Sync; pop()) {
    dropped = dropped || entry(0).kind == Kind::ParseUnnamed;
    skip(entry(0));
  }
  skipping_ = count_ == 0;
  for (uint32_t i = 0; i < count_ && dropped; ++i) dropped = entry(i).kind != Kind::ParseUnnamed;
  unnamed_failed_ = dropped;
}

void Expectations::skip(const Entry& entry) {
  const bool is_parse = entry.kind == Kind::Parse || entry.kind == Kind::ParseUnnamed;
  if (!is_parse && entry.kind != Kind::Close) return;
  if (entry.tag.statement == 0 && entry.tag.serial == 0) return;
  skipped_.push_back({entry.kind == Kind::Close, entry.route, entry.tag});
}

char Expectations::take_fake(StatementTag& tag) {
  if (count_ == 0 || entry(0).route != Route::Fake) return 0;
  tag = entry(0).tag;
  const char type = entry(0).kind == Kind::Close ? fe::kClose : fe::kParse;
  pop();
  return type;
}

// The server now ignores Sync until the copy ends: with a CopyEnd already sent, or one to come.
void Expectations::on_copy_in() {
  uint32_t kept = count_ > 0 ? 1 : 0;
  bool ended = false;
  bool has_data = false;
  bool ignored = false;  // the last Sync
  for (uint32_t i = kept; i < count_; ++i) {
    const Entry next = entry(i);
    if (ends_with_ready(next.kind)) ignored = !ended && next.kind == Kind::Sync;
    if (ended) {
      entry(kept++) = next;
    } else if (next.kind == Kind::CopyData) {
      has_data = true;
    } else if (next.kind == Kind::Sync) {
      copy_synced_ = copy_synced_ || has_data;
    } else {
      ended = true;
      if (next.kind != Kind::CopyEnd) entry(kept++) = next;
    }
  }
  count_ = kept;
  copy_in_ = !ended;
  unsynced_ = unsynced_ || ignored;
}

bool Expectations::settled() const {
  return count_ == 0 && !unsynced_ && !skipping_ && !copy_in_ && !lost_;
}

void Expectations::swallow_all() {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count_; ++i) {
    Entry next = entry(i);
    if (next.route == Route::Fake) continue;
    next.route = Route::Swallow;
    entry(kept++) = next;
  }
  count_ = kept;
}

namespace {

void carry_tag(Bag& bag, StatementTag& tag) {
  bag.field("statement", tag.statement);
  bag.field("serial", tag.serial);
  bag.field("shape", tag.shape);
}

}  // namespace

void Expectations::carry(Bag& bag) {
  std::vector<Entry> entries;
  for (uint32_t i = 0; i < count_; ++i) entries.push_back(entry(i));
  bag.list("entries", entries, [](Bag& inner, Entry& entry) {
    inner.field("kind", entry.kind, Kind::CopyEnd);
    inner.field("route", entry.route, Route::Fake);
    carry_tag(inner, entry.tag);
  });
  bag.list("skipped", skipped_, [](Bag& inner, SkippedRequest& request) {
    inner.field("is_close", request.is_close);
    inner.field("route", request.route, Route::Fake);
    carry_tag(inner, request.tag);
  });
  bag.field("unsynced", unsynced_);
  bag.field("skipping", skipping_);
  bag.field("copy_in", copy_in_);
  bag.field("copy_synced", copy_synced_);
  bag.field("lost", lost_);
  bag.field("unnamed_failed", unnamed_failed_);
  if (!bag.unpacks()) return;
  count_ = 0;
  for (const Entry& each : entries) push(each.kind, each.route, each.tag);
}

}  // namespace pgtend::pool
