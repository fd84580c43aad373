#include "pool/lease.h"

#include "pool/bag.h"

namespace pgtend::pool {
namespace {

uint64_t lasted(SteadyTime from, SteadyTime to) {
  const auto elapsed = std::chrono::duration_cast<microseconds>(to - from).count();
  return elapsed > 0 ? static_cast<uint64_t>(elapsed) : 0;
}

void note_time(uint64_t& sum, SmallHistogram& times, uint64_t took) {
  sum += took;
  times.record(static_cast<int64_t>(took));
}

}  // namespace

void Lease::begin(Client& client, bool timed) {
  client_ = &client;
  timed_ = timed;
  ++generation_;
  in_query_ = in_transaction_ = unnamed_pending_ = false;
  unnamed_shape = portal_shape = 0;
  answer_ = {};
}

void Lease::end() {
  client_ = nullptr;
  ++generation_;
  unnamed_pending_ = false;
  expect_.swallow_all();
}

void Lease::carry(Bag& bag, Client* client) {
  bag.part("expect", [this](Bag& inner) { expect_.carry(inner); });
  auto status = static_cast<int>(status_);
  bag.field("status", status);
  status_ = static_cast<Status>(status);
  if (status_ != Status::Idle && status_ != Status::InTransaction && status_ != Status::Failed) {
    bag.refuse("status");
  }
  bag.field("generation", generation_);
  bag.field("unnamed_pending", unnamed_pending_);
  bag.field("timed", timed_);
  bag.field("in_query", in_query_);
  bag.field("in_transaction", in_transaction_);
  bag.field("answer_failed", answer_.failed);
  bag.field("answer_rows", answer_.rows);
  bag.field("answer_bytes", answer_.bytes);
  bag.field("answer_since", answer_since_);
  bag.field("ready_at", ready_at_);
  bag.field("query_start", query_start_);
  bag.field("transaction_start", transaction_start_);
  bag.field("unnamed_shape", unnamed_shape);
  bag.field("portal_shape", portal_shape);
  client_ = client;
}

void Lease::sent(char type, Route route, SteadyTime now, StatementTag tag) {
  if (expect_.outstanding() == 0) answer_since_ = now;
  expect_.sent(type, route, tag);
  if (route != Route::Forward) return;
  if (!in_query_) query_start_ = now;
  if (!in_transaction_) transaction_start_ = now;
  in_query_ = in_transaction_ = true;
}

QueryEnd Lease::end_answer(SteadyTime now) {
  QueryEnd end = answer_;
  end.time = microseconds(lasted(answer_since_, now));
  answer_ = {};
  answer_since_ = now;
  return end;
}

void Lease::ready(Status status, Route route, Counters& counters, PoolTimes& times,
                  SteadyTime now) {
  status_ = status;
  ready_at_ = now;
  ++generation_;
  if (route == Route::Swallow || !in_query_) return;
  ++counters.query_count;
  if (timed_) note_time(counters.query_time, times.query, lasted(query_start_, now));
  query_start_ = now;
  in_query_ = expect_.outstanding() > 0;
  if (status != Status::Idle) return;
  ++counters.xact_count;
  if (timed_) note_time(counters.xact_time, times.transaction, lasted(transaction_start_, now));
  transaction_start_ = now;
  in_transaction_ = in_query_;
}

}  // namespace pgtend::pool
