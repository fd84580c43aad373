// Names of the relations a conversion makes, within PostgreSQL's 63 bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgtend::partition {

// `name` and `suffix` joined; `name` loses whole characters at its end if both are too long.
std::string name_with(std::string_view name, std::string_view suffix);
// What belongs to `partition` is called as `name`, which belongs to `table`: "t_2025_pkey" for
// "t_pkey", "t_2025_other" for "other". `number` is put behind unless it is 0.
std::string name_of_part(std::string_view partition, std::string_view table, std::string_view name,
                         int number = 0);

// What stands for `value` in a name: its letters and digits of ASCII, small, anything else as one
// _; never "", at most 30 bytes.
std::string name_word(std::string_view value);
// Partitions of `table`, called after their words; where two would be called the same, a number is
// put behind the later one.
std::vector<std::string> names_of_parts(std::string_view table,
                                        const std::vector<std::string>& words);

}  // namespace pgtend::partition
