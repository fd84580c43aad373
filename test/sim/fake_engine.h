// What PostgreSQL answers, as a pure function of the messages so far: the fake backend answers with
// it, and each client keeps one to know what it must read, as if no pool stood between.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/backend.h"

namespace pgtend::sim {

// One statement of the little language the clients speak: `VERB name=value … /*c12.34*/`, where the
// comment tells client and sequence number. What the pool says by itself has no comment.
struct Statement {
  enum class Verb : uint8_t {
    Empty,
    Select,  // rows, width, slow
    Begin,
    Commit,
    Rollback,
    Set,      // SET name='value'
    Show,     // SHOW name
    CopyIn,   // fail: after so many CopyData
    CopyOut,  // rows, width
    Discard,
    Fail,
  };
  Verb verb = Verb::Empty;
  int client = -1;
  int sequence = -1;
  int64_t rows = 0;
  int64_t width = 0;
  int64_t slow_ms = 0;
  int64_t fail_after = -1;
  std::string name;
  std::string value;

  // "c12.34", or "pool".
  std::string tag() const;
};

// The statements of a text, the tag of which counts for all.
std::vector<Statement> parse_sql(std::string_view sql);
// The client a tag in `text` names; -1 without one.
int tagged_client(std::string_view text);

// Copyable, so that a client can go back when a cancel arrived. Thread: one.
class Engine {
 public:
  using Status = wire::backend::TransactionStatus;
  using Parameters = std::map<std::string, std::string>;
  static constexpr int kNoCancel = -1;

  Engine();

  // Appends the answers to a message. `cancel_at`: the statement of the message, counted from 0,
  // that is cancelled instead of run.
  void take(char type, std::string_view body, std::string& out, int cancel_at = kNoCancel);
  // How long the message takes; only its slow statement can be cancelled.
  int64_t slow_ms(char type, std::string_view body) const;
  int slow_at(char type, std::string_view body) const;

  const Parameters& parameters() const { return parameters_; }
  // What a start packet or a report says.
  void set_parameter(const std::string& name, std::string_view value);

  Status status() const { return status_; }
  bool in_copy() const { return copy_.has_value(); }
  // Between transactions, with everything synced.
  bool at_rest() const { return status_ == Status::Idle && !batch_ && !skipping_ && !copy_; }
  // The last message ended the connection, by a FATAL error.
  bool ended() const { return ended_; }

 private:
  struct Portal {
    Statement statement;
    int64_t rows_sent = 0;
  };
  struct Copy {
    Statement statement;
    int64_t pieces = 0;
    bool simple = false;
  };

  void take_copy(char type, std::string& out);
  void query(std::string_view sql, std::string& out);
  void run_pending(std::string& out);
  void parse(std::string_view body, std::string& out);
  void bind(std::string_view body, std::string& out);
  void describe(std::string_view body, std::string& out);
  void close(std::string_view body, std::string& out);
  void execute(std::string_view body, std::string& out);
  void sync(std::string& out);

  // False after an error, which is in `out`.
  bool run(const Statement& statement, std::string& out);
  bool run_set(const Statement& statement, std::string& out);
  void complete(const Statement& statement, std::string_view tag, std::string& out);
  bool refused_in_failed(const Statement& statement, std::string& out);
  bool cancelled(std::string& out);
  // Always false.
  bool fail(std::string_view sqlstate, std::string_view text, std::string& out);
  void end_transaction(bool commit, std::string& out);

  Status status_ = Status::Idle;
  bool batch_ = false;     // extended messages since the last Sync
  bool skipping_ = false;  // up to the next Sync
  bool extended_ = false;  // the message at hand
  bool ended_ = false;
  int cancel_in_ = kNoCancel;
  std::optional<Copy> copy_;
  std::deque<Statement> pending_;  // of a simple Query
  std::map<std::string, Statement> statements_;
  std::map<std::string, Portal> portals_;
  Parameters parameters_;
  Parameters committed_;
  Parameters defaults_;
};

}  // namespace pgtend::sim
