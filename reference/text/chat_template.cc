#include "reference/text/chat_template.h"

#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/file.h"
#include "reference/text/gguf_tokenizer.h"
#include "reference/text/jinja_lexer.h"
#include "reference/text/jinja_parser.h"
#include "reference/text/jinja_run.h"
#include "reference/weights/gguf_files.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

Error template_error(const jinja::Fault& fault, const std::string& file) {
  const std::string where = fault.line > 0 ? fmt::format("template line {}: ", fault.line) : "";
  return Error{.code = Code::template_error, .message = where + fault.message, .file = file};
}

Error bad_time(const std::string& given) {
  return Error{.code = Code::bad_value, .message = "not a time", .field = "now", .expected = "ISO 8601, such as 2025-07-10T12:00:00",
               .got = given.substr(0, 80)};
}

// "2025-07-10", "2025-07-10T12:34:56"; a zone or a fraction behind it is ignored: the template sees local time.
Result<std::tm> parse_time(const std::string& text) {
  std::tm out{};
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3) return bad_time(text);
  const std::string rest = text.substr(static_cast<std::size_t>(used));
  if (!rest.empty()) {
    if (rest[0] != 'T' && rest[0] != ' ') return bad_time(text);
    if (std::sscanf(rest.c_str() + 1, "%2d:%2d:%2d", &hour, &minute, &second) < 2) return bad_time(text);
  }
  const bool usable = year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second <= 60;
  if (!usable) return bad_time(text);
  out.tm_year = year - 1900;
  out.tm_mon = month - 1;
  out.tm_mday = day;
  out.tm_hour = hour;
  out.tm_min = minute;
  out.tm_sec = second;
  std::tm checked = out;
  if (timegm(&checked) == -1 && year != 1969) return bad_time(text);
  return checked.tm_mday == day ? Result<std::tm>(checked) : Result<std::tm>(bad_time(text));
}

Result<std::tm> time_of(const RenderOptions& options) {
  if (!options.now.empty()) return parse_time(options.now);
  const std::time_t seconds = std::time(nullptr);
  std::tm out{};
  ASSAY_CHECK(localtime_r(&seconds, &out) != nullptr);
  return out;
}

// "chat_template": a text, or a list of {"name", "template"}.
Result<std::string> template_of(const Json& config, const std::string& file, const std::string& name) {
  const auto it = config.is_object() ? config.find("chat_template") : config.end();
  const Error none{.code = Code::missing_field, .message = "there is no chat template of that name", .file = file, .field = "chat_template", .expected = name};
  if (!config.is_object() || it == config.end()) return none;
  if (it->is_string()) return it->get<std::string>();
  if (!it->is_array()) return none;
  for (const Json& one : *it) {
    const bool hit = one.is_object() && one.contains("name") && one.at("name") == name && one.contains("template") && one.at("template").is_string();
    if (hit) return one.at("template").get<std::string>();
  }
  return none;
}

}  // namespace

struct ChatTemplate::Tree {
  jinja::Body body;
};

Result<ChatTemplate> ChatTemplate::parse(std::string_view text, const std::string& file) {
  try {
    auto tree = std::make_shared<Tree>();
    tree->body = jinja::parse(text);
    ChatTemplate out;
    out.tree_ = std::move(tree);
    out.text_ = text;
    out.file_ = file;
    return out;
  } catch (const jinja::Fault& fault) {
    return template_error(fault, file);
  }
}

Result<ChatTemplate> ChatTemplate::load(const std::string& folder_or_file, const std::string& name) {
  std::error_code ignored;
  const fs::path given(folder_or_file);
  const bool folder = fs::is_directory(given, ignored);
  if (is_gguf_file(folder_or_file)) {
    ASSAY_TRY(const GgufFile file, open_gguf(folder_or_file));
    const auto text = gguf_chat_template(file.header, name);
    if (text) return parse(*text, folder_or_file);
    return Error{.code = Code::missing_field, .message = "there is no chat template of that name", .file = folder_or_file, .field = "tokenizer.chat_template", .expected = name};
  }
  if (!folder && given.extension() != ".json") {
    ASSAY_TRY(const std::string text, read_file(folder_or_file, jinja::kMaxTemplateBytes));
    return parse(text, folder_or_file);
  }
  const fs::path named = folder ? (name == "default" ? given / "chat_template.jinja" : given / "additional_chat_templates" / (fs::path(name).filename().string() + ".jinja")) : given;
  if (folder && fs::exists(named, ignored)) return load(named.string(), name);
  for (const char* file : {"chat_template.json", "tokenizer_config.json"}) {
    const std::string path = folder ? (given / file).string() : folder_or_file;
    if (folder && !fs::exists(path, ignored)) continue;
    ASSAY_TRY(const Json config, read_json_file(path));
    auto text = template_of(config, path, name);
    if (text.ok()) return parse(*text, path);
    if (!folder || std::string_view(file) == "tokenizer_config.json") return text.error();
  }
  return Error{.code = Code::not_found, .message = "the folder has no chat template", .file = folder_or_file, .expected = "chat_template.jinja or tokenizer_config.json"};
}

Result<std::string> ChatTemplate::render(const Json& context, const RenderOptions& options) const {
  if (!context.is_object()) {
    return Error{.code = Code::bad_value, .message = "the context of a template is not an object", .expected = "an object", .got = context.type_name()};
  }
  ASSAY_TRY(const std::tm now, time_of(options));
  jinja::Budget budget;
  try {
    const jinja::Value values = jinja::from_json(context);
    const jinja::BudgetScope scope(budget);
    jinja::Runtime runtime(budget, now);
    return runtime.render(tree_->body, values);
  } catch (const jinja::Fault& fault) {
    return template_error(fault, file_);
  }
}

}  // namespace assay
