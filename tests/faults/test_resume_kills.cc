// A real `assay run`, killed again and again, then continued: the evidence is that of a run that nobody touched.
#include <poll.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/rng.h"
#include "reports/database.h"
#include "tests/command.h"
#include "tests/process.h"

using namespace assay;

namespace {

const std::string kKilledModel = ASSAY_TREE "/suites/data/demo/model";
constexpr int kKills = 7;  // of each kind of protocol

struct KillKind {
  const char *suite, *protocol, *limit;
};
constexpr KillKind kKillKinds[] = {{"world-mc", "text-0shot", "120"}, {"tales-bpb", "bos-micro", "60"}, {"steps-gen", "direct-0shot", "60"}};

std::vector<std::string> run_arguments(const KillKind& kind, const std::string& db) {
  return {"run", kKilledModel, "--suite", kind.suite, "--protocol", kind.protocol, "--limit", kind.limit, "--db", db, "--wave-tokens", "64", "--threads", "1", "--json"};
}
std::vector<std::string> resume_arguments(const std::string& db) { return {"resume", "1", "--db", db, "--wave-tokens", "64", "--threads", "1", "--json"}; }

double number(const std::string& db, const std::string& sql) {
  const auto database = Database::open_read_only(db);
  REQUIRE(database.ok());
  auto statement = database->prepare(sql);
  REQUIRE(statement.ok());
  REQUIRE(statement->next().value());
  return statement->real(0);
}

// True once a run stands in the database.
bool has_run(const std::string& db) {
  if (!std::filesystem::exists(db)) return false;
  // Killed while it went back to a rollback journal: only a writer may play that back.
  if (std::filesystem::exists(db + "-journal")) static_cast<void>(Database::create(db).ok());
  const auto database = Database::open_read_only(db);
  if (!database.ok()) return false;  // killed before the tables were there
  auto statement = database->prepare("SELECT count(*) FROM main.run");
  return statement.ok() && statement->next().value() && statement->integer(0) > 0;
}

void wait_at_most(AssayProcess& process, double seconds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (process.running() && std::chrono::steady_clock::now() < until) ::poll(nullptr, 0, 1);
}

// Waits for the end of the process, at most so long; then kills it. True: it was killed.
bool kill_after(AssayProcess& process, double seconds) {
  wait_at_most(process, seconds);
  if (!process.running()) return false;
  process.signal(SIGKILL);
  return process.wait() == -SIGKILL;
}

// What was spent is what is in the rows, over all parts of a run.
void check_spent(const std::string& db, const std::string& whole) {
  for (const char* sql : {"SELECT tokens_asked FROM main.run", "SELECT tokens_generated FROM main.run", "SELECT sum(tokens) FROM main.router_stat",
                          "SELECT items_seen FROM main.run", "SELECT count(*) FROM main.item_result", "SELECT count(*) FROM main.run"}) {
    INFO(sql);
    CHECK(number(db, sql) == number(whole, sql));
  }
  CHECK(number(db, "SELECT tokens_computed FROM main.run") > 0);
  const double cost = number(db, "SELECT cost_usd FROM main.run");
  const double due = number(db, "SELECT r.wall_seconds / 3600 * p.usd_per_hour FROM main.run r JOIN main.price p ON p.id = r.price_id");
  CHECK(due > 0);
  CHECK(std::abs(cost - due) <= 1e-12 * due);
}

struct Kills {
  int all = 0, within = 0;  // within: with a run begun and not complete
};

// One run, killed up to `most` times at moments drawn from the length of a whole one (loading, asking, writing, closing), then finished.
Kills killed_run(const KillKind& kind, const std::string& db, const std::string& folder, double seconds, int most, Stream& random) {
  Kills kills;
  const auto next = [&] { return has_run(db) ? resume_arguments(db) : run_arguments(kind, db); };
  while (kills.all < most) {
    AssayProcess process(next(), folder);
    if (!kill_after(process, random.uniform() * seconds)) break;  // it was done sooner
    ++kills.all;
    kills.within += has_run(db) ? 1 : 0;
  }
  const CommandResult last = run_assay(next(), folder);
  INFO(last.err);
  REQUIRE(last.code == 0);
  const auto report = parse_json(last.out, "");
  REQUIRE(report.ok());
  CHECK((*report)["status"] == "complete");
  CHECK((*report)["n"] == std::stoi(kind.limit));
  return kills;
}

// So many kills of each kind of protocol.
void check_kills(int kills_of_kind, std::uint64_t seed) {
  int within = 0;
  for (const KillKind& kind : kKillKinds) {
    INFO(kind.suite);
    const Scratch scratch;
    const std::string whole = scratch / "whole.db";
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE(run_assay(run_arguments(kind, whole), scratch.path()).code == 0);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const CommandResult expected = run_assay({"export", "--canonical", "--db", whole}, scratch.path());
    REQUIRE(expected.code == 0);
    CHECK(expected.out.size() > 10'000);
    Stream random(seed, static_cast<std::uint64_t>(&kind - kKillKinds));
    int killed = 0;
    for (int round = 0; killed < kills_of_kind && round < kills_of_kind; ++round) {
      const std::string db = scratch / ("killed" + std::to_string(round) + ".db");
      const Kills kills = killed_run(kind, db, scratch.path(), seconds, kills_of_kind - killed, random);
      killed += kills.all;
      within += kills.within;
      const CommandResult got = run_assay({"export", "--canonical", "--db", db}, scratch.path());
      CHECK((got.out == expected.out));
      check_spent(db, whole);
    }
    CHECK(killed >= kills_of_kind / 2);
  }
  CHECK(within >= kills_of_kind / 2);  // a machine on which runs are over before they can be killed tests nothing
}

}  // namespace

TEST_CASE("resume: runs killed at random moments end with the bytes of one that was not") { check_kills(kKills, 7); }

TEST_CASE("resume: 201 kills", "[.long]") { check_kills(67, 8); }

TEST_CASE("resume: SIGINT and SIGTERM give exit code 5 and a run that can be continued") {
  const KillKind kind = {"steps-gen", "cot-0shot", "100"};
  const Scratch scratch;
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(run_assay(run_arguments(kind, scratch / "whole.db"), scratch.path()).code == 0);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  int interrupted = 0;
  for (int i = 1; i <= 4; ++i) {
    const std::string db = scratch / ("a" + std::to_string(i) + ".db");
    AssayProcess process(run_arguments(kind, db), scratch.path());
    wait_at_most(process, seconds * (0.4 + 0.1 * i));
    if (!process.running()) continue;
    process.signal(i % 2 == 0 ? SIGINT : SIGTERM);
    const int code = process.wait();
    if (code != 5 || !has_run(db)) continue;  // it was done, or had not begun
    ++interrupted;
    CHECK(number(db, "SELECT count(*) FROM main.run WHERE status = 'interrupted'") == 1);
    CHECK(number(db, "SELECT count(*) FROM main.item_result") == number(db, "SELECT items_seen FROM main.run"));
    CHECK_FALSE(std::filesystem::exists(db + "-wal"));  // a command that ends leaves one file
    if (interrupted > 1) continue;
    REQUIRE(run_assay(resume_arguments(db), scratch.path()).code == 0);
    CHECK(number(db, "SELECT count(*) FROM main.item_result") == 100);
    CHECK(number(db, "SELECT count(*) FROM main.run WHERE status = 'complete'") == 1);
  }
  CHECK(interrupted >= 1);
}
