#include "reference/text/normalizer.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "reference/text/unicode_forms.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

void strip(std::string& text, bool left, bool right) {
  std::size_t begin = 0, end = 0;
  bool seen = false;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    if (!is_space(c.code)) {
      if (!seen) begin = at;
      seen = true;
      end = at + c.bytes;
    }
    at += c.bytes;
  }
  if (!seen) {
    if (left || right) text.clear();
    return;
  }
  text = text.substr(left ? begin : 0, right ? end - (left ? begin : 0) : std::string::npos);
}

// BertNormalizer's order: controls and odd spaces, ideographs apart, accents, case.
std::string bert_text(std::string_view text, const BertRules& rules) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    at += c.bytes;
    const bool plain_space = c.code == 0x09 || c.code == 0x0A || c.code == 0x0D;
    if (rules.clean_text && (c.code == 0 || c.code == kReplacement || (is_other(c.code) && !plain_space)))
      continue;
    if (rules.clean_text && is_space(c.code)) {
      out += ' ';
      continue;
    }
    const bool apart = rules.chinese_characters && is_ideograph(c.code);
    if (apart) out += ' ';
    append_utf8(out, c.code);
    if (apart) out += ' ';
  }
  if (rules.strip_accents) {
    to_form(out, false, false);
    out = without_marks(out);
  }
  return rules.lowercase ? lowercase(out) : out;
}

}  // namespace

const Json& member_or_null(const Json& object, const char* name) {
  static const Json kNull;
  const auto it = object.find(name);
  return it == object.end() ? kNull : *it;
}

Error unknown_kind(const std::string& kind, const std::string& file, const std::string& field) {
  return Error{.code = Code::unsupported,
               .message = fmt::format("the tokenizer uses '{}', which is not supported", kind),
               .file = file,
               .field = field,
               .got = kind.substr(0, 80)};
}

Result<std::string> read_kind(const Json& owner, const std::string& file, const std::string& field) {
  auto kind = json_string(owner, "type", file);
  if (kind.ok()) return kind;
  Error e = std::move(kind).error();
  e.field = field + ".type";
  return e;
}

Result<const Json*> read_sequence(const Json& owner, const char* name, const std::string& file,
                                  const std::string& field, int depth) {
  const auto list = owner.find(name);
  if (list == owner.end() || !list->is_array()) {
    return Error{.code = Code::missing_field,
                 .message = "a sequence has no list of steps",
                 .file = file,
                 .field = fmt::format("{}.{}", field, name),
                 .expected = "an array"};
  }
  if (depth >= kMaxSequenceDepth) {
    return Error{.code = Code::too_large,
                 .message = "sequences are nested too deeply",
                 .file = file,
                 .field = field,
                 .expected = fmt::format("at most {}", kMaxSequenceDepth)};
  }
  return &*list;
}

Result<Pattern> read_pattern(const Json& owner, const std::string& file, const std::string& field) {
  const auto it = owner.find("pattern");
  if (it != owner.end() && it->is_object() && it->size() == 1 && it->front().is_string()) {
    const auto& text = it->front().get_ref<const std::string&>();
    if (it->contains("Regex")) return Pattern::regex(text, file, field + ".pattern");
    if (it->contains("String")) return Pattern::literal(text);
  }
  return Error{.code = Code::bad_value,
               .message = "a pattern cannot be used",
               .file = file,
               .field = field + ".pattern",
               .expected = "{\"String\": s} or {\"Regex\": s}",
               .got = it == owner.end() ? "nothing" : dump_json(*it).substr(0, 80)};
}

Result<Normalizer> Normalizer::from_json(const Json& json, const std::string& file) {
  Normalizer out;
  if (!json.is_null()) ASSAY_OK(out.add(json, file, "normalizer", 0));
  return out;
}

Normalizer Normalizer::nfc() {
  Normalizer out;
  out.steps_.emplace_back();
  return out;
}

Normalizer Normalizer::sentencepiece(SpmNormalizer rules) {
  Normalizer out;
  out.steps_.emplace_back().kind = Kind::kSentencePiece;
  out.steps_.back().sentencepiece = std::make_shared<const SpmNormalizer>(std::move(rules));
  return out;
}

Normalizer Normalizer::bert(const BertRules& rules) {
  Normalizer out;
  out.steps_.emplace_back().kind = Kind::kBert;
  out.steps_.back().bert = rules;
  return out;
}

Status Normalizer::add(const Json& json, const std::string& file, const std::string& field, int depth) {
  ASSAY_TRY(const std::string kind, read_kind(json, file, field));
  if (kind == "Sequence") {
    ASSAY_TRY(const Json* list, read_sequence(json, "normalizers", file, field, depth));
    for (std::size_t i = 0; i < list->size(); ++i)
      ASSAY_OK(add((*list)[i], file, fmt::format("{}[{}]", field, i), depth + 1));
    return {};
  }
  ASSAY_TRY(Step step, read_step(kind, json, file, field));
  steps_.push_back(std::move(step));
  return {};
}

Result<Normalizer::Step> Normalizer::read_step(const std::string& kind, const Json& json,
                                               const std::string& file, const std::string& field) {
  static const std::map<std::string, Kind> kPlain = {
      {"NFC", Kind::kNfc}, {"NFD", Kind::kNfd}, {"NFKC", Kind::kNfkc}, {"NFKD", Kind::kNfkd}};
  Step step;
  if (kPlain.contains(kind)) {
    step.kind = kPlain.at(kind);
  } else if (kind == "Prepend") {
    step.kind = Kind::kPrepend;
    ASSAY_TRY(step.text, json_string(json, "prepend", file));
  } else if (kind == "Replace") {
    step.kind = Kind::kReplace;
    ASSAY_TRY(step.pattern, read_pattern(json, file, field));
    ASSAY_TRY(step.text, json_string(json, "content", file));
  } else if (kind == "Strip") {
    step.kind = Kind::kStrip;
    ASSAY_TRY(step.left, json_bool(json, "strip_left", file));
    ASSAY_TRY(step.right, json_bool(json, "strip_right", file));
  } else if (kind == "BertNormalizer") {
    step.kind = Kind::kBert;
    ASSAY_TRY(step.bert.clean_text, json_bool(json, "clean_text", file));
    ASSAY_TRY(step.bert.chinese_characters, json_bool(json, "handle_chinese_chars", file));
    ASSAY_TRY(step.bert.lowercase, json_bool(json, "lowercase", file));
    const auto accents = json.find("strip_accents");  // null: as lowercase says
    const bool given = accents != json.end() && accents->is_boolean();
    step.bert.strip_accents = given ? accents->get<bool>() : step.bert.lowercase;
  } else {
    return unknown_kind(kind, file, field);
  }
  return step;
}

bool Normalizer::run(const Step& step, std::string& text) {
  switch (step.kind) {
    case Kind::kPrepend:
      if (!text.empty()) text.insert(0, step.text);
      return true;
    case Kind::kReplace: {
      std::string replaced;
      if (!step.pattern.replace(text, step.text, replaced)) return false;
      text = std::move(replaced);
      return true;
    }
    case Kind::kStrip:
      strip(text, step.left, step.right);
      return true;
    case Kind::kBert:
      text = bert_text(text, step.bert);
      return true;
    case Kind::kSentencePiece:
      step.sentencepiece->apply(text);
      return true;
    case Kind::kNfc:
      to_nfc(text);
      return true;
    default:
      to_form(text, step.kind == Kind::kNfkc || step.kind == Kind::kNfkd, step.kind == Kind::kNfkc);
      return true;
  }
}

bool Normalizer::apply(std::string& text) const {
  bool within_budget = true;
  for (const Step& step : steps_) within_budget = run(step, text) && within_budget;
  return within_budget;
}

}  // namespace assay
