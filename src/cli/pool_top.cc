#include "cli/pool_top.h"

#include <algorithm>
#include <limits>
#include <thread>

#include "base/log.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/full_screen.h"
#include "cli/lookout.h"
#include "cli/pool_screen.h"
#include "cli/pool_watch.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kTopParameters[] = {
    {"--interval", "SECONDS", "time between two readings, 2 by default"},
    {"--sort", "KEY", "order of the queries: time (default), calls, mean, errors or rows"},
    {"--once", "", "one snapshot as text: two readings, an interval apart"},
    {"--count", "N", "so many snapshots, one an interval; 0 goes on until interrupted"},
    {"--rows", "N", "queries in a snapshot as text, 20 by default"},
};

struct TopOptions {
  PoolView view = {};
  size_t count = 0;  // 0: without end
  size_t rows = 0;
};

Result<ShapeSort> sort_from(const std::string& name) {
  std::vector<std::string_view> known;
  for (const ShapeSortName& sort : kShapeSorts) {
    if (sort.name == name) return sort.sort;
    known.push_back(sort.name);
  }
  const auto near = nearest(name, known);
  return Error{ErrorCode::Invalid, cat("--sort \"", printable(name), "\" is unknown")}.hinting(
      near ? cat("did you mean ", *near, "?") : "time, calls, mean, errors or rows");
}

Result<TopOptions> options_from(const Args& args) {
  TopOptions options;
  options.view.sort = TRY(sort_from(args.get("--sort", "time")));
  options.view.interval = seconds(TRY(args.number("--interval", 2, 1, 3600)));
  options.rows = static_cast<size_t>(TRY(args.number("--rows", 20, 1, 100'000)));
  options.count = static_cast<size_t>(TRY(args.number("--count", 1, 0, 1'000'000'000)));
  if (args.has("--once") && args.has("--count")) {
    return Error{ErrorCode::Invalid, "--once and --count exclude each other"};
  }
  return options;
}

// --- snapshots

void write_text(Output& output, const PoolScene& scene, const TopOptions& options) {
  const Terminal& terminal = output.terminal();
  const size_t width =
      terminal.out_is_terminal ? terminal.width : std::numeric_limits<size_t>::max();
  for (const ScreenLine& line : pool_snapshot(scene, options.view.sort, options.rows, width)) {
    output.line(output.styled(line.style, line.text));
  }
}

// The last document is finished by the program.
Result<int> run_snapshots(PoolConsole console, Output& output, const TopOptions& options) {
  PoolReading before = TRY(console.read());
  const SteadyTime start = before.at;
  for (size_t i = 0; options.count == 0 || i < options.count; ++i) {
    if (i > 0) {
      output.json() ? output.finish("pgtend.pool.top/1") : output.line();
    }
    const int64_t rounds = (system_clock().steady() - start) / options.view.interval;
    std::this_thread::sleep_until(start + (rounds + 1) * options.view.interval);
    PoolReading after = TRY(console.read());
    const PoolRates rates = rates_between(&before, after);
    const PoolScene scene{.reading = after, .rates = rates, .ascii = output.terminal().ascii};
    write_text(output, scene, options);
    output.data() = pool_json(scene, options.view.sort);
    if (const std::string gaps = pool_gaps(after); !gaps.empty()) output.keep_warning(gaps);
    before = std::move(after);
  }
  return 0;
}

// --- the view

// The readings that are shown, and the one to compare the next with.
class Shown {
 public:
  explicit Shown(SteadyTime start) : start_(start), latest_at_(start) {}

  // A paused view keeps what it shows, but not what it compares with.
  void take(PoolWatch::News news, bool paused) {
    trouble_ = std::move(news.trouble);
    if (!news.reading) return;
    latest_at_ = system_clock().steady();
    PoolRates rates = rates_between(latest_ ? &*latest_ : nullptr, *news.reading);
    latest_ = std::move(news.reading);
    if (paused && shown_) return;
    shown_ = latest_;
    rates_ = std::move(rates);
  }

  bool any() const { return shown_.has_value(); }
  PoolScene scene(bool ascii) const {
    const SteadyTime now = system_clock().steady();
    PoolScene scene{.reading = *shown_, .rates = rates_, .watched = now - start_, .ascii = ascii};
    if (!trouble_.empty()) {
      const auto age = std::chrono::duration_cast<seconds>(now - latest_at_);
      scene.trouble = cat("no reading for ", human(age), ", trying again: ", trouble_);
    }
    return scene;
  }

 private:
  SteadyTime start_;
  SteadyTime latest_at_;
  std::optional<PoolReading> latest_;
  std::optional<PoolReading> shown_;
  PoolRates rates_;
  std::string trouble_;
};

void draw(FullScreen& terminal, const Output& output, const Shown& shown, PoolView& view,
          size_t& page) {
  const auto [width, height] = terminal.size();
  std::vector<std::string> lines = {"waiting for the first reading; q quits"};
  if (shown.any()) {
    const PoolScreen screen =
        draw_pool(shown.scene(output.terminal().ascii), view, {width, height});
    lines.clear();
    for (const ScreenLine& line : screen.lines) {
      lines.push_back(output.styled(line.style, line.text));
    }
    view.scroll = std::min(view.scroll, screen.scroll_max);
    page = screen.page;
  }
  terminal.draw(lines);
}

// What ends the view, if anything does: its exit code.
std::optional<int> obey(const FullScreen::Input& input, FullScreen& terminal, PoolWatch& watch,
                        PoolView& view, std::string& typed, size_t page) {
  if (input.ended) return 0;
  typed += input.bytes;
  for (const Key key : take_keys(typed, input.bytes.empty())) {
    switch (press(view, key, page)) {
      case KeyEffect::None:
        break;
      case KeyEffect::Quit:
        return 0;
      case KeyEffect::Interrupt:
        return traits(ErrorCode::Cancelled).exit_code;
      case KeyEffect::Suspend:
        terminal.suspend();
        break;
      case KeyEffect::NewInterval:
        watch.set_interval(view.interval);
        break;
    }
  }
  return {};
}

Result<int> run_view(PoolConsole console, const Args& args, Output& output, PoolView view) {
  const Bell bell = TRY(Bell::create());
  const std::stop_callback on_stop(args.stop, [&] { bell.ring(); });
  log::set_level(log::Level::Off);  // it would be drawn over the page
  PoolWatch watch(std::move(console), args.connection, view.interval, [&] { bell.ring(); });
  const auto terminal = TRY(FullScreen::open());  // given back before the watch is waited for
  Shown shown(system_clock().steady());
  std::string typed;
  size_t page = 1;
  while (!args.stop.stop_requested()) {
    shown.take(watch.take(), view.paused);
    draw(*terminal, output, shown, view, page);
    const auto over = obey(terminal->wait(bell), *terminal, watch, view, typed, page);
    if (over) return *over;
  }
  return traits(ErrorCode::Cancelled).exit_code;
}
}  // namespace

std::span<const Parameter> pool_top_parameters() { return kTopParameters; }

Result<int> run_pool_top(const Args& args, Output& output) {
  const TopOptions options = TRY(options_from(args));  // a typing mistake should cost no work
  const bool snapshots =
      args.has("--once") || args.has("--count") || output.json() || !output.terminal().full_screen;
  std::optional<Lookout> lookout;
  lookout.emplace(args, output);
  PoolConsole console = TRY(PoolConsole::open(args.connection));
  if (snapshots) return run_snapshots(std::move(console), output, options);
  lookout.reset();  // from here on a stop must give the terminal back first
  return run_view(std::move(console), args, output, options.view);
}

}  // namespace pgtend::cli
