#include "pool/queries.h"

#include <algorithm>
#include <functional>

#include "base/text.h"

namespace pgtend::pool {
namespace {

// splitmix64's step: spreads every bit over all.
uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

uint64_t key_of(const Queries::Owner& owner, uint64_t shape) {
  return std::max<uint64_t>(1, mix(shape ^ owner.salt));
}

bool changes_schema(std::string_view tag) {
  for (const char* verb : {"CREATE ", "ALTER ", "DROP ", "TRUNCATE", "REINDEX", "CLUSTER"}) {
    if (tag.starts_with(verb)) return true;
  }
  return false;
}

bool loads(std::string_view tag) { return tag.starts_with("COPY ") || tag.starts_with("INSERT "); }

}  // namespace

void QueryCounts::add(const QueryCounts& other) {
  calls += other.calls;
  errors += other.errors;
  rows += other.rows;
  bytes += other.bytes;
  time_us += other.time_us;
}

void QueryFigures::add(const QueryFigures& other) {
  counts.add(other.counts);
  times.merge(other.times);
  first_seen = std::min(first_seen, other.first_seen);
  last_seen = std::max(last_seen, other.last_seen);
  if (text.empty()) text = other.text;
}

Queries::Owner::Owner(std::string its_database, std::string its_user)
    : database(std::move(its_database)), user(std::move(its_user)) {
  const std::hash<std::string> hash;
  salt = mix(hash(database)) ^ (mix(hash(user)) << 1);
}

uint32_t Queries::sketch(uint64_t key) {
  uint32_t least = UINT32_MAX;
  for (size_t row = 0; row < kRows; ++row) {
    uint32_t& cell = sketch_[row][mix(key + row) % kColumns];
    if (cell < UINT32_MAX) ++cell;
    least = std::min(least, cell);
  }
  return least;
}

// Makes room for a shape with so many calls, if there is a rarer one among a few.
void Queries::replace_rare(uint32_t calls) {
  constexpr int kLookedAt = 8;
  auto rarest = shapes_.end();
  size_t bucket = calls * 31 % shapes_.bucket_count();
  for (int looked = 0; looked < kLookedAt; bucket = (bucket + 1) % shapes_.bucket_count()) {
    for (auto at = shapes_.begin(bucket); at != shapes_.end(bucket); ++at, ++looked) {
      const bool rarer =
          rarest == shapes_.end() || at->second->counts.calls < rarest->second->counts.calls;
      if (rarer) rarest = shapes_.find(at->first);
    }
  }
  if (rarest->second->counts.calls >= calls) return;
  const QueryFigures& gone = *rarest->second;
  others(gone.database, gone.user).add(gone);
  shapes_.erase(rarest);
}

QueryFigures& Queries::others(const std::string& database, const std::string& user) {
  auto& figures = others_[{database, user}];
  if (figures == nullptr) {
    figures = std::make_unique<QueryFigures>();
    figures->database = database;
    figures->user = user;
    figures->first_seen = SteadyTime::max();
  }
  return *figures;
}

uint64_t Queries::begin(const Owner& owner, uint64_t shape, std::string_view sql, SteadyTime now) {
  const uint64_t key = key_of(owner, shape);
  if (shapes_.contains(key)) return key;
  if (shapes_.size() >= kShapesMax) replace_rare(sketch(key));
  if (shapes_.size() >= kShapesMax) return key;
  auto figures = std::make_unique<QueryFigures>();
  figures->database = owner.database;
  figures->user = owner.user;
  figures->shape = shape;
  figures->text = shape_text(sql, kTextBytesMax);
  figures->first_seen = figures->last_seen = now;
  shapes_.emplace(key, std::move(figures));
  return key;
}

void Queries::end(const Owner& owner, uint64_t key, const QueryEnd& end, SteadyTime now) {
  const auto found = shapes_.find(key);
  QueryFigures& figures =
      found != shapes_.end() ? *found->second : others(owner.database, owner.user);
  const auto time = std::max<int64_t>(0, end.time.count());
  figures.counts.add({1, end.failed ? 1u : 0u, end.rows, end.bytes, static_cast<uint64_t>(time)});
  figures.times.record(time);
  figures.first_seen = std::min(figures.first_seen, now);
  figures.last_seen = now;
}

std::string_view Queries::text(uint64_t key) const {
  const auto found = shapes_.find(key);
  return found == shapes_.end() ? std::string_view() : std::string_view(found->second->text);
}

std::vector<QueryFigures> Queries::figures() const {
  std::vector<QueryFigures> all;
  for (const auto& [key, figures] : shapes_) all.push_back(*figures);
  for (const auto& [owner, figures] : others_) all.push_back(*figures);
  return all;
}

std::string_view name_of(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::Load:
      return "load";
    case Event::Kind::Schema:
      return "schema";
    case Event::Kind::Failure:
      return "failure";
  }
  return "";
}

void Events::add(Event event) {
  if (events_.size() == kKept) events_.pop_front();
  events_.push_back(std::move(event));
}

bool Events::matters(std::string_view tag, uint64_t rows) {
  return rows >= kLoadRows ? loads(tag) || changes_schema(tag) : changes_schema(tag);
}

void Events::note_command(const Queries::Owner& owner, std::string_view tag, uint64_t rows,
                          std::string_view sql, WallTime at) {
  const bool is_load = loads(tag);
  const size_t words = tag.find_last_not_of("0123456789 ");
  add({.at = at,
       .kind = is_load ? Event::Kind::Load : Event::Kind::Schema,
       .database = owner.database,
       .user = owner.user,
       .command = printable(tag.substr(0, words + 1)),
       .target = target_of(sql),
       .rows = rows});
}

uint64_t rows_of_tag(std::string_view tag) {
  const size_t at = tag.find_last_not_of("0123456789");
  if (at == std::string_view::npos || tag[at] != ' ') return 0;
  const auto rows = parse_int(tag.substr(at + 1));
  return rows && *rows > 0 ? static_cast<uint64_t>(*rows) : 0;
}

}  // namespace pgtend::pool
