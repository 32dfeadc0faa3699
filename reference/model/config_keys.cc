#include "reference/model/config_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace assay {
namespace {

std::string shown(const Json& value) { return dump_json(value).substr(0, 80); }

// Switches that stand for what every family here does: off changes numbers.
constexpr std::string_view kOnByNature[] = {"use_mla",   "use_rope", "use_rmsnorm", "use_rms_norm",
                                            "is_causal", "lm_head",  "pre_norm",    "scale_attn_weights"};

bool is_off(std::string_view key, const Json& value) {
  if (value.is_null()) return true;
  const bool named = std::find(std::begin(kOnByNature), std::end(kOnByNature), key) != std::end(kOnByNature);
  return value.is_boolean() && value.get<bool>() == named;
}

}  // namespace

ConfigKeys::ConfigKeys(const Json& object, std::string_view file, std::string prefix)
    : object_(object), file_(file), prefix_(std::move(prefix)) {
  ASSAY_CHECK(object.is_object());
}

const Json* ConfigKeys::find(const std::string& key) {
  taken_.insert(key);
  const auto it = object_.find(key);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

bool ConfigKeys::mentions(const std::string& key) const { return object_.contains(key); }

bool ConfigKeys::has(const std::string& key) { return find(key) != nullptr; }

Error ConfigKeys::refuse(Code code, const std::string& key, std::string message, std::string expected,
                         std::string got) const {
  return Error{.code = code,
               .message = std::move(message),
               .file = file_,
               .field = prefix_ + key,
               .expected = std::move(expected),
               .got = std::move(got)};
}

Result<std::int64_t> ConfigKeys::integer(const std::string& key, std::int64_t low, std::int64_t high) {
  const Json* value = find(key);
  const std::string range = fmt::format("an integer from {} to {}", low, high);
  if (!value) return refuse(Code::missing_field, key, "the configuration lacks a number", range, "nothing");
  const bool fits =
      value->is_number_integer() && !(value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX);
  const std::int64_t number = fits ? value->get<std::int64_t>() : low - 1;
  if (!fits || number < low)
    return refuse(Code::bad_value, key, "a number is outside its range", range, shown(*value));
  if (number > high)
    return refuse(Code::too_large, key, "a number is outside its range", range, shown(*value));
  return number;
}

Result<std::int64_t> ConfigKeys::integer_or(const std::string& key, std::int64_t fallback, std::int64_t low,
                                            std::int64_t high) {
  if (!has(key)) return fallback;
  return integer(key, low, high);
}

Result<double> ConfigKeys::number(const std::string& key, double low, double high) {
  const Json* value = find(key);
  const std::string range = fmt::format("a number from {} to {}", low, high);
  if (!value) return refuse(Code::missing_field, key, "the configuration lacks a number", range, "nothing");
  const bool fits = value->is_number() && value->get<double>() >= low && value->get<double>() <= high;
  if (!fits) return refuse(Code::bad_value, key, "a number is outside its range", range, shown(*value));
  return value->get<double>();
}

Result<double> ConfigKeys::number_or(const std::string& key, double fallback, double low, double high) {
  if (!has(key)) return fallback;
  return number(key, low, high);
}

Result<bool> ConfigKeys::boolean_or(const std::string& key, bool fallback) {
  const Json* value = find(key);
  if (!value) return fallback;
  if (!value->is_boolean())
    return refuse(Code::bad_value, key, "a switch is neither on nor off", "true or false", shown(*value));
  return value->get<bool>();
}

Result<std::string> ConfigKeys::text_or(const std::string& key, std::string fallback) {
  const Json* value = find(key);
  if (!value) return fallback;
  if (!value->is_string())
    return refuse(Code::bad_value, key, "a name is not text", "a string", shown(*value));
  return value->get<std::string>();
}

Result<std::vector<std::int64_t>> ConfigKeys::integers(const std::string& key, std::int64_t low,
                                                       std::int64_t high) {
  std::vector<std::int64_t> out;
  const Json* value = find(key);
  if (!value) return out;
  const Json list = value->is_array() ? *value : Json::array({*value});
  constexpr std::size_t kMaxEntries = 65536;  // of layers or ids: published lists have below 200
  if (list.size() > kMaxEntries) {
    return refuse(Code::too_large, key, "a list is too long", fmt::format("at most {}", kMaxEntries),
                  std::to_string(list.size()));
  }
  for (const Json& entry : list) {
    const bool fits =
        entry.is_number_integer() && entry.get<std::int64_t>() >= low && entry.get<std::int64_t>() <= high;
    if (!fits) {
      return refuse(Code::bad_value, key, "an entry of a list is outside its range",
                    fmt::format("{} to {}", low, high), shown(entry));
    }
    out.push_back(entry.get<std::int64_t>());
  }
  return out;
}

Result<std::vector<double>> ConfigKeys::numbers(const std::string& key, double low, double high) {
  std::vector<double> out;
  const Json* list = find(key);
  constexpr std::size_t kMaxEntries = 65536;  // one for each rotated pair: published lists have 64
  if (list == nullptr || !list->is_array() || list->size() > kMaxEntries) {
    return refuse(list == nullptr ? Code::missing_field : Code::bad_value, key,
                  "the configuration lacks a list of numbers",
                  fmt::format("an array of at most {} numbers", kMaxEntries),
                  list == nullptr ? "nothing" : shown(*list));
  }
  for (const Json& entry : *list) {
    const bool fits = entry.is_number() && entry.get<double>() >= low && entry.get<double>() <= high;
    if (!fits)
      return refuse(Code::bad_value, key, "an entry of a list is outside its range",
                    fmt::format("{} to {}", low, high), shown(entry));
    out.push_back(entry.get<double>());
  }
  return out;
}

Status ConfigKeys::refuse_rest(std::span<const std::string_view> harmless) const {
  for (const auto& [key, value] : object_.items()) {
    const bool known =
        taken_.contains(key) || std::find(harmless.begin(), harmless.end(), key) != harmless.end();
    if (known || is_off(key, value) || key.starts_with("_")) continue;
    return refuse(Code::unsupported, key,
                  "the configuration has a key that may change numbers and is not known here",
                  "only known keys", shown(value));
  }
  return {};
}

}  // namespace assay
