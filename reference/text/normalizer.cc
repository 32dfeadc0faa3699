#include "reference/text/normalizer.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

// `text` in a Unicode normalization form. Unassigned characters stay as they are.
void to_form(std::string& text, utf8proc_option_t options) {
  utf8proc_uint8_t* out = nullptr;
  const auto n = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                              static_cast<utf8proc_ssize_t>(text.size()), &out, options);
  ASSAY_CHECK(n >= 0);  // valid UTF-8 and enough memory
  text.assign(reinterpret_cast<const char*>(out), static_cast<std::size_t>(n));
  std::free(out);
}

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

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

utf8proc_option_t form_options(bool compatible, bool compose) {
  unsigned options = UTF8PROC_STABLE | static_cast<unsigned>(compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE);
  if (compatible) options |= UTF8PROC_COMPAT;
  return static_cast<utf8proc_option_t>(options);
}

}  // namespace

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

Status Normalizer::add(const Json& json, const std::string& file, const std::string& field, int depth) {
  static const std::map<std::string, Kind> kForms = {
      {"NFC", Kind::kNfc}, {"NFD", Kind::kNfd}, {"NFKC", Kind::kNfkc}, {"NFKD", Kind::kNfkd}};
  ASSAY_TRY(const std::string kind, read_kind(json, file, field));
  Step step;
  if (kind == "Sequence") {
    ASSAY_TRY(const Json* list, read_sequence(json, "normalizers", file, field, depth));
    for (std::size_t i = 0; i < list->size(); ++i)
      ASSAY_OK(add((*list)[i], file, fmt::format("{}[{}]", field, i), depth + 1));
    return {};
  }
  if (kForms.contains(kind)) {
    step.kind = kForms.at(kind);
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
  } else {
    return unknown_kind(kind, file, field);
  }
  steps_.push_back(std::move(step));
  return {};
}

bool Normalizer::apply(std::string& text) const {
  bool within_budget = true;
  for (const Step& step : steps_) {
    switch (step.kind) {
      case Kind::kPrepend:
        if (!text.empty()) text.insert(0, step.text);
        break;
      case Kind::kReplace: {
        std::string replaced;
        if (step.pattern.replace(text, step.text, replaced))
          text = std::move(replaced);
        else
          within_budget = false;
        break;
      }
      case Kind::kStrip:
        strip(text, step.left, step.right);
        break;
      default:
        if (is_ascii(text)) break;
        to_form(text, form_options(step.kind == Kind::kNfkc || step.kind == Kind::kNfkd,
                                   step.kind == Kind::kNfc || step.kind == Kind::kNfkc));
    }
  }
  return within_budget;
}

}  // namespace assay
