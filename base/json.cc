#include "base/json.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/file.h"

namespace assay {
namespace {

// Builds the document from parse events, counting depth and values and refusing duplicate keys.
class LimitedBuilder {
 public:
  LimitedBuilder(const JsonLimits& limits, std::string_view file) : limits_(limits), file_(file) {}

  bool null() { return put(nullptr); }
  bool boolean(bool v) { return put(v); }
  bool number_integer(std::int64_t v) { return put(v); }
  bool number_unsigned(std::uint64_t v) { return put(v); }
  bool number_float(double v, const std::string& text) {
    return std::isfinite(v) ? put(v) : refuse(Code::bad_json, "a number is too large for a double", text);
  }
  bool string(std::string& v) { return put(std::move(v)); }
  bool binary(Json::binary_t&) { return refuse(Code::bad_json, "binary values are not JSON", ""); }
  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    if (!keys_.back().insert(name).second)
      return refuse(Code::duplicate, "the same key stands twice in an object", name);
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string& token, const nlohmann::detail::exception& e) {
    error_ = Error{.code = Code::bad_json,
                   .message = "the text is not JSON",
                   .file = std::string(file_),
                   .offset = static_cast<std::int64_t>(position),
                   .got = token.substr(0, 40)};
    const std::string what = e.what();
    if (what.find("UTF-8") != std::string::npos) error_->code = Code::bad_utf8;
    return false;
  }

  Json take() { return std::move(root_); }
  const std::optional<Error>& error() const { return error_; }

 private:
  bool refuse(Code code, std::string message, std::string got) {
    error_ = Error{
        .code = code, .message = std::move(message), .file = std::string(file_), .got = got.substr(0, 80)};
    return false;
  }
  Json* attach(Json&& value) {
    if (stack_.empty()) return &(root_ = std::move(value));
    Json& top = *stack_.back();
    if (top.is_array()) return &top.emplace_back(std::move(value));
    auto& object = top.get_ref<Json::object_t&>();
    object.push_back(
        {std::move(key_), std::move(value)});  // duplicates were refused in key(): no look-up needed
    return &object.back().second;
  }
  bool count() {
    if (++values_ <= limits_.max_values) return true;
    return refuse(Code::too_large, "the JSON has too many values", std::to_string(values_));
  }
  template <class V>
  bool put(V&& value) {
    if (!count()) return false;
    attach(Json(std::forward<V>(value)));
    return true;
  }
  bool open(Json&& container) {
    if (stack_.size() >= limits_.max_depth) {
      return refuse(Code::too_large, "the JSON is nested too deeply", std::to_string(stack_.size() + 1));
    }
    if (!count()) return false;
    stack_.push_back(attach(std::move(container)));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    stack_.pop_back();
    keys_.pop_back();
    return true;
  }

  const JsonLimits& limits_;
  std::string_view file_;
  Json root_;
  std::vector<Json*> stack_;
  std::vector<std::set<std::string>> keys_;
  std::string key_;
  std::size_t values_ = 0;
  std::optional<Error> error_;
};

Error field_error(Code code, std::string_view field, std::string_view file, std::string_view expected,
                  std::string got) {
  return Error{
      .code = code,
      .message = code == Code::missing_field ? "a field is missing" : "a field has an unusable value",
      .file = std::string(file),
      .field = std::string(field),
      .expected = std::string(expected),
      .got = std::move(got)};
}

Result<const Json*> member(const Json& object, std::string_view field, std::string_view file,
                           std::string_view expected) {
  if (!object.is_object()) return field_error(Code::bad_value, field, file, "an object", object.type_name());
  const auto it = object.find(std::string(field));
  if (it == object.end()) return field_error(Code::missing_field, field, file, expected, "nothing");
  return &*it;
}

std::string shown(const Json& value) { return dump_json(value).substr(0, 80); }

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view file, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Error{.code = Code::too_large,
                 .message = "the JSON text is too long",
                 .file = std::string(file),
                 .expected = fmt::format("at most {} bytes", limits.max_bytes),
                 .got = std::to_string(text.size())};
  }
  // The parser takes a zero byte for the end of its text, which would hide what follows; no JSON holds one.
  if (const auto zero = text.find('\0'); zero != std::string_view::npos) {
    return Error{.code = Code::bad_json,
                 .message = "the text is not JSON",
                 .file = std::string(file),
                 .offset = static_cast<std::int64_t>(zero),
                 .got = "byte 0x00"};
  }
  LimitedBuilder builder(limits, file);
  const bool ok = Json::sax_parse(text.begin(), text.end(), &builder);
  if (builder.error()) return *builder.error();
  ASSAY_CHECK(ok);
  return builder.take();
}

Result<Json> read_json_file(const std::string& path, const JsonLimits& limits) {
  ASSAY_TRY(const std::string text, read_file(path, limits.max_bytes));
  return parse_json(text, path, limits);
}

Result<std::int64_t> json_int(const Json& object, std::string_view field, std::string_view file) {
  ASSAY_TRY(const Json* v, member(object, field, file, "an integer"));
  const bool fits =
      v->is_number_integer() && !(v->is_number_unsigned() && v->get<std::uint64_t>() > INT64_MAX);
  if (!fits) return field_error(Code::bad_value, field, file, "an integer", shown(*v));
  return v->get<std::int64_t>();
}

Result<double> json_number(const Json& object, std::string_view field, std::string_view file) {
  ASSAY_TRY(const Json* v, member(object, field, file, "a number"));
  if (!v->is_number()) return field_error(Code::bad_value, field, file, "a number", shown(*v));
  return v->get<double>();
}

Result<std::string> json_string(const Json& object, std::string_view field, std::string_view file) {
  ASSAY_TRY(const Json* v, member(object, field, file, "a string"));
  if (!v->is_string()) return field_error(Code::bad_value, field, file, "a string", shown(*v));
  return v->get<std::string>();
}

Result<bool> json_bool(const Json& object, std::string_view field, std::string_view file) {
  ASSAY_TRY(const Json* v, member(object, field, file, "true or false"));
  if (!v->is_boolean()) return field_error(Code::bad_value, field, file, "true or false", shown(*v));
  return v->get<bool>();
}

std::string dump_json(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json finite_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

}  // namespace assay
