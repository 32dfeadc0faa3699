#include "eval/statistics_input.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>

namespace assay::statistics {

bool Input::has(std::string_view field) const { return json.is_object() && json.contains(std::string(field)); }
const Json& Input::at(std::string_view field) const { return json.at(std::string(field)); }

Error Input::bad(std::string_view field, std::string message, std::string expected, std::string got) const {
  return Error{.code = Code::bad_value,
               .message = std::move(message),
               .file = std::string(file),
               .field = std::string(field),
               .expected = std::move(expected),
               .got = std::move(got)};
}

Result<std::int64_t> whole(const Input& in, std::string_view field, std::int64_t low, std::int64_t high) {
  ASSAY_TRY(const std::int64_t value, json_int(in.json, field, in.file));
  if (value >= low && value <= high) return value;
  return in.bad(field, "a count is out of range", fmt::format("{} to {}", low, high),
                fmt::format("{}", value));
}

Result<double> real(const Input& in, std::string_view field, double low, double high) {
  ASSAY_TRY(const double value, json_number(in.json, field, in.file));
  if (value >= low && value <= high) return value;
  return in.bad(field, "a number is out of range", fmt::format("{} to {}", low, high),
                fmt::format("{}", value));
}

Result<double> open_share(const Input& in, std::string_view field) {
  ASSAY_TRY(const double value, json_number(in.json, field, in.file));
  if (value > 0 && value < 1) return value;
  return in.bad(field, "a share is out of range", "more than 0 and less than 1", fmt::format("{}", value));
}

Result<double> level_of(const Input& in) {
  if (!in.has("level")) return 0.95;
  return open_share(in, "level");
}

namespace {

Result<const Json*> list(const Input& in, std::string_view field) {
  const bool there = in.has(field);
  if (there && in.at(field).is_array() && !in.at(field).empty()) return &in.at(field);
  return Error{.code = there ? Code::bad_value : Code::missing_field,
               .message = there ? "a field is not a list with values" : "a field is missing",
               .file = std::string(in.file),
               .field = std::string(field),
               .expected = "a list that is not empty",
               .got = !there                    ? "nothing"
                      : in.at(field).is_array() ? "an empty list"
                                                : in.at(field).type_name()};
}

}  // namespace

Result<std::vector<double>> numbers(const Input& in, std::string_view field, double low, double high) {
  ASSAY_TRY(const Json* values, list(in, field));
  std::vector<double> out;
  out.reserve(values->size());
  for (const Json& v : *values) {
    const double number = v.is_number() ? v.get<double>() : std::nan("");
    if (!(number >= low && number <= high)) {
      return in.bad(fmt::format("{}[{}]", field, out.size()), "a value of a list cannot be used",
                    fmt::format("a number from {} to {}", low, high), dump_json(v).substr(0, 80));
    }
    out.push_back(number);
  }
  return out;
}

Result<std::vector<std::int64_t>> counts(const Input& in, std::string_view field, std::int64_t low) {
  ASSAY_TRY(const Json* values, list(in, field));
  std::vector<std::int64_t> out;
  out.reserve(values->size());
  for (const Json& v : *values) {
    const bool small = v.is_number_integer() && v.get<double>() >= static_cast<double>(low) &&
                       v.get<double>() <= static_cast<double>(stats::kMaxTrials);
    if (!small) {
      return in.bad(fmt::format("{}[{}]", field, out.size()), "a value of a list cannot be used",
                    fmt::format("a whole number from {} to {}", low, stats::kMaxTrials),
                    dump_json(v).substr(0, 80));
    }
    out.push_back(v.get<std::int64_t>());
  }
  return out;
}

Result<std::vector<std::int64_t>> clusters(const Input& in, std::size_t length, bool needed) {
  if (!needed && (!in.has("cluster") || in.at("cluster").is_null())) return std::vector<std::int64_t>{};
  ASSAY_TRY(const Json* values, list(in, "cluster"));
  if (values->size() != length) {
    return in.bad("cluster", "two lists differ in length", fmt::format("{} values", length),
                  fmt::format("{}", values->size()));
  }
  std::unordered_map<std::string, std::int64_t> known;
  std::vector<std::int64_t> out;
  for (const Json& v : *values) {
    if (!v.is_string() && !v.is_number_integer()) {
      return in.bad(fmt::format("cluster[{}]", out.size()), "a cluster cannot be used as a name",
                    "a string or a whole number", dump_json(v).substr(0, 80));
    }
    out.push_back(known.try_emplace(dump_json(v), static_cast<std::int64_t>(known.size())).first->second);
  }
  return out;
}

Status same_length(const Input& in, std::size_t first, std::size_t second, std::string_view field) {
  if (first == second) return {};
  return in.bad(field, "two lists differ in length", fmt::format("{} values", first),
                fmt::format("{}", second));
}

}  // namespace assay::statistics
