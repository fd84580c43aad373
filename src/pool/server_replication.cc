// Links that replicate: begun for one client, with its parameters, and closed when that has left.
#include "pool/client.h"
#include "pool/pools.h"
#include "pool/server.h"
#include "pool/worker.h"

namespace pgtend::pool {

void Server::start_for(Client& client) {
  claimant_ = &client;
  replication_ = client.replication();
  start();
}

void Server::forsake() {
  claimant_ = nullptr;
  close("client left before its link was there");
}

// What the start packet says; borrows. A client that replicates has its parameters in it, because
// afterwards not every such session takes a SET.
wire::StartupParameters Server::start_parameters() const {
  wire::StartupParameters all = {{"user", pool_.server_user()},
                                 {"database", pool_.database().dbname}};
  const Replicating* wanted = claimant_ == nullptr ? nullptr : claimant_->replicating();
  for (const auto& [name, value] : pool_.database().parameters) {
    // The server takes them after `options`, whoever asks there must win.
    if (wanted == nullptr || !wanted->sets(name)) all.emplace_back(name, value);
  }
  if (wanted == nullptr) return all;
  all.emplace_back("replication", value_of(wanted->kind));
  for (size_t i = 0; i < worker_.tracked().size(); ++i) {
    if (const auto& value = claimant_->parameters().get(i)) {
      all.emplace_back(worker_.tracked().name(i), *value);
    }
  }
  for (const auto& [name, value] : wanted->parameters) all.emplace_back(name, value);
  return all;
}

bool Server::stays_with_client() const { return replicates() || pool_.mode() == PoolMode::Session; }

void Server::end_replication(bool mid_message, bool cancel) {
  // A stream that takes messages sees the Terminate; anything else must be stopped first.
  const bool deaf = lease_.expect().outstanding() > 0 && !lease_.expect().in_copy_in();
  lease_.end();
  if (deaf && cancel) worker_.cancels().start(*this, {});
  end("replication client left", !mid_message);
}

}  // namespace pgtend::pool
