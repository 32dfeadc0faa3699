#include "reference/text/siblings.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "reference/text/normalizer.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

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
                   .expected = fmt::format("0 to {}", kMaxTokenId),
                   .got = key.substr(0, 80)};
    }
    token.id = std::stoi(key);
    out.push_back(std::move(token));
  }
  std::sort(out.begin(), out.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return out;
}

// "bos_token": "<s>" or {"content": "<s>", …}; nothing where it is absent or null.
void add_name(const Json& config, const char* key, std::vector<std::string>& names) {
  const Json& value = member_or_null(config, key);
  const Json& text = value.is_object() ? member_or_null(value, "content") : value;
  if (text.is_string() && !text.get_ref<const std::string&>().empty())
    names.push_back(text.get<std::string>());
}

std::optional<int> id_of(const Json& config, const char* key) {
  const Json& id = member_or_null(config, key);
  const bool fits =
      id.is_number_unsigned() && id.get<std::uint64_t>() <= static_cast<std::uint64_t>(kMaxTokenId);
  return fits ? std::optional(id.get<int>()) : std::nullopt;
}

std::optional<bool> flag_of(const Json& config, const char* key) {
  const Json& flag = member_or_null(config, key);
  return flag.is_boolean() ? std::optional(flag.get<bool>()) : std::nullopt;
}

// A JSON object, or an empty one where the file is absent.
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

}  // namespace

Result<TokenizerSiblings> read_tokenizer_siblings(const fs::path& folder) {
  TokenizerSiblings out;
  out.config_file = (folder / "tokenizer_config.json").string();
  ASSAY_TRY(const Json config, read_sibling(folder, "tokenizer_config.json"));
  ASSAY_TRY(const Json special, read_sibling(folder, "special_tokens_map.json"));
  ASSAY_TRY(const Json model, read_sibling(folder, "config.json"));
  ASSAY_TRY(out.added, read_config_tokens(config, out.config_file));
  for (const Json* json : {&config, &special}) {
    add_name(*json, "bos_token", out.bos_names);
    add_name(*json, "eos_token", out.eos_names);
  }
  out.bos_id = id_of(model, "bos_token_id");
  out.eos_id = id_of(model, "eos_token_id");
  out.add_bos = flag_of(config, "add_bos_token");
  out.add_eos = flag_of(config, "add_eos_token");
  const Json& name = member_or_null(config, "tokenizer_class");
  if (name.is_string()) out.tokenizer_class = name.get<std::string>();
  return out;
}

}  // namespace assay
