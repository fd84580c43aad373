// How a person looks at a pooler: what is shown, in which order, and the keys that change it. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cli/pool_rates.h"

namespace pgtend::cli {

enum class PoolSection : unsigned char { Overview, Pools, Queries, Events };

struct PoolView {
  ShapeSort sort = ShapeSort::Time;
  PoolSection section = PoolSection::Overview;
  size_t scroll = 0;  // rows above the first one shown
  bool paused = false;
  bool help = false;
  seconds interval{2};
};

// A key that is no printable character.
enum class NamedKey : unsigned char { None, Up, Down, PageUp, PageDown, Home, End, Escape };

struct Key {
  NamedKey name = NamedKey::None;
  char character = 0;  // of NamedKey::None: as typed, control keys as their byte

  friend bool operator==(const Key&, const Key&) = default;
};

// Takes the keys off the front of what a terminal sent. The beginning of an escape sequence stays
// in `bytes` until its rest has come; `over`: nothing more comes now, so a single Escape is one.
std::vector<Key> take_keys(std::string& bytes, bool over);

// What the caller must do after a key besides drawing.
enum class KeyEffect : unsigned char { None, Quit, Interrupt, Suspend, NewInterval };

// `page`: rows that the scrolled table shows. Scrolling is not bounded here but when drawing.
KeyEffect press(PoolView& view, Key key, size_t page);

// The keys and what they do, for the view's help.
struct KeyHelp {
  std::string_view keys;
  std::string_view meaning;
};
std::span<const KeyHelp> key_help();

}  // namespace pgtend::cli
