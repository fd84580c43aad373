#include "pool/logging.h"

#include <charconv>
#include <iterator>

#include "base/log.h"
#include "base/text.h"

namespace pgtend::pool {

Status apply(const LogSettings& settings) {
  const bool elsewhere = !settings.file.empty() || settings.syslog;
  TRY(log::direct({.file = settings.file,
                   .to_stderr = !(settings.quiet && elsewhere),
                   .to_syslog = settings.syslog,
                   .syslog_ident = settings.syslog_ident,
                   .syslog_facility = settings.syslog_facility}));
  const bool detailed = settings.verbose + settings.more_verbose > 0;
  log::set_level(detailed ? log::Level::Debug : log::Level::Info);
  return ok();
}

std::string text_of(const LogName& name) {
  char hex[16];
  const auto end = std::to_chars(static_cast<char*>(hex), std::end(hex), name.id, 16).ptr;
  std::string at = name.peer.text();
  if (name.peer.is_unix()) at = cat("unix(", name.pid, "):", name.port);
  if (name.peer.family() == AF_UNSPEC) at = "(nohost)";
  const std::string head =
      cat(std::string_view(&name.kind, 1), "-0x", std::string_view(hex, end), ": ");
  if (name.peer_id > 0) return cat(head, "peer-", name.peer_id, "@", at, " ");
  return cat(head, name.database.empty() ? "(nodb)" : name.database, "/",
             name.user.empty() ? "(nouser)" : name.user, "@", at, " ");
}

std::string listener_text(const net::Address& address) {
  return cat(address.is_unix() ? "unix:" : "", address.text());
}

}  // namespace pgtend::pool
