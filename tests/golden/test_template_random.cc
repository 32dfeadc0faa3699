// Random templates against transformers' Jinja2 environment (tests/oracle/template_random.py): a few hundred kept ones on every run,
// and any file of them on request.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "reference/text/chat_template.h"
#include "tests/catch.h"

namespace assay {
namespace {

struct TemplateTally {
  int rendered = 0, refused = 0, different = 0;
};

// The first line holds the context of all cases; a case's own is added to it.
TemplateTally compare_file(const std::string& path, bool show) {
  std::ifstream file(path);
  TemplateTally tally;
  Json common;
  for (std::string line; std::getline(file, line);) {
    const Json row = *parse_json(line, path);
    if (!row.contains("template")) {
      common = row.at("context");
      continue;
    }
    Json context = common;
    context.update(row.at("context"));
    const std::string text = row.at("template").get<std::string>();
    const auto chat = ChatTemplate::parse(text, "t.jinja");
    const auto made = chat.ok() ? chat->render(context, {.now = "2025-07-10T12:34:56"}) : Result<std::string>(chat.error());
    const Json& expected = row.at("expected");
    (expected.is_null() ? tally.refused : tally.rendered) += 1;
    if (expected.is_null() ? !made.ok() : made.ok() && *made == expected.get<std::string>()) continue;
    ++tally.different;
    const Json shown = {{"template", text}, {"python", expected}, {"ours", made.ok() ? Json(*made) : Json()}, {"error", made.ok() ? "" : made.error().message}};
    if (show) std::cout << dump_json(shown) << "\n";
    else UNSCOPED_INFO(dump_json(shown));
  }
  return tally;
}

TEST_CASE("template differential: kept random templates render as in Jinja2, and fail where it raises") {
  const TemplateTally tally = compare_file(ASSAY_TREE "/tests/golden/data/templates_random.jsonl", false);
  CHECK(tally.different == 0);
  CHECK(tally.rendered >= 200);
  CHECK(tally.refused >= 100);
}

TEST_CASE("template differential: the file that ASSAY_TEMPLATE_CASES names", "[.]") {
  const char* path = std::getenv("ASSAY_TEMPLATE_CASES");
  REQUIRE(path != nullptr);
  const TemplateTally tally = compare_file(path, true);
  std::cout << tally.rendered << " rendered, " << tally.refused << " refused, " << tally.different << " different\n";
  CHECK(tally.different == 0);
}

}  // namespace
}  // namespace assay
