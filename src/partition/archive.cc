#include "partition/archive.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/text.h"
#include "partition/definition.h"
#include "partition/statements.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

using care::RoundEnd;

constexpr size_t kChunk = size_t{256} << 10;
constexpr int kFilesTried = 99;
// Values as texts that read back as they were, whatever the role's settings.
constexpr std::string_view kPlainTexts =
    "SET LOCAL search_path = ''; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; "
    "SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = 3; SET LOCAL "
    "bytea_output "
    "= 'hex'; SET LOCAL xmloption = 'content'; SET LOCAL row_security = off; SET LOCAL "
    "statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

Error file_failed(std::string_view what, const std::string& path) {
  const ErrorCode code =
      errno == EACCES || errno == EPERM || errno == EROFS ? ErrorCode::Denied : ErrorCode::Internal;
  return Error{code, cat(what, " ", printable(path), ": ", std::strerror(errno))}.hinting(
      "nothing was dropped");
}

// A file descriptor that is closed with it. Thread: one.
class File {
 public:
  File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

Status write_all(const File& file, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(file.fd(), text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return file_failed("writing", path);
    text.remove_prefix(static_cast<size_t>(wrote));
  }
  return ok();
}

Status to_disk(const File& file, const std::string& path) {
  return ::fsync(file.fd()) == 0 ? ok() : Status(file_failed("syncing", path));
}

Result<Digest> digest_of(pg::Connection& conn, const std::string& table) {
  const pg::Rows rows = TRY_DURING(conn.query(digest_sql(table)), cat("summing up ", table));
  return Digest{.rows = TRY(rows[0].get<int64_t>(0)),
                .sum0 = std::string(rows[0].text(1)),
                .sum1 = std::string(rows[0].text(2))};
}

// One departure's archive, step by step.
class Archiver {
 public:
  Archiver(const care::GateSetup& gate, const SetPlan& plan, const Departure& departure,
           Archived& archived)
      : gate_(gate), plan_(plan), departure_(departure), out_(archived) {}

  Status operator()(care::Rounds& rounds) {
    table_ = departure_.part.qualified();
    const Definition definition = TRY(load_definition(rounds.connection(), table_));
    columns_ = column_list(stored_columns(definition));
    base_ =
        cat(plan_.policy.folder, "/", file_name_of(departure_.part.schema, departure_.part.name));
    part_ = cat(base_, ".copy.part");
    rounds.tell(cat("archiving ", table_));
    TRY(in_transaction(rounds.connection(), "READ ONLY", [&] { return write_rows(rounds); }));
    rounds.tell("comparing the archive");
    TRY(in_transaction(rounds.connection(), "READ WRITE", [&] { return compare(rounds); }));
    TRY(settle());
    return drop(rounds);
  }

 private:
  using Body = std::function<Status()>;

  Status in_transaction(pg::Connection& conn, std::string_view mode, const Body& body) {
    TRY(conn.exec(cat("BEGIN ISOLATION LEVEL REPEATABLE READ ", mode, "; ", kPlainTexts)));
    Status status = body();
    const Status ended = conn.exec("ROLLBACK");
    return status ? ended : status;
  }

  Status keep_going() const {
    const bool stop = gate_.cancel != nullptr && gate_.cancel->load(std::memory_order_relaxed);
    return stop ? Status(Error{ErrorCode::Cancelled, "cancelled"}) : ok();
  }

  Status write_rows(care::Rounds& rounds) {
    pg::Connection& conn = rounds.connection();
    out_.digest = TRY(digest_of(conn, table_));
    const File file(part_, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
    if (file.fd() < 0) return file_failed("making", part_);
    const auto sink = [&](std::string_view chunk) -> Status {
      TRY(keep_going());
      return write_all(file, chunk, part_);
    };
    const int64_t rows =
        TRY(conn.copy_out(cat("COPY (SELECT ", columns_, " FROM ", table_, ") TO STDOUT"), sink));
    if (rows != out_.digest.rows) {
      return Error{ErrorCode::Internal, cat(rows, " rows were copied of ", out_.digest.rows)};
    }
    return to_disk(file, part_);
  }

  // What the file says, read by the server into a table that goes away with the transaction.
  Status compare(care::Rounds& rounds) {
    pg::Connection& conn = rounds.connection();
    TRY(conn.exec(cat("CREATE TEMP TABLE pgtend_archive (LIKE ", table_,
                      " INCLUDING GENERATED) ON COMMIT DROP")));
    const File file(part_, O_RDONLY | O_NOFOLLOW);
    if (file.fd() < 0) return file_failed("reading", part_);
    const auto fill = [&](std::string& buffer) -> Status {
      TRY(keep_going());
      buffer.resize(kChunk);
      ssize_t got = -1;
      do {
        got = ::read(file.fd(), buffer.data(), buffer.size());
      } while (got < 0 && errno == EINTR);
      if (got < 0) return file_failed("reading", part_);
      buffer.resize(static_cast<size_t>(got));
      return ok();
    };
    auto copied =
        conn.copy_in(cat("COPY pg_temp.pgtend_archive (", columns_, ") FROM STDIN"), fill);
    if (!copied && copied.error().code == ErrorCode::Cancelled) return std::move(copied).error();
    const auto read = copied ? digest_of(conn, "pg_temp.pgtend_archive")
                             : Result<Digest>(std::move(copied).error());
    if (read && *read == out_.digest) return ok();
    return Error{ErrorCode::Internal,
                 cat("the archive ", printable(part_), " does not hold what ", table_, " holds: ",
                     read ? cat(read->rows, " rows of ", out_.digest.rows,
                                read->rows == out_.digest.rows ? ", but not the same" : "")
                          : read.error().message)}
        .hinting("nothing was dropped: look at the disk of the folder, then run it again");
  }

  std::string restore_script() const {
    const facts::Partition& part = departure_.part;
    const std::string parent = plan_.layout.qualified();
    std::string quoted;
    for (const char c : out_.file) quoted += c == '\'' ? std::string("''") : std::string(1, c);
    return cat("-- Brings ", out_.digest.rows, " rows of ", printable(table_),
               " back. Run it with psql.\n", "-- Hash sums: ", out_.digest.sum0, " ",
               out_.digest.sum1, "\n",
               "BEGIN;\nSET LOCAL TimeZone = 'UTC';\nSET LOCAL DateStyle = 'ISO, YMD';\n",
               "SET LOCAL IntervalStyle = 'postgres';\n", "CREATE TABLE ", table_, " (LIKE ",
               parent, " INCLUDING ALL EXCLUDING IDENTITY);\n", "\\copy ", table_, " (", columns_,
               ") FROM '", quoted, "'\n", "ALTER TABLE ", parent, " ATTACH PARTITION ", table_, " ",
               for_values(part), ";\nCOMMIT;\n");
  }

  // The files get their names, which nobody has had before, and are on the disk.
  Status settle() {
    for (int i = 1; i <= kFilesTried && out_.file.empty(); ++i) {
      const std::string name = cat(base_, i == 1 ? "" : cat("_", i), ".copy");
      if (::link(part_.c_str(), name.c_str()) == 0) {
        out_.file = name;
      } else if (errno != EEXIST) {
        return file_failed("naming", name);
      }
    }
    if (out_.file.empty()) {
      return Error{ErrorCode::Limit, cat("there are ", kFilesTried, " archives called ",
                                         printable(base_), " already")}
          .hinting("move them away");
    }
    ::unlink(part_.c_str());
    out_.restore = cat(out_.file, ".sql");
    const File script(out_.restore, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
    if (script.fd() < 0) return file_failed("making", out_.restore);
    TRY(write_all(script, restore_script(), out_.restore));
    TRY(to_disk(script, out_.restore));
    const File folder(plan_.policy.folder, O_RDONLY | O_DIRECTORY);
    if (folder.fd() < 0) return file_failed("opening", plan_.policy.folder);
    return to_disk(folder, plan_.policy.folder);
  }

  // Rows may have come to the detached table itself since: what is dropped is what was archived.
  Status drop(care::Rounds& rounds) {
    const care::Step& shown = departure_.after.steps.back();
    const auto body = [&](pg::Connection& conn) -> Result<RoundEnd> {
      TRY(conn.exec(cat(kPlainTexts, "; SET LOCAL synchronous_commit = on; LOCK TABLE ", table_,
                        " IN ACCESS EXCLUSIVE MODE")));
      if (TRY(digest_of(conn, table_)) != out_.digest) {
        return Error{ErrorCode::Conflict, cat(table_, " has changed since it was archived")}
            .hinting("it stays detached; the next run archives it anew");
      }
      for (const care::Step& step : departure_.after.steps) {
        if (step.lock == care::LockMode::Share) continue;  // the copy that is done
        const pg::Rows rows = TRY(conn.query(step.sql));
        if (step.check && TRY(rows.scalar()) != "t") {
          return Error{ErrorCode::Conflict, step.failure};
        }
      }
      return RoundEnd::Commit;
    };
    return rounds.series(shown, [&]() -> Status {
      TRY(rounds.round(body));
      return ok();
    });
  }

  const care::GateSetup& gate_;
  const SetPlan& plan_;
  const Departure& departure_;
  Archived& out_;
  std::string table_;
  std::string columns_;
  std::string base_;
  std::string part_;
};

}  // namespace

std::string file_name_of(const std::string& schema, const std::string& table) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : cat(schema, ".", table)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || (c == '.' && !out.empty());
    if (plain) {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

Result<care::Outcome> archive_and_drop(const care::GateSetup& gate, const SetPlan& plan,
                                       const Departure& departure, Archived& archived) {
  return care::Gate(gate).run(departure.after, Archiver(gate, plan, departure, archived));
}

}  // namespace pgtend::partition
