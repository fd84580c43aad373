#include "e2e/support/oracle_load.h"

#include <optional>
#include <random>

#include "base/text.h"
#include "pg/connection.h"

namespace pgtend::e2e {
namespace {

constexpr int kWriters = 3;
constexpr int kAfter = 20;  // transactions of each writer after the end was asked for

}  // namespace

class OracleLoad::Writer {
 public:
  Writer(pg::Options options, int number, int64_t rows, int64_t fresh, std::string move)
      : options_(std::move(options)),
        move_(std::move(move)),
        number_(number),
        rows_(rows),
        fresh_(fresh),
        random_(40 + number) {}

  void once() {
    const int64_t id =
        kWriters * static_cast<int64_t>(random_() % static_cast<uint64_t>(rows_ / kWriters)) +
        number_ + 1;
    const int day = static_cast<int>(random_() % 89);
    const std::string value = cat(random_() % 100'000, ".25");
    const std::string at = cat(kOracleStart, " + interval '", day, " days'");
    switch (random_() % 6) {
      case 0:
      case 1:
        both(cat("INSERT INTO % (id, at, v) SELECT ", next(), ", ", at, ", ", value),
             deeds.inserted);
        break;
      case 2:
        both(cat("UPDATE % SET v = ", value, " WHERE id = ", id), deeds.updated);
        break;
      case 3:
        both(cat("UPDATE % SET ", move_.empty() ? cat("at = ", at) : move_, " WHERE id = ", id),
             deeds.moved);
        break;
      case 4:
        both(cat("UPDATE % SET id = ", next(), ", v = ", value, " WHERE id = ", id), deeds.renamed);
        break;
      default:
        both(cat("DELETE FROM % WHERE id = ", id), deeds.deleted);
        break;
    }
  }
  OracleDeeds deeds;

 private:
  // Ids of writers never meet.
  int64_t next() { return fresh_ + kWriters * made_++ + number_; }

  void both(const std::string& sql, int64_t& count) {
    if (!conn_) {
      auto opened = pg::Connection::open(options_);
      if (!opened) return;  // the server is away for a moment
      conn_.emplace(std::move(opened).take());
    }
    std::string all = "BEGIN; ";
    for (const char* table : {"t", "o"}) {
      std::string one = sql;
      one.replace(one.find('%'), 1, table);
      all += cat(one, "; ");
    }
    const Status done = conn_->exec(all + "COMMIT");
    if (done) {
      ++count;
    } else if (!conn_->alive() || done.error().code == ErrorCode::Unavailable) {
      conn_.reset();
    } else {
      if (deeds.error.empty()) deeds.error = done.error().message;
      (void)conn_->exec("ROLLBACK");
    }
  }

  pg::Options options_;
  std::string move_;
  int number_;
  int64_t rows_;
  int64_t fresh_;
  std::mt19937_64 random_;
  std::optional<pg::Connection> conn_;
  int64_t made_ = 0;
};

OracleLoad::OracleLoad(const pg::Options& options, int64_t rows, int64_t fresh,
                       const std::string& move) {
  for (int i = 0; i < kWriters; ++i) writers_.emplace_back(options, i, rows, fresh, move);
  for (Writer& writer : writers_) {
    threads_.emplace_back([this, &writer] {
      while (!stop_) writer.once();
      for (int i = 0; i < kAfter; ++i) writer.once();
    });
  }
}

OracleLoad::~OracleLoad() { stop_ = true; }

OracleDeeds OracleLoad::end() {
  stop_ = true;
  threads_.clear();
  OracleDeeds sum;
  for (const Writer& writer : writers_) {
    sum.inserted += writer.deeds.inserted;
    sum.updated += writer.deeds.updated;
    sum.moved += writer.deeds.moved;
    sum.renamed += writer.deeds.renamed;
    sum.deleted += writer.deeds.deleted;
    if (sum.error.empty()) sum.error = writer.deeds.error;
  }
  return sum;
}

}  // namespace pgtend::e2e
