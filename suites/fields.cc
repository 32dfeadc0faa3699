#include "suites/fields.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace assay {

const Json* Fields::find(std::string_view name) {
  seen_.emplace(name);
  if (!object_.is_object()) return nullptr;
  const auto at = object_.find(name);
  return at == object_.end() ? nullptr : &*at;
}

bool Fields::has(std::string_view name) const { return object_.is_object() && object_.contains(name); }

Error Fields::wrong(std::string_view name, std::string_view expected) const {
  const bool there = has(name);
  return Error{.code = there ? Code::bad_value : Code::missing_field,
               .message = there ? "a field has a value that cannot be used" : "a field is missing",
               .file = std::string(file_),
               .field = std::string(name),
               .expected = std::string(expected),
               .got = there ? dump_json(object_.at(std::string(name))).substr(0, 80) : "nothing"};
}

Result<std::string> Fields::text(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr || !value->is_string()) return wrong(name, "a string");
  return value->get<std::string>();
}

Result<std::string> Fields::text(std::string_view name, std::string_view other) {
  if (find(name) == nullptr) return std::string(other);
  return text(name);
}

Result<std::int64_t> Fields::integer(std::string_view name, std::int64_t other, std::int64_t low,
                                     std::int64_t high) {
  const Json* value = find(name);
  if (value == nullptr) return other;
  if (!value->is_number_integer()) return wrong(name, "an integer");
  const auto number = value->get<std::int64_t>();
  if (number < low || number > high) return wrong(name, fmt::format("{} to {}", low, high));
  return number;
}

Result<double> Fields::number(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr || !value->is_number()) return wrong(name, "a number");
  return value->get<double>();
}

Result<bool> Fields::flag(std::string_view name, bool other) {
  const Json* value = find(name);
  if (value == nullptr) return other;
  if (!value->is_boolean()) return wrong(name, "true or false");
  return value->get<bool>();
}

Result<std::vector<std::string>> Fields::texts(std::string_view name) {
  const Json* value = find(name);
  std::vector<std::string> out;
  if (value == nullptr) return out;
  if (!value->is_array()) return wrong(name, "an array of strings");
  for (const auto& entry : *value) {
    if (!entry.is_string()) return wrong(name, "an array of strings");
    out.push_back(entry.get<std::string>());
  }
  return out;
}

Result<const Json*> Fields::object(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr || !value->is_object()) return wrong(name, "an object");
  return value;
}

Result<const Json*> Fields::array(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr || !value->is_array()) return wrong(name, "an array");
  return value;
}

Result<int> Fields::choice(std::string_view name, const std::vector<std::string_view>& names, int other) {
  if (find(name) == nullptr) return other;
  ASSAY_TRY(const std::string value, text(name));
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == value) return static_cast<int>(i);
  }
  return wrong(name, fmt::format("one of {}", fmt::join(names, ", ")));
}

Status Fields::finish() const {
  if (!object_.is_object()) {
    return Error{
        .code = Code::bad_value, .message = "an object is expected here", .file = std::string(file_)};
  }
  for (const auto& [name, value] : object_.items()) {
    if (!seen_.contains(name)) {
      return Error{.code = Code::bad_value,
                   .message = "a field is not known here; misspelt?",
                   .file = std::string(file_),
                   .field = name};
    }
  }
  return {};
}

}  // namespace assay
