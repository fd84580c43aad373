// The queue of answers a server link still owes: what decides when a link is free.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace pgtend::pool {

class Bag;

// Where the answer to a request goes: to the client, or nowhere because the pool asked itself. The
// answer to a Fake one is made by the pool: the server never sees the request.
enum class Route : uint8_t { Forward, Swallow, Fake };

// What a Parse, Bind or Close is about, for what must be undone if the server skips it.
struct StatementTag {
  uint64_t statement = 0;  // a Statement's id; 0 for none
  uint32_t serial = 0;     // what the client's table has done; 0 for nothing
  uint64_t shape = 0;      // what Queries::begin() returned; 0 for nothing
};

// A request that the server skipped after an error.
struct SkippedRequest {
  bool is_close = false;
  Route route = Route::Forward;
  StatementTag tag = {};
};

// Told of every message that goes to a server and comes from it, it knows what is outstanding, also
// across errors (which skip to the next Sync, sent or still to come) and COPY (in which the server
// ignores Sync). A few bytes an outstanding request; grows for deep pipelines.
// Thread: one loop's. Cost: O(1) a message in steady state, no allocation.
class Expectations {
 public:
  // A whole or streaming message of `type` (a frontend type) goes to the server.
  void sent(char type, Route route, StatementTag tag = {});
  // The Parse told last is for the unnamed statement. False if the server will skip it.
  bool mark_unnamed_parse();
  // A message of `type` (a backend type) came from the server: where it goes.
  Route received(char type);

  // Nothing outstanding, everything synced, no COPY: only then may a ReadyForQuery free the link.
  bool settled() const;
  // Requests sent whose answers have not ended.
  uint32_t outstanding() const { return count_; }
  // Nothing will come before the client sends more.
  bool is_clients_turn() const { return count_ == 0 || copy_in_; }
  // The count of answers is not known any more: one came that nothing asked for, or a COPY failed
  // amid whose data a Sync went out, which the server ignores only while the COPY runs. The link
  // must not be used again.
  bool lost() const { return lost_; }
  // The server waits for CopyData, CopyDone or CopyFail.
  bool in_copy_in() const { return copy_in_; }
  // Only a Sync brings the server back to a ReadyForQuery.
  bool needs_sync() const { return unsynced_ || skipping_; }
  // After an error: what comes before the next Sync has no effect.
  bool is_skipping() const { return skipping_; }
  // What the next answer is about.
  struct Front {
    StatementTag tag = {};
    bool is_query = false;  // simple, answered by several messages up to a ReadyForQuery
    bool is_execute = false;
  };
  Front front() const {
    if (count_ == 0) return {};
    const Entry& first = entry(0);
    return {first.tag, first.kind == Kind::Query, first.kind == Kind::Execute};
  }
  bool has_fake() const { return count_ > 0 && entry(0).route == Route::Fake; }
  // A faked request is at the front: its answer is due now, and it is gone. 'P' or 'C', else 0.
  char take_fake(StatementTag& tag);
  // The tagged requests that errors have dropped since the last call, in the order sent.
  std::vector<SkippedRequest> take_skipped() { return std::exchange(skipped_, {}); }
  // An unnamed Parse was dropped by the last error and none is to come: there is no statement.
  bool unnamed_parse_failed() const { return unnamed_failed_; }
  // From now on all answers are swallowed: the client is gone.
  void swallow_all();
  // To or from another process.
  void carry(Bag& bag);

 private:
  enum class Kind : uint8_t {
    Query,
    Function,
    Sync,
    Parse,
    ParseUnnamed,
    Bind,
    Describe,
    Execute,
    Close,
    CopyData,  // one or more, sent ahead of the server's CopyInResponse; no answer
    CopyEnd,   // CopyDone or CopyFail: no answer of its own, ends a copy-in begun before it
  };
  struct Entry {
    Kind kind = Kind::Query;
    Route route = Route::Forward;
    StatementTag tag = {};
  };

  static bool ends_with_ready(Kind kind);
  Entry& entry(uint32_t index);
  const Entry& entry(uint32_t index) const;
  void push(Kind kind, Route route, StatementTag tag = {});
  void skip(const Entry& entry);
  void pop() { begin_ = (begin_ + 1) & mask_, --count_; }
  bool pop_if(Kind kind);
  void drop_copy_marks();
  void on_ready();
  void on_error();
  void on_copy_in();

  std::vector<Entry> ring_ = std::vector<Entry>(16);
  uint32_t mask_ = 15;
  uint32_t begin_ = 0;
  uint32_t count_ = 0;
  std::vector<SkippedRequest> skipped_;
  bool unsynced_ = false;
  bool skipping_ = false;
  bool copy_in_ = false;
  bool copy_synced_ = false;  // a Sync went out amid copy data
  bool lost_ = false;
  bool unnamed_failed_ = false;
};

}  // namespace pgtend::pool
