#include "cli/pool_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgtend::cli {
namespace {

using testing::ElementsAre;

Key typed(char c) { return {NamedKey::None, c}; }

TEST(PoolView, KeysOfATerminalAreToldApart) {
  std::string bytes = "q\x1b[A\x1bOB\x1b[5~\x1b[H+";

  EXPECT_THAT(take_keys(bytes, false),
              ElementsAre(typed('q'), Key{NamedKey::Up}, Key{NamedKey::Down}, Key{NamedKey::PageUp},
                          Key{NamedKey::Home}, typed('+')));
  EXPECT_EQ(bytes, "");
}

TEST(PoolView, ASequenceInPiecesIsOneKey) {
  std::string bytes = "c\x1b[";
  EXPECT_THAT(take_keys(bytes, false), ElementsAre(typed('c')));
  bytes += "6~";
  EXPECT_THAT(take_keys(bytes, false), ElementsAre(Key{NamedKey::PageDown}));
  bytes = "\x1b";
  EXPECT_THAT(take_keys(bytes, false), ElementsAre());
  EXPECT_THAT(take_keys(bytes, true), ElementsAre(Key{NamedKey::Escape}));
}

TEST(PoolView, UnknownAndEndlessSequencesAreNoKeys) {
  std::string bytes = "\x1b[31;5x\x1b[" + std::string(100, '1');
  for (const Key key : take_keys(bytes, true)) {
    EXPECT_TRUE(key == Key{} || key == typed('1'));
  }
  EXPECT_EQ(bytes, "");
}

TEST(PoolView, LettersChooseTheOrderAndSTakesTheNext) {
  PoolView view;
  for (const ShapeSortName& sort : kShapeSorts) {
    press(view, typed(sort.key), 1);
    EXPECT_EQ(view.sort, sort.sort);
  }
  press(view, typed('s'), 1);
  EXPECT_EQ(view.sort, ShapeSort::Time);
}

TEST(PoolView, TheIntervalKeepsWithinItsSteps) {
  PoolView view{.interval = seconds(3)};
  EXPECT_EQ(press(view, typed('+'), 1), KeyEffect::NewInterval);
  EXPECT_EQ(view.interval, seconds(5));
  for (int i = 0; i < 9; ++i) press(view, typed('-'), 1);
  EXPECT_EQ(view.interval, seconds(1));
  EXPECT_EQ(press(view, typed('-'), 1), KeyEffect::None);
  for (int i = 0; i < 9; ++i) press(view, typed('+'), 1);
  EXPECT_EQ(view.interval, seconds(60));
}

TEST(PoolView, ScrollingNeverGoesAboveTheFirstRow) {
  PoolView view;
  press(view, {NamedKey::PageDown}, 10);
  press(view, typed('j'), 10);
  EXPECT_EQ(view.scroll, 11U);
  press(view, {NamedKey::PageUp}, 10);
  press(view, {NamedKey::PageUp}, 10);
  EXPECT_EQ(view.scroll, 0U);
  press(view, typed('k'), 10);
  EXPECT_EQ(view.scroll, 0U);
}

TEST(PoolView, ControlKeysEndOrSuspendTheView) {
  PoolView view;
  EXPECT_EQ(press(view, typed('q'), 1), KeyEffect::Quit);
  EXPECT_EQ(press(view, typed('\x03'), 1), KeyEffect::Interrupt);
  EXPECT_EQ(press(view, typed('\x1a'), 1), KeyEffect::Suspend);
  EXPECT_EQ(press(view, typed('z'), 1), KeyEffect::None);
}

TEST(PoolView, PauseHelpAndTablesAreSwitches) {
  PoolView view;
  press(view, typed('p'), 1);
  EXPECT_TRUE(view.paused);
  press(view, typed(' '), 1);
  EXPECT_FALSE(view.paused);
  press(view, typed('?'), 1);
  EXPECT_TRUE(view.help);
  press(view, {NamedKey::Escape}, 1);
  EXPECT_FALSE(view.help);
  for (const PoolSection section :
       {PoolSection::Pools, PoolSection::Queries, PoolSection::Events, PoolSection::Overview}) {
    press(view, typed('\t'), 1);
    EXPECT_EQ(view.section, section);
  }
}

}  // namespace
}  // namespace pgtend::cli
