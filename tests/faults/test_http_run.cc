// Suites through `http`: against `assay serve`, and against a server that refuses, drops and reorders, by a client that is killed twice. The evidence
// is that of the local run, byte for byte.
#include <stdlib.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/json.h"
#include "reports/database.h"
#include "tests/command.h"
#include "tests/faults/flaky_proxy.h"
#include "tests/process.h"

using namespace assay;

namespace {

const std::string kModel = ASSAY_TREE "/suites/data/demo/model";

// `assay serve` of the bundled model.
class Served {
 public:
  explicit Served(const std::vector<std::string>& more = {}) : process_(arguments(more), scratch_.path()) {
    const std::string ready = process_.line(), begin = "listening on http://127.0.0.1:";
    INFO(ready << process_.err());
    REQUIRE(ready.starts_with(begin));
    port_ = std::stoi(ready.substr(begin.size()));
  }
  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }

 private:
  static std::vector<std::string> arguments(const std::vector<std::string>& more) {
    std::vector<std::string> out = {"serve", kModel, "--port", "0", "--threads", "2"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  Scratch scratch_;
  AssayProcess process_;
  int port_ = 0;
};

struct Kind {
  const char *suite, *protocol, *limit;
};
constexpr Kind kKinds[] = {{"world-mc", "text-0shot", "40"}, {"tales-bpb", "bos-micro", "60"}, {"steps-gen", "direct-0shot", "60"}};

std::vector<std::string> run_arguments(const Kind& kind, const std::string& model, const std::string& db) {
  return {"run", model, "--suite", kind.suite, "--protocol", kind.protocol, "--limit", kind.limit, "--db", db, "--threads", "1", "--wave-tokens", "64", "--http-parallel", "24", "--json"};
}

std::string canonical(const std::string& db, const std::string& folder) {
  const CommandResult out = run_assay({"export", "--canonical", "--db", db}, folder);
  REQUIRE(out.code == 0);
  CHECK(out.out.size() > 10'000);
  return out.out;
}

std::string text(const std::string& db, const std::string& sql) {
  const auto database = Database::open_read_only(db);
  REQUIRE(database.ok());
  auto statement = database->prepare(sql);
  REQUIRE(statement.ok());
  REQUIRE(statement->next().value());
  return statement->text(0);
}

}  // namespace

TEST_CASE("http run: a suite through `assay serve` gives the local run's canonical export") {
  const Served served;
  for (const Kind& kind : kKinds) {
    INFO(kind.suite);
    const Scratch scratch;
    const std::string local = scratch / "local.db", remote = scratch / "remote.db";
    const CommandResult own = run_assay(run_arguments(kind, kModel, local), scratch.path());
    REQUIRE(own.code == 0);
    const CommandResult through = run_assay(run_arguments(kind, served.url() + "#model", remote), scratch.path());
    INFO(through.err);
    REQUIRE(through.code == 0);
    const Json a = parse_json(own.out, "").value(), b = parse_json(through.out, "").value();
    CHECK(a["metrics"] == b["metrics"]);
    CHECK(a["audit"] == b["audit"]);
    CHECK(b["cost_usd"].is_null());
    CHECK((canonical(local, scratch.path()) == canonical(remote, scratch.path())));
    CHECK(text(remote, "SELECT backend FROM main.run") == "http");
    const Json server = parse_json(text(remote, "SELECT server_json FROM main.run"), "").value();
    CHECK(server["abilities"]["likelihood"] == "echo");
    CHECK(server["model"] == "model");
    CHECK(text(remote, "SELECT count(*) FROM main.run WHERE device_id IS NULL AND kernel_set IS NULL AND price_id IS NULL") == "1");
  }
}

TEST_CASE("http run: refusals, drops, overtaking answers and two kills of the client leave no trace") {
  const Served served({"--max-waiting", "512"});
  for (const Kind& kind : kKinds) {
    INFO(kind.suite);
    const Scratch scratch;
    const std::string local = scratch / "local.db", remote = scratch / "remote.db";
    REQUIRE(run_assay(run_arguments(kind, kModel, local), scratch.path()).code == 0);
    FlakyProxy proxy(served.port(), {}, 5);
    const std::vector<std::string> resume = {"resume", "1", "--db", remote, "--threads", "1", "--wave-tokens", "64", "--http-parallel", "24", "--json"};
    int killed = 0;
    for (const int further : {25, 20}) {  // requests into the run, and into what is left of it
      AssayProcess client(killed == 0 ? run_arguments(kind, proxy.url(), remote) : resume, scratch.path());
      proxy.at_request(further, [&client] { client.signal(SIGKILL); });
      killed += client.wait() == -SIGKILL ? 1 : 0;
    }
    CHECK(killed == 2);
    proxy.at_request(0, {});
    const CommandResult last = run_assay(resume, scratch.path());
    INFO(last.err);
    REQUIRE(last.code == 0);
    CHECK((canonical(local, scratch.path()) == canonical(remote, scratch.path())));
    const FlakyProxy::Counts counts = proxy.counts();
    CHECK(counts.refused >= 3);
    CHECK(counts.dropped >= 1);
    CHECK(counts.overtaken >= 1);
    CHECK(text(remote, "SELECT count(*) FROM main.item_result") == kind.limit);
    CHECK(text(remote, "SELECT items_seen FROM main.run") == kind.limit);
  }
}

TEST_CASE("http run: the key goes to the server and nowhere else") {
  const Served served({"--api-key", "sk-very-secret"});
  const Scratch scratch;
  const std::string db = scratch / "a.db";
  ::unsetenv("OPENAI_API_KEY");
  const CommandResult without = run_assay(run_arguments(kKinds[0], served.url(), db), scratch.path());
  CHECK(without.code == 3);
  CHECK(without.err.find("ASSAY_API_KEY") != std::string::npos);
  ::setenv("ASSAY_API_KEY", "sk-very-secret", 1);
  FlakyProxy proxy(served.port(), {.refused = 0, .dropped = 0, .held = 0}, 1);
  Kind few = kKinds[0];
  few.limit = "5";
  const CommandResult with = run_assay(run_arguments(few, proxy.url(), db), scratch.path());
  ::unsetenv("ASSAY_API_KEY");
  REQUIRE(with.code == 0);
  const FlakyProxy::Counts counts = proxy.counts();
  CHECK(std::set(counts.keys.begin(), counts.keys.end()) == std::set<std::string>{"Bearer sk-very-secret"});
  CHECK((with.out + with.err).find("sk-very-secret") == std::string::npos);
  CHECK(read_file(db)->find("sk-very-secret") == std::string::npos);
}

TEST_CASE("http run: generate and loglikelihood through a server say what they say here") {
  const Served served;
  const Scratch scratch;
  const std::string prompts = scratch.write("p.jsonl", "\"Q: What is 3 + 4?\\nA:\"\n\"Max went to\"\n"), pairs = scratch.write("l.jsonl",
      "{\"context\": \"Max went to the\", \"continuation\": \" barn.\"}\n{\"context\": \"\", \"continuation\": \"Max\"}\n{\"text\": \"It was a warm day. Finn was in the school.\"}\n");
  for (const std::vector<std::string>& command : {std::vector<std::string>{"loglikelihood", "--in", pairs}, {"generate", "--in", prompts, "--max-tokens", "12", "--stop", "."},
                                                  {"generate", "--in", prompts, "--max-tokens", "8", "--temperature", "0.9", "--top-p", "0.95", "--samples", "3", "--seed", "11"}}) {
    std::vector<std::string> local = command, remote = command;
    local.insert(local.begin() + 1, kModel);
    remote.insert(remote.begin() + 1, served.url() + "#model");
    const CommandResult a = run_assay(local, scratch.path()), b = run_assay(remote, scratch.path());
    INFO(b.err);
    REQUIRE(a.code == 0);
    REQUIRE(b.code == 0);
    CHECK(a.out == b.out);
    CHECK(a.out.size() > 50);
  }
}

TEST_CASE("http run: what cannot be had is refused in one line") {
  const Served served;
  const Scratch scratch;
  const auto refused = [&](const std::string& model, int code, const std::string& words) {
    const CommandResult out = run_assay(run_arguments(kKinds[0], model, scratch / "a.db"), scratch.path());
    INFO(out.err);
    CHECK(out.code == code);
    CHECK(out.err.find(words) != std::string::npos);
  };
  refused(served.url() + "#other", 3, "no such model");
  refused("http://user:word@127.0.0.1:1/v1", 2, "ASSAY_API_KEY");
  refused("http://127.0.0.1:" + std::to_string(served.port()) + "/v2#model", 3, "no such model or no such endpoint");
}
