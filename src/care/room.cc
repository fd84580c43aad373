#include "care/room.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/text.h"

namespace pgtend::care {
namespace {

// The title of a server's process names the client's port, so one of another machine with the same
// number is not taken for ours.
bool runs_here(int pid, const std::string& client) {
  std::ifstream file(cat("/proc/", pid, "/cmdline"));
  const std::string title{std::istreambuf_iterator<char>(file), {}};
  return title.starts_with("postgres") && title.find(client) != std::string::npos;
}

}  // namespace

Result<std::vector<std::string>> folders_here(pg::Connection& conn, uint32_t oid) {
  const pg::Rows rows = TRY_DURING(
      conn.query("select s.setting, pg_catalog.pg_tablespace_location(coalesce(nullif("
                 "c.reltablespace, 0), d.dattablespace)), coalesce('(' || "
                 "nullif(pg_catalog.inet_client_port(), -1) || ')', '[local]') "
                 "from pg_catalog.pg_settings s join pg_catalog.pg_database d on d.datname = "
                 "pg_catalog.current_database() left join pg_catalog.pg_class c on c.oid = $1::oid "
                 "where s.name = 'data_directory'",
                 {cat(oid)}),
      "looking for the server's folders");
  std::vector<std::string> out;
  if (rows.empty() || !runs_here(conn.backend_pid(), std::string(rows[0].text(2)))) return out;
  const std::string data(rows[0].text(0));
  const std::string space(rows[0].text(1));
  out = {data, cat(data, "/pg_wal")};
  if (!space.empty()) out.push_back(space);
  return out;
}

std::optional<Bytes> room_in(const std::vector<std::string>& folders) {
  std::optional<Bytes> least;
  for (const std::string& folder : folders) {
    struct statvfs disk {};
    if (statvfs(folder.c_str(), &disk) != 0) continue;  // behind a folder that is closed to us
    const Bytes room{static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize)};
    if (!least || room.count < least->count) least = room;
  }
  return least;
}

}  // namespace pgtend::care
