// Rows of m_customerinfo and m_meterinfo in binary COPY format.
#pragma once

#include <cstdint>
#include <string>

#include "demo/generator_encode.h"
#include "demo/generator_population.h"

namespace pgtend::demo {

// Appends customer `id` (from 1). `first_reading_s` (seconds since 1970) is later than all dates.
void append_customer(CopyEncoder& out, uint64_t seed, int32_t id, int64_t first_reading_s);
// Appends meter `index` (from 0). removed_at is null: every meter is in service.
void append_meter(CopyEncoder& out, uint64_t seed, const Population& population, int index,
                  int64_t first_reading_s);
// The serial number of meter `index`: unique below kMetersMax.
std::string serial_number(int index);
// What append_customer() writes as last name and city, for searches that find somebody.
std::string last_name(uint64_t seed, int32_t customer);
std::string city(uint64_t seed, int32_t customer);

}  // namespace pgtend::demo
