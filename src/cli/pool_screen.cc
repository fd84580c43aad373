#include "cli/pool_screen.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>
#include <utility>

#include "base/text.h"
#include "base/units.h"

namespace pgtend::cli {

namespace {
constexpr size_t kUnbounded = std::numeric_limits<size_t>::max();
constexpr size_t kEventsShown = 3;  // in the overview
constexpr size_t kEventsInSnapshot = 5;
constexpr size_t kLinesForEvents = 16;  // of the body: below it the overview has no events
constexpr size_t kLinesForHeader = 10;  // of the screen: below it the header has two lines
constexpr size_t kTextColumnsMin = 24;  // what the last column of a table should have

using Lines = std::vector<ScreenLine>;

// --- values

std::string time_text(double us) {
  if (us == 0) return "0";
  return human(nanoseconds(static_cast<int64_t>(std::min(us, 1e15) * 1e3)));
}
std::string time_text(std::optional<double> us) { return us ? time_text(*us) : "-"; }
std::string time_text(int64_t us) { return time_text(static_cast<double>(us)); }

std::string rate_text(int64_t count, nanoseconds elapsed) {
  if (elapsed.count() <= 0) return "-";
  return compact(static_cast<double>(count) / std::chrono::duration<double>(elapsed).count());
}

std::string bytes_text(int64_t bytes, nanoseconds elapsed) {
  const double rate = static_cast<double>(bytes) / std::chrono::duration<double>(elapsed).count();
  return cat(human(Bytes{static_cast<int64_t>(std::min(rate, 9e18))}), "/s");
}

// --- tables that give up columns

// A column with a higher rank is dropped earlier where the screen is too narrow.
struct Column {
  std::string_view heading;
  Align align;
  int rank;
};

struct Grid {
  std::span<const Column> columns;
  std::vector<std::vector<std::string>> rows;
  std::vector<Style> styles;  // of the rows
  // The last column takes what is left and is cut: only its beginning must fit.
  bool ends_in_text = false;
};

size_t width_of(const Grid& grid, size_t column, size_t screen) {
  size_t width = columns(grid.columns[column].heading);
  for (const auto& row : grid.rows) width = std::max(width, columns(row[column]));
  const bool text = grid.ends_in_text && column + 1 == grid.columns.size();
  return text ? std::min({width, kTextColumnsMin, screen / 2}) : width;
}

// The columns that fit into `width`, in their order; never none.
std::vector<size_t> fitting_columns(const Grid& grid, size_t width) {
  std::vector<size_t> kept(grid.columns.size());
  std::vector<size_t> widths(grid.columns.size());
  size_t total = 0;
  for (size_t i = 0; i < kept.size(); ++i) {
    kept[i] = i;
    widths[i] = width_of(grid, i, width) + 2;
    total += widths[i];
  }
  while (kept.size() > 1 && total - 2 > width) {
    const auto drop = std::ranges::max_element(
        kept, {}, [&](size_t i) { return std::pair(grid.columns[i].rank, i); });
    total -= widths[*drop];
    kept.erase(drop);
  }
  return kept;
}

// The longest beginning of UTF-8 `text` of at most `width` columns.
std::string_view first_columns(std::string_view text, size_t width) {
  size_t end = 0;
  while (end < text.size()) {
    const bool starts = (static_cast<unsigned char>(text[end]) & 0xc0) != 0x80;
    if (starts && width-- == 0) break;
    ++end;
  }
  return text.substr(0, end);
}

std::string fitted(std::string_view text, size_t width, bool ascii) {
  std::string out(text);
  if (columns(text) > width) {
    const size_t kept = width > 0 ? width - 1 : 0;
    out = cat(first_columns(text, kept), width == 0 ? "" : ascii ? "~" : "…");
  }
  if (!ascii) return out;
  std::string plain;
  for (const char c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) != 0x80) plain += byte < 0x80 ? c : '?';
  }
  return plain;
}

// The heading and a line for each row.
Lines lines_of(const Grid& grid, size_t width) {
  Table table;
  const auto kept = fitting_columns(grid, width);
  for (const size_t i : kept) {
    table.headings.emplace_back(grid.columns[i].heading);
    table.align.push_back(grid.columns[i].align);
  }
  for (const auto& row : grid.rows) {
    auto& cells = table.rows.emplace_back();
    for (const size_t i : kept) cells.push_back(row[i]);
  }
  Lines lines;
  const std::string text = render(table);
  for (const std::string_view line :
       split(std::string_view(text).substr(0, text.size() - 1), '\n')) {
    const bool heading = lines.empty();
    lines.push_back({std::string(line), heading ? Style::Bold : grid.styles[lines.size() - 1]});
  }
  return lines;
}

// --- the three tables

constexpr Column kPoolColumns[] = {
    {"database", Align::Left, -1}, {"user", Align::Left, 2},       {"clients", Align::Right, 1},
    {"waiting", Align::Right, 0},  {"servers", Align::Right, 1},   {"idle", Align::Right, 3},
    {"longest", Align::Right, 3},  {"wait p50", Align::Right, 7},  {"wait p95", Align::Right, 5},
    {"wait p99", Align::Right, 6}, {"query p50", Align::Right, 6}, {"query p95", Align::Right, 4},
    {"query p99", Align::Right, 5}};

// Those that every pooler knows.
constexpr size_t kPoolColumnsNow = 7;

void append_spread(std::vector<std::string>& cells, const std::optional<TimeSpread>& spread) {
  const bool known = spread && spread->count > 0;
  for (const auto quantile : {&TimeSpread::p50_us, &TimeSpread::p95_us, &TimeSpread::p99_us}) {
    cells.push_back(known ? time_text((*spread).*quantile) : "-");
  }
}

Grid pools_grid(const PoolScene& scene) {
  const bool quantiles = scene.reading.times.has_value();
  const std::span<const Column> all = kPoolColumns;
  Grid grid{.columns = quantiles ? all : all.first(kPoolColumnsNow), .rows = {}, .styles = {}};
  for (const PoolRow& row : scene.rates.pools) {
    const PoolNow& now = row.now;
    std::vector<std::string> cells = {now.database,
                                      now.user,
                                      cat(now.clients_active),
                                      cat(now.clients_waiting),
                                      cat(now.servers_active),
                                      cat(now.servers_idle),
                                      time_text(now.wait_max_us)};
    if (quantiles) append_spread(cells, row.wait);
    if (quantiles) append_spread(cells, row.query);
    grid.rows.push_back(std::move(cells));
    grid.styles.push_back(now.clients_waiting > 0 ? Style::Warn : Style::Plain);
  }
  return grid;
}

constexpr Column kShapeColumns[] = {
    {"calls/s", Align::Right, 1},  {"time", Align::Right, 2},      {"mean", Align::Right, 0},
    {"p95 ever", Align::Right, 6}, {"rows/call", Align::Right, 5}, {"errors", Align::Right, 4},
    {"database", Align::Left, 7},  {"user", Align::Left, 8},       {"query", Align::Left, -1}};

// The share of the interval's time of all queries, in per cent.
std::string share_text(int64_t part, int64_t whole) {
  if (whole <= 0) return "-";
  return cat(std::lround(100 * static_cast<double>(part) / static_cast<double>(whole)), " %");
}

Grid shapes_grid(const PoolScene& scene, ShapeSort sort) {
  Grid grid{.columns = kShapeColumns, .rows = {}, .styles = {}, .ends_in_text = true};
  std::vector<ShapeTotals> shapes = scene.rates.shapes;
  sort_shapes(shapes, sort);
  int64_t time_us = 0;
  for (const ShapeTotals& shape : shapes) time_us += shape.time_us;
  for (const ShapeTotals& shape : shapes) {
    const bool known = !shape.shape.empty();
    const auto rows = mean(shape.rows, shape.calls);
    grid.rows.push_back(
        {rate_text(shape.calls, scene.rates.elapsed), share_text(shape.time_us, time_us),
         time_text(mean(shape.time_us, shape.calls)), known ? time_text(shape.p95_us) : "-",
         rows ? compact(*rows) : "-", grouped(shape.errors), shape.database, shape.user,
         known ? shape.text : "(all other shapes)"});
    grid.styles.push_back(shape.errors > 0 ? Style::Warn : Style::Plain);
  }
  return grid;
}

constexpr Column kEventColumns[] = {{"time", Align::Left, 2},     {"event", Align::Left, 1},
                                    {"database", Align::Left, 3}, {"user", Align::Left, 4},
                                    {"rows", Align::Right, 3},    {"what", Align::Left, -1}};

// The latest first.
Grid events_grid(const PoolScene& scene) {
  Grid grid{.columns = kEventColumns, .rows = {}, .styles = {}, .ends_in_text = true};
  if (!scene.reading.events) return grid;
  for (auto event = scene.reading.events->rbegin(); event != scene.reading.events->rend();
       ++event) {
    const std::string blank = event->target.empty() ? "" : " ";
    grid.rows.push_back({event->time, event->kind, event->database, event->user,
                         compact(static_cast<double>(event->rows)),
                         cat(event->command, blank, event->target)});
    grid.styles.push_back(event->kind == "failure" ? Style::Bad : Style::Plain);
  }
  return grid;
}

// --- header

std::string counts_text(const PoolScene& scene) {
  PoolNow sum;
  for (const PoolRow& row : scene.rates.pools) {
    sum.clients_active += row.now.clients_active;
    sum.clients_waiting += row.now.clients_waiting;
    sum.servers_active += row.now.servers_active;
    sum.servers_idle += row.now.servers_idle;
    sum.wait_max_us = std::max(sum.wait_max_us, row.now.wait_max_us);
  }
  return cat("clients ", sum.clients_active, " active, ", sum.clients_waiting,
             " waiting   servers ", sum.servers_active, " active, ", sum.servers_idle,
             " idle   longest wait ", time_text(sum.wait_max_us));
}

std::string rates_text(const PoolScene& scene) {
  const PoolRates& rates = scene.rates;
  const DatabaseTotals& sum = rates.sum;
  if (rates.elapsed.count() <= 0) return "a first look: rates come with the next one";
  return cat("tx/s ", rate_text(sum.transactions, rates.elapsed), "   queries/s ",
             rate_text(sum.queries, rates.elapsed), "   in ",
             bytes_text(sum.bytes_in, rates.elapsed), "   out ",
             bytes_text(sum.bytes_out, rates.elapsed), "   mean wait ",
             time_text(mean(sum.wait_us, sum.transactions)), ", query ",
             time_text(mean(sum.query_us, sum.queries)), ", tx ",
             time_text(mean(sum.transaction_us, sum.transactions)));
}

std::string title_text(const PoolScene& scene) {
  const std::string& state = scene.reading.state;
  return cat(state.empty() ? "" : cat(state, "   "), scene.reading.where, "   ",
             scene.reading.version);
}

// What spoils the numbers, or ""; one line.
ScreenLine remark(const PoolScene& scene, const PoolView& view) {
  if (!scene.trouble.empty()) return {printable(scene.trouble), Style::Bad};
  if (view.paused) return {"paused: p goes on", Style::Warn};
  if (!scene.rates.restarted.empty()) {
    return {cat("counted anew since the last look, in no sum: ", join(scene.rates.restarted, ", ")),
            Style::Warn};
  }
  return {};
}

Lines header(const PoolScene& scene, const PoolView& view, size_t height) {
  const bool usual = scene.reading.state.empty() || scene.reading.state == "active";
  Lines lines = {{cat(title_text(scene), "   watched ", human(scene.watched)),
                  usual ? Style::Bold : Style::Warn},
                 {counts_text(scene)},
                 {rates_text(scene)},
                 remark(scene, view)};
  if (height >= kLinesForHeader) return lines;
  // A small screen: what is wrong, else what happens.
  if (!lines[3].text.empty()) return {lines[0], lines[3]};
  return {lines[1], lines[2]};
}

ScreenLine footer(const PoolView& view) {
  const auto* sort = std::ranges::find(kShapeSorts, view.sort, &ShapeSortName::sort);
  return {cat("q quit  ? help  t c m e r by ", sort->name, "  Tab tables  p pause  +- every ",
              view.interval.count(), " s"),
          Style::Dim};
}

// --- putting it together

// The first `room` lines of a table from row `scroll` on; the last one tells what is left out.
void append_table(Lines& out, const Lines& table, size_t room, size_t scroll,
                  std::string_view how_to_see) {
  if (room == 0) return;
  out.push_back(table[0]);
  const size_t rows = table.size() - 1;
  const size_t first = std::min(scroll, rows);
  size_t shown = std::min(rows - first, room - 1);
  const size_t left = rows - first - shown;
  if (left > 0 && shown > 1) --shown;
  for (size_t i = 0; i < shown; ++i) out.push_back(table[1 + first + i]);
  if (left > 0 && room > 2) {
    out.push_back({cat("  and ", rows - first - shown, " more", how_to_see), Style::Dim});
  }
}

void append_scrolled(PoolScreen& screen, const Lines& table, size_t room, size_t scroll) {
  const size_t rows = table.size() - 1;
  const size_t page = room > 1 ? room - 1 : 1;
  screen.page = page;
  screen.scroll_max = rows > page ? rows - page : 0;
  append_table(screen.lines, table, room, std::min(scroll, screen.scroll_max), "");
}

void append_help(Lines& out, const PoolReading& reading) {
  for (const KeyHelp& help : key_help()) {
    std::string keys(help.keys);
    keys.resize(std::max<size_t>(15, keys.size() + 2), ' ');
    out.push_back({cat("  ", keys, help.meaning)});
  }
  out.push_back({});
  out.push_back(
      {"clients, servers and the longest wait are of now; p95 ever: since the query was"});
  out.push_back({"first seen; all else happened between the last two readings."});
  if (const std::string gaps = pool_gaps(reading); !gaps.empty()) out.push_back({gaps});
}

// Pools above, queries below, the last events at the bottom if there is room.
void append_overview(PoolScreen& screen, const PoolScene& scene, const PoolView& view, size_t width,
                     size_t room) {
  const Lines pools = lines_of(pools_grid(scene), width);
  if (!scene.reading.shapes) {
    append_scrolled(screen, pools, room - std::min<size_t>(room, 2), view.scroll);
    screen.lines.push_back({});
    screen.lines.push_back({pool_gaps(scene.reading), Style::Dim});
    return;
  }
  const Lines events = lines_of(events_grid(scene), width);
  const size_t event_rows = std::min(events.size() - 1, kEventsShown);
  const size_t for_events = room >= kLinesForEvents && event_rows > 0 ? event_rows + 2 : 0;
  const size_t third = std::max<size_t>((room - for_events) / 3, 2);
  const size_t for_pools = room < 4 ? 0 : std::min(pools.size(), third);
  append_table(screen.lines, pools, for_pools, 0, " (Tab)");
  size_t for_shapes = room - for_events - for_pools;
  if (for_pools > 0 && for_shapes > 4) {
    screen.lines.push_back({});
    --for_shapes;
  }
  const size_t end = screen.lines.size() + for_shapes;
  append_scrolled(screen, lines_of(shapes_grid(scene, view.sort), width), for_shapes, view.scroll);
  if (for_events == 0) return;
  screen.lines.resize(end + 1);  // the events stay at the bottom
  for (size_t i = 0; i <= event_rows; ++i) screen.lines.push_back(events[i]);
}

void append_body(PoolScreen& screen, const PoolScene& scene, const PoolView& view, size_t width,
                 size_t room) {
  const bool other = view.section == PoolSection::Queries || view.section == PoolSection::Events;
  if (view.help) {
    append_help(screen.lines, scene.reading);
  } else if (other && !scene.reading.shapes) {
    screen.lines.push_back({pool_gaps(scene.reading), Style::Dim});
  } else if (view.section == PoolSection::Overview) {
    append_overview(screen, scene, view, width, room);
  } else {
    const Grid grid = view.section == PoolSection::Pools     ? pools_grid(scene)
                      : view.section == PoolSection::Queries ? shapes_grid(scene, view.sort)
                                                             : events_grid(scene);
    append_scrolled(screen, lines_of(grid, width), room, view.scroll);
  }
}

std::string when(WallTime at) {
  const std::time_t since = std::chrono::system_clock::to_time_t(at);
  std::tm parts{};
  gmtime_r(&since, &parts);
  char text[40];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

std::string coverage(const PoolScene& scene) {
  const std::string end = when(scene.reading.wall);
  if (scene.rates.elapsed.count() <= 0) return cat("at ", end);
  return cat("rates of the ", human(scene.rates.elapsed), " before ", end,
             "; clients and servers of that moment",
             scene.reading.shapes ? "; p95 ever: since the query was first seen" : "");
}

void fit(Lines& lines, size_t width, bool ascii) {
  for (ScreenLine& line : lines) line.text = fitted(line.text, width, ascii);
}
}  // namespace

std::string pool_gaps(const PoolReading& reading) {
  if (reading.shapes && reading.times && reading.events) return "";
  return "queries, quantiles and events need pgtend-pool: this pooler does not tell them";
}

PoolScreen draw_pool(const PoolScene& scene, const PoolView& view, ScreenSize size) {
  PoolScreen screen;
  screen.lines = header(scene, view, size.lines);
  const bool with_footer = size.lines >= 4;
  const size_t used = screen.lines.size() + (with_footer ? 1 : 0);
  const size_t room = size.lines - std::min(size.lines, used);
  append_body(screen, scene, view, size.columns, room);
  screen.lines.resize(size.lines - (with_footer ? 1 : 0));
  if (with_footer) screen.lines.push_back(footer(view));
  fit(screen.lines, size.columns, scene.ascii);
  return screen;
}

std::vector<ScreenLine> pool_snapshot(const PoolScene& scene, ShapeSort sort, size_t shapes_max,
                                      size_t columns_max) {
  Lines lines = {{title_text(scene), Style::Bold},
                 {coverage(scene)},
                 {counts_text(scene)},
                 {rates_text(scene)}};
  if (const ScreenLine note = remark(scene, {}); !note.text.empty()) lines.push_back(note);
  lines.push_back({});
  append_table(lines, lines_of(pools_grid(scene), columns_max), kUnbounded, 0, "");
  if (scene.reading.shapes) {
    lines.push_back({});
    append_table(lines, lines_of(shapes_grid(scene, sort), columns_max), shapes_max + 1, 0,
                 " (--rows)");
  }
  if (scene.reading.events && !scene.reading.events->empty()) {
    lines.push_back({});
    const Lines events = lines_of(events_grid(scene), columns_max);
    append_table(lines, events, std::min(events.size(), kEventsInSnapshot + 1), 0, "");
  }
  if (const std::string gaps = pool_gaps(scene.reading); !gaps.empty()) lines.push_back({gaps});
  fit(lines, columns_max, scene.ascii);
  return lines;
}

}  // namespace pgtend::cli
