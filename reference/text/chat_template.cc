#include "reference/text/chat_template.h"

#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <map>
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

using Texts = std::map<std::string, std::string>;  // by name

constexpr std::size_t kMaxTemplates = 64;  // of one model; published ones have up to four

Error bad_field(const std::string& file, const Json& got) {
  return Error{.code = Code::bad_value, .message = "the chat template has an unknown form", .file = file, .field = "chat_template",
               .expected = "a text, or a list of {name, template}", .got = got.type_name()};
}

// The field "chat_template": a text, a list of {"name", "template"}, or an object of texts. Nothing where the file has none.
Result<Texts> texts_of_config(const std::string& file) {
  ASSAY_TRY(const Json config, read_json_file(file));
  Texts out;
  const auto it = config.is_object() ? config.find("chat_template") : config.end();
  if (!config.is_object() || it == config.end() || it->is_null()) return out;
  if (it->is_string()) out["default"] = it->get<std::string>();
  if (it->is_string()) return out;
  if ((!it->is_array() && !it->is_object()) || it->size() > kMaxTemplates) return bad_field(file, *it);
  for (const auto& [key, one] : it->items()) {
    const bool named = one.is_object() && one.contains("name") && one.at("name").is_string() && one.contains("template") && one.at("template").is_string();
    if (it->is_array() ? !named : !one.is_string()) return bad_field(file, one);
    if (named) out[one.at("name").get<std::string>()] = one.at("template").get<std::string>();
    else out[key] = one.get<std::string>();
  }
  return out;
}

// chat_template.jinja is "default", additional_chat_templates/NAME.jinja is NAME.
Result<Texts> texts_of_files(const fs::path& folder) {
  std::error_code ignored;
  Texts out;
  const auto add = [&](const std::string& name, const fs::path& file) -> Status {
    ASSAY_TRY(out[name], read_file(file.string(), jinja::kMaxTemplateBytes));
    return {};
  };
  if (fs::exists(folder / "chat_template.jinja", ignored)) ASSAY_OK(add("default", folder / "chat_template.jinja"));
  for (auto it = fs::directory_iterator(folder / "additional_chat_templates", ignored); !ignored && it != fs::directory_iterator(); it.increment(ignored)) {
    if (it->path().extension() != ".jinja") continue;
    if (out.size() >= kMaxTemplates) return Error{.code = Code::too_large, .message = "the folder has too many chat templates", .file = it->path().string()};
    ASSAY_OK(add(it->path().stem().string(), it->path()));
  }
  return out;
}

struct Found {
  std::string file;  // for errors
  Texts texts;
};

Result<Found> find_texts(const std::string& folder_or_file) {
  std::error_code ignored;
  const fs::path given(folder_or_file);
  Found found{folder_or_file, {}};
  if (is_gguf_file(folder_or_file)) {
    ASSAY_TRY(const GgufFile file, open_gguf(folder_or_file));
    found.texts = gguf_chat_templates(file.header);
    return found;
  }
  if (!fs::is_directory(given, ignored)) {
    if (given.extension() == ".json") {
      ASSAY_TRY(found.texts, texts_of_config(folder_or_file));
      return found;
    }
    ASSAY_TRY(found.texts["default"], read_file(folder_or_file, jinja::kMaxTemplateBytes));
    return found;
  }
  ASSAY_TRY(found.texts, texts_of_files(given));
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    if (!found.texts.empty() || !fs::exists(given / name, ignored)) continue;
    found.file = (given / name).string();
    ASSAY_TRY(found.texts, texts_of_config(found.file));
  }
  return found;
}

Error no_such_template(const Found& found, const std::string& name) {
  std::string names;
  for (const auto& [known, text] : found.texts) names += (names.empty() ? "" : ", ") + known;
  return Error{.code = Code::missing_field, .message = found.texts.empty() ? "there is no chat template" : "there is no chat template of that name", .file = found.file,
               .field = "chat_template", .expected = names.empty() ? "chat_template.jinja, chat_template.json or the field in tokenizer_config.json" : names, .got = name};
}

}  // namespace

struct ChatTemplate::Tree {
  jinja::Body body;
};

Result<ChatTemplate> ChatTemplate::parse(std::string_view text, const std::string& file) {
  return parse_as(text, file, true);
}

Result<ChatTemplate> ChatTemplate::parse_plain(std::string_view text, const std::string& file) {
  return parse_as(text, file, false);
}

Result<ChatTemplate> ChatTemplate::parse_as(std::string_view text, const std::string& file, bool trimmed) {
  try {
    auto tree = std::make_shared<Tree>();
    tree->body = jinja::parse(text, trimmed ? jinja::Blocks::trimmed : jinja::Blocks::kept);
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
  ASSAY_TRY(const Found found, find_texts(folder_or_file));
  const auto it = found.texts.find(name);
  if (it == found.texts.end()) return no_such_template(found, name);
  return parse(it->second, found.file);
}

Result<std::vector<std::string>> ChatTemplate::names(const std::string& folder_or_file) {
  ASSAY_TRY(const Found found, find_texts(folder_or_file));
  std::vector<std::string> out;
  for (const auto& [name, text] : found.texts) out.push_back(name);
  return out;
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
