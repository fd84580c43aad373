// One client of the admin console: the messages of the simple and the extended protocol, each
// command of theirs run by console.cc.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pool/console.h"

namespace pgtend::pool {

// As PostgreSQL answers, with these bounds: a command takes no parameters, portals end with their
// Sync, at most kStatementsMax statements and portals. Thread: one loop's.
class ConsoleSession {
 public:
  // Takes one message; `out` gets what is answered at once. The command that must be run first, if
  // the message asks for one: no message may follow before answer().
  // Errors: Corrupt for what no client may send here; the client must be closed.
  Result<std::optional<std::string>> take(char type, std::string_view body, std::string& out);
  // The command's answer, as messages.
  void answer(const ConsoleAnswer& answer, std::string& out);
  bool is_busy() const { return busy_; }

 private:
  static constexpr size_t kStatementsMax = 100;

  struct Portal {
    std::string sql = {};
    std::vector<int16_t> formats = {};  // as in Bind
    bool has_run = false;
    ConsoleAnswer result = {};  // what is still to be fetched, once it has run
  };

  void parse(std::string_view body, std::string& out);
  void bind(std::string_view body, std::string& out);
  void describe(std::string_view body, std::string& out);
  std::optional<std::string> execute(std::string_view body, std::string& out);
  void close(std::string_view body, std::string& out);
  void fetch(Portal& portal, std::string& out);
  // The rest of this pipeline is skipped.
  void refuse(std::string_view text, std::string_view sqlstate, std::string& out);

  std::map<std::string, std::string, std::less<>> statements_;
  std::map<std::string, Portal, std::less<>> portals_;
  bool busy_ = false;
  bool failed_ = false;          // skips up to Sync
  Portal* executing_ = nullptr;  // whose command runs; null for a simple query
  int32_t rows_max_ = 0;         // of that Execute; 0: all
};

}  // namespace pgtend::pool
