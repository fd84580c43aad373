// Prepared statements of the protocol when clients share links: what clients prepared, what links
// have, and one name on the server for each text.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pgtend::pool {

class Bag;

// One text with its parameter types, known to at least one client. Owned by Statements.
struct Statement {
  uint64_t id = 0;     // unique in the process
  std::string name;    // on servers: "PGBOUNCER_" and the id, which tools look for
  std::string tail;    // the body of its Parse behind the name: text, zero byte, parameter types
  uint64_t shape = 0;  // of the text
  size_t clients = 0;

  std::string_view text() const { return std::string_view(tail).substr(0, tail.find('\0')); }
};

// What stands behind the ids of another process.
using StatementTails = std::unordered_map<uint64_t, std::string>;

// The statements that clients of one worker have prepared. One table a worker, so that nobody
// locks: the price is that a link that moved here is asked to parse a text again that it has under
// the name of its former worker. Names are unique in the process, so they cannot be mistaken.
// Thread: one loop's.
class Statements {
 public:
  // The statement with this tail, which one client more has now. `id`: what it gets if it is new,
  // from another process; 0 for the next one.
  Statement& acquire(std::string_view tail, uint64_t id = 0);
  // One client less; with the last one the statement goes.
  void release(Statement& statement);
  size_t size() const { return by_tail_.size(); }
  template <class Visit>
  void each(Visit visit) {
    for (auto& [tail, statement] : by_tail_) visit(*statement);
  }
  // What the next new one gets, in the whole process, and to set it higher. Thread: any.
  static uint64_t next_id();
  static void raise_next_id(uint64_t least);

 private:
  std::unordered_map<std::string_view, std::unique_ptr<Statement>> by_tail_;  // keys in the values
};

// The names that one client has given. Thread: one loop's; `all` outlives it.
class ClientStatements {
 public:
  // More names, or more bytes of text behind them, are refused.
  static constexpr size_t kNamesMax = 10'000;
  static constexpr size_t kBytesMax = size_t{64} << 20;

  explicit ClientStatements(Statements& all) : all_(all) {}
  ~ClientStatements() { clear(); }
  ClientStatements(const ClientStatements&) = delete;
  ClientStatements& operator=(const ClientStatements&) = delete;

  // Whether one more with this tail is within the limits.
  bool has_room_for(std::string_view tail) const {
    return names_.size() < kNamesMax && bytes_ + tail.size() <= kBytesMax;
  }
  // Null for an unknown name. Cost: no allocation.
  Statement* find(std::string_view name) const;
  // `name` must be new; the serial number by which undo() finds it.
  uint32_t add(std::string_view name, Statement& statement);
  // Forgets `name`; the serial number by which undo() brings it back, 0 for an unknown name.
  uint32_t remove(std::string_view name);
  // What add() or remove() with this number did has not happened: the server skipped it.
  void undo(uint32_t serial);
  // What remove() with this number did is final.
  void confirm(uint32_t serial);
  // DEALLOCATE ALL.
  void clear();
  size_t size() const { return names_.size(); }
  // To or from another process. `tails`: of the ids there; only read when it comes from there.
  void carry(Bag& bag, const StatementTails& tails);

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct Entry {
    Statement* statement = nullptr;
    uint32_t serial = 0;
  };
  struct Removed {
    std::string name;
    Entry entry;
    uint32_t serial = 0;
  };

  bool carry_entry(Bag& bag, Entry& entry, const StatementTails& tails);

  Statements& all_;
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> names_;
  std::list<Removed> removed_;  // not answered yet
  size_t bytes_ = 0;            // of the texts behind the names, each counted for itself
  uint32_t next_serial_ = 1;
};

// The statements that one link has, the least recently used last. Thread: one loop's.
class LinkStatements {
 public:
  // True if the link has it; it is the most recently used now. Cost: O(1), no allocation.
  bool use(uint64_t id);
  void add(uint64_t id);
  void remove(uint64_t id);
  // The server's one is of no use any more; it must be closed before the name is used again.
  void outdate(uint64_t id);
  // True, once, if it was outdated.
  bool take_outdated(uint64_t id);
  void clear();
  size_t size() const { return order_.size(); }
  void carry(Bag& bag);
  // The least recently used one; only if there is one.
  uint64_t oldest() const { return order_.back(); }

 private:
  std::list<uint64_t> order_;
  std::unordered_map<uint64_t, std::list<uint64_t>::iterator> by_id_;
  std::vector<uint64_t> outdated_;
};

std::string server_name_of(uint64_t statement);

}  // namespace pgtend::pool
