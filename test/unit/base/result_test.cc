#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace pgtend {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return Error{ErrorCode::Invalid, "odd number"};
  return n / 2;
}
Result<int> quarter(int n) {
  const int once = TRY(half(n));
  return TRY_DURING(half(once), "second half");
}

TEST(Result, TryYieldsTheValueWhenThereIsOne) {
  const auto result = quarter(12);

  ASSERT_TRUE(result);
  EXPECT_EQ(*result, 3);
}

TEST(Result, TryReturnsTheErrorWithWhatWeWereDoing) {
  const auto result = quarter(6);

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "second half: odd number");
  EXPECT_EQ(exit_code(result.error()), 2);
}

TEST(Result, MoveOnlyValuesCanBeTakenOut) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));

  const std::unique_ptr<int> value = std::move(result).take();

  EXPECT_EQ(*value, 7);
}

TEST(ResultDeathTest, ReadingTheWrongSideStopsTheProcess) {
  Result<int> failed(Error{ErrorCode::Denied, "no"});

  EXPECT_DEATH(static_cast<void>(*failed), "check failed");
}

TEST(ErrorTraits, ConnectionLockAndRightsHaveTheirOwnExitCodes) {
  EXPECT_EQ(traits(ErrorCode::Unavailable).exit_code, 3);
  EXPECT_EQ(traits(ErrorCode::Denied).exit_code, 4);
  EXPECT_EQ(traits(ErrorCode::Conflict).exit_code, 6);
  EXPECT_EQ(traits(ErrorCode::Cancelled).exit_code, 130);
}

}  // namespace
}  // namespace pgtend
