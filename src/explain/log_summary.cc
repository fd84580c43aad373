#include "explain/log_summary.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/sql_lexer.h"
#include "base/text.h"
#include "explain/plan_shape.h"
#include "explain/text_lines.h"
#include "sql/fingerprint.h"

namespace pgtend::explain {
namespace {

constexpr std::string_view kQueryStart = "Query Text: ";
constexpr size_t kQueryBytesKept = 4000;  // kept of a query's text
constexpr size_t kShapesOfQueryMax = 200;
constexpr uint64_t kOtherShapes = 0;  // what further plans are counted as

// The query's text in a logged plan in TEXT; "" in the other formats.
std::string_view query_text_in(std::string_view text) {
  if (!text.starts_with(kQueryStart)) return {};
  const size_t end = end_of_query_text(text);
  return trim(text.substr(kQueryStart.size(), end - std::min(end, kQueryStart.size())));
}

// `sql` with its literals as "?", one blank between tokens: for what the grammar does not know.
std::string lexical_shape(std::string_view sql) {
  std::string out;
  SqlLexer lexer(sql);
  for (SqlToken token; lexer.next(token) && out.size() < kQueryBytesKept;) {
    const bool value = token.kind == SqlTokenKind::String || token.kind == SqlTokenKind::Number;
    out += cat(out.empty() ? "" : " ", value ? std::string_view("?") : token.text);
  }
  return out;
}

std::string cut(std::string text) {
  if (text.size() <= kQueryBytesKept) return text;
  size_t end = kQueryBytesKept;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  return text + "…";
}

}  // namespace

void LogRuns::add(const LoggedPlan& plan) {
  fastest_ms = calls == 0 ? plan.duration_ms : std::min(fastest_ms, plan.duration_ms);
  slowest_ms = std::max(slowest_ms, plan.duration_ms);
  ++calls;
  total_ms += plan.duration_ms;
  constexpr double kMicrosecondsMax = 1e15;
  times_us.record(std::llround(std::min(plan.duration_ms * 1000, kMicrosecondsMax)));
  if (plan.time.empty()) return;
  if (first.empty() || plan.time < first) first = plan.time;
  if (plan.time > last) last = plan.time;
}

uint32_t LogSummary::query_of(std::string_view sql) {
  const auto parsed = sql::fingerprint(sql);
  std::string outline = parsed ? std::string() : lexical_shape(sql);
  const uint64_t id = parsed ? *parsed : text_key(outline);
  const auto [at, is_new] = query_ids_.emplace(id, static_cast<uint32_t>(queries_.size()));
  if (is_new) {
    LoggedQuery& query = queries_.emplace_back();
    query.id = id;
    if (parsed) {
      auto normal = sql::normalise(sql);
      outline = normal ? std::move(*normal) : std::string(sql);
    }
    query.text = cut(std::move(outline));
  }
  return at->second;
}

uint32_t LogSummary::shape_of(uint32_t query, uint64_t shape) {
  std::vector<LoggedShape>& shapes = queries_[query].shapes;
  const auto at = std::ranges::find(shapes, shape, &LoggedShape::shape);
  if (at != shapes.end()) return static_cast<uint32_t>(at - shapes.begin());
  if (shapes.size() >= kShapesOfQueryMax) shape = kOtherShapes;
  if (shapes.size() > kShapesOfQueryMax) return static_cast<uint32_t>(shapes.size() - 1);
  shapes.emplace_back().shape = shape;
  ++shapes_;
  return static_cast<uint32_t>(shapes.size() - 1);
}

// Reads a text that looks like none before. False if it holds no plan.
bool LogSummary::find_place(const LoggedPlan& plan, uint64_t key, Place& place) {
  const auto read = read_logged_plan(plan);
  if (!read) {
    if (first_problem_.empty()) {
      first_problem_ = cat("line ", plan.line, ": ", printable(read.error().message));
    }
    return false;
  }
  const std::string_view sql = query_text_in(plan.text);
  const uint64_t look = text_key(sql);
  const auto known = sql.empty() ? query_looks_.end() : query_looks_.find(look);
  if (known != query_looks_.end()) {
    place.query = known->second;
  } else {
    place.query = query_of(read->plan.query_text);
    if (!sql.empty()) query_looks_.emplace(look, place.query);
  }
  place.shape = shape_of(place.query, plan_shape(read->plan));
  places_.emplace(key, place);
  return true;
}

void LogSummary::add(LoggedPlan& plan) {
  if (queries_.size() >= limits_.queries_max || shapes_ >= limits_.shapes_max) forget_cheapest();
  if (places_.size() >= limits_.keys_max || query_looks_.size() >= limits_.keys_max) {
    places_.clear();
    query_looks_.clear();
  }
  const uint64_t key = text_key(plan.text);
  Place place;
  if (const auto known = places_.find(key); known != places_.end()) {
    place = known->second;
  } else if (!find_place(plan, key, place)) {
    ++unread_;
    return;
  }
  ++plans_;
  total_ms_ += plan.duration_ms;
  if (first_.empty()) first_ = plan.time;
  if (!plan.time.empty()) last_ = plan.time;
  LoggedQuery& query = queries_[place.query];
  query.runs.add(plan);
  LoggedShape& shape = query.shapes[place.shape];
  const bool slowest = shape.runs.calls == 0 || plan.duration_ms > shape.runs.slowest_ms;
  shape.runs.add(plan);
  if (slowest) keep_example(shape, plan);
}

void LogSummary::keep_example(LoggedShape& shape, LoggedPlan& plan) {
  if (plan.text.size() > limits_.example_bytes_max) return;
  example_bytes_ -= shape.slowest.text.size();
  example_bytes_ += plan.text.size();
  shape.slowest = std::move(plan);
  shape.slowest.text.shrink_to_fit();
  shape.file = files_ == 0 ? 0 : files_ - 1;
  if (example_bytes_ > limits_.examples_bytes_max) forget_examples();
}

// Drops the examples of the cheaper half of what has one.
void LogSummary::forget_examples() {
  std::vector<LoggedShape*> all;
  for (LoggedQuery& query : queries_) {
    for (LoggedShape& shape : query.shapes) all.push_back(&shape);
  }
  std::ranges::sort(all, {}, [](const LoggedShape* shape) { return shape->runs.total_ms; });
  for (LoggedShape* shape : all) {
    if (example_bytes_ <= limits_.examples_bytes_max / 2) return;
    example_bytes_ -= shape->slowest.text.size();
    shape->slowest = {};
  }
}

// Counts the cheaper half of all queries together. Places move, so all looks are looked up anew.
void LogSummary::forget_cheapest() {
  std::ranges::sort(queries_, std::ranges::greater{},
                    [](const LoggedQuery& query) { return query.runs.total_ms; });
  size_t keep = 0, shapes = 0;
  while (keep < queries_.size() && keep < limits_.queries_max / 2 &&
         shapes + queries_[keep].shapes.size() <= limits_.shapes_max / 2) {
    shapes += queries_[keep++].shapes.size();
  }
  for (size_t i = keep; i < queries_.size(); ++i) {
    other_calls_ += queries_[i].runs.calls;
    other_ms_ += queries_[i].runs.total_ms;
    for (const LoggedShape& shape : queries_[i].shapes) {
      example_bytes_ -= shape.slowest.text.size();
    }
  }
  queries_.resize(keep);
  shapes_ = shapes;
  places_.clear();
  query_looks_.clear();
  query_ids_.clear();
  for (size_t i = 0; i < queries_.size(); ++i) {
    query_ids_.emplace(queries_[i].id, static_cast<uint32_t>(i));
  }
}

std::vector<LoggedQuery> LogSummary::worst(size_t count) const {
  std::vector<const LoggedQuery*> all;
  for (const LoggedQuery& query : queries_) all.push_back(&query);
  const size_t wanted = std::min(count, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<ptrdiff_t>(wanted), all.end(),
                    [](const LoggedQuery* a, const LoggedQuery* b) {
                      return a->runs.total_ms > b->runs.total_ms;
                    });
  std::vector<LoggedQuery> out;
  for (size_t i = 0; i < wanted; ++i) {
    LoggedQuery& query = out.emplace_back(*all[i]);
    std::ranges::sort(query.shapes, std::ranges::greater{},
                      [](const LoggedShape& shape) { return shape.runs.total_ms; });
  }
  return out;
}

}  // namespace pgtend::explain
