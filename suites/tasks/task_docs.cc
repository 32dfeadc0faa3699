#include <nlohmann/json.hpp>

#include "suites/tasks/task_docs.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "reference/text/chat_template.h"
#include "reference/text/utf8.h"
#include "suites/input.h"

namespace assay {
namespace {

constexpr std::size_t kMaxDocs = 1'000'000;
constexpr std::size_t kMaxDocBytes = std::size_t{1} << 30;

Error doc_error(Code code, std::string message, const std::string& file, std::string field, std::string got = {}) {
  return Error{.code = code, .message = std::move(message), .file = file, .field = std::move(field), .got = got.substr(0, 80)};
}

// One literal of Python's at `at`; a text or a number.
class PythonReader {
 public:
  explicit PythonReader(std::string_view text) : text_(text) {}

  std::optional<std::vector<Json>> list() {
    std::vector<Json> items;
    skip();
    if (!take('[')) return std::nullopt;
    for (skip(); !take(']'); skip()) {
      if (!items.empty() && !take(',')) return std::nullopt;
      skip();
      if (!items.empty() && take(']')) break;
      auto item = literal();
      if (!item) return std::nullopt;
      items.push_back(std::move(*item));
    }
    skip();
    return at_ == text_.size() ? std::optional(std::move(items)) : std::nullopt;
  }

 private:
  bool take(char c) {
    const bool there = at_ < text_.size() && text_[at_] == c;
    at_ += there ? 1 : 0;
    return there;
  }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }

  std::optional<Json> literal() {
    if (at_ >= text_.size()) return std::nullopt;
    if (text_[at_] == '\'' || text_[at_] == '"') return quoted(text_[at_++]);
    const auto end = std::min(text_.find_first_of(",] \n\t", at_), text_.size());
    const std::string_view word = text_.substr(at_, end - at_);
    at_ = end;
    Json number = Json::parse(word, nullptr, false);
    return number.is_number() ? std::optional(std::move(number)) : std::nullopt;
  }

  std::optional<Json> quoted(char quote) {
    std::string out;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] != '\\') {
        out += text_[at_++];
      } else if (!escape(out)) {
        return std::nullopt;
      }
    }
    return take(quote) ? std::optional<Json>(std::move(out)) : std::nullopt;
  }

  bool escape(std::string& out) {
    constexpr std::pair<char, char> kPlain[] = {{'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'\\', '\\'}, {'\'', '\''}, {'"', '"'}, {'0', '\0'}};
    if (++at_ >= text_.size()) return false;
    const char c = text_[at_++];
    for (const auto& [name, meant] : kPlain) {
      if (c == name) {
        out += meant;
        return true;
      }
    }
    const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    std::uint32_t code = 0;
    if (digits == 0 || at_ + digits > text_.size()) return false;
    const char* begin = text_.data() + at_;
    const auto [end, bad] = std::from_chars(begin, begin + digits, code, 16);
    if (bad != std::errc{} || end != begin + digits || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
    at_ += digits;
    append_utf8(out, static_cast<char32_t>(code));
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<std::vector<Json>> parse_python_list(std::string_view text) { return PythonReader(text).list(); }

Result<std::vector<Json>> read_task_docs(const std::string& path) {
  std::vector<Json> docs;
  Json columns = Json::object();
  ASSAY_TRY(const std::string packed, find_packed(path));
  ASSAY_TRY(const auto members, read_members(packed, "", kMaxDocBytes));
  for (const auto& member : members) {
    RecordSplitter splitter([&](std::string_view record) -> Status {
      ASSAY_TRY(Json doc, parse_json(record, packed));
      if (!doc.is_object()) return doc_error(Code::bad_value, fmt::format("row {} is no object", docs.size() + 1), packed, {});
      if (docs.size() >= kMaxDocs) return doc_error(Code::too_large, "the file has more than a million rows", packed, {});
      for (const auto& [name, value] : doc.items()) columns[name] = nullptr;
      docs.push_back(std::move(doc));
      return {};
    });
    ASSAY_OK(splitter.add(member.text));
    ASSAY_OK(splitter.finish());
    if (splitter.unterminated()) return doc_error(Code::truncated, "the array of rows does not end", packed, {});
  }
  for (auto& doc : docs) {
    for (const auto& [name, value] : columns.items()) {
      if (!doc.contains(name)) doc[name] = nullptr;
    }
  }
  return docs;
}

struct TaskField::Template {
  ChatTemplate tree;
};

Result<TaskField> TaskField::make(const Json& value, const Json& columns, std::string field, const std::string& file) {
  TaskField out;
  out.field_ = std::move(field);
  out.file_ = file;
  out.constant_ = value;
  if (!value.is_string()) return out;
  const auto& text = value.get_ref<const std::string&>();
  if (columns.contains(text)) {
    out.column_ = text;
    return out;
  }
  auto tree = ChatTemplate::parse_plain(text, file);
  if (!tree.ok()) {
    Error error = std::move(tree).error();
    error.field = out.field_;
    return error;
  }
  out.template_ = std::make_shared<const Template>(Template{std::move(tree).value()});
  return out;
}

Result<Json> TaskField::value(const Json& doc) const {
  if (!column_.empty()) {
    const auto at = doc.find(column_);
    if (at == doc.end()) return doc_error(Code::missing_field, "a document lacks a column", file_, column_);
    return *at;
  }
  if (!template_) return constant_;
  auto text = template_->tree.render(doc);
  if (text.ok()) return Json(std::move(text).value());
  Error error = std::move(text).error();
  error.field = field_;
  return error;
}

Result<std::string> TaskField::text(const Json& doc) const {
  ASSAY_TRY(const Json found, value(doc));
  if (found.is_string()) return found.get<std::string>();
  return doc_error(Code::bad_value, "a field gives no text", file_, field_, dump_json(found));
}

Result<std::vector<std::string>> TaskField::choices(const Json& doc) const {
  ASSAY_TRY(Json found, value(doc));
  if (template_ && found.is_string()) {
    const auto list = parse_python_list(found.get_ref<const std::string&>());
    if (!list) return doc_error(Code::bad_value, "a template of choices prints no list of texts", file_, field_, found.get<std::string>());
    found = Json(*list);
  }
  std::vector<std::string> out;
  if (!found.is_array() && !found.is_object()) return doc_error(Code::bad_value, "the choices are no list", file_, field_, dump_json(found));
  for (const auto& choice : found) {
    if (!choice.is_string() && !choice.is_number()) return doc_error(Code::bad_value, "a choice is no text", file_, field_, dump_json(choice));
    out.push_back(choice.is_string() ? choice.get<std::string>() : choice.dump());
  }
  return out;
}

}  // namespace assay
