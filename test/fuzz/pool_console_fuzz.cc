// The messages of a console client, in both protocols.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "pool/console_session.h"
#include "pool/table_holds.h"
#include "wire/binary.h"
#include "wire/frame.h"

using namespace pgtend;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  pool::ConsoleSession session;
  std::string out;
  for (;;) {
    const auto frame = wire::next_frame(input, 1 << 16);
    if (!frame || !*frame) return 0;
    auto command = session.take((*frame)->type, (*frame)->body, out);
    if (!command) return 0;
    if (!*command) continue;
    const auto setting = pool::console_setting(**command);
    if (setting && setting->first.empty()) __builtin_trap();
    const auto hold = pool::parse_hold(**command);
    if (hold && (hold->tables.empty() || hold->timeout > pool::HoldRequest::kTimeoutMax)) {
      __builtin_trap();
    }
    if (hold) (void)pool::may_touch(**command, hold->tables);
    (void)pool::parse_release(**command);
    pool::ConsoleAnswer answer{.columns = pool::console_columns(**command), .tag = "SHOW"};
    for (const pool::ShowColumn& column : answer.columns) {
      answer.rows.resize(2);
      for (auto& row : answer.rows) row.emplace_back(column.type == wire::kTextOid ? "text" : "12");
    }
    session.answer(answer, out);
    std::string_view said = out;
    while (!said.empty()) {
      const auto told = wire::next_frame(said, 1 << 24);
      if (!told || !*told) __builtin_trap();
    }
    out.clear();
  }
}
