#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>

#include "base/check.h"
#include "base/sha256.h"
#include "reference/text/named_pre_tokenizer.h"
#include "reference/text/rank_files.h"
#include "reference/text/refusal.h"
#include "reference/text/vocabulary.h"

namespace assay {
namespace {

struct Ranked {
  std::string_view base64;
  std::string bytes;
};

// One line without its end.
Status read_line(std::string_view line, std::size_t number, const std::string& file,
                 std::vector<Ranked>& out) {
  const std::string field = fmt::format("line {}", number);
  const std::size_t space = line.find(' ');
  const std::string_view digits = space == std::string_view::npos ? "" : line.substr(space + 1);
  std::uint32_t rank = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
  auto bytes = decode_base64(line.substr(0, std::min(space, line.size())));
  const bool number_ok = fault == std::errc() && end == digits.data() + digits.size() && !digits.empty();
  if (!number_ok || !bytes || bytes->empty())
    return refusal(Code::bad_value, "a line is not a token and its rank", file, field,
                   "base64, a space, a number", std::string(line));
  if (rank > static_cast<std::uint32_t>(kMaxTokenId))
    return refusal(Code::out_of_range, "a rank cannot be used", file, field,
                   fmt::format("0 to {}", kMaxTokenId), std::string(digits));
  if (rank >= out.size()) out.resize(std::max<std::size_t>(rank + 1, out.size()));
  if (!out[rank].bytes.empty())
    return refusal(Code::duplicate, "two tokens have the same rank", file, field, "each rank once",
                   std::string(digits));
  out[rank] = {line.substr(0, space), std::move(*bytes)};
  return {};
}

Result<std::vector<Ranked>> read_ranks(std::string_view text, const std::string& file) {
  std::vector<Ranked> out;
  for (std::size_t at = 0, number = 1; at < text.size(); ++number) {
    std::size_t end = std::min(text.find('\n', at), text.size());
    const std::size_t next = end + 1;
    if (end > at && text[end - 1] == '\r') --end;
    if (end > at) ASSAY_OK(read_line(text.substr(at, end - at), number, file, out));
    at = next;
  }
  std::array<bool, 256> seen{};
  for (const Ranked& r : out) {
    if (r.bytes.size() == 1) seen[static_cast<unsigned char>(r.bytes[0])] = true;
  }
  const auto missing = std::find(seen.begin(), seen.end(), false);
  if (missing != seen.end())
    return refusal(Code::missing_field, "the file is no tiktoken vocabulary: it has not all single bytes",
                   file, "ranks", "256 of them", fmt::format("no byte {}", missing - seen.begin()));
  return out;
}

// The digest of the file as it is published: its lines in order of rank, ended by a line feed.
std::string digest_of(const std::vector<Ranked>& ranks) {
  Sha256 sha;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (!ranks[i].bytes.empty()) sha.add(fmt::format("{} {}\n", ranks[i].base64, i));
  }
  return sha.hex();
}

using Names = std::vector<std::string>;

// QwenLM/Qwen-7B, tokenization_qwen.py.
Names qwen_specials() {
  Names out = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  for (int i = 0; i < 205; ++i) out.push_back(fmt::format("<|extra_{}|>", i));
  return out;
}

// Qwen/Qwen3.5, tokenizer_config.json.
Names qwen35_specials() {
  return {"<|endoftext|>",
          "<|im_start|>",
          "<|im_end|>",
          "<|object_ref_start|>",
          "<|object_ref_end|>",
          "<|box_start|>",
          "<|box_end|>",
          "<|quad_start|>",
          "<|quad_end|>",
          "<|vision_start|>",
          "<|vision_end|>",
          "<|vision_pad|>",
          "<|image_pad|>",
          "<|video_pad|>",
          "<tool_call>",
          "</tool_call>",
          "<|fim_prefix|>",
          "<|fim_middle|>",
          "<|fim_suffix|>",
          "<|fim_pad|>",
          "<|repo_name|>",
          "<|file_sep|>",
          "<tool_response>",
          "</tool_response>",
          "<think>",
          "</think>",
          "<|audio_start|>",
          "<|audio_end|>",
          "<tts_pad>",
          "<tts_text_bos>",
          "<tts_text_eod>",
          "<tts_text_bos_single>",
          "<|audio_pad|>"};
}

// meta-llama/llama-models, models/llama3/tokenizer.py. Llama 3.0 called five of them reserved: the same ids.
Names llama3_specials() {
  Names out = {"<|begin_of_text|>",
               "<|end_of_text|>",
               "<|reserved_special_token_0|>",
               "<|reserved_special_token_1|>",
               "<|finetune_right_pad_id|>",
               "<|step_id|>",
               "<|start_header_id|>",
               "<|end_header_id|>",
               "<|eom_id|>",
               "<|eot_id|>",
               "<|python_tag|>",
               "<|image|>"};
  for (int i = 2; out.size() < 256; ++i) out.push_back(fmt::format("<|reserved_special_token_{}|>", i));
  return out;
}

struct Known {
  std::string_view sha256, name, pattern;
  Names (*specials)();
  bool nfc;
  std::string_view bos, eos;
};
constexpr Known kKnown[] = {
    {"b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186", "Qwen", kQwen2Pattern, qwen_specials,
     true, "", "<|endoftext|>"},
    {"8dde380a6405e935f5de16a99eb61c824f3f814dd1ed298784c72babb7a03cdd", "Qwen3.5", kQwen35Pattern,
     qwen35_specials, true, "", "<|endoftext|>"},
    {"82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55", "Llama 3", kLlama3Pattern,
     llama3_specials, false, "<|begin_of_text|>", "<|end_of_text|>"},
};

const Known* known_by(const std::string& digest) {
  const auto it =
      std::find_if(std::begin(kKnown), std::end(kKnown), [&](const Known& k) { return k.sha256 == digest; });
  return it == std::end(kKnown) ? nullptr : it;
}

Error not_known(const std::string& digest, const std::string& file) {
  std::string names;
  for (const Known& k : kKnown) names += fmt::format("{}{}", names.empty() ? "" : ", ", k.name);
  return refusal(
      Code::unsupported,
      "a tiktoken file does not say how text is cut into pieces, and these ranks are not known; use the "
      "tokenizer.json of the same model",
      file, "ranks", "the ranks of " + names, "SHA-256 " + digest);
}

Status add_special(TokenizerParts& parts, int id, const std::string& name) {
  const auto place = static_cast<std::size_t>(id);
  if (place >= parts.tokens.size()) {
    parts.tokens.resize(place + 1);
    parts.types.resize(place + 1, TokenType::kUnused);
  }
  if (!parts.tokens[place].empty())
    return refusal(Code::duplicate, "a special token has the id of a rank", parts.file, "special tokens",
                   "an id that is free", fmt::format("{} for \"{}\"", id, name.substr(0, 40)));
  parts.tokens[place] = name;
  parts.types[place] = TokenType::kControl;
  return {};
}

int id_of_control(const TokenizerParts& parts, std::string_view name) {
  for (std::size_t i = parts.tokens.size(); i-- > 0;) {
    if (parts.types[i] == TokenType::kControl && parts.tokens[i] == name) return static_cast<int>(i);
  }
  return -1;
}

int first_of(const TokenizerParts& parts, const Names& names, std::string_view otherwise) {
  for (const std::string& name : names) {
    const int id = id_of_control(parts, name);
    if (id >= 0) return id;
  }
  return otherwise.empty() ? -1 : id_of_control(parts, otherwise);
}

}  // namespace

Result<TokenizerParts> read_tiktoken(std::string_view text, const TokenizerSiblings& beside,
                                     const std::string& file) {
  ASSAY_TRY(std::vector<Ranked> ranks, read_ranks(text, file));
  const std::string digest = digest_of(ranks);
  const Known* known = known_by(digest);
  if (known == nullptr) return not_known(digest, file);
  TokenizerParts parts;
  parts.model = TokenizerParts::Model::kByteRanks;
  parts.file = file;
  parts.pattern = known->pattern;
  parts.nfc = known->nfc;
  for (Ranked& r : ranks) parts.tokens.push_back(std::move(r.bytes));
  parts.types.assign(parts.tokens.size(), TokenType::kNormal);
  if (beside.added.empty()) {
    int id = static_cast<int>(parts.tokens.size());
    for (const std::string& name : known->specials()) ASSAY_OK(add_special(parts, id++, name));
  }
  for (const AddedToken& token : beside.added) ASSAY_OK(add_special(parts, token.id, token.content));
  parts.bos_id = first_of(parts, beside.bos_names, known->bos);
  parts.eos_id = first_of(parts, beside.eos_names, known->eos);
  parts.add_bos = beside.add_bos.value_or(parts.bos_id >= 0);
  parts.add_eos = beside.add_eos.value_or(false);
  return parts;
}

}  // namespace assay
