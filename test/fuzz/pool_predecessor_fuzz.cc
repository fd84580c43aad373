// What another process answers in a takeover, in pieces.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "pool/predecessor.h"

using namespace pgtend;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t piece = 1 + static_cast<uint8_t>(input[0]) % 64;
  input.remove_prefix(1);
  pool::HandoverReader reader;
  for (int descriptor = 100; descriptor < 103; ++descriptor) reader.add_descriptor(descriptor);
  size_t before = 0;
  while (!input.empty()) {
    const auto ended = reader.read(input.substr(0, piece));
    input.remove_prefix(std::min(piece, input.size()));
    if (reader.parcels().size() < before) __builtin_trap();
    before = reader.parcels().size();
    if (!ended) break;
  }
  int descriptor = 100;
  for (const pool::Parcel& parcel : reader.parcels()) {
    if (parcel.descriptor >= 0 && parcel.descriptor != descriptor++) __builtin_trap();
  }
  return 0;
}
