// Where chat templates are found, which one is taken, and the command `assay template`.
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "reference/text/chat_template.h"
#include "tests/command.h"

using namespace assay;

namespace {

std::string text_of(const std::string& place, const std::string& name = "default") {
  const auto chat = ChatTemplate::load(place, name);
  return chat.ok() ? chat->text() : std::string("refused: ") + std::string(name_of(chat.error().code));
}

}  // namespace

TEST_CASE("chat template files: the order in which they win") {
  const Scratch folder;
  CHECK(text_of(folder.path()) == "refused: missing_field");
  CHECK(ChatTemplate::names(folder.path())->empty());
  folder.write("tokenizer_config.json", R"({"chat_template": "config"})");
  CHECK(text_of(folder.path()) == "config");
  folder.write("chat_template.json", R"({"chat_template": "json"})");
  CHECK(text_of(folder.path()) == "json");
  folder.write("chat_template.jinja", "jinja");
  CHECK(text_of(folder.path()) == "jinja");
  std::filesystem::create_directory(folder / "additional_chat_templates");
  folder.write("additional_chat_templates/tool_use.jinja", "tools");
  folder.write("additional_chat_templates/notes.txt", "no template");
  CHECK(text_of(folder.path(), "tool_use") == "tools");
  CHECK(text_of(folder.path(), "../chat_template") == "refused: missing_field");
  CHECK(*ChatTemplate::names(folder.path()) == std::vector<std::string>{"default", "tool_use"});
  CHECK(text_of(folder / "chat_template.jinja") == "jinja");
  CHECK(text_of(folder / "tokenizer_config.json") == "config");
}

TEST_CASE("chat template files: several named ones, and forms that are refused") {
  const Scratch folder;
  folder.write("tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": "d"}, {"name": "tool_use", "template": "t"}]})");
  CHECK(text_of(folder.path()) == "d");
  CHECK(text_of(folder.path(), "tool_use") == "t");
  const auto none = ChatTemplate::load(folder.path(), "rag");
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().expected == "default, tool_use");
  CHECK(none.error().got == "rag");
  folder.write("tokenizer_config.json", R"({"chat_template": {"default": "d2"}})");
  CHECK(text_of(folder.path()) == "d2");
  for (const char* bad : {"5", "[5]", R"([{"name": "x"}])", R"({"default": 5})", "true"}) {
    folder.write("tokenizer_config.json", std::string(R"({"chat_template": )") + bad + "}");
    INFO(bad);
    CHECK(text_of(folder.path()) == "refused: bad_value");
  }
  folder.write("tokenizer_config.json", R"({"chat_template": null})");
  CHECK(text_of(folder.path()) == "refused: missing_field");
  folder.write("tokenizer_config.json", R"({"chat_template": "{% if %}"})");
  CHECK(text_of(folder.path()) == "refused: template_error");
}

TEST_CASE("template command: files, time, names, errors by line") {
  const Scratch folder;
  folder.write("t.jinja", "{{ strftime_now('%d %b %Y') }} {{ messages[0].content }}{% if bad %}{{ raise_exception('no ' ~ bad) }}{% endif %}");
  folder.write("in.jsonl", R"({"messages": [{"role": "user", "content": "h\u00e9"}]})" "\n\n" R"({"messages": [{}], "bad": "one"})" "\n");
  const auto made = run_assay({"template", "t.jinja", "--in", "in.jsonl", "--now", "2024-07-26"}, folder.path());
  CHECK(made.code == 0);
  CHECK(made.out == "{\"text\":\"26 Jul 2024 h\u00e9\"}\n{\"error\":\"template line 1: no one\"}\n");
  folder.write("tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": "d"}, {"name": "tool_use", "template": "t"}, {"name": "rag", "template": "r"}]})");
  folder.write("two.jsonl", "{\"messages\": []}\n{\"messages\": [], \"tools\": []}\n{\"tools\": null}\n");
  CHECK(run_assay({"template", ".", "--in", "two.jsonl"}, folder.path()).out == "{\"text\":\"d\"}\n{\"text\":\"t\"}\n{\"text\":\"d\"}\n");
  CHECK(run_assay({"template", ".", "--in", "two.jsonl", "--name", "rag"}, folder.path()).out == "{\"text\":\"r\"}\n{\"text\":\"r\"}\n{\"text\":\"r\"}\n");
  const auto unknown = run_assay({"template", ".", "--in", "two.jsonl", "--name", "x"}, folder.path());
  CHECK(unknown.code == 3);
  CHECK(unknown.err.find("default, rag, tool_use") != std::string::npos);
  CHECK(run_assay({"template", "t.jinja", "--in", "in.jsonl", "--now", "yesterday"}, folder.path()).code == 3);
  CHECK(run_assay({"template", "nowhere", "--in", "in.jsonl"}, folder.path()).code == 3);
}

TEST_CASE("generate command: options are refused in words, likeliest tokens and stop ids are told") {
  const Scratch folder;
  folder.write("in.jsonl", "\"Q: What is 3 + 4?\\nA:\"\n");
  const std::string model = ASSAY_TREE "/suites/data/demo/model";
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = {"generate", model, "--in", "in.jsonl", "--max-tokens", "3"};
    all.insert(all.end(), more.begin(), more.end());
    return run_assay(all, folder.path());
  };
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{{"--temperature", "-1"}, {"--temperature", "nan"}, {"--top-p", "0"}, {"--min-p", "2"}, {"--samples", "100000000"}, {"--repetition-penalty", "0"}, {"--top-logprobs", "129"}}) {
    INFO(name << " " << value);
    const auto refused = with({name, value});
    CHECK(refused.code == 2);
    CHECK(refused.err.starts_with("assay: "));
    CHECK(refused.err.find(name.substr(2)) != std::string::npos);
  }
  CHECK(with({"--stop-id", "1024"}).code == 3);
  const auto plain = with({"--top-logprobs", "2"});
  REQUIRE(plain.code == 0);
  const Json line = *parse_json(plain.out, "out");
  REQUIRE(line.at("top_logprobs").size() == line.at("ids").size());
  CHECK(line.at("top_logprobs")[0].size() == 2);
  CHECK(line.at("top_logprobs")[0][0].at("id") == line.at("ids")[0]);  // greedy
  CHECK(line.at("top_logprobs")[0][0].at("logprob") == line.at("logprobs")[0]);
  const auto stopped = with({"--stop-id", line.at("ids")[0].dump()});
  REQUIRE(stopped.code == 0);
  const Json one = *parse_json(stopped.out, "out");
  CHECK(one.at("ids").size() == 1);
  CHECK(one.at("finish_reason") == "stop");
}
