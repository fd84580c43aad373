// Configuration files as other projects ship and generate them (test/golden/pool/): what each of
// them has refused and warned of, and with what values it loads without the lines refused.
#include <filesystem>
#include <optional>

#include "base/ini.h"
#include "base/text.h"
#include "golden/golden.h"
#include "pool/config.h"

namespace pgtend::pool {
namespace {

class ForeignFiles : public golden::Test {
 protected:
  // %include names the folder that a file is for; here all lie beside each other.
  Result<std::vector<IniEntry>> entries() const {
    return parse_ini(file("pgbouncer.ini"), "pgbouncer.ini",
                     [this](const std::string& name) -> Result<std::string> {
                       const std::string own = std::filesystem::path(name).filename();
                       if (has(own)) return file(own);
                       return Error{ErrorCode::NotFound, cat("no file ", own)};
                     });
  }

  // Drops the lines that are refused, each with its reason in `refused`, until the rest loads.
  static std::optional<Config> load(std::vector<IniEntry> entries, std::string& refused) {
    while (true) {
      auto config = config_from(entries);
      if (config) return std::move(config).take();
      const std::string& cause = config.error().message;
      const auto is_blamed = [&](const IniEntry& entry) {
        return cause.starts_with(cat(entry.place(), ": "));
      };
      refused += cat("refused ", cause, "\n");
      if (std::erase_if(entries, is_blamed) != 1) return std::nullopt;
    }
  }
};

template <class T>
std::string given(std::string_view name, const std::optional<T>& value) {
  return value ? cat(" ", name, "=", *value) : "";
}
std::string given(std::string_view name, const std::string& value) {
  return value.empty() ? "" : cat(" ", name, "=", value);
}
std::string given(std::string_view name, const std::optional<PoolMode>& value) {
  return value ? cat(" ", name, "=", name_of(*value)) : "";
}

std::string text_of(const DatabaseConfig& line) {
  std::string text = cat("database ", line.name, given("dbname", line.dbname));
  for (const Host& host : line.hosts) {
    text += cat(" at=", host.name.empty() ? host.address.text() : cat(host.name, ':', line.port));
  }
  text += given("user", line.user) + given("password", line.password) +
          given("pool_mode", line.mode) + given("pool_size", line.pool_size) +
          given("min_pool_size", line.pool_size_min) +
          given("reserve_pool_size", line.reserve_size) +
          given("max_db_connections", line.connections_max) +
          given("max_db_client_connections", line.clients_max) +
          given("connect_query", line.connect_query) + given("auth_user", line.auth_user);
  for (const auto& [name, value] : line.parameters) text += given(name, value);
  return text + "\n";
}

std::string text_of(const Config& config) {
  std::string text;
  for (const std::string& warning : config.warnings) text += cat("warned ", warning, "\n");
  for (const auto& [name, line] : config.databases) text += text_of(*line);
  for (const auto& [name, user] : config.users) {
    text += cat("user ", name, given("pool_mode", user.mode), given("pool_size", user.pool_size),
                given("reserve_pool_size", user.reserve_size),
                given("max_user_connections", user.connections_max),
                given("max_user_client_connections", user.clients_max), "\n");
  }
  for (const auto& [id, peer] : config.peers) {
    text += cat("peer ", id, " at=", peer.host_text, " port=", peer.port, "\n");
  }
  for (size_t i = 0; i < keys().size(); ++i) {
    if (config.values[i] == keys()[i].default_value) continue;
    text += cat(keys()[i].name, " = ", config.values[i], "\n");
  }
  return text;
}

TEST_P(ForeignFiles, AreRefusedOnlyWhatWouldBeDangerousToIgnore) {
  const auto lines = entries();
  ASSERT_TRUE(lines) << lines.error().message;
  std::string text;

  const auto config = load(*lines, text);

  ASSERT_TRUE(config) << text;
  expect_text(text + text_of(*config));
}

PGTEND_GOLDEN_CASES(ForeignFiles, "pool");

}  // namespace
}  // namespace pgtend::pool
