// The pairing of a client with a server link: what is outstanding between them, when it ends, and
// the bookkeeping of one query and one transaction.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "pool/counters.h"
#include "pool/expectations.h"
#include "pool/queries.h"
#include "wire/backend.h"

namespace pgtend::pool {

class Bag;
class Client;

// A link's side of the story. It lives as long as its link, with or without a client: the answers
// to what the pool asks itself pass through the same queue. Thread: one loop's.
class Lease {
 public:
  using Status = wire::backend::TransactionStatus;

  // The client served, or null.
  Client* client() const { return client_; }
  // `timed`: how long its queries and transactions take is of interest.
  void begin(Client& client, bool timed = true);
  // The client is gone or done; answers still to come go nowhere.
  void end();
  // To or from another process, where `client` is the one served.
  void carry(Bag& bag, Client* client);

  // Requests of the client (Forward) or of the pool itself (Swallow).
  void sent(char type, Route route, SteadyTime now, StatementTag tag = {});
  bool has_fake() const { return expect_.has_fake(); }
  char take_fake(StatementTag& tag) { return expect_.take_fake(tag); }
  std::vector<SkippedRequest> take_skipped() { return expect_.take_skipped(); }
  Route received(char type) {
    const Route route = expect_.received(type);
    // A statement that was refused cannot be waited for: its client may never ask again.
    if (expect_.unnamed_parse_failed()) unnamed_pending_ = false;
    return route;
  }
  // After a ReadyForQuery; counts a finished query, and a transaction if it is one.
  void ready(Status status, Route route, Counters& counters, PoolTimes& times, SteadyTime now);

  // The answer that is under way, for the shapes of queries.
  QueryEnd& answer() { return answer_; }
  // It is complete: its counts, with the time since it was asked for or the one before it ended.
  QueryEnd end_answer(SteadyTime now);
  // What the last unnamed Parse, and the last Bind, were about.
  uint64_t unnamed_shape = 0;
  uint64_t portal_shape = 0;

  // An unnamed statement was parsed, or used: between the two the link must stay with its client,
  // because the next one would run or replace the statement.
  void unnamed_parsed() { unnamed_pending_ = expect_.mark_unnamed_parse(); }
  void unnamed_used() { unnamed_pending_ = false; }

  // Idle, nothing outstanding, nothing half said: the link may serve somebody else.
  bool is_free() const { return status_ == Status::Idle && expect_.settled() && !unnamed_pending_; }
  Status status() const { return status_; }
  const Expectations& expect() const { return expect_; }
  // What the client does now, and since when.
  bool in_query() const { return in_query_; }
  bool in_transaction() const { return in_transaction_; }
  SteadyTime query_start() const { return query_start_; }
  SteadyTime transaction_start() const { return transaction_start_; }
  SteadyTime ready_at() const { return ready_at_; }
  // Counts ReadyForQuery messages and leases: a cancel is for one generation and no later one.
  uint64_t generation() const { return generation_; }

 private:
  Client* client_ = nullptr;
  Expectations expect_;
  Status status_ = Status::Idle;
  uint64_t generation_ = 0;
  bool unnamed_pending_ = false;
  bool in_query_ = false;
  bool in_transaction_ = false;
  bool timed_ = true;
  QueryEnd answer_;
  SteadyTime answer_since_{};
  SteadyTime ready_at_{};
  SteadyTime query_start_{};
  SteadyTime transaction_start_{};
};

}  // namespace pgtend::pool
