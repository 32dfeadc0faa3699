#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/check.h"
#include "base/json.h"
#include "reference/text/rank_files.h"
#include "reference/text/refusal.h"
#include "reference/text/vocabulary.h"

namespace assay {
namespace {

// mistral-common, tekken.py: what files of version 7 and older, which list none, mean.
constexpr std::string_view kOldSpecials[] = {"<unk>",
                                             "<s>",
                                             "</s>",
                                             "[INST]",
                                             "[/INST]",
                                             "[AVAILABLE_TOOLS]",
                                             "[/AVAILABLE_TOOLS]",
                                             "[TOOL_RESULTS]",
                                             "[/TOOL_RESULTS]",
                                             "[TOOL_CALLS]",
                                             "[IMG]",
                                             "<pad>",
                                             "[IMG_BREAK]",
                                             "[IMG_END]",
                                             "[PREFIX]",
                                             "[MIDDLE]",
                                             "[SUFFIX]",
                                             "[SYSTEM_PROMPT]",
                                             "[/SYSTEM_PROMPT]",
                                             "[TOOL_CONTENT]"};
const std::set<std::string> kOldVersions = {"v1", "v2", "v3", "v7"};

struct Sizes {
  std::size_t specials = 0, ranks = 0;
  std::string pattern, version;
};

Result<Sizes> read_config(const Json& json, const std::string& file) {
  const auto config = json.find("config");
  if (config == json.end() || !config->is_object())
    return refusal(Code::missing_field, "the file is no tekken.json: it has no config", file, "config",
                   "an object", "");
  Sizes out;
  ASSAY_TRY(out.pattern, json_string(*config, "pattern", file));
  ASSAY_TRY(out.version, json_string(*config, "version", file));
  ASSAY_TRY(const std::int64_t all, json_int(*config, "default_vocab_size", file));
  ASSAY_TRY(const std::int64_t specials, json_int(*config, "default_num_special_tokens", file));
  if (specials < 0 || all < specials || all > kMaxTokenId)
    return refusal(Code::out_of_range, "the size of the vocabulary cannot be used", file,
                   "config.default_vocab_size", fmt::format("the special tokens to {}", kMaxTokenId),
                   fmt::format("{} with {} special tokens", all, specials));
  out.specials = static_cast<std::size_t>(specials);
  out.ranks = static_cast<std::size_t>(all - specials);
  return out;
}

Status read_specials(const Json& json, const Sizes& sizes, TokenizerParts& parts) {
  std::vector<std::string>& tokens = parts.tokens;
  tokens.assign(sizes.specials, "");
  parts.types.assign(sizes.specials, TokenType::kControl);
  const auto list = json.find("special_tokens");
  const bool given = list != json.end() && list->is_array();
  if (!given && !kOldVersions.contains(sizes.version))
    return refusal(Code::missing_field, "the file lists no special tokens", parts.file, "special_tokens",
                   "an array", "version " + sizes.version);
  for (std::size_t i = 0; !given && i < std::min(sizes.specials, std::size(kOldSpecials)); ++i)
    tokens[i] = kOldSpecials[i];
  for (std::size_t i = 0; given && i < list->size(); ++i) {
    const std::string field = fmt::format("special_tokens[{}]", i);
    ASSAY_TRY(const std::int64_t rank, json_int((*list)[i], "rank", parts.file));
    ASSAY_TRY(const std::string text, json_string((*list)[i], "token_str", parts.file));
    const bool fits = rank >= 0 && static_cast<std::size_t>(rank) < sizes.specials && !text.empty();
    if (!fits || !tokens[static_cast<std::size_t>(rank)].empty())
      return refusal(Code::out_of_range, "a special token cannot be used", parts.file, field,
                     fmt::format("each rank below {} once", sizes.specials),
                     fmt::format("{} \"{}\"", rank, text));
    tokens[static_cast<std::size_t>(rank)] = text;
  }
  for (std::size_t i = 0; i < sizes.specials; ++i) {
    if (tokens[i].empty()) tokens[i] = fmt::format("<SPECIAL_{}>", i);
  }
  return {};
}

Status read_ranks(const Json& json, const Sizes& sizes, TokenizerParts& parts) {
  const auto vocab = json.find("vocab");
  if (vocab == json.end() || !vocab->is_array() || vocab->size() < sizes.ranks)
    return refusal(Code::missing_field, "the vocabulary is shorter than the file says", parts.file, "vocab",
                   fmt::format("an array of {} or more", sizes.ranks),
                   vocab != json.end() && vocab->is_array() ? std::to_string(vocab->size()) : "");
  for (std::size_t i = 0; i < sizes.ranks; ++i) {
    const Json& entry = (*vocab)[i];
    const std::string field = fmt::format("vocab[{}]", i);
    auto rank = json_int(entry, "rank", parts.file);
    auto text = json_string(entry, "token_bytes", parts.file);
    auto bytes = text.ok() ? decode_base64(*text) : std::nullopt;
    if (!rank.ok() || *rank != static_cast<std::int64_t>(i) || !bytes || bytes->empty())
      return refusal(Code::bad_value, "a token of the vocabulary cannot be used", parts.file, field,
                     fmt::format("rank {} and token_bytes in base64", i), dump_json(entry));
    parts.tokens.push_back(std::move(*bytes));
    parts.types.push_back(TokenType::kNormal);
  }
  return {};
}

int special_id(const TokenizerParts& parts, const Sizes& sizes, std::string_view name) {
  for (std::size_t i = 0; i < sizes.specials; ++i) {
    if (parts.tokens[i] == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

Result<TokenizerParts> read_tekken(std::string_view text, const std::string& file) {
  ASSAY_TRY(const Json json, parse_json(text, file));
  if (!json.is_object())
    return refusal(Code::missing_field, "the file is no tekken.json", file, "config", "an object", "");
  ASSAY_TRY(const Sizes sizes, read_config(json, file));
  TokenizerParts parts;
  parts.model = TokenizerParts::Model::kByteRanks;
  parts.file = file;
  parts.pattern = sizes.pattern;
  ASSAY_OK(read_specials(json, sizes, parts));
  ASSAY_OK(read_ranks(json, sizes, parts));
  parts.bos_id = special_id(parts, sizes, "<s>");
  parts.eos_id = special_id(parts, sizes, "</s>");
  parts.add_bos = parts.bos_id >= 0;
  return parts;
}

}  // namespace assay
