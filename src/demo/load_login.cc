#include "demo/load_login.h"

#include <algorithm>

#include "base/text.h"
#include "wire/frontend.h"
#include "wire/md5.h"
#include "wire/startup.h"

namespace pgtend::demo {

using wire::backend::Authentication;
using wire::backend::AuthKind;

std::string Login::start() const {
  std::string packet;
  wire::append_startup(packet, wire::kProtocol30,
                       {{"user", target_.user},
                        {"database", target_.dbname},
                        {"application_name", target_.application_name},
                        {"client_encoding", "UTF8"}});
  return packet;
}

Status Login::on_authentication(std::string_view body, std::string& out) {
  const Authentication request = TRY(wire::backend::read_authentication(body));
  switch (request.kind) {
    case AuthKind::Ok:
      if (scram_ && !proved_) {
        return Error{ErrorCode::Denied, "the server ended SCRAM without proving itself"};
      }
      accepted_ = true;
      return ok();
    case AuthKind::CleartextPassword:
    case AuthKind::Md5Password:
      return answer_password(request, out);
    case AuthKind::Sasl:
      return begin_scram(request, out);
    case AuthKind::SaslContinue:
      return continue_scram(request.data, out);
    case AuthKind::SaslFinal:
      if (!scram_) return Error{ErrorCode::Corrupt, "SASL ended before it began"};
      TRY(scram_->verify(request.data));
      proved_ = true;
      return ok();
    case AuthKind::Kerberos:
    case AuthKind::Scm:
    case AuthKind::Gss:
    case AuthKind::GssContinue:
    case AuthKind::Sspi:
      break;
  }
  return Error{ErrorCode::Denied,
               cat("the server wants authentication method ", static_cast<int>(request.kind),
                   ", which the load driver does not have"),
               {},
               "use trust, password, md5 or scram-sha-256 for this user"};
}

Status Login::answer_password(const Authentication& request, std::string& out) {
  if (target_.password.empty()) {
    return Error{ErrorCode::Denied,
                 cat("the server wants a password for ", target_.user),
                 {},
                 "give it in the connection options or in PGPASSWORD"};
  }
  if (request.kind == AuthKind::CleartextPassword) {
    wire::frontend::append_password(out, target_.password);
    return ok();
  }
  const std::string secret = TRY(wire::md5_secret(target_.user, target_.password));
  wire::frontend::append_password(out, TRY(wire::md5_answer(secret, request.data)));
  return ok();
}

Status Login::begin_scram(const Authentication& request, std::string& out) {
  if (scram_) return Error{ErrorCode::Corrupt, "SASL began twice"};
  if (std::ranges::find(request.mechanisms, wire::kScramSha256) == request.mechanisms.end()) {
    return Error{ErrorCode::Denied, "the server offers no SCRAM-SHA-256"};
  }
  if (target_.password.empty()) {
    return Error{ErrorCode::Denied,
                 cat("the server wants a password for ", target_.user),
                 {},
                 "give it in the connection options or in PGPASSWORD"};
  }
  scram_.emplace(wire::scram_nonce());
  wire::frontend::append_sasl_initial(out, {wire::kScramSha256, scram_->first()});
  return ok();
}

Status Login::continue_scram(std::string_view server_first, std::string& out) {
  if (!scram_) return Error{ErrorCode::Corrupt, "SASL went on before it began"};
  const wire::ScramChallenge challenge = TRY(scram_->challenge(server_first));
  if (!(challenge == target_.challenge)) {
    target_.keys = wire::derive_keys(target_.password, challenge);
    target_.challenge = challenge;
  }
  wire::frontend::append_sasl_response(out, scram_->answer(target_.keys));
  return ok();
}

}  // namespace pgtend::demo
