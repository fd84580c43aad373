#include "partition/names.h"

#include <gtest/gtest.h>

namespace pgtend::partition {
namespace {

TEST(PartitionNames, APartIsCalledAfterItsPartition) {
  EXPECT_EQ(name_of_part("t_2025_01", "t", "t_pkey"), "t_2025_01_pkey");
  EXPECT_EQ(name_of_part("t_2025_01", "t", "other"), "t_2025_01_other");
  EXPECT_EQ(name_of_part("t_2025_01", "t", "t_pkey", 2), "t_2025_01_pkey2");
}

TEST(PartitionNames, PartsOfALongNameAreToldApart) {
  const std::string table(63, 't');
  const std::string other(63, 'o');
  const std::string one = name_of_part(std::string(55, 't') + "_2025_01", table, other);
  const std::string two = name_of_part(std::string(55, 't') + "_2025_02", table, other);
  EXPECT_EQ(one, std::string(14, 't') + "_2025_01_" + std::string(40, 'o'));
  EXPECT_EQ(two, std::string(14, 't') + "_2025_02_" + std::string(40, 'o'));
}

// The longest names there are, of characters of one and of three bytes.
TEST(PartitionNames, NamesNeverBecomeLongerThanPostgresKeepsThem) {
  const std::string plain(63, 'x');
  std::string wide;
  for (int i = 0; i < 21; ++i) wide += "€";
  for (const std::string& partition : {plain, wide}) {
    for (const std::string& name : {plain, wide}) {
      for (const int number : {0, 7}) {
        const std::string part = name_of_part(partition, "t", name, number);
        EXPECT_LE(part.size(), 63u);
        EXPECT_EQ(part.ends_with('7'), number == 7);
        // No character is cut in two.
        for (size_t at = part.find("\xe2"); at != part.npos; at = part.find("\xe2", at + 1)) {
          EXPECT_EQ(part.substr(at, 3), "€");
        }
      }
      EXPECT_LE(name_with(name, "_legacy").size(), 63u);
    }
  }
}

TEST(PartitionNames, ValuesBecomeWordsThatNoTwoPartitionsShare) {
  EXPECT_EQ(name_word("Grün, 5%"), "gr_n_5");
  EXPECT_EQ(name_word("'; DROP"), "drop");
  EXPECT_EQ(name_word(""), "empty");
  EXPECT_EQ(name_word("_"), "v");
  EXPECT_EQ(name_word(std::string(80, 'x')).size(), 30u);
  EXPECT_EQ(names_of_parts("t", {"a", "a", "a_2", "b"}),
            (std::vector<std::string>{"t_a", "t_a_2", "t_a_2_2", "t_b"}));
  const auto parts = names_of_parts(std::string(63, 't'), {"a", "a"});
  EXPECT_EQ(parts[0], std::string(61, 't') + "_a");
  EXPECT_EQ(parts[1], std::string(59, 't') + "_a_2");
}

}  // namespace
}  // namespace pgtend::partition
