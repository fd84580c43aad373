// Asking for a plan leaves no trace: a list of attacks through the built program, as an argument,
// from a file and from standard input, with and without --analyze, on every version. What the
// server holds is compared before and after: catalogs, rows with their places, sequences, locks,
// sessions, slots, files, transaction ids and, to the byte, the WAL position.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "base/text.h"
#include "e2e/support/database.h"
#include "explain/explain.h"
#include "pg/quote.h"

namespace pgtend {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(PGTEND_SOURCE_DIR) / "test/e2e/attacks";
constexpr const char* kProgram = PGTEND_BINARY_DIR "/pgtend";

struct Attack {
  std::string name;
  std::vector<std::string> words;  // what must come of it, see each()
  std::string text;

  bool is(const std::string& word) const { return std::ranges::find(words, word) != words.end(); }
};

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

// The file's attacks: "--- name words", then the statement. Words: "plans" and "runs" must succeed
// by default and with --analyze, "refused" and "kept" must not; ">=15" needs that version; "shadow"
// runs with the server's own names shadowed.
std::vector<Attack> attacks_of_file() {
  std::vector<Attack> out;
  const std::string text = cat("\n", text_of(kFolder / "statements.sql"));
  constexpr std::string_view kMark = "\n--- ";
  for (size_t at = text.find(kMark); at != text.npos;) {
    const size_t next = text.find(kMark, at + 1);
    const std::string_view piece = std::string_view(text).substr(at + 5, next - at - 5);
    const size_t head = piece.find('\n');
    const std::vector<std::string_view> words = split(piece.substr(0, head), ' ');
    Attack attack{std::string(words[0]), {}, std::string(trim(piece.substr(head)))};
    attack.words.assign(words.begin() + 1, words.end());
    out.push_back(std::move(attack));
    at = next;
  }
  return out;
}

// What no readable file holds.
std::vector<Attack> made_attacks() {
  using std::string_literals::operator""s;
  std::vector<Attack> out;
  const auto add = [&](std::string name, std::string text, const std::string& word = "refused") {
    out.push_back({std::move(name), {word}, std::move(text)});
  };
  const auto repeated = [](std::string_view piece, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += piece;
    return all;
  };
  add("zero-byte", "SELECT 1\0; DROP TABLE t"s);
  add("zero-byte-first", "\0DROP TABLE t"s);
  add("invalid-utf8", "SELECT '\xff\xfe\x80', act()", "kept");
  add("overlong-utf8", "SELECT '\xc0\xa7; DROP TABLE t; --'", "kept");
  add("half-a-character", "SELECT '\xe2\x82'; DROP TABLE t; --'");
  add("big5-backslash", "SELECT '\xa5\\'; DROP TABLE t; --'");
  add("byte-order-mark", "\xef\xbb\xbfSELECT 1; DROP TABLE t");
  add("carriage-return-comment", "SELECT 1 -- x\r; DROP TABLE t");
  add("no-break-space",
      "SELECT\xc2\xa0"
      "1; DROP TABLE t");
  add("brackets", cat("SELECT ", repeated("(", 20'000), "1", repeated(")", 20'000)));
  add("sub-selects", cat(repeated("SELECT (", 3'000), "SELECT act()", repeated(")", 3'000)));
  add("operators", cat("SELECT 1", repeated(" + 1", 50'000)), "kept");
  add("nested-comment", cat("SELECT 1 ", repeated("/*", 100'000), "; DROP TABLE t"));
  add("long-list", cat("SELECT * FROM t WHERE id IN (1", repeated(", 1", 100'000), ")"), "");
  add("long-literal", cat("SELECT '", repeated("x", 1'000'000), "'"), "");
  add("long-name", cat("SELECT ", repeated("a", 100'000), "()"));
  add("many-statements", repeated("INSERT INTO trace VALUES ('x'); ", 2'000));
  add("open-quote", "SELECT 'abc; DROP TABLE t");
  add("open-dollar-quote", "SELECT $a$; DROP TABLE t");
  add("open-comment", "SELECT 1 /* ; DROP TABLE t");
  return out;
}

using State = std::map<std::string, std::string>;

class ExplainSafety : public e2e::VersionTest {
 protected:
  // Nothing but us writes WAL: no vacuum, no checkpoint by time, and below 15, where no function
  // tells records apart, no snapshots for standbys.
  e2e::Settings settings() const override {
    e2e::Settings out = {{"autovacuum", "off"},      {"checkpoint_timeout", "1h"},
                         {"max_wal_size", "10GB"},   {"max_prepared_transactions", "5"},
                         {"track_functions", "all"}, {"wal_level", "minimal"},
                         {"max_wal_senders", "0"}};
    return out;
  }

  void SetUp() override;
  void TearDown() override {
    watcher_.reset();
    victim_.reset();
    asker_.reset();
    VersionTest::TearDown();
  }

  State probes();  // what one query tells
  State state();   // these and all rows
  std::string digest(const std::string& sql) {
    return e2e::must(e2e::must(watcher_->query(sql)).scalar());
  }
  std::vector<Attack> attacks() const;
  size_t turn(size_t number) const {
    return number + static_cast<size_t>(e2e::must(parse_int(version())));
  }
  // Whether it is this version's turn to meet the attack of this number.
  bool meets(size_t number, bool analyze) const {
    return e2e::thorough() || turn(number) % 6 == (analyze ? 3 : 0);
  }
  e2e::Outcome ask(const Attack& attack, bool analyze, size_t number);
  e2e::Outcome ask_program(const Attack& attack, bool analyze, size_t way);
  e2e::Outcome ask_library(const Attack& attack, bool analyze);
  // What differs between two states, told in words; "" if nothing does.
  static std::string difference(const State& before, const State& after);
  void attack_all(bool analyze);

  std::string filled(std::string text) const;

  std::optional<pg::Connection> watcher_, victim_, asker_;
  std::string folder_;
  e2e::Scratch scratch_;
};

std::string ExplainSafety::filled(std::string text) const {
  const pg::Options way = options();
  const std::string conninfo =
      cat("host=", way.get("host"), " port=", way.get("port"), " user=", way.get("user"),
          " password=", way.get("password"), " dbname=", database());
  return replaced(replaced(std::move(text), "{dir}", folder_), "{conninfo}", conninfo);
}

void ExplainSafety::SetUp() {
  VersionTest::SetUp();
  if (IsSkipped()) return;
  folder_ = cat(cluster().data_folder(), "/attacked");
  watcher_.emplace(connect());
  std::error_code failure;
  if (!fs::exists(folder_, failure)) {
    // By the server's account, so that the server may write into it.
    e2e::must(watcher_->exec(cat("COPY (SELECT 1) TO PROGRAM 'mkdir ", folder_, "'")));
  }
  e2e::must(watcher_->exec(filled(text_of(kFolder / "schema.sql"))));
  // Frozen rows need no hint bits, and where nothing is dead no reader prunes: both would be WAL.
  e2e::must(watcher_->exec("VACUUM (FREEZE, ANALYZE)"));
  e2e::must(watcher_->exec("VACUUM (FREEZE)"));
  e2e::must(watcher_->exec("CHECKPOINT"));
  victim_.emplace(connect(options().set("application_name", "victim")));
  asker_.emplace(connect(options().set("application_name", "asker")));
}

// Catalogs and tables, row by row with the transaction that wrote each.
constexpr const char* kRelationsSql = R"(
SELECT c.oid::regclass::text FROM pg_class c
 WHERE c.relkind IN ('r', 'm') AND c.relnamespace IN ('pg_catalog'::regnamespace,
       'public'::regnamespace) ORDER BY 1)";
constexpr std::pair<const char*, const char*> kProbes[] = {
    {"transaction ids", "SELECT txid_snapshot_xmax(txid_current_snapshot())"},
    {"WAL position", "SELECT pg_current_wal_insert_lsn()"},
    {"sequence", "SELECT (last_value, is_called)::text FROM s"},
    {"locks", "SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid()"},
    {"sessions",
     "SELECT coalesce(string_agg(pid::text, ' ' ORDER BY pid), '') FROM "
     "pg_stat_activity WHERE backend_type = 'client backend'"},
    {"prepared transactions", "SELECT count(*) FROM pg_prepared_xacts"},
    {"slots", "SELECT count(*) FROM pg_replication_slots"},
    {"configuration read", "SELECT pg_conf_load_time()"},
    {"server started", "SELECT pg_postmaster_start_time()"},
    {"statistics reset", "SELECT coalesce(max(stats_reset)::text, '') FROM pg_stat_database"},
    {"writer's statistics reset", "SELECT coalesce(stats_reset::text, '') FROM pg_stat_bgwriter"},
    {"files", "SELECT string_agg(f, ' ' ORDER BY f) FROM pg_ls_dir('.') f"},
    {"files made", "SELECT coalesce(string_agg(f, ' '), '') FROM pg_ls_dir('attacked') f"},
    {"settings",
     "SELECT md5(string_agg(name || coalesce(reset_val, ''), ' ' ORDER BY name)) "
     "FROM pg_settings"},
    {"notifications", "SELECT pg_notification_queue_usage()"},
};

State ExplainSafety::probes() {
  // Sessions of the program end a moment after it.
  EXPECT_TRUE(e2e::wait_until([&] {
    return digest(
               "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgtend%' AND "
               "pid <> pg_backend_pid()") == "0";
  }));
  State out;
  for (const auto& [name, sql] : kProbes) out[name] = digest(sql);
  return out;
}

State ExplainSafety::state() {
  State out = probes();
  std::string all;
  for (const pg::Row row : e2e::must(watcher_->query(kRelationsSql))) {
    const std::string table(row.text(0));
    if (!all.empty()) all += " UNION ALL ";
    all += cat("SELECT ", pg::literal(table),
               ", md5(coalesce(string_agg(concat(r.xmin, r.xmax, "
               "r.ctid, r), ' ' ORDER BY r.ctid), '')) FROM ",
               table, " r");
  }
  for (const pg::Row row : e2e::must(watcher_->query(all))) {
    out[cat("rows of ", row.text(0))] = row.text(1);
  }
  return out;
}

std::string ExplainSafety::difference(const State& before, const State& after) {
  std::string out;
  for (const auto& [name, value] : before) {
    const auto at = after.find(name);
    const std::string now = at == after.end() ? "gone" : at->second;
    if (now != value) out += cat("\n  ", name, ": ", value, " -> ", now);
  }
  for (const auto& [name, value] : after) {
    if (!before.contains(name)) out += cat("\n  ", name, ": new");
  }
  return out;
}

std::vector<Attack> ExplainSafety::attacks() const {
  std::vector<Attack> out;
  const int64_t major = e2e::must(parse_int(version()));
  std::vector<Attack> all = attacks_of_file();
  std::ranges::move(made_attacks(), std::back_inserter(all));
  for (Attack& attack : all) {
    const bool newer = std::ranges::any_of(attack.words, [&](const std::string& word) {
      return word.starts_with(">=") && major < e2e::must(parse_int(word.substr(2)));
    });
    if (newer) continue;
    attack.text = filled(std::move(attack.text));
    out.push_back(std::move(attack));
  }
  return out;
}

// The attacks take turns: each meets one version by default and another with --analyze, half of
// them through the program, by the three ways in; else a session of ours asks as it does.
// PGTEND_TESTS=all lets each meet all versions.
e2e::Outcome ExplainSafety::ask(const Attack& attack, bool analyze, size_t number) {
  // Its versions are a matter of the number's remainder by six.
  const bool by_program = number / 6 % 2 == 0 || attack.is("shadow");
  return by_program ? ask_program(attack, analyze, number / 12 % 3) : ask_library(attack, analyze);
}

e2e::Outcome ExplainSafety::ask_library(const Attack& attack, bool analyze) {
  explain::Request request;
  request.sql = attack.text;
  request.options.analyze = analyze;
  const auto report = explain::examine(*asker_, request);
  if (report) return {0, "", ""};
  const Error& error = report.error();
  const bool told = !error.hint.empty() || !error.sqlstate.empty();
  return {exit_code(error), "", cat(error.message, told ? "\n  next: " : "", error.hint)};
}

// What is too long or no text for an argument is piped.
e2e::Outcome ExplainSafety::ask_program(const Attack& attack, bool analyze, size_t way) {
  std::vector<std::string> argv = {kProgram, "explain"};
  if (analyze) argv.emplace_back("--analyze");
  constexpr size_t kArgumentMax = 100'000;
  if (attack.text.find('\0') != attack.text.npos || attack.text.size() > kArgumentMax) way = 2;
  std::string input;
  if (way == 0) argv.insert(argv.end(), {"--", attack.text});
  if (way == 1) argv.insert(argv.end(), {"-f", scratch_.write("statement.sql", attack.text)});
  if (way == 2) {
    argv.emplace_back("-");
    input = attack.text;
  }
  e2e::Environment environment = e2e::environment_of(options());
  if (attack.is("shadow")) {
    environment.emplace_back("PGOPTIONS", "-c search_path=shadow,pg_catalog,public");
  }
  return e2e::run(argv, environment, input);
}

void ExplainSafety::attack_all(bool analyze) {
  const std::vector<Attack> list = attacks();
  const State start = state();
  for (size_t i = 0; i < list.size(); ++i) {
    if (!meets(i, analyze)) continue;
    const Attack& attack = list[i];
    const e2e::Outcome outcome = ask(attack, analyze, i);
    SCOPED_TRACE(cat(attack.name, analyze ? " --analyze" : "", ": exit ", outcome.exit_code, "\n",
                     outcome.err.substr(0, 600), outcome.out.substr(0, 300)));
    EXPECT_LT(outcome.exit_code, 128) << "ended by a signal";
    const bool done = outcome.exit_code <= 1;
    const bool must_fail = attack.is("refused") || (analyze && attack.is("kept"));
    EXPECT_TRUE(done || !attack.is(analyze ? "runs" : "plans"));
    EXPECT_FALSE(done && must_fail);
    EXPECT_TRUE(done || outcome.err.contains("next: ")) << "no next step";
  }
  const std::string traces = difference(start, state());
  if (traces.empty()) return;
  ADD_FAILURE() << "traces: " << traces;
  // Which one was it?
  for (size_t i = 0; i < list.size(); ++i) {
    if (!meets(i, analyze)) continue;
    const State before = probes();
    ask(list[i], analyze, i);
    const std::string what = difference(before, probes());
    EXPECT_EQ(what, "") << list[i].name << (analyze ? " --analyze" : "") << "\n" << list[i].text;
  }
}

TEST_P(ExplainSafety, DefaultCommandLeavesNoTrace) {
  ASSERT_GE(attacks().size(), 150u);
  attack_all(false);
}

TEST_P(ExplainSafety, AnalyzeLeavesNoTrace) { attack_all(true); }

PGTEND_ON_ALL_VERSIONS(ExplainSafety);

}  // namespace
}  // namespace pgtend
