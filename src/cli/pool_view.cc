#include "cli/pool_view.h"

#include <algorithm>
#include <optional>

namespace pgtend::cli {

namespace {
constexpr char kControlC = 3;
constexpr char kControlZ = 26;
constexpr char kEscape = 27;

constexpr KeyHelp kHelp[] = {
    {"q", "quit; ^C too, with exit code 130"},
    {"t c m e r", "order of the queries: total time, calls, mean time, errors, rows a call"},
    {"s", "the next order"},
    {"Tab", "all of one table: pools, queries, events; then the overview again"},
    {"up down, k j", "scroll by a row; Page Up, Page Down, Home and End too"},
    {"p, space", "pause and go on; readings are taken all the same"},
    {"+ -", "a longer or shorter interval"},
    {"^Z", "suspend"},
    {"?", "this help"},
};

struct Sequence {
  std::string_view bytes;  // behind the escape character
  NamedKey name;
};
constexpr Sequence kSequences[] = {
    {"[A", NamedKey::Up},   {"[B", NamedKey::Down},    {"OA", NamedKey::Up},
    {"OB", NamedKey::Down}, {"[5~", NamedKey::PageUp}, {"[6~", NamedKey::PageDown},
    {"[H", NamedKey::Home}, {"[F", NamedKey::End},     {"OH", NamedKey::Home},
    {"OF", NamedKey::End},  {"[1~", NamedKey::Home},   {"[4~", NamedKey::End},
};
constexpr size_t kSequenceMax = 16;

// The length of the escape sequence at the front of `bytes`; nullopt while it is not whole.
std::optional<size_t> sequence_length(std::string_view bytes) {
  if (bytes.size() < 2) return {};
  if (bytes[1] == 'O') return bytes.size() < 3 ? std::optional<size_t>() : 3;
  if (bytes[1] != '[') return 1;
  for (size_t i = 2; i < bytes.size(); ++i) {
    if (bytes[i] >= '@' && bytes[i] <= '~') return i + 1;
    if (i == kSequenceMax) return i;
  }
  return {};
}

Key key_of(std::string_view sequence) {
  if (sequence.size() == 1) return {NamedKey::Escape};
  const auto* known = std::ranges::find(kSequences, sequence.substr(1), &Sequence::bytes);
  return {known == std::end(kSequences) ? NamedKey::None : known->name};
}

constexpr seconds kIntervals[] = {seconds(1),  seconds(2),  seconds(5),
                                  seconds(10), seconds(30), seconds(60)};

KeyEffect change_interval(PoolView& view, bool longer) {
  const seconds before = view.interval;
  for (const seconds step : kIntervals) {
    if (longer && step > before) {
      view.interval = step;
      break;
    }
    if (!longer && step < before) view.interval = step;
  }
  return view.interval == before ? KeyEffect::None : KeyEffect::NewInterval;
}

void next_sort(PoolView& view) {
  const auto* at = std::ranges::find(kShapeSorts, view.sort, &ShapeSortName::sort);
  view.sort = (at + 1 == std::end(kShapeSorts) ? kShapeSorts : at + 1)->sort;
}

void next_section(PoolView& view) {
  constexpr int kSections = 4;
  view.section = static_cast<PoolSection>((static_cast<int>(view.section) + 1) % kSections);
  view.scroll = 0;
}

void scroll(PoolView& view, NamedKey key, size_t page) {
  constexpr size_t kEnd = size_t{1} << 40;  // beyond any table: drawing stops at its end
  const auto up = [&](size_t rows) { view.scroll -= std::min(view.scroll, rows); };
  switch (key) {
    case NamedKey::Up:
      return up(1);
    case NamedKey::PageUp:
      return up(page);
    case NamedKey::Down:
      view.scroll += 1;
      return;
    case NamedKey::PageDown:
      view.scroll += page;
      return;
    case NamedKey::Home:
      view.scroll = 0;
      return;
    case NamedKey::End:
      view.scroll = kEnd;
      return;
    case NamedKey::None:
      return;
    case NamedKey::Escape:
      view.help = false;
      return;
  }
}

KeyEffect press_character(PoolView& view, char c) {
  switch (c) {
    case kControlC:
      return KeyEffect::Interrupt;
    case kControlZ:
      return KeyEffect::Suspend;
    case 'q':
      return KeyEffect::Quit;
    case '+':
      return change_interval(view, true);
    case '-':
      return change_interval(view, false);
    case 's':
      next_sort(view);
      return KeyEffect::None;
    case '\t':
      next_section(view);
      return KeyEffect::None;
    case 'p':
    case ' ':
      view.paused = !view.paused;
      return KeyEffect::None;
    case '?':
      view.help = !view.help;
      return KeyEffect::None;
    case 'k':
      scroll(view, NamedKey::Up, 1);
      return KeyEffect::None;
    case 'j':
      scroll(view, NamedKey::Down, 1);
      return KeyEffect::None;
    default:
      break;
  }
  const auto* order = std::ranges::find(kShapeSorts, c, &ShapeSortName::key);
  if (order != std::end(kShapeSorts)) view.sort = order->sort;
  return KeyEffect::None;
}
}  // namespace

std::vector<Key> take_keys(std::string& bytes, bool over) {
  std::vector<Key> keys;
  std::string_view rest = bytes;
  while (!rest.empty()) {
    size_t length = 1;
    if (rest[0] != kEscape) {
      keys.push_back({NamedKey::None, rest[0]});
    } else {
      const auto whole = sequence_length(rest);
      if (!whole && !over) break;
      length = whole.value_or(rest.size());
      keys.push_back(key_of(rest.substr(0, length)));
    }
    rest.remove_prefix(length);
  }
  bytes.erase(0, bytes.size() - rest.size());
  return keys;
}

KeyEffect press(PoolView& view, Key key, size_t page) {
  if (key.name == NamedKey::None) return press_character(view, key.character);
  scroll(view, key.name, page);
  return KeyEffect::None;
}

std::span<const KeyHelp> key_help() { return kHelp; }

}  // namespace pgtend::cli
