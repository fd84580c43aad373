#include "vacuum/compact_rounds.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace pgtend::vacuum {
namespace {

constexpr double kWeight = 0.3;  // of the newest measurement
constexpr size_t kQuietMax = 20;
// On a machine that is busy with other things the work must still come to an end.
constexpr double kPressureMax = 8;
constexpr int kRestShare = 5;  // of a round's time, while nobody is slow

}  // namespace

Result<int64_t> page_of(std::string_view tid) {
  const size_t comma = tid.find(',');
  if (tid.size() < 5 || tid.front() != '(' || tid.back() != ')' ||
      comma == std::string_view::npos) {
    return Error{ErrorCode::Corrupt, cat("not a row address: ", printable(tid))};
  }
  auto page = parse_int(tid.substr(1, comma - 1));
  if (!page || *page < 0) {
    return Error{ErrorCode::Corrupt, cat("not a row address: ", printable(tid))};
  }
  return page;
}

Result<Landings> landings(const pg::Rows& rows, const PageRange& range) {
  Landings out{.rows = rows.size()};
  for (const pg::Row row : rows) {
    const int64_t page = TRY(page_of(row.text(0)));
    if (page > range.last) ++out.above;
    if (page >= range.first && page <= range.last) ++out.inside;
  }
  return out;
}

microseconds RoundSize::usual() const {
  if (quiet_.empty()) return microseconds(0);
  std::vector<microseconds> sorted(quiet_.begin(), quiet_.end());
  std::ranges::sort(sorted);
  return sorted[sorted.size() / 2];
}

void RoundSize::ran(int64_t pages, microseconds took) {
  const double each =
      static_cast<double>(took.count()) / static_cast<double>(std::max<int64_t>(pages, 1));
  page_us_ = page_us_ == 0 ? each : page_us_ * (1 - kWeight) + each * kWeight;
  // A round that was too long counts at once; that others are shorter must show more than once.
  if (took > limits_.longest) page_us_ = std::max(page_us_, each);
  settle(took);
}

// What fits in the wanted time, made smaller by as much as others are slow.
void RoundSize::settle(microseconds took) {
  const double fit =
      static_cast<double>(limits_.wanted.count()) / std::max(page_us_, 1.0) / pressure_;
  const auto wanted = static_cast<int64_t>(std::min(fit, static_cast<double>(limits_.pages_max)));
  pages_ = std::clamp<int64_t>(wanted, 1, std::min(pages_ * 2, limits_.pages_max));
  const double rest = static_cast<double>(took.count()) / kRestShare * pressure_ * pressure_;
  rest_ = microseconds(
      static_cast<int64_t>(std::min(rest, static_cast<double>(limits_.rest_max.count()))));
}

void RoundSize::felt(microseconds answer, int64_t waiting) {
  if (page_us_ == 0) {  // no round has run yet
    quiet_.push_back(answer);
    if (quiet_.size() > kQuietMax) quiet_.pop_front();
    return;
  }
  const auto now = static_cast<double>(answer.count());
  answer_us_ = answer_us_ == 0 ? now : answer_us_ * (1 - kWeight) + now * kWeight;
  const double slow = std::max(limits_.slow_factor * static_cast<double>(usual().count()),
                               static_cast<double>(limits_.slow_min.count()));
  const bool pressed = answer_us_ > slow || waiting > 0;
  pressure_ = pressed ? std::min(pressure_ * 2, kPressureMax) : std::max(pressure_ / 2, 1.0);
}

}  // namespace pgtend::vacuum
