// Finds the file of a tokenizer and tells what kind it is.
#include <algorithm>
#include <filesystem>

#include "base/check.h"
#include "base/file.h"
#include "base/json.h"
#include "reference/text/gguf_tokenizer.h"
#include "reference/text/rank_files.h"
#include "reference/text/sentencepiece.h"
#include "reference/text/tokenizer_state.h"
#include "reference/weights/gguf_files.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// In the order in which they count where a folder has several; "*.x" is any file that ends so.
constexpr std::string_view kTokenizerFiles[] = {"tokenizer.json", "tekken.json",    "tokenizer.model",
                                       "spiece.model",   "tiktoken.model", ".tiktoken"};

Result<fs::path> find_file(const std::string& folder_or_file) {
  std::error_code ignored;
  const fs::path given(folder_or_file);
  if (!fs::is_directory(given, ignored)) return given;
  for (const std::string_view name : kTokenizerFiles) {
    if (name[0] != '.' && fs::exists(given / name, ignored)) return given / name;
    if (name[0] != '.') continue;
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(given, ignored)) {
      if (entry.path().extension() == name) found.push_back(entry.path());
    }
    if (found.size() == 1) return found[0];
    if (found.size() > 1) {
      return Error{.code = Code::bad_value,
                   .message = "the folder has several tiktoken files; name one of them",
                   .file = folder_or_file,
                   .expected = "one",
                   .got = std::to_string(found.size())};
    }
  }
  return Error{.code = Code::not_found,
               .message = "the folder has no tokenizer",
               .file = folder_or_file,
               .expected = "tokenizer.json, tekken.json, tokenizer.model or *.tiktoken"};
}

// "{" or "[" after white space: JSON.
bool looks_like_json(std::string_view text) {
  const std::size_t at = text.find_first_not_of(" \t\r\n");
  return at != std::string_view::npos && (text[at] == '{' || text[at] == '[');
}

// tekken.json has "config" before its vocabulary and no "model".
bool looks_like_tekken(std::string_view text) {
  constexpr std::size_t kHead = 4096;  // the config is the first member
  const std::string_view head = text.substr(0, kHead);
  return head.find("\"config\"") != std::string_view::npos &&
         head.find("\"pattern\"") != std::string_view::npos &&
         head.find("\"default_num_special_tokens\"") != std::string_view::npos;
}

Result<TokenizerParts> read_parts(std::string_view text, const TokenizerSiblings& beside,
                                  const std::string& file) {
  if (looks_like_json(text)) return read_tekken(text, file);
  if (!looks_like_sentencepiece(text)) return read_tiktoken(text, beside, file);
  ASSAY_TRY(TokenizerParts parts, read_sentencepiece(text, file));
  parts.add_bos = beside.add_bos.value_or(parts.add_bos) && parts.bos_id >= 0;
  parts.add_eos = beside.add_eos.value_or(false) && parts.eos_id >= 0;
  return parts;
}

Result<Tokenizer> build_any(std::string_view text, const TokenizerSiblings& beside, const std::string& file) {
  if (looks_like_json(text) && !looks_like_tekken(text)) {
    ASSAY_TRY(auto state, build_tokenizer_json(text, beside, file));
    return Tokenizer(std::move(state));
  }
  ASSAY_TRY(const TokenizerParts parts, read_parts(text, beside, file));
  return Tokenizer::from_parts(parts);
}

}  // namespace

Result<Tokenizer> Tokenizer::parse(std::string_view text, const std::string& file) {
  return build_any(text, TokenizerSiblings{}, file);
}

Result<Tokenizer> Tokenizer::load(const std::string& folder_or_file) {
  ASSAY_TRY(const fs::path path, find_file(folder_or_file));
  const std::string file = path.string();
  if (is_gguf_file(file)) {
    ASSAY_TRY(const GgufFile gguf, open_gguf(file));
    ASSAY_TRY(const TokenizerParts parts, gguf_tokenizer(gguf.header, file));
    return from_parts(parts);
  }
  ASSAY_TRY(const std::string text, read_file(file, JsonLimits{}.max_bytes));
  const auto is_path = [&](std::string_view name) {
    return path.filename() == name || path.extension() == name;
  };
  const bool standard = std::any_of(std::begin(kTokenizerFiles), std::end(kTokenizerFiles), is_path);
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  ASSAY_TRY(const TokenizerSiblings beside, read_tokenizer_siblings(standard ? folder : fs::path()));
  return build_any(text, beside, file);
}

}  // namespace assay
