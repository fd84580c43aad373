// What a simulated client says: steps of whole messages, made by the seed, and what it must read.
#pragma once

#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "sim/fake_engine.h"
#include "sim/journal.h"

namespace pgtend::sim {

// Messages sent at once. The next step waits for all answers, or for none.
struct Step {
  std::string bytes;
  bool wait = true;
};

// Writes one operation: a query, a transaction, a pipeline, a COPY… Thread: one.
class ScriptWriter {
 public:
  // `names`: named prepared statements work here. `blocks`: transaction blocks do. `held`: null, or
  // some statements are of a table that is held at times, and tell when they were asked for.
  ScriptWriter(Dice& dice, int client, bool names, bool blocks, const Clock* held)
      : dice_(dice), client_(client), names_(names), blocks_(blocks), held_(held) {}

  std::deque<Step> operation();

 private:
  using Write = void (ScriptWriter::*)();

  void simple();
  void several();
  void transaction();
  void extended();
  void pipeline();
  void flushed();
  void named();
  void portal();
  void copy_out();
  void copy_in();
  void copy_in_extended();
  void setting();
  void show();
  void slow();
  void empty();

  std::string text(std::string_view sql);
  std::string select();
  std::string statement();
  void query(std::string_view sql);
  void batch(std::string_view sql, bool describe);
  void copy_data(int64_t pieces);
  // Ends the step at hand.
  void pause(bool wait = true);

  Dice& dice_;
  int client_;
  bool names_;
  bool blocks_;
  const Clock* held_;
  std::set<std::string> prepared_;
  int sequence_ = 0;
  std::string bytes_;
  std::deque<Step> steps_;
};

// Compares what a client reads with what a server of its own would have answered.
class Mirror {
 public:
  using Message = std::pair<char, std::string>;  // type and body
  static std::deque<Message> split_frames(std::string_view bytes);

  Engine& engine() { return engine_; }
  // Whole messages go out.
  void sent(std::string_view messages);
  // A message came. "" or what is wrong with it.
  std::string received(char type, std::string_view body);
  // One more cancel request of the client is on its way.
  void allow_cancel() { ++cancels_; }

  // Every answer has come.
  bool caught_up() const { return expected_.empty() && queue_.empty(); }
  // A FATAL error came: the end is near.
  bool told() const { return !farewell_.empty(); }
  uint64_t queries() const { return queries_; }
  uint64_t transactions() const { return transactions_; }
  std::string state() const;

 private:
  void advance();
  void learn(const std::string& name, std::string_view value);
  bool was_cancelled();

  Engine engine_;
  Engine before_;              // as it was when current_ was taken
  Message current_;            // what expected_ answers
  std::deque<Message> queue_;  // sent and not yet answered
  std::deque<Message> expected_;
  size_t came_ = 0;  // of current_'s answers
  int cancels_ = 0;
  std::string farewell_;
  uint64_t queries_ = 0;
  uint64_t transactions_ = 0;
};

}  // namespace pgtend::sim
