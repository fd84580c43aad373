#include "base/progress.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "base/units.h"

namespace pgtend {

namespace {

constexpr size_t kBarMin = 8;
constexpr size_t kBarMax = 30;
constexpr size_t kBarFrame = 4;  // brackets and the two spaces after them

double share_done(const Progress& progress) {
  if (progress.total <= 0) return 0;
  const double share = static_cast<double>(progress.done) / static_cast<double>(progress.total);
  return std::clamp(share, 0.0, 1.0);
}

std::string bar(double share, size_t width) {
  const auto full = static_cast<size_t>(share * static_cast<double>(width));
  return cat("[", std::string(full, '#'), std::string(width - full, '-'), "]  ");
}

std::string numbers(const Progress& progress) {
  std::string text;
  if (progress.total > 0) {
    text = cat(static_cast<int>(100 * share_done(progress)), " %  ",
               compact(static_cast<double>(progress.done)), " of ",
               compact(static_cast<double>(progress.total)), " ", progress.unit);
    text.insert(0, text.find(' ') < 3 ? 3 - text.find(' ') : 0, ' ');
  } else {
    text = cat(compact(static_cast<double>(progress.done)), " ", progress.unit);
  }
  if (progress.rate() > 0) text += cat("  ", compact(progress.rate()), "/s");
  if (const auto left = progress.left()) {
    text +=
        left->count() > 0 ? cat("  ", human(*left), " left") : cat("  ", human(progress.elapsed));
  }
  return text;
}

}  // namespace

double Progress::rate() const {
  const double spent = std::chrono::duration<double>(elapsed).count();
  return spent > 0 && done > 0 ? static_cast<double>(done) / spent : 0;
}

std::optional<std::chrono::nanoseconds> Progress::left() const {
  if (total <= 0 || rate() <= 0) return {};
  const double rest = static_cast<double>(std::max<int64_t>(total - done, 0)) / rate();
  constexpr double kYear = 365.0 * 24 * 3600;
  return std::chrono::nanoseconds(std::llround(std::min(rest, kYear) * 1e9));
}

std::string progress_line(const Progress& progress, size_t columns_max) {
  const std::string step = cat(progress.step, "  ");
  const std::string rest = numbers(progress);
  const size_t text = columns(step) + columns(rest);
  std::string line = step;
  if (progress.total > 0 && text + kBarFrame + kBarMin <= columns_max) {
    line += bar(share_done(progress), std::min(columns_max - text - kBarFrame, kBarMax));
  }
  line += rest;
  while (columns(line) > columns_max) line.pop_back();
  return line;
}

}  // namespace pgtend
