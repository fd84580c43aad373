#include "demo/generator_people.h"

#include <array>
#include <string_view>

#include "base/text.h"
#include "demo/generator_random.h"

namespace pgtend::demo {

namespace {

constexpr auto kFirstNames = std::to_array<std::string_view>(
    {"Anna",   "Bela",   "Carla", "David",  "Elif",  "Finn",  "Greta", "Hamid",
     "Ines",   "Jonas",  "Kemal", "Lena",   "Marek", "Nadia", "Oskar", "Paula",
     "Quirin", "Rosa",   "Sven",  "Tamara", "Udo",   "Vera",  "Wanda", "Xaver",
     "Yasmin", "Zoltan", "Aylin", "Boris",  "Chloé", "Dörte", "Emil",  "Frida"});
constexpr auto kLastNames = std::to_array<std::string_view>(
    {"Müller",  "Schmidt",    "Schneider", "Fischer", "Weber",    "Meyer",    "Wagner",   "Becker",
     "Schulz",  "Hoffmann",   "Koch",      "Richter", "Klein",    "Wolf",     "Schröder", "Neumann",
     "Schwarz", "Zimmermann", "Braun",     "Krüger",  "Hofmann",  "Hartmann", "Lange",    "Werner",
     "Krause",  "Lehmann",    "Maier",     "Köhler",  "Herrmann", "König",    "Walter",   "Huber",
     "Kaiser",  "Fuchs",      "Peters",    "Lang",    "Scholz",   "Möller",   "Weiß",     "Jung",
     "Yılmaz",  "Nowak",      "O'Brien",   "Nguyen",  "Rossi",    "Kowalski", "Ivanova",  "Silva"});
constexpr auto kCities = std::to_array<std::string_view>(
    {"Altstadt", "Bergfeld", "Clausthal", "Dornbach", "Eichwald", "Friedrichsau", "Grünau",
     "Hafenstadt", "Ilmenau", "Jägersruh", "Kirchheim", "Lindental", "Marienbrunn", "Neustadt",
     "Oberdorf", "Plau"});
constexpr auto kStreets = std::to_array<std::string_view>(
    {"Hauptstraße", "Bahnhofstraße", "Gartenweg", "Schulstraße", "Lindenallee", "Am Wehr",
     "Mühlgasse", "Ringstraße", "Feldweg", "Kirchplatz"});
constexpr auto kModels =
    std::to_array<std::string_view>({"DLP-100", "DLP-120", "DLP-300", "EHZ-4", "EHZ-5", "RLM-600"});
constexpr int64_t kDaySeconds = 86'400;

uint64_t of(uint64_t seed, int64_t id, uint64_t what) {
  return draw(seed, Stream::Name, static_cast<uint64_t>(id), what);
}

template <size_t N>
std::string_view pick(const std::array<std::string_view, N>& words, uint64_t bits) {
  return words[static_cast<size_t>(below(bits, N))];
}

// `count` digits, with leading zeros.
std::string digits(int64_t number, size_t count) {
  const std::string text = cat(number);
  return text.size() < count ? std::string(count - text.size(), '0') + text : text;
}

// The name without what an address cannot hold.
std::string mail_name(std::string_view name) {
  std::string plain;
  for (const char c : lower(name)) {
    if (c >= 'a' && c <= 'z') plain += c;
  }
  return plain;
}

}  // namespace

std::string last_name(uint64_t seed, int32_t customer) {
  return std::string(pick(kLastNames, of(seed, customer, 1)));
}

std::string city(uint64_t seed, int32_t customer) {
  // The product of two draws makes the first cities the largest.
  const double place = unit(of(seed, customer, 2)) * unit(of(seed, customer, 3));
  return std::string(kCities[static_cast<size_t>(place * static_cast<double>(kCities.size()))]);
}

std::string serial_number(int index) {
  // Multiplying by a number prime to 10^10 permutes the numbers below it.
  constexpr int64_t kNumbers = 10'000'000'000;
  return cat("1PGT", digits((int64_t{index} + 1) * 7'919 % kNumbers, 10));
}

void append_customer(CopyEncoder& out, uint64_t seed, int32_t id, int64_t first_reading_s) {
  const std::string_view first = pick(kFirstNames, of(seed, id, 0));
  const std::string last = last_name(seed, id);
  const std::string house = cat(pick(kStreets, of(seed, id, 4)), " ", 1 + of(seed, id, 5) % 180);
  out.fields(8);
  out.int4(id);
  out.text(first);
  out.text(last);
  out.text(cat(mail_name(first), ".", mail_name(last), ".", id, "@example.net"));
  out.text(cat("+49 30 23125 ", digits(static_cast<int64_t>(of(seed, id, 6) % 1000), 3)));
  out.text(house);
  out.text(city(seed, id));
  out.timestamptz(first_reading_s - (30 + below(of(seed, id, 7), 3'650)) * kDaySeconds);
}

void append_meter(CopyEncoder& out, uint64_t seed, const Population& population, int index,
                  int64_t first_reading_s) {
  const Meter& meter = population.meter(index);
  const int64_t key = -1 - int64_t{index};  // apart from the customers' numbers
  const bool industrial = meter.type == MeterClass::Industry;
  out.fields(7);
  out.int4(index + 1);
  out.int4(meter.customer);
  out.text(serial_number(index));
  out.text(industrial ? kModels.back()
                      : kModels[static_cast<size_t>(below(of(seed, key, 0), kModels.size() - 1))]);
  out.int4(meter.feeder);
  out.timestamptz(first_reading_s - (1 + below(of(seed, key, 1), 2'500)) * kDaySeconds);
  out.null();
}

}  // namespace pgtend::demo
