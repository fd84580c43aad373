#include "vacuum/tuple_length.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace pgtend::vacuum {
namespace {

using facts::StoredColumn;
using facts::StoredStats;

constexpr double kTiny = 1e-12;  // probabilities below are dropped
// What rows that ANALYZE has not seen may be wider or narrower by, as a share of the width.
constexpr double kUnseenSpread = 0.25;
// The doubt in a mean of padding, as a share of the padding's standard deviation.
constexpr double kIndependentPadding = 0.4;
constexpr double kGuessedPadding = 0.6;

struct Values {
  std::vector<LengthWeight> lengths = {};  // bytes as stored, weights sum to 1
  double mean = 0;
  double error = 0;      // of the mean, bytes
  bool guessed = false;  // the shape of the distribution is an assumption
};

double mean_of(const std::vector<LengthWeight>& lengths) {
  double mean = 0;
  for (const LengthWeight& length : lengths) mean += length.weight * length.bytes;
  return mean;
}

double spread_of(const std::vector<LengthWeight>& lengths, double mean) {
  double variance = 0;
  for (const LengthWeight& length : lengths) {
    variance += length.weight * (length.bytes - mean) * (length.bytes - mean);
  }
  return std::sqrt(variance);
}

// Sorts by bytes, joins equal ones, makes the weights sum to 1.
void normalize(std::vector<LengthWeight>& lengths) {
  std::ranges::sort(lengths, {}, &LengthWeight::bytes);
  std::vector<LengthWeight> joined;
  double sum = 0;
  for (const LengthWeight& length : lengths) {
    if (length.weight <= 0) continue;
    sum += length.weight;
    if (!joined.empty() && joined.back().bytes == length.bytes) {
      joined.back().weight += length.weight;
    } else {
      joined.push_back(length);
    }
  }
  for (LengthWeight& length : joined) length.weight /= sum;
  lengths = std::move(joined);
}

int with_header(const StoredColumn& column, int64_t payload, int block_size) {
  const int64_t bounded = std::clamp<int64_t>(payload, 0, block_size);
  if (column.length == -2) return static_cast<int>(bounded) + 1;
  if (column.storage == 'p') return static_cast<int>(bounded) + 4;
  return stored_length(bounded);
}

// The lengths that the most common values and the histogram show; empty if they show none.
std::vector<LengthWeight> seen_lengths(const StoredColumn& column, const StoredStats& stats,
                                       int block_size) {
  std::vector<LengthWeight> out;
  double rest = 1 - stats.null_frac;
  if (stats.common_lengths.size() == stats.common_frequencies.size()) {
    for (size_t i = 0; i < stats.common_lengths.size(); ++i) {
      out.push_back(
          {with_header(column, stats.common_lengths[i], block_size), stats.common_frequencies[i]});
      rest -= stats.common_frequencies[i];
    }
  }
  const size_t bounds = stats.bound_lengths.size();
  for (size_t i = 0; i < bounds; ++i) {
    const bool end = i == 0 || i + 1 == bounds;  // stands for half an interval of the histogram
    out.push_back({with_header(column, stats.bound_lengths[i], block_size),
                   std::max(rest, 1e-6) * (end ? 0.5 : 1.0) / static_cast<double>(bounds)});
  }
  if (!out.empty()) normalize(out);
  return out;
}

// A spread of lengths around a mean of which nothing else is known.
std::vector<LengthWeight> assumed_lengths(double mean, bool varlena) {
  std::vector<LengthWeight> out;
  if (varlena && std::floor(mean) == kToastPointer) return {{kToastPointer, 1}};
  const int from = std::max(1, static_cast<int>(mean / 2));
  const int to = std::max(from, static_cast<int>(std::lround(2 * mean)) - from);
  const int step = std::max(1, (to - from) / 64) | 1;  // odd: all residues come up
  for (int bytes = from; bytes <= to; bytes += step) out.push_back({bytes, 1});
  normalize(out);
  return out;
}

Values values_of(const StoredColumn& column, const TupleShape& shape) {
  if (column.length > 0) return {.lengths = {{column.length, 1}}, .mean = double(column.length)};
  const StoredStats& stats = *column.stats;
  double width = std::clamp(stats.avg_width, 1.0, static_cast<double>(shape.block_size));
  if (column.computed && column.length == -1 && width - 3 <= kShortMax) {
    width = std::max(width - 3, 1.0);  // the header shrinks when the entry is stored
  }
  Values out;
  out.lengths = seen_lengths(column, stats, shape.block_size);
  const double seen = mean_of(out.lengths);
  const double spread = spread_of(out.lengths, seen);
  const auto count = static_cast<double>(stats.common_lengths.size() + stats.bound_lengths.size());
  const double doubt = spread / std::sqrt(std::max(count, 1.0));
  if (out.lengths.empty() || seen + 4 * doubt < width || seen - 4 * doubt > width + 1) {
    // Nothing seen, or something else than what is stored: compressed, or kept in TOAST.
    out.guessed = true;
    out.mean = width + 0.5;
    out.error = 0.5;
    out.lengths = assumed_lengths(out.mean, column.length == -1);
    if (out.lengths.size() == 1) out.mean = mean_of(out.lengths);
  } else {
    out.mean = std::clamp(seen, width, width + 1);
    const double low = std::max(width, seen - 3 * doubt);
    const double high = std::min(width + 1, seen + 3 * doubt);
    out.error = std::max(high - low, 0.0) / 2 + (low > high ? 0.2 : 0.0);
  }
  if (shape.rows > shape.sample) {
    out.error += 3 * spread_of(out.lengths, mean_of(out.lengths)) / std::sqrt(shape.sample);
  }
  out.error += shape.changed * kUnseenSpread * out.mean;
  return out;
}

struct Column {
  Values values = {};
  int align = 1;
  bool packed = false;  // short values are stored without padding
  double null_frac = 0;
  double null_error = 0;
};

// Probabilities by offset; the last cell takes all that is longer.
using Offsets = std::vector<double>;

// How far padding to `align` varies at these offsets: standard deviation in bytes.
double padding_spread(const Offsets& at, size_t end, int align) {
  double mean = 0;
  double square = 0;
  for (size_t offset = 0; offset < end; ++offset) {
    if (at[offset] < kTiny) continue;
    const int pad = aligned(static_cast<int>(offset), align) - static_cast<int>(offset);
    mean += at[offset] * pad;
    square += at[offset] * pad * pad;
  }
  return std::sqrt(std::max(square - mean * mean, 0.0));
}

struct Walked {
  Offsets at = {};
  double padding_variance = 0;  // bytes², summed over columns and the end of the tuple
};

Walked walk(const std::vector<Column>& columns, bool with_nulls, size_t cells) {
  Walked out;
  Offsets& at = out.at;
  at.resize(cells, 0.0);
  at[0] = 1;
  size_t end = 1;
  for (const Column& column : columns) {
    const double null_frac = with_nulls ? column.null_frac : 0;
    if (!column.packed) out.padding_variance += std::pow(padding_spread(at, end, column.align), 2);
    Offsets next(cells, 0.0);
    size_t next_end = end;
    for (size_t offset = 0; offset < end; ++offset) {
      const double here = at[offset];
      if (here < kTiny) continue;
      next[offset] += here * null_frac;
      for (const LengthWeight& length : column.values.lengths) {
        const bool pads = !column.packed || length.bytes > kShortMax;
        const auto from = static_cast<size_t>(pads ? aligned(static_cast<int>(offset), column.align)
                                                   : static_cast<int>(offset));
        const size_t to = std::min(from + static_cast<size_t>(length.bytes), cells - 1);
        next[to] += here * (1 - null_frac) * length.weight;
        next_end = std::max(next_end, to + 1);
      }
    }
    at = std::move(next);
    end = next_end;
  }
  out.padding_variance += std::pow(padding_spread(at, end, 8), 2);
  return out;
}

Result<std::vector<Column>> columns_of(std::span<const StoredColumn> columns,
                                       const TupleShape& shape) {
  std::vector<Column> out;
  for (const StoredColumn& column : columns) {
    if (column.dropped) continue;  // null in every row that is written anew
    const bool needs = column.length < 0 || !column.not_null;
    if (needs && !column.stats) {
      return Error{ErrorCode::Invalid, cat("no statistics of column ", printable(column.name))};
    }
    Column walked{.values = values_of(column, shape),
                  .align = std::max(column.align, 1),
                  .packed = column.length == -1 && column.storage != 'p'};
    if (!column.not_null) {
      const double f = std::clamp(column.stats->null_frac, 0.0, 1.0);
      walked.null_frac = f;
      if (shape.rows > shape.sample) {
        walked.null_error = 3 * std::sqrt(f * (1 - f) / shape.sample);
      }
      walked.null_error += shape.changed * kUnseenSpread * std::min(f, 1 - f);
    }
    out.push_back(std::move(walked));
  }
  return out;
}

// What the null bitmap adds to the header, and how likely a tuple has one.
struct NullBitmap {
  int bytes = 0;
  double likely = 0;
  double error = 0;  // of `likely`
};

NullBitmap null_bitmap(std::span<const StoredColumn> stored, const std::vector<Column>& columns,
                       bool index) {
  NullBitmap out;
  // Rows: 23 bytes and one bit a column, rounded up to 8. Entries: 8 bytes, and 4 for 32 bits.
  const int bitmap = (static_cast<int>(stored.size()) + 7) / 8;
  out.bytes = index ? 8 : aligned(23 + bitmap, 8) - aligned(23, 8);
  double none = 1;
  double most = 0;
  double sum = 0;
  for (const Column& column : columns) {
    none *= 1 - column.null_frac;
    most = std::max(most, column.null_frac);
    sum += column.null_frac;
  }
  out.likely = 1 - none;
  out.error = std::max(std::min(sum, 1.0) - out.likely, out.likely - most);
  if (columns.size() < stored.size()) out = {.bytes = out.bytes, .likely = 1};  // dropped: null
  return out;
}

}  // namespace

int stored_length(int64_t payload) {
  const int bytes = static_cast<int>(payload);
  return bytes + 1 <= kShortMax ? bytes + 1 : bytes + 4;
}

Result<TupleLengths> tuple_lengths(std::span<const StoredColumn> stored, const TupleShape& shape) {
  const std::vector<Column> columns = TRY(columns_of(stored, shape));
  const auto cells = static_cast<size_t>(shape.block_size) + 1;
  const Walked walked = walk(columns, true, cells);
  const Offsets& some = walked.at;
  const Offsets full = walk(columns, false, cells).at;
  const NullBitmap bitmap = null_bitmap(stored, columns, shape.index);
  const int header = shape.index ? 8 : 24;

  double none = columns.size() < stored.size() ? 0 : 1;  // probability of a row without nulls
  for (const Column& column : columns) none *= 1 - column.null_frac;
  TupleLengths out;
  for (size_t offset = 0; offset < cells; ++offset) {
    const int bytes = aligned(static_cast<int>(offset), 8) + header;
    const double bare = none * full[offset];
    if (bare > kTiny) out.lengths.push_back({bytes, bare});
    const double rest = some[offset] - bare;
    if (rest > kTiny) out.lengths.push_back({bytes + bitmap.bytes, rest});
  }
  normalize(out.lengths);

  double shift = 0;  // from the mean of the lengths seen to the mean that is known better
  double variance = std::pow(bitmap.bytes * bitmap.error, 2);
  bool guessed = false;
  for (const Column& column : columns) {
    const Values& values = column.values;
    shift += (1 - column.null_frac) * (values.mean - mean_of(values.lengths));
    variance += std::pow((1 - column.null_frac) * values.error, 2);
    variance += std::pow(column.null_error * values.mean, 2);
    guessed = guessed || values.guessed;
  }
  // The means of the padding are as good as the assumption that lengths are independent, and as
  // spread as assumed.
  const double doubt = guessed ? kGuessedPadding : kIndependentPadding;
  variance += walked.padding_variance * doubt * doubt;
  out.mean = mean_of(out.lengths) + shift;
  out.error = std::sqrt(variance);
  return out;
}

}  // namespace pgtend::vacuum
