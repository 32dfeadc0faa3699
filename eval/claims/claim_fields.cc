#include "eval/claims/claim_fields.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/check.h"

namespace assay::claim_fields {
namespace {

struct Range {
  std::optional<std::int64_t> low, high;
};

bool whole(std::string_view text, std::int64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out >= 1 && out <= kMaxItems;
}

// 64, "64" or "4-64".
Result<Range> samples_of(const Json& in, const std::string& file) {
  if (!has(in, "samples")) return Range{};
  if (!in.at("samples").is_string()) {
    ASSAY_TRY(const auto one, optional_count(in, "samples", file));
    return Range{one, one};
  }
  const std::string text = in.at("samples").get<std::string>();
  const std::size_t hyphen = text.find('-');
  std::int64_t low = 0, high = 0;
  const bool first = whole(std::string_view(text).substr(0, hyphen), low);
  const bool second = hyphen == std::string::npos ? (high = low) > 0 : whole(std::string_view(text).substr(hyphen + 1), high);
  if (first && second && low <= high) return Range{low, high};
  return Error{.code = Code::bad_value, .message = "the number of samples of a claim cannot be read", .file = file, .field = "samples",
               .expected = "such as 64 or \"4-64\"", .got = text.substr(0, 80)};
}

Result<std::optional<double>> optional_number(const Json& in, const char* key, const std::string& file) {
  if (!has(in, key)) return std::optional<double>();
  ASSAY_TRY(const double value, json_number(in, key, file));
  return std::optional<double>(value);
}

Status read_margin(const Json& in, const std::string& file, Claim& claim) {
  if (!has(in, "value") || !has(in, "margin")) return {};
  ASSAY_TRY(const double margin, json_number(in, "margin", file));
  if (!(margin >= 0)) return no_number(file, "margin", in.at("margin"));
  claim.margin = margin;
  ASSAY_TRY(claim.margin_origin, optional_text(in, "margin_origin", file));
  if (claim.margin_origin.empty()) claim.margin_origin = "claimed";
  return {};
}

Status read_reported(const Json& in, const std::string& file, Claim& claim) {
  if (!has(in, "reported")) return {};
  const Json& other = in.at("reported");
  if (!other.is_object() || !has(other, "value")) return no_number(file, "reported", other);
  ASSAY_TRY(claim.reported, parse_figure(other.at("value"), file, "reported"));
  ASSAY_TRY(const Range samples, samples_of(other, file));
  claim.reported_samples_low = samples.low, claim.reported_samples_high = samples.high;
  ASSAY_TRY(claim.reported_by, optional_text(other, "by", file));
  return {};
}

}  // namespace

bool has(const Json& object, const char* key) { return object.contains(key) && !object.at(key).is_null(); }

Error no_number(const std::string& file, const std::string& field, const Json& value) {
  return Error{.code = Code::bad_value,
               .message = "a claim needs a number",
               .file = file,
               .field = field,
               .expected = "such as 76.4, \"76.4 %\", \"382/500\" or \"2.03M\"",
               .got = dump_json(value).substr(0, 80)};
}

Result<std::string> optional_text(const Json& object, const char* key, const std::string& file) {
  if (!has(object, key)) return std::string();
  ASSAY_TRY(std::string text, json_string(object, key, file));
  if (text.size() <= kMaxText) return text;
  return Error{.code = Code::too_large,
               .message = "a text of a claim is too long",
               .file = file,
               .field = key,
               .expected = fmt::format("at most {} bytes", kMaxText),
               .got = fmt::format("{}", text.size())};
}

Result<std::optional<std::int64_t>> optional_count(const Json& object, const char* key, const std::string& file) {
  if (!has(object, key)) return std::optional<std::int64_t>();
  ASSAY_TRY(const std::int64_t count, json_int(object, key, file));
  if (count >= 1 && count <= kMaxItems) return std::optional<std::int64_t>(count);
  return Error{.code = Code::bad_value,
               .message = "a count of a claim is out of range",
               .file = file,
               .field = key,
               .expected = fmt::format("1 to {}", kMaxItems),
               .got = fmt::format("{}", count)};
}

Status read_claim_details(const Json& in, const std::string& file, Claim& claim) {
  ASSAY_TRY(const Range samples, samples_of(in, file));
  claim.samples_low = samples.low, claim.samples_high = samples.high;
  if (samples.low == samples.high) claim.samples = samples.low;
  ASSAY_CHECK(claim.samples_low.has_value() == claim.samples_high.has_value());
  ASSAY_OK(read_margin(in, file, claim));
  ASSAY_TRY(claim.scale_low, optional_number(in, "scale_min", file));
  ASSAY_TRY(claim.scale_high, optional_number(in, "scale_max", file));
  ASSAY_TRY(claim.kind, optional_text(in, "kind", file));
  ASSAY_TRY(claim.dependence, optional_text(in, "dependence", file));
  ASSAY_TRY(claim.protocol_printed, optional_text(in, "protocol_printed", file));
  ASSAY_TRY(claim.source_digest, optional_text(in, "source_digest", file));
  return read_reported(in, file, claim);
}

}  // namespace assay::claim_fields
