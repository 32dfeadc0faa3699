// Published chat templates against transformers' Jinja2 environment: digests of what that renders, made by tests/oracle/template_published.py.
// Where a stored target and Python's Jinja2 disagree, Python wins; how often that happens, and why, stands here.
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "reference/text/chat_template.h"
#include "tests/catch.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
constexpr const char* kConfigs = ASSAY_SHARED "/configs/";
constexpr const char* kTinyModels = ASSAY_SHARED "/tokenizers/neural-api-tiny/";

struct TemplateCase {
  std::string source, name;
  Json row;  // of the golden file
};

std::vector<TemplateCase> cases_of(const std::string& source_begins) {
  std::ifstream file(ASSAY_TREE "/tests/golden/data/templates_published.jsonl");
  std::vector<TemplateCase> out;
  for (std::string line; std::getline(file, line);) {
    Json row = *parse_json(line, "templates_published.jsonl");
    std::string source = row.at("source").get<std::string>(), name = row.at("case").get<std::string>();
    if (source.starts_with(source_begins)) out.push_back({std::move(source), std::move(name), std::move(row)});
  }
  return out;
}

bool absent_templates(const std::string& path) {
  if (fs::exists(path)) return false;
  WARN("skipped: " << path << " is not here");
  return true;
}

// Renders, compares with Python's digest, and says whether Python agrees with the stored target.
void check(const TemplateCase& one, const std::string& text, const Json& context) {
  INFO(one.source << " " << one.name);
  const auto chat = ChatTemplate::parse(text, one.name);
  const auto made = chat.ok() ? chat->render(context, {.now = "2025-07-10T12:34:56"}) : Result<std::string>(chat.error());
  INFO((made.ok() ? *made : made.error().text()));
  const Json& python = one.row.at("python");
  CHECK(made.ok() == python.is_string());
  if (made.ok() && python.is_string()) CHECK(sha256_hex(*made).substr(0, 16) == python.get<std::string>());
}

std::map<std::string, int> disagreements(const std::vector<TemplateCase>& cases) {
  std::map<std::string, int> out;
  for (const TemplateCase& one : cases) out[one.source.substr(0, one.source.find('/'))] += one.row.contains("same") && !one.row.at("same").get<bool>();
  return out;
}

TEST_CASE("published templates: 53 of huggingface.js") {
  if (absent_templates(std::string(kConfigs) + "jinja-cases-huggingface.js/e2e-cases.json")) return;
  const Json stored = *read_json_file(std::string(kConfigs) + "jinja-cases-huggingface.js/e2e-cases.json");
  const auto cases = cases_of("e2e-cases.json/");
  CHECK(cases.size() == 53);
  for (const TemplateCase& one : cases) {
    const Json& of = stored.at(one.source.substr(one.source.find('/') + 1)).at(one.name);
    check(one, of.at("chat_template").get<std::string>(), of.at("data"));
  }
  CHECK(disagreements(cases)["e2e-cases.json"] == 1);  // Hammer2.1: huggingface.js keeps white space that lstrip_blocks takes away
}

// The 59 that Python sees otherwise: booleans are written True and None as None; strings have no JavaScript methods or .length and lists no
// .slice; 'in' and '+' raise on values without them; sort compares None, undefined and mixed kinds differently or raises; repr of values in braces.
TEST_CASE("published templates: 157 syntax cases of huggingface.js") {
  if (absent_templates(std::string(kConfigs) + "jinja-cases-huggingface.js/syntax-cases.json")) return;
  const Json stored = *read_json_file(std::string(kConfigs) + "jinja-cases-huggingface.js/syntax-cases.json");
  const auto cases = cases_of("syntax-cases.json");
  CHECK(cases.size() == 157);
  for (const TemplateCase& one : cases) {
    const Json& of = stored.at("cases").at(one.name);
    check(one, of.at("template").get<std::string>(), of.at("context"));
  }
  CHECK(disagreements(cases)["syntax-cases.json"] == 59);
}

Json tiny_context(const std::string& name, const Json& one) {
  static const std::map<std::string, std::pair<std::string, std::string>> kTokens = {{"llama3", {"<|begin_of_text|>", "<|end_of_text|>"}},
                                                                                     {"gemma", {"<bos>", "<eos>"}},
                                                                                     {"phi3", {"<s>", "<|endoftext|>"}},
                                                                                     {"deepseek", {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"}}};
  const auto it = kTokens.find(name);
  const auto& [bos, eos] = it == kTokens.end() ? std::pair<std::string, std::string>("<s>", "</s>") : it->second;
  Json context = {{"bos_token", bos}, {"eos_token", eos}, {"messages", one.at("messages")}, {"add_generation_prompt", one.at("add_generation_prompt")}};
  if (!one.contains("reasoning_effort")) return context;
  const std::string effort = one.at("reasoning_effort").get<std::string>();
  if (effort == "off") context["enable_thinking"] = false;  // the caller's word, not the template's
  else context["reasoning_effort"] = effort;
  return context;
}

TEST_CASE("published templates: 96 cases of eleven templates, seven of which raise") {
  if (absent_templates(std::string(kTinyModels) + "chat_template_cases.json")) return;
  const Json stored = *read_json_file(std::string(kTinyModels) + "chat_template_cases.json");
  const auto cases = cases_of("chat_template_cases.json");
  CHECK(cases.size() == 96);
  int raised = 0;
  for (const TemplateCase& one : cases) {
    const std::string name = one.name.substr(0, one.name.find('/'));
    const Json& of = stored.at(name);
    const std::string text = of.contains("template") ? of.at("template").get<std::string>() : *read_file(kTinyModels + name + "_chat_template.jinja");
    check(one, text, tiny_context(name, of.at("cases").at(std::stoul(one.name.substr(name.size() + 1)))));
    raised += one.row.at("python").is_null();
  }
  CHECK(raised == 7);
  CHECK(disagreements(cases)["chat_template_cases.json"] == 0);
}

void check_folder(const std::string& folder, std::size_t n_templates) {
  if (absent_templates(kConfigs + folder)) return;
  const Json contexts = *read_json_file(ASSAY_TREE "/tests/golden/data/template_contexts.json");
  const auto cases = cases_of(folder);
  CHECK(cases.size() == n_templates * contexts.size());
  for (const TemplateCase& one : cases) check(one, *read_file(kConfigs + one.source), contexts.at(one.name));
}

TEST_CASE("published templates: 55 of ik_llama.cpp in 18 contexts") { check_folder("chat-templates-ik_llama.cpp", 55); }
TEST_CASE("published templates: 28 of mistral-common in 18 contexts") { check_folder("chat-templates-mistral-common", 28); }

}  // namespace
}  // namespace assay
