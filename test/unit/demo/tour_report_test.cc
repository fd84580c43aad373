#include "demo/tour_report.h"

#include <gtest/gtest.h>

namespace pgtend::demo {
namespace {

TEST(TourReport, ValuesReadInTheirOwnUnit) {
  EXPECT_EQ(value_text(149.6, "ms"), "150 ms");
  EXPECT_EQ(value_text(2239, "pages"), "2,239 pages");
  EXPECT_EQ(value_text(0, ""), "0");
  EXPECT_EQ(value_text(std::nullopt, "ms"), "-");
  EXPECT_EQ(value_text(3 * 1024 * 1024, "bytes"), "3.00 MB");
}

TEST(TourReport, ChangesAreToldAsFactors) {
  EXPECT_EQ(change_text({.what = "", .unit = "ms", .before = 150.0, .after = 3.0}), "50 x less");
  EXPECT_EQ(change_text({.what = "", .unit = "", .before = 2.0, .after = 5.0}), "2.5 x more");
  EXPECT_EQ(change_text({.what = "", .unit = "", .before = 5.0, .after = 5.0}), "unchanged");
}

TEST(TourReport, NothingIsSaidAboutWhatWasNotMeasured) {
  EXPECT_EQ(change_text({.what = "", .unit = "", .before = std::nullopt, .after = 5.0}), "");
  EXPECT_EQ(change_text({.what = "", .unit = "", .before = 240.0, .after = 0.0}), "");
}

TEST(TourReport, JsonHoldsEveryStepAndRow) {
  TourReport report;
  report.steps.push_back({.title = "load", .seconds = 2, .lines = {"x"}, .data = {{"rows", 5}}});
  report.table.push_back({.what = "p50", .unit = "ms", .before = 2.0, .after = {}, .note = "n"});

  const json::object data = to_json(report);

  EXPECT_EQ(data.at("steps").as_array().at(0).at("data").at("rows"), 5);
  EXPECT_TRUE(data.at("table").as_array().at(0).at("after").is_null());
}

}  // namespace
}  // namespace pgtend::demo
