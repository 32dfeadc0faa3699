#include "eval/claims/claim.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/check.h"
#include "eval/claims/claim_fields.h"
#include "eval/claims/claim_parts.h"

namespace assay {
namespace {

using namespace claim_fields;

constexpr std::size_t kMaxClaims = 100'000;

bool contains_word(const std::string& text, std::initializer_list<const char*> words) {
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::any_of(words.begin(), words.end(),
                     [&](const char* w) { return lower.find(w) != std::string::npos; });
}

std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == ' ') text.pop_back();
  text.erase(0, text.find_first_not_of(' ') == std::string::npos ? text.size() : text.find_first_not_of(' '));
  return text;
}

// "2.03M": the factor of the letter behind the digits, which is taken off.
double take_multiplier(std::string& text) {
  if (text.empty()) return 1;
  const std::size_t place = std::string("kKmMbBtT").find(text.back());
  if (place == std::string::npos) return 1;
  text.pop_back();
  text = trimmed(text);
  return std::pow(1000.0, static_cast<double>(place / 2 + 1));
}

Figure decimal_figure(const std::string& text, const stats::Published& decimal, double factor) {
  const double step = decimal.step() * factor, value = decimal.value() * factor;
  return {.text = text, .value = value, .low = value - step / 2, .high = value + step, .decimal = decimal};
}

bool parse_fraction(const std::string& text, Figure& out) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return false;
  const auto top = stats::parse_published(trimmed(text.substr(0, slash)));
  const auto bottom = stats::parse_published(trimmed(text.substr(slash + 1)));
  if (!top.ok() || !bottom.ok() || top->digits != 0 || bottom->digits != 0) return false;
  if (bottom->units < 1 || bottom->units > kMaxItems || top->units > bottom->units) return false;
  const double share = static_cast<double>(top->units) / static_cast<double>(bottom->units);
  out = {.text = text, .value = share, .low = share, .high = share, .right = top->units, .of = bottom->units};
  return true;
}

Status read_texts(const Json& in, const std::string& file, Claim& claim) {
  ASSAY_TRY(claim.suite, optional_text(in, "suite", file));
  ASSAY_TRY(claim.protocol, optional_text(in, "protocol", file));
  ASSAY_TRY(claim.metric, optional_text(in, "metric", file));
  ASSAY_TRY(claim.subset, optional_text(in, "subset", file));
  ASSAY_TRY(claim.against, optional_text(in, "against", file));
  ASSAY_TRY(claim.claimant, optional_text(in, "claimant", file));
  ASSAY_TRY(claim.source, optional_text(in, "source", file));
  ASSAY_TRY(claim.expected_verdict, optional_text(in, "expected_verdict", file));
  std::replace(claim.expected_verdict.begin(), claim.expected_verdict.end(), ' ', '-');
  ASSAY_TRY(claim.text, optional_text(in, has(in, "claim") ? "claim" : "text", file));
  const std::size_t slash = claim.suite.find('/');
  if (slash != std::string::npos && claim.subset.empty()) {
    claim.subset = claim.suite.substr(slash + 1);
    claim.suite.resize(slash);
  }
  return {};
}

// The bundled form names its model `weights`, says `claimed_n` (its `n` is what was measured) and prints shares in percent.
Status read_model(const Json& in, const std::string& file, Claim& claim) {
  if (has(in, "model")) {
    ASSAY_TRY(claim.model, json_string(in, "model", file));
    ASSAY_TRY(claim.n, optional_count(in, has(in, "claimed_n") ? "claimed_n" : "n", file));
  } else if (has(in, "claim") || has(in, "weights")) {
    ASSAY_TRY(claim.model, optional_text(in, "weights", file));
    if (claim.model.empty()) claim.model = "model";
    ASSAY_TRY(claim.n, optional_count(in, "claimed_n", file));
    if (!contains_word(claim.text, {"bits per byte"})) claim.scale = 100;
  } else {
    return Error{.code = Code::missing_field,
                 .message = "a claim must name its model",
                 .file = file,
                 .field = "model",
                 .expected = "a string",
                 .got = "nothing"};
  }
  return {};
}

Result<Relation> read_relation(const Json& in, const std::string& file, const Claim& claim) {
  if (has(in, "relation")) {
    ASSAY_TRY(const std::string name, json_string(in, "relation", file));
    for (const Relation r : {Relation::equals, Relation::at_least, Relation::within}) {
      if (name == name_of(r)) return r;
    }
    return Error{.code = Code::bad_value,
                 .message = "a relation of that name is not known",
                 .file = file,
                 .field = "relation",
                 .expected = "equals, at-least or within",
                 .got = name};
  }
  if (contains_word(claim.text, {"at least", "no less than"})) return Relation::at_least;
  if (!claim.against.empty() && contains_word(claim.text, {"within", "lossless"})) return Relation::within;
  return Relation::equals;
}

Status read_figures(const Json& in, const std::string& file, Claim& claim) {
  const char* field = has(in, "value") ? "value" : has(in, "published") ? "published" : "margin";
  if (!has(in, field)) {
    return Error{.code = Code::missing_field,
                 .message = "a claim without a number cannot be checked",
                 .file = file,
                 .field = "value",
                 .expected = "a number or its text",
                 .got = claim.id};
  }
  const Json& value = in.at(field);
  if (!value.is_array()) {
    ASSAY_TRY(claim.figures.emplace_back(), parse_figure(value, file, field));
  }
  for (const Json& one : value.is_array() ? value : Json::array()) {
    ASSAY_TRY(claim.figures.emplace_back(), parse_figure(one, file, field));
  }
  if (claim.figures.empty() || claim.figures.size() > 2) return no_number(file, field, value);
  if (claim.figure().text.ends_with('%')) claim.scale = 100;
  if (claim.figure().right >= 0) {
    claim.scale = 1;
    if (!claim.n) claim.n = claim.figure().of;
  }
  if (has(in, "scale")) {
    ASSAY_TRY(const double scale, json_number(in, "scale", file));
    if (scale != 1 && scale != 100) return no_number(file, "scale", in.at("scale"));
    claim.scale = scale;
  }
  return {};
}

Result<Claim> parse_claim(const Json& in, const std::string& file) {
  Claim claim;
  ASSAY_TRY(claim.id, json_string(in, "id", file));
  if (claim.id.empty() || claim.id.size() > kMaxText) {
    return Error{.code = Code::bad_value,
                 .message = "a claim's id is empty or too long",
                 .file = file,
                 .field = "id",
                 .got = claim.id.substr(0, 80)};
  }
  ASSAY_OK(read_texts(in, file, claim));
  ASSAY_OK(read_model(in, file, claim));
  ASSAY_OK(read_figures(in, file, claim));
  ASSAY_OK(read_claim_details(in, file, claim));
  ASSAY_TRY(claim.relation, read_relation(in, file, claim));
  claim.about_parameters =
      claim.metric.starts_with("param") || (claim.suite.empty() && contains_word(claim.text, {"parameter"}));
  ASSAY_OK(read_parts_of(in, file, claim));
  if (claim.suite.empty() && !claim.about_parameters) {
    return Error{.code = Code::missing_field,
                 .message = "a claim about a score must name its suite",
                 .file = file,
                 .field = "suite",
                 .expected = "a string",
                 .got = claim.id};
  }
  if (claim.about_parameters) claim.scale = 1;
  if (claim.figures.size() > 1 && !claim.about_parameters) return no_number(file, "value", in.at("value"));
  claim.definition_json = dump_json(in);
  if (claim.text.empty()) {
    claim.text = fmt::format("{}: {} {} {}", claim.model, claim.suite, claim.metric, claim.published());
  }
  return claim;
}

}  // namespace

std::string_view name_of(Relation relation) {
  switch (relation) {
    case Relation::at_least:
      return "at-least";
    case Relation::within:
      return "within";
    case Relation::equals:
      break;
  }
  return "equals";
}

const Figure& Claim::figure() const {
  ASSAY_CHECK(!figures.empty());
  return figures.front();
}

std::string Claim::published() const {
  std::string all;
  for (const Figure& f : figures) all += (all.empty() ? "" : ", ") + f.text;
  return all;
}

double scale_of(const Claim& claim, bool is_share) {
  if (!is_share) return 1;
  if (claim.scale) return *claim.scale;
  if (claim.figure().value > 1 || contains_word(claim.text, {"%", "percent", "point"})) return 100;
  // A margin of 5 points and more would not be called lossless: 0.3 beside a share means points.
  return claim.relation == Relation::within && claim.figure().value >= 0.05 ? 100 : 1;
}

Result<Figure> parse_figure(const Json& value, const std::string& file, const std::string& field) {
  if (!value.is_number() && !value.is_string()) return no_number(file, field, value);
  const std::string text = value.is_string() ? trimmed(value.get<std::string>()) : dump_json(value);
  Figure fraction;
  if (parse_fraction(text, fraction)) return fraction;
  std::string digits = text;
  if (digits.ends_with('%')) {
    digits.pop_back();
    digits = trimmed(digits);
  }
  const double factor = take_multiplier(digits);
  const auto decimal = stats::parse_published(digits);
  if (!decimal.ok()) return no_number(file, field, value);
  return decimal_figure(text, *decimal, factor);
}

Result<std::vector<Claim>> parse_claims(const Json& document, const std::string& file) {
  const Json* list = &document;
  if (document.is_object() && document.contains("claims")) list = &document.at("claims");
  const Json single = Json::array({document});
  if (list->is_object()) list = &single;
  if (!list->is_array() || list->empty() || list->size() > kMaxClaims) {
    return Error{.code = Code::bad_value,
                 .message = "a ledger is a list of claims",
                 .file = file,
                 .field = "claims",
                 .expected = fmt::format("1 to {} claims", kMaxClaims),
                 .got = list->is_array() ? fmt::format("{}", list->size()) : list->type_name()};
  }
  std::vector<Claim> claims;
  std::set<std::string> ids;
  for (const Json& one : *list) {
    ASSAY_TRY(Claim claim, parse_claim(one, file));
    if (!ids.insert(claim.id).second) {
      return Error{.code = Code::duplicate,
                   .message = "two claims have the same id",
                   .file = file,
                   .field = "id",
                   .got = claim.id};
    }
    claims.push_back(std::move(claim));
  }
  return claims;
}

Result<std::vector<Claim>> read_claims(const std::string& path) {
  ASSAY_TRY(const Json document, read_json_file(path, {.max_bytes = std::size_t{64} << 20}));
  return parse_claims(document, path);
}

ClaimRecord claim_record(const Claim& c) {
  const bool is_share = !c.about_parameters && !(c.scale && *c.scale == 1) &&
                        !contains_word(c.metric + c.suite, {"bits", "bpb"});
  const auto some = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string>(text);
  };
  ClaimRecord row{.key = c.id,
                  .text = c.text,
                  .model_name = c.model,
                  .relation = std::string(name_of(c.relation)),
                  .published = c.published()};
  row.claimant = some(c.claimant);
  row.suite_name = some(c.suite);
  row.protocol_name = some(c.protocol);
  row.metric = some(c.metric);
  row.subset = some(c.subset);
  row.against = some(c.against);
  row.source = some(c.source);
  row.expected_verdict = some(c.expected_verdict);
  row.value = c.figure().value;
  row.scale = scale_of(c, is_share);
  row.n = c.n;
  row.samples = c.samples;
  row.definition_json = c.definition_json;
  return row;
}

Result<std::vector<Claim>> load_claims(const Database& database) {
  ASSAY_TRY(Statement rows, database.prepare("SELECT definition_json FROM claim ORDER BY id"));
  std::vector<Claim> claims;
  for (;;) {
    ASSAY_TRY(const bool more, rows.next());
    if (!more) return claims;
    ASSAY_TRY(const Json definition, parse_json(rows.text(0), database.path()));
    ASSAY_TRY(std::vector<Claim> one, parse_claims(definition, database.path()));
    if (claims.size() >= kMaxClaims)
      return Error{.code = Code::too_large, .message = "too many claims", .file = database.path()};
    claims.push_back(std::move(one.front()));
  }
}

}  // namespace assay
