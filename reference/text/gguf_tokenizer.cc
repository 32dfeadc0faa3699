#include "reference/text/gguf_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/sha256.h"

namespace assay {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";

// Tokens with a role for other programs, and what is said of no token here.
constexpr std::string_view kHarmlessTokenizerKeys[] = {
    "eot_token_id",     "eom_token_id",     "padding_token_id", "seperator_token_id", "separator_token_id",
    "mask_token_id",    "cls_token_id",     "fim_pre_token_id", "fim_suf_token_id",   "fim_mid_token_id",
    "fim_pad_token_id", "fim_rep_token_id", "fim_sep_token_id", "prefix_token_id",    "suffix_token_id",
    "middle_token_id",  "token_type_count"};

// Pre-tokenizers whose BOS llama.cpp adds where the file does not say (llama-vocab.cpp).
constexpr std::string_view kAddsBos[] = {"llama3",    "llama-v3", "llama-bpe", "falcon3",
                                         "falcon-h1", "pixtral",  "tekken"};

class Reader {
 public:
  Reader(const GgufHeader& header, const std::string& file) : header_(header) { parts_.file = file; }

  Result<TokenizerParts> run() {
    ASSAY_OK(read_model());
    ASSAY_OK(read_tokens());
    ASSAY_OK(read_ids());
    ASSAY_OK(read_flags());
    ASSAY_OK(refuse_rest());
    return std::move(parts_);
  }

 private:
  Error refuse(Code code, std::string_view key, std::string message, std::string expected,
               std::string got) const {
    const GgufValue* value = header_.find(std::string(kPrefix) + std::string(key));
    return Error{.code = code,
                 .message = std::move(message),
                 .file = parts_.file,
                 .offset = value == nullptr ? -1 : value->offset,
                 .field = std::string(kPrefix) + std::string(key),
                 .expected = std::move(expected),
                 .got = std::move(got)};
  }

  const GgufValue* find(std::string_view key) {
    taken_.push_back(key);
    return header_.find(std::string(kPrefix) + std::string(key));
  }

  // The value of a key as `read` gives it; refused where it is there and of another type.
  template <class T, class Read>
  Result<T> value_or(std::string_view key, T fallback, std::string_view wanted, Read read) {
    const GgufValue* value = find(key);
    if (value == nullptr) return fallback;
    auto got = read(*value);
    if (got) return T(std::move(*got));
    return refuse(Code::bad_value, key, "an entry of the tokenizer has another type", std::string(wanted),
                  value->type == GgufType::array ? fmt::format("an array of {}", name_of(value->element))
                                                 : std::string(name_of(value->type)));
  }
  Result<bool> flag(std::string_view key, bool fallback) {
    return value_or<bool>(key, fallback, "a boolean", [](const GgufValue& v) { return v.boolean(); });
  }
  Result<std::string> text(std::string_view key) {
    return value_or<std::string>(key, "", "a string", [](const GgufValue& v) { return v.text(); });
  }

  Status read_model() {
    ASSAY_TRY(const std::string model, text("model"));
    ASSAY_TRY(parts_.pre, text("pre"));
    using enum TokenizerParts::Model;
    if (model == "gpt2") {
      parts_.model = kByteMerges;
      if (parts_.pre.empty()) parts_.pre = "default";
    } else if (model == "llama") {
      parts_.model = kSentencePieceBpe;
    } else if (model == "t5") {
      parts_.model = kUnigram;
    } else {
      return refuse(model.empty() ? Code::missing_field : Code::unsupported, "model",
                    "a kind of tokenizer that is not read from GGUF", "gpt2, llama or t5",
                    model.empty() ? "nothing" : model.substr(0, 80));
    }
    return {};
  }

  Result<std::vector<std::string>> strings(std::string_view key) {
    using Strings = std::vector<std::string>;
    return value_or<Strings>(
        key, {}, "an array of strings", [](const GgufValue& v) -> std::optional<Strings> {
          const auto views = v.texts();
          return views ? std::optional(Strings(views->begin(), views->end())) : std::nullopt;
        });
  }

  Status same_length(std::string_view key, std::size_t length) {
    if (length == parts_.tokens.size()) return {};
    return refuse(Code::bad_value, key, "there is not one entry for each token",
                  std::to_string(parts_.tokens.size()), std::to_string(length));
  }

  Status read_tokens() {
    ASSAY_TRY(parts_.tokens, strings("tokens"));
    if (parts_.tokens.empty())
      return refuse(Code::missing_field, "tokens", "the tokenizer has no tokens", "an array of strings",
                    "nothing");
    ASSAY_TRY(parts_.merges, strings("merges"));
    using Numbers = std::vector<double>;
    ASSAY_TRY(const Numbers scores, value_or<Numbers>("scores", {}, "an array of numbers",
                                                      [](const GgufValue& v) { return v.numbers(); }));
    if (!scores.empty()) ASSAY_OK(same_length("scores", scores.size()));
    parts_.scores.assign(scores.begin(), scores.end());
    const bool scored = parts_.model == TokenizerParts::Model::kSentencePieceBpe ||
                        parts_.model == TokenizerParts::Model::kUnigram;
    if (scored && scores.empty()) parts_.scores.assign(parts_.tokens.size(), 0.0F);
    return read_types();
  }

  Status read_types() {
    using Integers = std::vector<std::int64_t>;
    ASSAY_TRY(const Integers types, value_or<Integers>("token_type", {}, "an array of integers",
                                                       [](const GgufValue& v) { return v.integers(); }));
    parts_.byte_fallback =
        std::find(types.begin(), types.end(), static_cast<std::int64_t>(TokenType::kByte)) != types.end();
    if (types.empty()) return {};
    ASSAY_OK(same_length("token_type", types.size()));
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (types[i] < 1 || types[i] > 6)
        return refuse(Code::bad_value, "token_type", "a token has an unknown type", "1 to 6",
                      fmt::format("{} at {}", types[i], i));
      parts_.types.push_back(static_cast<TokenType>(types[i]));
    }
    return {};
  }

  Result<int> id(std::string_view key) {
    const auto count = static_cast<std::int64_t>(parts_.tokens.size());
    ASSAY_TRY(const std::int64_t value,
              value_or<std::int64_t>(key, -1, "an integer", [](const GgufValue& v) { return v.integer(); }));
    if (value >= -1 && value < count) return static_cast<int>(value);
    if (value == 0xFFFFFFFF) return -1;  // LLAMA_TOKEN_NULL in a u32
    return refuse(Code::out_of_range, key, "the id is none of a token", fmt::format("0 to {}", count - 1),
                  std::to_string(value));
  }

  Status read_ids() {
    ASSAY_TRY(parts_.bos_id, id("bos_token_id"));
    ASSAY_TRY(parts_.eos_id, id("eos_token_id"));
    ASSAY_TRY(parts_.unknown_id, id("unknown_token_id"));
    if (parts_.model != TokenizerParts::Model::kSentencePieceBpe ||
        header_.find("tokenizer.ggml.unknown_token_id"))
      return {};
    parts_.unknown_id = 0;  // as Llama's, where the file does not say (llama-vocab.cpp)
    return {};
  }

  Status read_flags() {
    const bool pieces = parts_.model == TokenizerParts::Model::kSentencePieceBpe;
    const bool known = std::find(std::begin(kAddsBos), std::end(kAddsBos), parts_.pre) != std::end(kAddsBos);
    ASSAY_TRY(parts_.add_bos, flag("add_bos_token", (pieces || known) && parts_.bos_id >= 0));
    ASSAY_TRY(parts_.add_eos,
              flag("add_eos_token", parts_.model == TokenizerParts::Model::kUnigram && parts_.eos_id >= 0));
    for (const auto& [key, on, there] : {std::tuple("bos_token_id", parts_.add_bos, parts_.bos_id >= 0),
                                         std::tuple("eos_token_id", parts_.add_eos, parts_.eos_id >= 0)}) {
      if (on && !there)
        return refuse(Code::missing_field, key, "a token is to be added and not said which", "an integer",
                      "nothing");
    }
    ASSAY_TRY(parts_.add_dummy_prefix,
              flag("add_space_prefix", parts_.model != TokenizerParts::Model::kByteMerges));
    if (parts_.model == TokenizerParts::Model::kByteMerges && parts_.add_dummy_prefix)
      return refuse(Code::unsupported, "add_space_prefix",
                    "a space before the text is not read for this kind", "false", "true");
    ASSAY_TRY(parts_.remove_extra_whitespaces, flag("remove_extra_whitespaces", false));
    ASSAY_TRY(parts_.escape_whitespaces, flag("escape_whitespaces", true));
    ASSAY_TRY(const bool separator, flag("add_sep_token", false));
    if (separator)
      return refuse(Code::unsupported, "add_sep_token", "a separator after the text is not read", "false",
                    "true");
    return read_charsmap();
  }

  Status read_charsmap() {
    const GgufValue* value = find("precompiled_charsmap");
    if (value == nullptr) return {};
    const bool bytes =
        value->type == GgufType::array && (value->element == GgufType::u8 || value->element == GgufType::i8);
    if (!bytes)
      return refuse(Code::bad_value, "precompiled_charsmap", "an entry of the tokenizer has another type",
                    "an array of u8", std::string(name_of(value->type)));
    parts_.charsmap.assign(reinterpret_cast<const char*>(value->bytes.data()), value->bytes.size());
    return {};
  }

  // A key that may change ids is refused unless it is known.
  Status refuse_rest() const {
    for (const GgufEntry& entry : header_.metadata) {
      if (!entry.key.starts_with(kPrefix)) continue;
      const std::string_view key = std::string_view(entry.key).substr(kPrefix.size());
      const bool harmless = std::find(std::begin(kHarmlessTokenizerKeys), std::end(kHarmlessTokenizerKeys), key) != std::end(kHarmlessTokenizerKeys);
      const bool taken = std::find(taken_.begin(), taken_.end(), key) != taken_.end();
      if (harmless || taken || entry.value.boolean() == false) continue;
      return refuse(Code::unsupported, key,
                    "the tokenizer has a key that may change ids and is not known here", "only known keys",
                    std::string(name_of(entry.value.type)));
    }
    return {};
  }

  const GgufHeader& header_;
  std::vector<std::string_view> taken_;
  TokenizerParts parts_;
};

}  // namespace

Result<TokenizerParts> gguf_tokenizer(const GgufHeader& header, const std::string& file) {
  return Reader(header, file).run();
}

std::map<std::string, std::string> gguf_chat_templates(const GgufHeader& header) {
  constexpr std::string_view kField = "tokenizer.chat_template";
  std::map<std::string, std::string> out;
  for (const GgufEntry& entry : header.metadata) {
    const auto text = entry.key.starts_with(kField) ? entry.value.text() : std::nullopt;
    if (!text) continue;
    const std::string_view rest = std::string_view(entry.key).substr(kField.size());
    if (rest.empty()) out["default"] = *text;
    else if (rest.starts_with('.')) out[std::string(rest.substr(1))] = *text;
  }
  return out;
}

std::string gguf_tokenizer_digest(const GgufHeader& header) {
  Sha256 hash;
  for (const GgufEntry& entry : header.metadata) {
    if (!entry.key.starts_with(kPrefix)) continue;
    hash.add_field(entry.key).add_field(name_of(entry.value.type));
    hash.add_field({reinterpret_cast<const char*>(entry.value.bytes.data()), entry.value.bytes.size()});
  }
  return hash.hex();
}

}  // namespace assay
