// Frames and every message reader, in both roles: no input may crash them, and what is cut whole is
// cut the same from two pieces.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/backend.h"
#include "wire/frame.h"
#include "wire/frontend.h"

namespace {

namespace be = pgtend::wire::backend;
namespace fe = pgtend::wire::frontend;

void read_every_way(std::string_view body) {
  (void)fe::read_query(body);
  (void)fe::read_parse(body);
  (void)fe::read_bind(body);
  (void)fe::read_describe(body);
  (void)fe::read_close(body);
  (void)fe::read_execute(body);
  (void)fe::read_password(body);
  (void)fe::read_copy_fail(body);
  (void)fe::read_sasl_initial(body);
  (void)be::read_authentication(body);
  (void)be::read_parameter_status(body);
  (void)be::read_backend_key_data(body);
  (void)be::read_ready_for_query(body);
  (void)be::read_row_description(body);
  (void)be::read_data_row(body);
  if (auto tag = be::read_command_complete(body)) (void)be::rows_in_tag(*tag);
  (void)be::read_report(body);
  (void)be::read_negotiate(body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view whole(reinterpret_cast<const char*>(data), size);
  std::string_view input = whole;
  while (true) {
    auto frame = pgtend::wire::next_frame(input);
    if (!frame || !*frame) break;
    read_every_way((*frame)->body);
  }
  // A prefix never yields a message that the whole does not.
  std::string_view front = whole.substr(0, size / 2);
  auto from_front = pgtend::wire::next_frame(front);
  std::string_view again = whole;
  auto from_whole = pgtend::wire::next_frame(again);
  if (from_front && *from_front) {
    if (!from_whole || !*from_whole || (*from_whole)->body != (*from_front)->body) std::abort();
  }
  return 0;
}
