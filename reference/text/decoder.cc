#include "reference/text/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "reference/text/bpe.h"
#include "reference/text/normalizer.h"
#include "reference/text/spm_normalizer.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// A run of byte tokens becomes its text, or one U+FFFD a byte where the run as a whole is no UTF-8.
void join_fallback_bytes(std::vector<std::string>& tokens) {
  std::vector<std::string> out;
  std::string run;
  const auto flush = [&] {
    if (run.empty()) return;
    std::string broken;
    for (std::size_t i = 0; i < run.size(); ++i) append_utf8(broken, kReplacement);
    out.push_back(valid_utf8(run) ? run : broken);
    run.clear();
  };
  for (std::string& token : tokens) {
    const int byte = fallback_byte(token);
    if (byte >= 0) {
      run += static_cast<char>(byte);
      continue;
    }
    flush();
    out.push_back(std::move(token));
  }
  flush();
  tokens = std::move(out);
}

void strip_character(std::string& token, const std::string& character, std::int64_t start,
                     std::int64_t stop) {
  for (; start > 0 && token.starts_with(character); --start) token.erase(0, character.size());
  for (; stop > 0 && token.ends_with(character); --stop) token.erase(token.size() - character.size());
}

std::string replaced(const std::string& token, const std::string& what, std::string_view by) {
  std::string out;
  Pattern::literal(what).replace(token, by, out);
  return out;
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

// decoders/wordpiece.rs, cleanup.
void tidy(std::string& text) {
  constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [what, by] : kRules) replace_all(text, what, by);
}

void join_word_pieces(std::vector<std::string>& tokens, const std::string& prefix, bool cleanup) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    std::string& token = tokens[i];
    if (i > 0 && token.starts_with(prefix))
      token.erase(0, prefix.size());
    else if (i > 0)
      token.insert(0, 1, ' ');
    if (cleanup) tidy(token);
  }
}

}  // namespace

int fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const int high = hex_digit(token[3]), low = hex_digit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

Decoder Decoder::byte_level_only() {
  Decoder out;
  out.byte_level_ = true;
  out.absent_ = false;
  return out;
}

Decoder Decoder::word_piece(const std::string& prefix, bool cleanup) {
  Decoder out;
  out.absent_ = false;
  Step step;
  step.kind = Kind::kWordPiece;
  step.content = prefix;
  step.cleanup = cleanup;
  out.steps_.push_back(std::move(step));
  return out;
}

Decoder Decoder::sentencepiece(SpmDecoding rules) {
  Decoder out;
  out.absent_ = false;
  out.spm_ = std::move(rules);
  return out;
}

bool Decoder::joins_byte_tokens() const {
  return spm_.has_value() || std::any_of(steps_.begin(), steps_.end(),
                                         [](const Step& s) { return s.kind == Kind::kByteFallback; });
}

Result<Decoder> Decoder::from_json(const Json& json, const std::string& file) {
  Decoder out;
  if (json.is_null()) return out;
  out.absent_ = false;
  ASSAY_OK(out.add(json, file, "decoder", 0));
  if (out.byte_level_ && !out.steps_.empty()) {
    return Error{.code = Code::unsupported,
                 .message = "a ByteLevel decoder beside others is not supported",
                 .file = file,
                 .field = "decoder"};
  }
  return out;
}

Status Decoder::add(const Json& json, const std::string& file, const std::string& field, int depth) {
  ASSAY_TRY(const std::string kind, read_kind(json, file, field));
  if (kind == "ByteLevel") {
    byte_level_ = true;
    return {};
  }
  if (kind == "Sequence") {
    ASSAY_TRY(const Json* list, read_sequence(json, "decoders", file, field, depth));
    for (std::size_t i = 0; i < list->size(); ++i)
      ASSAY_OK(add((*list)[i], file, fmt::format("{}[{}]", field, i), depth + 1));
    return {};
  }
  ASSAY_TRY(Step step, read_step(kind, json, file, field));
  steps_.push_back(std::move(step));
  return {};
}

Result<Decoder::Step> Decoder::read_step(const std::string& kind, const Json& json, const std::string& file,
                                         const std::string& field) {
  Step step;
  if (kind == "ByteFallback") {
    step.kind = Kind::kByteFallback;
  } else if (kind == "Fuse") {
    step.kind = Kind::kFuse;
  } else if (kind == "Replace") {
    step.kind = Kind::kReplace;
    ASSAY_TRY(step.pattern, read_pattern(json, file, field));
    ASSAY_TRY(step.content, json_string(json, "content", file));
  } else if (kind == "Strip") {
    step.kind = Kind::kStrip;
    ASSAY_TRY(step.content, json_string(json, "content", file));
    ASSAY_TRY(step.start, json_int(json, "start", file));
    ASSAY_TRY(step.stop, json_int(json, "stop", file));
  } else if (kind == "Metaspace") {
    step.kind = Kind::kMetaspace;
    ASSAY_TRY(step.content, json_string(json, "replacement", file));
    const auto scheme = json.find("prepend_scheme");
    step.skip_first = scheme == json.end() || *scheme != "never";
  } else if (kind == "WordPiece") {
    step.kind = Kind::kWordPiece;
    ASSAY_TRY(step.content, json_string(json, "prefix", file));
    ASSAY_TRY(step.cleanup, json_bool(json, "cleanup", file));
  } else {
    return unknown_kind(kind, file, field);
  }
  const bool needs_content = step.kind == Kind::kStrip || step.kind == Kind::kMetaspace;
  if (needs_content && step.content.empty()) {
    return Error{.code = Code::bad_value,
                 .message = "a decoder step needs one character",
                 .file = file,
                 .field = field,
                 .got = "\"\""};
  }
  return step;
}

void Decoder::run(const Step& step, std::vector<std::string>& tokens) {
  switch (step.kind) {
    case Kind::kByteFallback:
      join_fallback_bytes(tokens);
      return;
    case Kind::kFuse: {
      std::string all;
      for (const auto& t : tokens) all += t;
      tokens.assign(1, std::move(all));
      return;
    }
    case Kind::kStrip:
      for (auto& t : tokens) strip_character(t, step.content, step.start, step.stop);
      return;
    case Kind::kReplace:
      for (auto& t : tokens) {
        std::string out;
        if (step.pattern.replace(t, step.content, out)) t = std::move(out);
      }
      return;
    case Kind::kMetaspace:
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        tokens[i] = replaced(tokens[i], step.content, i == 0 && step.skip_first ? "" : " ");
      }
      return;
    case Kind::kWordPiece:
      join_word_pieces(tokens, step.content, step.cleanup);
      return;
  }
}

std::string Decoder::decode_spm(const std::vector<std::string>& tokens,
                                const std::vector<bool>& verbatim) const {
  std::string out, run;
  bool at_start = true;
  const auto flush = [&] {
    out += repair_utf8_bytewise(run);
    run.clear();
  };
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const int byte = verbatim[i] ? -1 : fallback_byte(tokens[i]);
    if (byte >= 0) {
      run += static_cast<char>(byte);
      at_start = false;
      continue;
    }
    flush();
    if (verbatim[i] || tokens[i] == spm_->unknown) {
      out += verbatim[i] ? tokens[i] : spm_->unknown_surface;
      at_start = verbatim[i];
      continue;
    }
    std::string_view token = tokens[i];
    bool stripped = false;
    if (at_start && spm_->strip_first && token.starts_with(kSpaceMark)) {
      token.remove_prefix(kSpaceMark.size());
      stripped = true;
    }
    out += replaced(std::string(token), std::string(kSpaceMark), " ");
    at_start = at_start && token.empty() && (!stripped || spm_->strip_all);
  }
  flush();
  return out;
}

std::string Decoder::decode(std::vector<std::string> tokens, const std::vector<bool>& verbatim) const {
  ASSAY_CHECK(tokens.size() == verbatim.size());
  if (spm_) return decode_spm(tokens, verbatim);
  std::string out;
  for (std::size_t i = 0; byte_level_ && i < tokens.size(); ++i) {
    auto bytes = verbatim[i] ? std::nullopt : characters_to_bytes(tokens[i]);
    out += bytes ? *bytes : tokens[i];
  }
  if (byte_level_) return out;
  for (const Step& step : steps_) run(step, tokens);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (absent_ && i > 0) out += ' ';  // the library joins with spaces where there is no decoder
    out += tokens[i];
  }
  return out;
}

std::string Decoder::token_bytes(const std::string& token) const {
  if (byte_level_) return characters_to_bytes(token).value_or(token);
  const int byte = fallback_byte(token);
  if (byte >= 0 && joins_byte_tokens()) return std::string(1, static_cast<char>(byte));
  std::string text = spm_ ? replaced(token, std::string(kSpaceMark), " ") : token;
  for (const Step& step : steps_) {
    std::string out;
    if (step.kind == Kind::kReplace && step.pattern.replace(text, step.content, out)) text = std::move(out);
    if (step.kind == Kind::kMetaspace) text = replaced(text, step.content, " ");
  }
  return text;
}

}  // namespace assay
