#include "reference/text/pre_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "reference/text/bpe.h"
#include "reference/text/named_pre_tokenizer.h"
#include "reference/text/normalizer.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

// Runs of characters for which `wanted` holds; each such character by itself where `single`.
template <class Wanted>
void mark_characters(std::string_view text, Wanted wanted, std::vector<Span>& spans) {
  spans.clear();
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    const bool hit = wanted(c.code);
    if (!hit && !spans.empty() && !spans.back().matched)
      spans.back().end = at + c.bytes;
    else
      spans.push_back({at, at + c.bytes, hit});
    at += c.bytes;
  }
}

bool member_or(const Json& json, const char* name, bool otherwise) {
  const auto it = json.find(name);
  return it != json.end() && it->is_boolean() ? it->get<bool>() : otherwise;
}

}  // namespace

Result<PreTokenizer> PreTokenizer::from_json(const Json& json, const std::string& file) {
  PreTokenizer out;
  if (!json.is_null()) ASSAY_OK(out.add(json, file, "pre_tokenizer", 0));
  for (std::size_t i = 0; i < out.steps_.size(); ++i) {
    const bool last = i + 1 == out.steps_.size();
    if (out.steps_[i].kind != Kind::kByteLevel) continue;
    out.steps_[i].to_characters = !last;  // a later step cuts by the characters that stand for bytes
    out.raw_bytes_ = last;
  }
  const auto levels = std::count_if(out.steps_.begin(), out.steps_.end(),
                                    [](const Step& s) { return s.kind == Kind::kByteLevel; });
  if (levels > 1) {
    return Error{.code = Code::unsupported,
                 .message = "a tokenizer with two ByteLevel steps is not supported",
                 .file = file,
                 .field = "pre_tokenizer"};
  }
  return out;
}

Result<PreTokenizer> PreTokenizer::byte_level(std::span<const std::string_view> patterns,
                                              const std::string& file) {
  PreTokenizer out;
  for (const std::string_view text : patterns) {
    Step step;
    ASSAY_TRY(step.pattern, Pattern::regex(std::string(text), file, "pre_tokenizer"));
    out.steps_.push_back(std::move(step));
  }
  out.raw_bytes_ = true;
  return out;
}

PreTokenizer PreTokenizer::bert() {
  PreTokenizer out;
  Step words, marks;
  words.kind = Kind::kSpace;
  words.behavior = Behavior::kRemoved;
  marks.kind = Kind::kPunctuation;
  out.steps_ = {words, marks};
  return out;
}

Status PreTokenizer::add(const Json& json, const std::string& file, const std::string& field, int depth) {
  ASSAY_TRY(const std::string kind, read_kind(json, file, field));
  if (kind == "Sequence") {
    ASSAY_TRY(const Json* list, read_sequence(json, "pretokenizers", file, field, depth));
    for (std::size_t i = 0; i < list->size(); ++i)
      ASSAY_OK(add((*list)[i], file, fmt::format("{}[{}]", field, i), depth + 1));
    return {};
  }
  if (kind == "BertPreTokenizer") {
    const PreTokenizer own = bert();
    steps_.insert(steps_.end(), own.steps_.begin(), own.steps_.end());
    return {};
  }
  ASSAY_TRY(Step step, read_step(kind, json, file, field));
  steps_.push_back(std::move(step));
  return {};
}

Result<PreTokenizer::Step> PreTokenizer::read_step(const std::string& kind, const Json& json,
                                                   const std::string& file, const std::string& field) {
  Step step;
  if (kind == "ByteLevel") return read_byte_level(json, file);
  if (kind == "Metaspace") return read_metaspace(json, file, field);
  if (kind == "Split") {
    ASSAY_TRY(step.pattern, read_pattern(json, file, field));
    ASSAY_TRY(step.behavior, read_behavior(json, file, field));
    step.invert = member_or(json, "invert", false);
  } else if (kind == "Digits") {
    step.kind = Kind::kDigits;
    step.behavior = member_or(json, "individual_digits", false) ? Behavior::kIsolated : Behavior::kContiguous;
  } else if (kind == "Punctuation") {
    step.kind = Kind::kPunctuation;
    if (json.contains("behavior")) {
      ASSAY_TRY(step.behavior, read_behavior(json, file, field));
    }
  } else if (kind == "WhitespaceSplit") {
    step.kind = Kind::kSpace;
    step.behavior = Behavior::kRemoved;
  } else if (kind == "Whitespace") {
    ASSAY_TRY(step.pattern, Pattern::regex(R"(\w+|[^\w\s]+)", file, field));
    step.invert = true;
    step.behavior = Behavior::kRemoved;
  } else if (kind == "CharDelimiterSplit") {
    step.kind = Kind::kCharacter;
    step.behavior = Behavior::kRemoved;
    ASSAY_TRY(const std::string delimiter, json_string(json, "delimiter", file));
    step.character = delimiter.empty() ? kReplacement : decode_utf8(delimiter, 0).code;
  } else {
    return unknown_kind(kind, file, field);
  }
  return step;
}

Result<PreTokenizer::Step> PreTokenizer::read_byte_level(const Json& json, const std::string& file) {
  Step step;
  step.kind = Kind::kByteLevel;
  step.prefix_space = member_or(json, "add_prefix_space", true);
  step.cut = member_or(json, "use_regex", true);
  if (step.cut) {
    ASSAY_TRY(step.pattern, Pattern::regex(std::string(kGpt2Pattern), file, "pre_tokenizer"));
  }
  return step;
}

Result<PreTokenizer::Step> PreTokenizer::read_metaspace(const Json& json, const std::string& file,
                                                        const std::string& field) {
  static const std::map<std::string, Prepend> kSchemes = {
      {"always", Prepend::kAlways}, {"first", Prepend::kFirst}, {"never", Prepend::kNever}};
  Step step;
  step.kind = Kind::kMetaspace;
  step.behavior = Behavior::kMergedWithNext;
  ASSAY_TRY(step.replacement, json_string(json, "replacement", file));
  step.cut = member_or(json, "split", true);
  step.pattern = Pattern::literal(step.replacement);
  std::string scheme = member_or(json, "add_prefix_space", true) ? "always" : "never";  // files before 2024
  if (json.contains("prepend_scheme")) {
    ASSAY_TRY(scheme, json_string(json, "prepend_scheme", file));
  }
  if (!kSchemes.contains(scheme)) return unknown_kind(scheme, file, field + ".prepend_scheme");
  step.prepend = kSchemes.at(scheme);
  return step;
}

Result<PreTokenizer::Behavior> PreTokenizer::read_behavior(const Json& json, const std::string& file,
                                                           const std::string& field) {
  static const std::map<std::string, Behavior> kNames = {
      {"Isolated", Behavior::kIsolated},
      {"Removed", Behavior::kRemoved},
      {"MergedWithPrevious", Behavior::kMergedWithPrevious},
      {"MergedWithNext", Behavior::kMergedWithNext},
      {"Contiguous", Behavior::kContiguous}};
  ASSAY_TRY(const std::string name, json_string(json, "behavior", file));
  if (!kNames.contains(name)) return unknown_kind(name, file, field + ".behavior");
  return kNames.at(name);
}

// The piece with spaces replaced or put in front, before it is cut.
Piece PreTokenizer::prepared(const Step& step, const Piece& piece, Arena& arena) {
  if (step.kind == Kind::kByteLevel && step.prefix_space && !piece.text.starts_with(' ')) {
    std::string& text = arena.emplace_back(1, ' ');
    text.append(piece.text);
    return {text, piece.at_start};
  }
  if (step.kind != Kind::kMetaspace) return piece;
  std::string& text = arena.emplace_back();
  Pattern::literal(" ").replace(piece.text, step.replacement, text);
  const bool wanted = step.prepend == Prepend::kAlways || (step.prepend == Prepend::kFirst && piece.at_start);
  if (wanted && !text.starts_with(step.replacement)) text.insert(0, step.replacement);
  return {text, piece.at_start};
}

// Cuts `text` into spans that are marked where the step's pattern matches. False: the step budget ended.
bool PreTokenizer::mark(const Step& step, std::string_view text, std::vector<Span>& spans) {
  bool within_budget = true;
  switch (step.kind) {
    case Kind::kDigits:
      mark_characters(text, is_numeric, spans);
      break;
    case Kind::kPunctuation:
      mark_characters(text, is_punctuation, spans);
      break;
    case Kind::kSpace:
      mark_characters(text, is_space, spans);
      break;
    case Kind::kCharacter:
      mark_characters(
          text, [&](char32_t c) { return c == step.character; }, spans);
      break;
    default:
      if (step.cut)
        within_budget = step.pattern.spans(text, spans);
      else
        spans.assign(1, {0, text.size(), false});
  }
  if (step.invert) {
    for (Span& s : spans) s.matched = !s.matched;
  }
  return within_budget;
}

// Joins or drops marked spans. The rules (what happens to two matches in a row) are those of the library's
// NormalizedString::split.
void PreTokenizer::gather(Behavior behavior, std::vector<Span>& spans) {
  if (behavior == Behavior::kIsolated) return;
  if (behavior == Behavior::kRemoved) {
    std::erase_if(spans, [](const Span& s) { return s.matched; });
    return;
  }
  const bool backwards = behavior == Behavior::kMergedWithNext;
  if (backwards) std::reverse(spans.begin(), spans.end());
  std::vector<Span> out;
  bool previous = false;
  for (const Span& s : spans) {
    const bool join = behavior == Behavior::kContiguous ? s.matched == previous : s.matched && !previous;
    if (join && !out.empty()) {
      out.back().begin = std::min(out.back().begin, s.begin);
      out.back().end = std::max(out.back().end, s.end);
    } else {
      out.push_back(s);
    }
    previous = s.matched;
  }
  if (backwards) std::reverse(out.begin(), out.end());
  spans = std::move(out);
}

bool PreTokenizer::apply(std::vector<Piece>& pieces, Arena& arena) const {
  bool within_budget = true;
  std::vector<Piece> next;
  std::vector<Span> spans;
  for (const Step& step : steps_) {
    next.clear();
    for (const Piece& given : pieces) {
      const Piece piece = prepared(step, given, arena);
      within_budget = mark(step, piece.text, spans) && within_budget;
      gather(step.behavior, spans);
      for (const Span& s : spans) {
        if (s.begin == s.end) continue;
        std::string_view text = piece.text.substr(s.begin, s.end - s.begin);
        if (step.to_characters) text = arena.emplace_back(bytes_to_characters(text));
        next.push_back({text, piece.at_start && s.begin == 0});
      }
    }
    pieces.swap(next);
  }
  return within_budget;
}

}  // namespace assay
