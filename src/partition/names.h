// Names of the relations a conversion makes, within PostgreSQL's 63 bytes.
#pragma once

#include <string>
#include <string_view>

namespace pgtend::partition {

// `name` and `suffix` joined; `name` loses whole characters at its end if both are too long.
std::string name_with(std::string_view name, std::string_view suffix);
// What belongs to `partition` is called as `name`, which belongs to `table`: "t_2025_pkey" for
// "t_pkey", "t_2025_other" for "other". `number` is put behind unless it is 0.
std::string name_of_part(std::string_view partition, std::string_view table, std::string_view name,
                         int number = 0);

}  // namespace pgtend::partition
