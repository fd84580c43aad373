#include "demo/load_target.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "base/text.h"

namespace pgtend::demo {

namespace {

// The option, else the environment variable as libpq names it, else `fallback`.
std::string setting(const pg::Options& options, const std::string& key, const char* variable,
                    const std::string& fallback) {
  if (std::string value = options.get(key); !value.empty()) return value;
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0' ? value : fallback;
}

std::string system_user() {
  const passwd* entry = getpwuid(geteuid());
  return entry == nullptr ? "" : entry->pw_name;
}

// libpq's own default is chosen when it is built; this is Debian's.
std::string default_host() {
  return access("/var/run/postgresql", F_OK) == 0 ? "/var/run/postgresql" : "/tmp";
}

}  // namespace

Result<LoadTarget> load_target(const pg::Options& options) {
  LoadTarget target;
  const std::string mode = setting(options, "sslmode", "PGSSLMODE", "prefer");
  if (mode == "require" || mode.starts_with("verify-")) {
    return Error{ErrorCode::Invalid,
                 cat("sslmode=", mode, ": the load driver does not speak TLS"),
                 {},
                 "give it a plain listener of the pooler, or a unix socket"};
  }
  if (!options.get("service").empty()) {
    return Error{ErrorCode::Invalid,
                 "service= is not read by the load driver",
                 {},
                 "give host, port, user and dbname"};
  }
  std::string host = options.get("hostaddr");
  if (host.empty()) host = setting(options, "host", "PGHOST", default_host());
  if (host.find(',') != std::string::npos) {
    return Error{ErrorCode::Invalid, cat("several hosts: ", host), {}, "name one"};
  }
  const std::string port_text = setting(options, "port", "PGPORT", "5432");
  const auto port = parse_int(port_text);
  if (!port || *port < 1 || *port > 65'535) {
    return Error{ErrorCode::Invalid, cat("port ", printable(port_text), " is not 1 to 65535")};
  }
  target.user = setting(options, "user", "PGUSER", system_user());
  if (target.user.empty()) return Error{ErrorCode::Invalid, "no user name to connect with"};
  target.password = setting(options, "password", "PGPASSWORD", "");
  target.dbname = setting(options, "dbname", "PGDATABASE", target.user);
  target.application_name = setting(options, "application_name", "PGAPPNAME", "pgtend load");
  for (const std::string* text : {&target.user, &target.dbname, &target.application_name}) {
    if (text->find('\0') != std::string::npos) {
      return Error{ErrorCode::Invalid, "a connection option holds a NUL byte"};
    }
  }
  const auto addresses = TRY(net::resolve(host, static_cast<int>(*port)));
  if (addresses.empty()) return Error{ErrorCode::Unavailable, cat("no address of ", host)};
  target.address = addresses.front();
  return target;
}

}  // namespace pgtend::demo
