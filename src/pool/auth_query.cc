#include "pool/auth_query.h"

#include <deque>

#include "base/log.h"
#include "base/text.h"
#include "pool/channel.h"
#include "pool/client.h"
#include "pool/receiver.h"
#include "pool/worker.h"
#include "pool/workers.h"
#include "wire/backend.h"
#include "wire/frame.h"
#include "wire/frontend.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

using Answer = Result<std::optional<std::string>>;

Error config_error() { return Error{ErrorCode::Unavailable, "bouncer config error"}; }

// In a later turn: the client may ask anew, or go.
void answer_later(Worker& worker, uint64_t client, Answer answer) {
  worker.loop().defer([&worker, client, answer = std::move(answer)] {
    if (Client* there = worker.client(client)) there->on_secret(answer);
  });
}

}  // namespace

// The far end of a client of the pool that lives in this process. It exists while questions are
// open.
class AuthQueries::Link final : private net::Handler {
 public:
  Link(AuthQueries& owner, Key key)
      : owner_(owner),
        key_(std::move(key)),
        timer_(owner.worker_.loop().timers(), [this] { on_timer(); }) {}

  const Key& key() const { return key_; }

  Status open() {
    Worker& worker = owner_.worker_;
    const auto [near, far] = TRY(worker.loop().pair());
    channel_.emplace(net::Socket(worker.loop(), near), worker.chunks());
    net::Socket other(worker.loop(), far);
    TRY(channel_->socket().watch(*this));
    worker.add_inside(other.release(), key_.first, key_.second);
    return ok();
  }

  void ask(Client& client, std::string sql) {
    questions_.push_back({client.identity().id, client.identity().user, std::move(sql)});
    if (ready_) send(questions_.back());
    if (questions_.size() == 1) limit_wait();
  }

  // Whoever still waits is told that it cannot be known.
  void give_up() {
    while (!questions_.empty()) answer_front(config_error());
  }

 private:
  struct Question {
    uint64_t client;
    std::string user;
    std::string sql;
  };

  // Each answer may take as long as a login: nobody waits for a later one, and those behind it must
  // not wait for ever. The pool cancels what a link that is given up has asked.
  void limit_wait() {
    const microseconds limit = owner_.worker_.config().settings.time.client_login;
    if (limit.count() > 0 && !questions_.empty()) {
      timer_.arm(owner_.worker_.now() + limit);
    } else {
      timer_.cancel();
    }
  }

  void on_timer() {
    note_failure("no answer within client_login_timeout");
    owner_.finish(*this);
  }

  void send(const Question& question) {
    std::string out;
    fe::append_parse(out, {"", question.sql});
    fe::append_bind(out, {.portal = "", .statement = "", .parameters = {question.user}});
    fe::append_execute(out, {"", 0});
    fe::append_sync(out);
    if (!channel_->send(out)) broken_ = true;
  }

  void on_ready(net::Ready ready) override {
    channel_->note(ready);
    if (channel_->unsent() > 0 && ready.writable && !channel_->flush()) broken_ = true;
    while (!broken_ && channel_->readable()) {
      std::string_view bytes;
      const net::Io io = owner_.worker_.receiver().receive(*channel_, inbound_, bytes);
      if (io.kind == net::Io::Kind::Again) break;
      broken_ = io.kind != net::Io::Kind::Done || !take(bytes);
    }
    if (broken_ && !questions_.empty()) note_failure(error_.empty() ? "connection lost" : error_);
    if (broken_ || (ready_ && questions_.empty())) owner_.finish(*this);
  }

  // False when the stream makes no sense.
  bool take(std::string_view bytes) {
    while (true) {
      auto frame = wire::next_frame(bytes, kRestMax - 1);
      if (!frame) return false;
      if (!*frame) break;
      on_message((*frame)->type, (*frame)->body);
    }
    inbound_.rest = bytes;
    return true;
  }

  void on_message(char type, std::string_view body) {
    if (type == be::kDataRow) {
      ++rows_;
      auto row = be::read_data_row(body);
      if (!row || row->size() < 2 || !(*row)[0]) {
        error_ = "the answer has no user and secret";
      } else {
        name_ = *(*row)[0];
        secret_ = (*row)[1].value_or("");
      }
    } else if (type == be::kErrorResponse) {
      auto report = be::read_report(body);
      error_ = report ? report->message.value_or("an error without text") : "a malformed error";
    } else if (type == be::kReadyForQuery) {
      on_ready_for_query();
    }
  }

  void on_ready_for_query() {
    if (!ready_) {
      ready_ = true;
      for (const Question& question : questions_) send(question);
      return;
    }
    if (questions_.empty()) return;
    if (error_.empty() && rows_ > 1) error_ = "more than one row";
    if (error_.empty() && rows_ == 1 && name_ != questions_.front().user) {
      error_ = cat("the answer is about \"", printable(name_), '"');
    }
    if (!error_.empty()) {
      note_failure(error_);
      answer_front(config_error());
    } else if (rows_ == 0) {
      answer_front(std::optional<std::string>());
    } else {
      answer_front(std::optional(std::move(secret_)));
    }
    error_.clear();
    rows_ = 0;
  }

  void note_failure(std::string_view cause) {
    log::warn("auth_query failed",
              {log::kv("db", key_.first), log::kv("auth_user", key_.second),
               log::kv("user", questions_.front().user), log::kv("cause", cause)});
  }

  void answer_front(Answer answer) {
    answer_later(owner_.worker_, questions_.front().client, std::move(answer));
    questions_.pop_front();
    limit_wait();
  }

  AuthQueries& owner_;
  const Key key_;
  net::Timer timer_;
  std::optional<Channel> channel_;
  Inbound inbound_;
  std::deque<Question> questions_;
  std::string error_;
  std::string name_;
  std::string secret_;
  int rows_ = 0;
  bool ready_ = false;
  bool broken_ = false;
};

AuthQueries::AuthQueries(Worker& worker) : worker_(worker) {}

AuthQueries::~AuthQueries() = default;

void AuthQueries::ask(Client& client, const AuthSource& source) {
  Key key{source.database, source.user};
  const auto refuse = [&](std::string_view text) {
    answer_later(worker_, client.identity().id, Error{ErrorCode::Denied, std::string(text)});
  };
  if (worker_.workers().groups().switches(source.database).disabled) {
    return refuse(cat("authentication database \"", source.database, "\" is disabled"));
  }
  auto& link = links_[key];
  if (link == nullptr) {
    auto opened = std::make_unique<Link>(*this, key);
    if (const Status status = opened->open(); !status) {
      log::warn("auth_query failed", {log::kv("cause", status.error().message)});
      links_.erase(key);
      return refuse(config_error().message);
    }
    link = std::move(opened);
  }
  link->ask(client, source.sql);
}

void AuthQueries::remember(const Client& client, const std::string& secret) {
  secrets_[{client.identity().database, client.identity().user}] = secret;
}

const std::string* AuthQueries::secret(const std::string& database, const std::string& user) const {
  const auto found = secrets_.find({database, user});
  return found == secrets_.end() ? nullptr : &found->second;
}

void AuthQueries::finish(Link& link) {
  const auto found = links_.find(link.key());
  if (found == links_.end() || found->second.get() != &link) return;
  gone_.push_back(std::move(found->second));
  links_.erase(found);
  gone_.back()->give_up();
  worker_.loop().defer([this] { gone_.clear(); });
}

}  // namespace pgtend::pool
