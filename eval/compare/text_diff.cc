#include "eval/compare/text_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "base/file.h"
#include "reference/model/gguf_config.h"
#include "reference/text/gguf_tokenizer.h"
#include "reference/weights/gguf_files.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTextPartBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxTemplateBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxTemplateLines = 40;  // differing lines that are shown

Json difference(std::string key, Json a, Json b) {
  return {{"key", std::move(key)}, {"a", std::move(a)}, {"b", std::move(b)}};
}

// What a GGUF file says, under the name of the file that would say it; null where that is nothing. The vocabulary is a list by id.
Result<Json> gguf_document(const std::string& path, std::string_view name) {
  if (name == "config.json") {
    ASSAY_TRY(const std::string text, config_text(path));
    return parse_json(text, path);
  }
  if (name != "tokenizer.json") return Json(nullptr);
  ASSAY_TRY(const GgufFile file, open_gguf(path));
  if (file.header.find("tokenizer.ggml.model") == nullptr) return Json(nullptr);
  ASSAY_TRY(const TokenizerParts parts, gguf_tokenizer(file.header, path));
  return Json{{"model", {{"vocab", parts.tokens}, {"merges", parts.merges}}}, {"pre_tokenizer", parts.pre}};
}

// The document, or null where there is no such file.
Result<Json> read_if_there(const std::string& folder, const char* name, std::size_t max_bytes) {
  if (is_gguf_file(folder)) return gguf_document(folder, name);
  const fs::path path = fs::path(folder) / name;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return Json(nullptr);
  return read_json_file(path.string(), {.max_bytes = max_bytes});
}

// JSON pointer -> value, for every leaf.
std::map<std::string, Json> leaves(const Json& document) {
  std::map<std::string, Json> result;
  const Json flat = document.flatten();
  if (!flat.is_object()) return {{"", document}};
  for (const auto& [key, value] : flat.items()) result.emplace(key, value);
  return result;
}

// The member of an object as an object, or an empty one.
const Json& part_of(const Json& document, const char* name) {
  static const Json kNone = Json::object();
  if (!document.is_object()) return kNone;
  const auto it = document.find(name);
  return it == document.end() ? kNone : *it;
}

using Vocabulary = std::map<std::string, std::int64_t>;

Vocabulary vocabulary_of(const Json& tokenizer) {
  Vocabulary result;
  const Json& vocabulary = part_of(part_of(tokenizer, "model"), "vocab");
  for (std::size_t id = 0; vocabulary.is_array() && id < vocabulary.size(); ++id)
    result.emplace(vocabulary[id].get<std::string>(), static_cast<std::int64_t>(id));
  if (!vocabulary.is_object()) return result;
  for (const auto& [token, id] : vocabulary.items()) {
    if (id.is_number_integer()) result.emplace(token, id.get<std::int64_t>());
  }
  return result;
}

void compare_vocabularies(const Vocabulary& a, const Vocabulary& b, Json& out) {
  std::int64_t only_a = 0, only_b = 0, moved = 0;
  for (const auto& [token, id] : a) {
    const auto other = b.find(token);
    only_a += other == b.end();
    moved += other != b.end() && other->second != id;
  }
  for (const auto& [token, id] : b) only_b += !a.contains(token);
  if (a.size() != b.size()) out.push_back(difference("vocabulary size", a.size(), b.size()));
  if (only_a + only_b > 0) out.push_back(difference("tokens on one side only", only_a, only_b));
  if (moved > 0) out.push_back(difference("tokens with another id", moved, moved));
}

void compare_merges(const Json& a, const Json& b, Json& out) {
  if (a == b) return;
  std::size_t common = 0;
  const bool lists = a.is_array() && b.is_array();
  while (lists && common < std::min(a.size(), b.size()) && a[common] == b[common]) ++common;
  out.push_back(
      difference(fmt::format("merges after the first {}, which agree", common), a.size(), b.size()));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

Result<Json> chat_template(const std::string& folder) {
  if (is_gguf_file(folder)) {
    ASSAY_TRY(const GgufFile gguf, open_gguf(folder));
    const auto texts = gguf_chat_templates(gguf.header);
    const auto text = texts.find("default");
    return text == texts.end() ? Json(nullptr) : Json(text->second);
  }
  const fs::path file = fs::path(folder) / "chat_template.jinja";
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
    ASSAY_TRY(std::string text, read_file(file.string(), kMaxTemplateBytes));
    return Json(std::move(text));
  }
  ASSAY_TRY(const Json config, read_if_there(folder, "tokenizer_config.json", kMaxTextPartBytes));
  if (!config.is_object() || !config.contains("chat_template")) return Json(nullptr);
  return config.at("chat_template");
}

}  // namespace

Json json_differences(const Json& a, const Json& b) {
  const auto left = leaves(a), right = leaves(b);
  Json out = Json::array();
  for (const auto& [key, value] : left) {
    const auto other = right.find(key);
    if (other == right.end()) {
      out.push_back(difference(key, value, nullptr));
    } else if (value != other->second) {
      out.push_back(difference(key, value, other->second));
    }
  }
  for (const auto& [key, value] : right) {
    if (!left.contains(key)) out.push_back(difference(key, nullptr, value));
  }
  return out;
}

Result<Json> config_differences(const std::string& folder_a, const std::string& folder_b) {
  Json out = Json::array();
  for (const char* name : {"config.json", "generation_config.json"}) {
    ASSAY_TRY(const Json a, read_if_there(folder_a, name, kMaxTextPartBytes));
    ASSAY_TRY(const Json b, read_if_there(folder_b, name, kMaxTextPartBytes));
    const std::string prefix = std::string_view(name) == "config.json" ? "" : "generation_config:";
    if (a.is_null() != b.is_null()) {
      out.push_back(
          difference(name, a.is_null() ? "not there" : "there", b.is_null() ? "not there" : "there"));
      continue;
    }
    for (Json& d : json_differences(a, b)) {
      d["key"] = prefix + d.at("key").get<std::string>();
      out.push_back(std::move(d));
    }
  }
  return out;
}

Result<Json> tokenizer_differences(const std::string& folder_a, const std::string& folder_b) {
  ASSAY_TRY(const Json a, read_if_there(folder_a, "tokenizer.json", JsonLimits{}.max_bytes));
  ASSAY_TRY(const Json b, read_if_there(folder_b, "tokenizer.json", JsonLimits{}.max_bytes));
  Json out = Json::array();
  if (a.is_null() != b.is_null()) {
    out.push_back(difference("tokenizer.json", a.is_null() ? "not there" : "there",
                             b.is_null() ? "not there" : "there"));
    return out;
  }
  if (a == b) return out;
  compare_vocabularies(vocabulary_of(a), vocabulary_of(b), out);
  compare_merges(part_of(part_of(a, "model"), "merges"), part_of(part_of(b, "model"), "merges"), out);
  for (const char* part : {"added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    const Json &x = part_of(a, part), &y = part_of(b, part);
    if (x != y) out.push_back(difference(part, x, y));
  }
  if (out.empty()) out.push_back(difference("tokenizer.json", "differs elsewhere", "differs elsewhere"));
  return out;
}

Result<Json> template_differences(const std::string& folder_a, const std::string& folder_b) {
  ASSAY_TRY(const Json a, chat_template(folder_a));
  ASSAY_TRY(const Json b, chat_template(folder_b));
  Json out = Json::array();
  if (a == b) return out;
  if (!a.is_string() || !b.is_string()) {
    out.push_back(difference("chat template", a.is_null() ? "not there" : "there",
                             b.is_null() ? "not there" : "there"));
    return out;
  }
  const auto left = lines_of(a.get<std::string>()), right = lines_of(b.get<std::string>());
  for (std::size_t i = 0; i < std::max(left.size(), right.size()) && out.size() < kMaxTemplateLines; ++i) {
    const Json x = i < left.size() ? Json(left[i]) : Json(nullptr),
               y = i < right.size() ? Json(right[i]) : Json(nullptr);
    if (x != y) out.push_back(difference(fmt::format("line {}", i + 1), x, y));
  }
  if (out.empty()) out.push_back(difference("line endings", a.size(), b.size()));
  return out;
}

}  // namespace assay
