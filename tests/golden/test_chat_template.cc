// Chat templates against transformers' Jinja2 environment (tests/oracle/template_goldens.py) and published renderings.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "reference/text/chat_template.h"
#include "tests/catch.h"

namespace assay {
namespace {

constexpr const char* kNow = "2025-07-10T12:34:56";

TEST_CASE("templates of our own render as in Jinja2, and fail where it raises") {
  std::ifstream file(ASSAY_TREE "/tests/golden/data/templates.jsonl");
  int rendered = 0, refused = 0;
  for (std::string line; std::getline(file, line);) {
    const Json row = *parse_json(line, "templates.jsonl");
    INFO(row.at("template").get<std::string>());
    const auto chat = ChatTemplate::parse(row.at("template").get<std::string>(), "t.jinja");
    const auto text = chat.ok() ? chat->render(row.at("context"), {.now = kNow}) : Result<std::string>(chat.error());
    if (row.at("expected").is_null()) {
      ++refused;
      REQUIRE_FALSE(text.ok());
      CHECK(text.error().code == Code::template_error);
      CHECK(text.error().file == "t.jinja");
      continue;
    }
    ++rendered;
    REQUIRE(text.ok());
    CHECK(*text == row.at("expected").get<std::string>());
  }
  CHECK(rendered == 35);
  CHECK(refused == 30);
}

TEST_CASE("published chat templates render as published") {
  const std::string path = ASSAY_SHARED "/configs/jinja-cases-huggingface.js/e2e-cases.json";
  if (!std::filesystem::exists(path)) {
    WARN("skipped: " << path << " is not here");
    return;
  }
  const auto cases = read_json_file(path);
  REQUIRE(cases.ok());
  int same = 0, all = 0;
  for (const char* group : {"default_templates", "custom_templates"}) {
    for (const auto& [name, one] : cases->at(group).items()) {
      if (!one.is_object() || !one.contains("target")) continue;
      INFO(name);
      const auto chat = ChatTemplate::parse(one.at("chat_template").get<std::string>(), name);
      REQUIRE(chat.ok());
      const auto text = chat->render(one.at("data"), {.now = "2025-07-10"});
      REQUIRE(text.ok());
      ++all;
      same += *text == one.at("target").get<std::string>();
    }
  }
  CHECK(all == 53);
  CHECK(same == 52);  // Hammer2.1: Python's Jinja2 renders other white space than huggingface.js, and so do we
}

}  // namespace
}  // namespace assay
