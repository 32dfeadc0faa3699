#include "eval/claims/claim_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "eval/claims/claim_fields.h"
#include "eval/claims/metric_names.h"

namespace assay::claim_fields {
namespace {

constexpr std::size_t kMaxParts = 100;
constexpr double kMostWeight = 1e9;
constexpr std::string_view kMacro = "_macro", kMicro = "_micro";

Error wrong_parts(const std::string& file, const std::string& field, std::string expected, std::string got) {
  return Error{.code = Code::bad_value, .message = "the parts of a claim cannot be read", .file = file, .field = field, .expected = std::move(expected), .got = std::move(got)};
}

// "accuracy_macro": the mean over sub-tasks of their accuracies.
void set_metric(std::string metric, ClaimPart& part) {
  part.macro = metric.ends_with(kMacro);
  if (part.macro || metric.ends_with(kMicro)) metric.resize(metric.size() - kMacro.size());
  
  part.metric = own_metric_name(metric);
}

Status read_weight(const Json& in, const std::string& file, const std::string& field, ClaimPart& part) {
  if (!has(in, "weight")) return {};
  const Json& weight = in.at("weight");
  part.by_items = weight.is_string() && weight.get<std::string>() == "items";
  if (part.by_items) return {};
  part.weight = weight.is_number() ? weight.get<double>() : 0;
  if (part.weight > 0 && part.weight <= kMostWeight) return {};
  return wrong_parts(file, field + ".weight", "a number above 0, or \"items\"", dump_json(weight).substr(0, 80));
}

Result<ClaimPart> read_part(const Json& in, const std::string& file, const std::string& field, const Claim& claim) {
  if (!in.is_object()) return wrong_parts(file, field, "an object", in.type_name());
  ClaimPart part;
  ASSAY_TRY(part.suite, optional_text(in, "suite", file));
  if (part.suite.empty()) part.suite = claim.suite;
  if (part.suite.empty()) return wrong_parts(file, field + ".suite", "the name of a suite", "nothing");
  ASSAY_TRY(part.protocol, optional_text(in, "protocol", file));
  if (part.protocol.empty()) part.protocol = claim.protocol;
  ASSAY_TRY(std::string metric, optional_text(in, "metric", file));
  set_metric(metric.empty() ? claim.metric : std::move(metric), part);
  ASSAY_TRY(part.subset, optional_text(in, "subset", file));
  ASSAY_TRY(part.n, optional_count(in, "n", file));
  ASSAY_OK(read_weight(in, file, field, part));
  if (part.macro && !part.subset.empty()) return wrong_parts(file, field + ".subset", "no sub-task beside a mean over sub-tasks", part.subset);
  return part;
}

bool same_part(const ClaimPart& a, const ClaimPart& b) {
  return a.suite == b.suite && a.protocol == b.protocol && a.metric == b.metric && a.subset == b.subset && a.macro == b.macro;
}

// What the claim is called where a single suite or protocol would stand.
std::string joined(const std::vector<ClaimPart>& parts, std::string ClaimPart::*field) {
  std::vector<std::string> names;
  for (const ClaimPart& part : parts) {
    if (!(part.*field).empty() && std::find(names.begin(), names.end(), part.*field) == names.end()) names.push_back(part.*field);
  }
  return fmt::format("{}", fmt::join(names, " + "));
}

Status read_list_of_parts(const Json& in, const std::string& file, Claim& claim) {
  const Json& list = in.at("parts");
  if (!list.is_array() || list.empty() || list.size() > kMaxParts) {
    return wrong_parts(file, "parts", fmt::format("an array of 1 to {} parts", kMaxParts), list.is_array() ? fmt::format("{}", list.size()) : list.type_name());
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string field = fmt::format("parts[{}]", i);
    ASSAY_TRY(ClaimPart part, read_part(list[i], file, field, claim));
    for (const ClaimPart& other : claim.parts) {
      if (same_part(part, other)) return wrong_parts(file, field, "every part once; a weight says how much it counts", part.suite + " " + part.metric);
      if (part.by_items != other.by_items) return wrong_parts(file, field + ".weight", "numbers for all parts, or \"items\" for all", "both");
    }
    claim.parts.push_back(std::move(part));
  }
  if (claim.suite.empty()) claim.suite = joined(claim.parts, &ClaimPart::suite);
  if (claim.protocol.empty()) claim.protocol = joined(claim.parts, &ClaimPart::protocol);
  if (claim.metric.empty()) claim.metric = joined(claim.parts, &ClaimPart::metric);
  return {};
}

Result<std::vector<std::string>> list_of_texts(const Json& in, const char* key, const std::string& file) {
  std::vector<std::string> out;
  const Json& list = in.at(key);
  if (!list.is_array() || list.size() > kMaxParts) return wrong_parts(file, key, fmt::format("an array of at most {} texts", kMaxParts), list.type_name());
  for (const Json& text : list) {
    if (!text.is_string() || text.get_ref<const std::string&>().size() > kMaxText) return wrong_parts(file, key, "texts", text.type_name());
    out.push_back(text.get<std::string>());
  }
  return out;
}

}  // namespace

Status read_parts_of(const Json& in, const std::string& file, Claim& claim) {
  ASSAY_TRY(claim.weights_format, optional_text(in, "weights_format", file));
  if (has(in, "unknown")) {
    ASSAY_TRY(claim.unknown, list_of_texts(in, "unknown", file));
  }
  if (has(in, "others")) {
    ASSAY_TRY(claim.others, list_of_texts(in, "others", file));
  }
  if (has(in, "parts")) return read_list_of_parts(in, file, claim);
  ClaimPart whole{.suite = claim.suite, .protocol = claim.protocol, .subset = claim.subset, .n = claim.n};
  set_metric(claim.metric, whole);
  if (claim.about_parameters || !(whole.macro || is_parts_metric(whole.metric))) return {};
  claim.parts.push_back(std::move(whole));
  return {};
}

}  // namespace assay::claim_fields
