#include "reference/text/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "reference/text/added_tokens.h"
#include "reference/text/bpe.h"
#include "reference/text/decoder.h"
#include "reference/text/normalizer.h"
#include "reference/text/post_processor.h"
#include "reference/text/pre_tokenizer.h"
#include "reference/text/utf8.h"

namespace assay {

struct Tokenizer::State {
  explicit State(Bpe model) : bpe(std::move(model)) {}
  Bpe bpe;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  PostProcessor post_processor;
  Decoder decoder;
  AddedTokens added;
  std::optional<int> bos, eos;
  std::string digest;
};

namespace {

namespace fs = std::filesystem;

const Json& member_or_null(const Json& object, const char* name) {
  static const Json kNull;
  const auto it = object.find(name);
  return it == object.end() ? kNull : *it;
}

Result<std::vector<AddedToken>> read_added_list(const Json& list, const std::string& file) {
  std::vector<AddedToken> out;
  if (list.is_null()) return out;
  if (!list.is_array()) {
    return Error{.code = Code::bad_value,
                 .message = "the added tokens are not a list",
                 .file = file,
                 .field = "added_tokens",
                 .expected = "an array"};
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    ASSAY_TRY(AddedToken token, read_added_token(list[i], file, fmt::format("added_tokens[{}]", i)));
    out.push_back(std::move(token));
  }
  return out;
}

// tokenizer_config.json repeats the added tokens, sometimes with other flags: transformers lets it win.
Result<std::vector<AddedToken>> read_config_tokens(const Json& config, const std::string& file) {
  std::vector<AddedToken> out;
  const Json& table = member_or_null(config, "added_tokens_decoder");
  if (!table.is_object()) return out;
  for (const auto& [key, value] : table.items()) {
    const std::string field = fmt::format("added_tokens_decoder.{}", key.substr(0, 20));
    ASSAY_TRY(AddedToken token, read_added_token(value, file, field));
    if (key.empty() || key.size() > 9 || key.find_first_not_of("0123456789") != std::string::npos) {
      return Error{.code = Code::bad_value,
                   .message = "the id of an added token cannot be used",
                   .file = file,
                   .field = field,
                   .got = key.substr(0, 80)};
    }
    token.id = std::stoi(key);
    out.push_back(std::move(token));
  }
  std::sort(out.begin(), out.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return out;
}

// "bos_token": "<s>" or {"content": "<s>", …}; "" where it is absent or null.
std::string token_name(const Json& config, const char* key) {
  const Json& value = member_or_null(config, key);
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && member_or_null(value, "content").is_string())
    return value.at("content").get<std::string>();
  return "";
}

// A JSON object beside tokenizer.json, or an empty one where the file is absent.
Result<Json> read_sibling(const fs::path& folder, const char* name) {
  const fs::path path = folder / name;
  std::error_code ignored;
  if (folder.empty() || !fs::exists(path, ignored)) return Json::object();
  ASSAY_TRY(Json json, read_json_file(path.string()));
  if (json.is_object()) return json;
  return Error{.code = Code::bad_json,
               .message = "the file holds no JSON object",
               .file = path.string(),
               .got = json.type_name()};
}

// What the files beside tokenizer.json say.
struct Siblings {
  Json config = Json::object(), special = Json::object(), model = Json::object();
  std::string config_file;
};

Result<Siblings> read_siblings(const fs::path& folder) {
  Siblings out;
  out.config_file = (folder / "tokenizer_config.json").string();
  ASSAY_TRY(out.config, read_sibling(folder, "tokenizer_config.json"));
  ASSAY_TRY(out.special, read_sibling(folder, "special_tokens_map.json"));
  ASSAY_TRY(out.model, read_sibling(folder, "config.json"));
  return out;
}

Error unsupported_file(const std::string& path) {
  return Error{.code = Code::unsupported,
               .message = "this tokenizer file cannot be read yet; a tokenizer.json of kind BPE is needed",
               .file = path,
               .expected = "tokenizer.json"};
}

Result<fs::path> find_file(const std::string& folder_or_file) {
  std::error_code ignored;
  const fs::path given(folder_or_file);
  if (!fs::is_directory(given, ignored)) {
    const std::string extension = given.extension().string();
    if (fs::exists(given, ignored) && (extension == ".model" || extension == ".tiktoken"))
      return unsupported_file(given.string());
    return given;
  }
  if (fs::exists(given / "tokenizer.json", ignored)) return given / "tokenizer.json";
  for (const char* other : {"tokenizer.model", "tokenizer.tiktoken", "qwen.tiktoken", "tekken.json",
                            "tiktoken.model", "spiece.model"}) {
    if (fs::exists(given / other, ignored)) return unsupported_file((given / other).string());
  }
  return Error{
      .code = Code::not_found, .message = "the folder has no tokenizer.json", .file = folder_or_file};
}

}  // namespace

// Turns the parsed files into the tables; a friend in effect, because State is the Tokenizer's own.
struct TokenizerBuilder {
  template <class State>
  static Status name_special_tokens(State& state, const Siblings& beside) {
    const auto find = [&](const char* name, const char* id_name) -> std::optional<int> {
      for (const Json* json : {&beside.config, &beside.special}) {
        const std::string token = token_name(*json, name);
        if (token.empty()) continue;
        const int added = state.added.id_of(token);
        const int id = added >= 0 ? added : state.bpe.id_of(token);
        if (id >= 0) return id;
      }
      const Json& id = member_or_null(beside.model, id_name);
      const bool fits = id.is_number_unsigned() &&
                        id.template get<std::uint64_t>() <= static_cast<std::uint64_t>(kMaxTokenId);
      if (!fits) return std::nullopt;
      return id.template get<int>();
    };
    state.bos = find("bos_token", "bos_token_id");
    state.eos = find("eos_token", "eos_token_id");
    return {};
  }

  template <class State>
  static Status fill(State& state, const Json& json, const Siblings& beside, const std::string& file) {
    ASSAY_TRY(state.normalizer, Normalizer::from_json(member_or_null(json, "normalizer"), file));
    ASSAY_TRY(state.pre_tokenizer, PreTokenizer::from_json(member_or_null(json, "pre_tokenizer"), file));
    ASSAY_TRY(state.decoder, Decoder::from_json(member_or_null(json, "decoder"), file));
    ASSAY_TRY(const auto own, read_added_list(member_or_null(json, "added_tokens"), file));
    ASSAY_OK(state.added.add(own, state.bpe, file));
    ASSAY_TRY(const auto more, read_config_tokens(beside.config, beside.config_file));
    ASSAY_OK(state.added.add(more, state.bpe, beside.config_file));
    state.added.finish(state.normalizer);
    ASSAY_TRY(state.post_processor, PostProcessor::from_json(member_or_null(json, "post_processor"), file));
    return name_special_tokens(state, beside);
  }

  template <class State>
  static std::string digest(const State& state, std::string_view text) {
    Sha256 sha;
    sha.add_field("tokenizer-1").add_field(text);
    for (const auto& [id, t] : state.added.all()) {
      sha.add_field(fmt::format("{} {} {}{}{}{}{}", id, t.content, +t.single_word, +t.lstrip, +t.rstrip,
                                +t.normalized, +t.special));
    }
    sha.add_field(fmt::format("{} {}", state.bos.value_or(-1), state.eos.value_or(-1)));
    return sha.hex();
  }
};

namespace {

Result<Json> parse_tokenizer_json(std::string_view text, const std::string& file) {
  ASSAY_TRY(Json json, parse_json(text, file));
  if (!json.is_object() || !member_or_null(json, "model").is_object()) {
    return Error{.code = Code::missing_field,
                 .message = "the file is no tokenizer.json: it has no model",
                 .file = file,
                 .field = "model"};
  }
  const Json& model = json.at("model");
  const Json& type = member_or_null(model, "type");  // files before 2020 leave it out
  const bool bpe = type == "BPE" || (type.is_null() && model.contains("merges"));
  if (!bpe)
    return unknown_kind(type.is_string() ? type.get<std::string>() : dump_json(type), file, "model.type");
  return json;
}

}  // namespace

Result<Tokenizer> Tokenizer::parse(std::string_view text, const std::string& file) {
  ASSAY_TRY(const Json json, parse_tokenizer_json(text, file));
  ASSAY_TRY(Bpe bpe, Bpe::from_json(json.at("model"), file));
  auto state = std::make_shared<State>(std::move(bpe));
  ASSAY_OK(TokenizerBuilder::fill(*state, json, Siblings{}, file));
  state->digest = TokenizerBuilder::digest(*state, text);
  Tokenizer out;
  out.state_ = std::move(state);
  return out;
}

Result<Tokenizer> Tokenizer::load(const std::string& folder_or_file) {
  ASSAY_TRY(const fs::path path, find_file(folder_or_file));
  const std::string file = path.string();
  ASSAY_TRY(const std::string text, read_file(file, JsonLimits{}.max_bytes));
  ASSAY_TRY(const Json json, parse_tokenizer_json(text, file));
  ASSAY_TRY(Bpe bpe, Bpe::from_json(json.at("model"), file));
  const bool standard = path.filename() == "tokenizer.json";
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  ASSAY_TRY(const Siblings beside, read_siblings(standard ? folder : fs::path()));
  auto state = std::make_shared<State>(std::move(bpe));
  ASSAY_OK(TokenizerBuilder::fill(*state, json, beside, file));
  state->digest = TokenizerBuilder::digest(*state, text);
  Tokenizer out;
  out.state_ = std::move(state);
  return out;
}

namespace {

// Normalizes, cuts and encodes one stretch of text between added tokens that are found before normalization.
template <class State>
bool encode_stretch(const State& state, std::string_view text, bool at_start, std::vector<int>& out) {
  bool within_budget = true;
  std::string normalized;
  if (!state.normalizer.empty()) {
    normalized = text;
    within_budget = state.normalizer.apply(normalized);
    text = normalized;
  }
  std::vector<Segment> segments;
  state.added.find(text, true, segments);
  Arena arena;
  std::vector<Piece> pieces;
  for (const Segment& s : segments) {
    if (s.id >= 0) {
      out.push_back(s.id);
      continue;
    }
    pieces.assign(1, {text.substr(s.begin, s.end - s.begin), at_start && s.begin == 0});
    within_budget = state.pre_tokenizer.apply(pieces, arena) && within_budget;
    for (const Piece& p : pieces) state.bpe.encode(p.text, state.pre_tokenizer.raw_bytes(), out);
    arena.clear();
  }
  return within_budget;
}

template <class State>
bool encode_text(const State& state, std::string_view text, bool add_special, std::vector<int>& out) {
  std::string repaired;
  if (!valid_utf8(text)) {
    repaired = repair_utf8(text);
    text = repaired;
  }
  bool within_budget = true;
  std::vector<Segment> segments;
  state.added.find(text, false, segments);
  for (const Segment& s : segments) {
    if (s.id >= 0)
      out.push_back(s.id);
    else
      within_budget =
          encode_stretch(state, text.substr(s.begin, s.end - s.begin), s.begin == 0, out) && within_budget;
  }
  if (add_special) state.post_processor.apply(out);
  return within_budget;
}

}  // namespace

Result<std::vector<int>> Tokenizer::try_encode(std::string_view utf8, bool add_special) const {
  if (utf8.size() > kMaxEncodeBytes) {
    return Error{.code = Code::too_large,
                 .message = "the text to encode is too long",
                 .expected = fmt::format("at most {} bytes", kMaxEncodeBytes),
                 .got = std::to_string(utf8.size())};
  }
  std::vector<int> out;
  if (encode_text(*state_, utf8, add_special, out)) return out;
  return Error{.code = Code::too_large,
               .message = "a regular expression of the tokenizer passed its step budget on this text",
               .field = "pre_tokenizer",
               .expected = fmt::format("at most {} steps a match", kMaxMatchSteps)};
}

std::vector<int> Tokenizer::encode(std::string_view utf8, bool add_special) const {
  ASSAY_CHECK(state_ != nullptr && utf8.size() <= kMaxEncodeBytes);
  std::vector<int> out;
  encode_text(*state_, utf8, add_special, out);
  return out;
}

std::string Tokenizer::decode_bytes(const std::vector<int>& ids, bool skip_special) const {
  std::vector<std::string> tokens;
  std::vector<bool> verbatim;
  for (const int id : ids) {
    const AddedToken* added = state_->added.by_id(id);
    if (added && added->special && skip_special) continue;
    const std::string* token = added ? &added->content : state_->bpe.token_of(id);
    if (!token) continue;
    tokens.push_back(*token);
    verbatim.push_back(added != nullptr);
  }
  return state_->decoder.decode(std::move(tokens), verbatim);
}

std::string Tokenizer::decode(const std::vector<int>& ids, bool skip_special) const {
  return repair_utf8(decode_bytes(ids, skip_special));
}

bool Tokenizer::has_id(int id) const {
  return state_->added.by_id(id) != nullptr || state_->bpe.token_of(id) != nullptr;
}

bool Tokenizer::is_special(int id) const {
  const AddedToken* added = state_->added.by_id(id);
  return added && added->special;
}

bool Tokenizer::is_fallback_byte(int id) const {
  const std::string* token = state_->added.by_id(id) ? nullptr : state_->bpe.token_of(id);
  return token && state_->decoder.joins_byte_tokens() && fallback_byte(*token) >= 0;
}

bool Tokenizer::decodes_token_by_token() const { return state_->decoder.byte_level(); }

std::string Tokenizer::token_text(int id) const {
  if (const AddedToken* added = state_->added.by_id(id)) return added->content;
  const std::string* token = state_->bpe.token_of(id);
  return token ? state_->decoder.token_bytes(*token) : "";
}

int Tokenizer::token_id(std::string_view token) const {
  const int added = state_->added.id_of(token);
  return added >= 0 ? added : state_->bpe.id_of(token);
}

std::optional<int> Tokenizer::bos_id() const { return state_->bos; }
std::optional<int> Tokenizer::eos_id() const { return state_->eos; }
std::string Tokenizer::bos_token() const { return state_->bos ? token_text(*state_->bos) : ""; }
std::string Tokenizer::eos_token() const { return state_->eos ? token_text(*state_->eos) : ""; }
int Tokenizer::vocab_size() const { return std::max(state_->bpe.max_id(), state_->added.max_id()) + 1; }
std::string Tokenizer::digest() const { return state_->digest; }

StreamDecoder::StreamDecoder(Tokenizer tokenizer, bool skip_special)
    : tokenizer_(std::move(tokenizer)), skip_special_(skip_special) {}

// A run of byte tokens is one character or one U+FFFD a byte, which its end decides: it is held back as a
// whole.
std::string StreamDecoder::take(bool all) {
  std::size_t n = ids_.size();
  while (!all && n > 0 && tokenizer_.is_fallback_byte(ids_[n - 1])) --n;
  std::string text =
      tokenizer_.decode_bytes({ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(n)}, skip_special_);
  const std::size_t open = all ? 0 : incomplete_tail_bytes(text);
  text.resize(text.size() - open);
  text = repair_utf8(text);
  std::string fresh = text.size() > given_.size() ? text.substr(given_.size()) : "";
  if (text.size() > given_.size()) given_ = std::move(text);
  if (open == 0 && tokenizer_.decodes_token_by_token()) {  // nothing before can matter any more
    ids_.clear();
    given_.clear();
  }
  return fresh;
}

std::string StreamDecoder::add(int id) {
  ids_.push_back(id);
  return take(false);
}

std::string StreamDecoder::finish() {
  std::string rest = take(true);
  ids_.clear();
  given_.clear();
  return rest;
}

}  // namespace assay
