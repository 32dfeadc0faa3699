#include "eval/inspect.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/file.h"
#include "base/sha256.h"
#include "reference/model/config.h"
#include "reference/model/conventions.h"
#include "reference/model/fused_experts.h"
#include "reference/model/gguf_config.h"
#include "reference/model/model_files.h"
#include "reference/model/mtp.h"
#include "reference/model/tensors.h"
#include "reference/text/gguf_tokenizer.h"
#include "reference/weights/checkpoint.h"
#include "reference/weights/dequant.h"
#include "reference/weights/gguf_tensors.h"
#include "reference/weights/locate.h"
#include "reference/weights/safetensors.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;

// Tensors by what they are: parameters, block scales of others, multi-token-prediction modules after the last
// layer.
struct Tally {
  std::int64_t params = 0, params_mtp = 0, scales = 0;
  std::map<std::string, std::uint64_t> bytes_by_format;
};

// "model.layers.61.…" -> 61, -1 where the name has no layer.
std::int64_t layer_of(std::string_view name) {
  constexpr std::string_view kPrefix = "model.layers.";
  if (!name.starts_with(kPrefix)) return -1;
  std::int64_t layer = 0;
  std::size_t digits = 0;
  for (const char c : name.substr(kPrefix.size())) {
    if (c < '0' || c > '9') break;
    if (++digits > 9) return -1;
    layer = layer * 10 + (c - '0');
  }
  return digits > 0 ? layer : -1;
}

bool is_mtp(const std::optional<ModelConfig>& config, std::string_view name) {
  return config && config->num_nextn_predict_layers > 0 && layer_of(name) >= config->num_hidden_layers;
}

Tally tally_of(const Checkpoint& checkpoint, const std::optional<ModelConfig>& config) {
  Tally tally;
  for (const TensorView& view : checkpoint.tensors()) {
    for (const TensorView* part : stored_parts(view))
      tally.bytes_by_format[std::string(name_of(part->format))] += part->bytes.size();
    if (is_block_scale(checkpoint, view)) {
      ++tally.scales;
    } else if (view.name == kRopeFactorsName) {
      continue;  // a part of the configuration
    } else {
      tally.params += numbers_of(checkpoint, view);
      if (is_mtp(config, view.name)) tally.params_mtp += numbers_of(checkpoint, view);
    }
  }
  return tally;
}

Status check_all_stored(const Checkpoint& checkpoint, const ModelConfig& config) {
  for (const TensorSpec& spec : tensors_of(config)) ASSAY_OK(check_stored(checkpoint, spec));
  return {};
}

void warn_about_extra(const Checkpoint& checkpoint, const std::optional<ModelConfig>& config,
                      Json& warnings) {
  if (!config) return;
  std::set<std::string> wanted;
  for (TensorSpec& spec : tensors_of(*config)) wanted.insert(std::move(spec.name));
  std::size_t extra = 0;
  std::string first;
  for (const TensorView& view : checkpoint.tensors()) {
    if (wanted.contains(view.name) || checkpoint.has_parts(view.name) || is_block_scale(checkpoint, view) ||
        is_mtp(config, view.name))
      continue;
    if (view.name == kRopeFactorsName) continue;
    if (extra++ == 0) first = view.name;
  }
  if (extra > 0)
    warnings.push_back(
        fmt::format("{} tensors are not used by this architecture, the first is {}", extra, first));
}

Result<std::optional<ModelConfig>> config_of(const ModelLocation& location, Checkpoint& checkpoint,
                                             const InspectOptions& options, Json& warnings) {
  const std::string path = (fs::path(location.folder) / "config.json").string();
  std::error_code ignored;
  if (options.headers_only) {
    warnings.push_back(
        "config.json was not read (--headers-only): family and counts per token are not known");
    return std::optional<ModelConfig>();
  }
  if (checkpoint.gguf() == nullptr && !fs::exists(path, ignored)) {
    warnings.push_back("no config.json beside the weights: family and counts per token are not known");
    return std::optional<ModelConfig>();
  }
  auto config = model_config_of(checkpoint);
  if (!config.ok()) {
    Error error = config.error();
    if (error.code == Code::unsupported) error.message += "; `inspect --headers-only` lists what is stored";
    return error;
  }
  adopt_storage(checkpoint, *config);
  Status fits = view_fused_experts(*config, checkpoint);
  if (fits.ok()) fits = check_all_stored(checkpoint, *config);
  const bool is_file =
      location.path != location.folder;  // one shard of several, perhaps; a GGUF file is its own folder
  if (!fits.ok() && !is_file) return fits.error();
  if (!fits.ok())
    warnings.push_back("this file is not the whole model that config.json describes: " + fits.error().text());
  return std::optional<ModelConfig>(std::move(*config));
}

// SHA-256 of a file's bytes: what `sha256sum` prints. Null where there is no such file.
Result<Json> file_digest(const fs::path& path, std::size_t max_bytes) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return Json(nullptr);
  ASSAY_TRY(const std::string bytes, read_file(path.string(), max_bytes));
  return Json(sha256_hex(bytes));
}

// Of a GGUF file: the configuration that it amounts to, and the tokenizer's entries as they stand.
Result<Json> gguf_digests(const Checkpoint& checkpoint, const InspectOptions& options) {
  Json config(nullptr);
  if (!options.headers_only) {
    ASSAY_TRY(const std::string text, config_text(checkpoint.path()));
    config = sha256_hex(text);
  }
  return Json{{"weights", options.read_bytes ? checkpoint.weights_digest() : checkpoint.headers_digest()},
              {"weights_of", options.read_bytes ? "bytes" : "headers"},
              {"config", config},
              {"tokenizer", gguf_tokenizer_digest(*checkpoint.gguf())}};
}

Result<Json> digests(const ModelLocation& location, const Checkpoint& checkpoint,
                     const InspectOptions& options) {
  const fs::path folder = location.folder;
  if (checkpoint.gguf() != nullptr) return gguf_digests(checkpoint, options);
  ASSAY_TRY(const Json config, file_digest(folder / "config.json", kMaxConfigBytes));
  ASSAY_TRY(const Json tokenizer, file_digest(folder / "tokenizer.json", kMaxTextFileBytes));
  return Json{{"weights", options.read_bytes ? checkpoint.weights_digest() : checkpoint.headers_digest()},
              {"weights_of", options.read_bytes ? "bytes" : "headers"},
              {"config", config},
              {"tokenizer", tokenizer}};
}

// What follows from the configuration; null without one.
void add_counts(Json& out, const std::optional<ModelConfig>& config, const Tally& tally) {
  const ModelCounts counts = config ? count_model(*config) : ModelCounts{};
  const auto known = [&](std::int64_t value) { return config ? Json(value) : Json(nullptr); };
  out["params_total"] = config ? counts.params_total : tally.params;
  out["params_active"] = known(counts.params_active);
  out["params_stored"] = tally.params;
  const MtpCounts mtp = config ? count_mtp(*config) : MtpCounts{};
  out["params_mtp"] = tally.params_mtp;
  out["params_mtp_unique"] = tally.params_mtp > 0 ? mtp.params : 0;
  out["params_mtp_active"] = tally.params_mtp > 0 ? mtp.params_active : 0;
  out["mtp_modules"] = known(config ? config->num_nextn_predict_layers : 0);
  out["kv_bytes_per_token"] = known(counts.kv_bytes_per_token);
  out["flops_per_token"] = {{"forward", known(counts.forward_flops_per_token)},
                            {"per_key", known(counts.attention_flops_per_key)}};
  out["context_length"] = known(config ? config->max_position_embeddings : 0);
}

Json tensor_list(const Checkpoint& checkpoint) {
  Json list = Json::array();
  for (const TensorView& view : checkpoint.tensors()) {
    list.push_back({{"name", view.name},
                    {"format", name_of(view.format)},
                    {"shape", view.shape},
                    {"bytes", stored_bytes(view)},
                    {"file", fs::path(checkpoint.file_of(view)).filename().string()},
                    {"offset", view.offset}});
  }
  return list;
}

// 1234567 -> "1,234,567"; not for negative numbers.
std::string grouped(std::int64_t value) {
  if (value < 1000) return std::to_string(value);
  return fmt::format("{},{:03}", grouped(value / 1000), value % 1000);
}

std::string text_of_value(const Json& value) {
  if (value.is_null()) return "not known";
  if (value.is_number_integer()) return grouped(value.get<std::int64_t>());
  return value.is_string() ? value.get<std::string>() : dump_json(value);
}

void line(std::string& text, std::string_view label, const std::string& value) {
  text += fmt::format("{:<22}{}\n", label, value);
}

}  // namespace

Result<Json> inspect_model(const std::string& model, const InspectOptions& options) {
  ASSAY_TRY(const ModelLocation location, locate_model(model));
  ASSAY_TRY(Checkpoint checkpoint, Checkpoint::open(location.path));
  Json warnings = Json::array();
  for (const std::string& warning : checkpoint.warnings()) warnings.push_back(warning);
  ASSAY_TRY(const std::optional<ModelConfig> config, config_of(location, checkpoint, options, warnings));
  warn_about_extra(checkpoint, config, warnings);
  const Tally tally = tally_of(checkpoint, config);
  Json out = {{"model", location.name},
              {"family", config ? Json(config->model_type) : Json(nullptr)},
              {"architecture", config ? Json(config->architecture) : Json(nullptr)}};
  add_counts(out, config, tally);
  out["tensors"] = checkpoint.tensors().size();
  out["block_scales"] = tally.scales;
  out["bytes"] = checkpoint.bytes();
  out["bytes_by_format"] = tally.bytes_by_format;
  out["files"] = checkpoint.files().size();
  ASSAY_TRY(out["digest"], digests(location, checkpoint, options));
  out["conventions"] = Json::object();
  if (config) {
    for (const auto& [name, value] : conventions_of(*config)) out["conventions"][name] = value;
  }
  out["warnings"] = std::move(warnings);
  if (options.list_tensors) out["tensor_list"] = tensor_list(checkpoint);
  return out;
}

std::string inspect_text(const Json& i) {
  std::string text;
  line(text, "model", text_of_value(i.at("model")));
  line(text, "family", fmt::format("{} ({})", text_of_value(i.at("family")), text_of_value(i.at("architecture"))));
  line(text, "parameters",
       fmt::format("{}, active per token {}", text_of_value(i.at("params_total")), text_of_value(i.at("params_active"))));
  line(text, "stored",
       fmt::format("{} in {} tensors, {} of them block scales, {} files", text_of_value(i.at("params_stored")),
                   text_of_value(i.at("tensors")), text_of_value(i.at("block_scales")), text_of_value(i.at("files"))));
  if (i.at("params_mtp") != 0)
    line(
        text, "multi-token part",
        fmt::format("{} of the stored ones in {} modules, {} of them no copies; `logits --mtp` runs them",
                    text_of_value(i.at("params_mtp")), text_of_value(i.at("mtp_modules")), text_of_value(i.at("params_mtp_unique"))));
  for (const auto& [format, bytes] : i.at("bytes_by_format").items())
    line(text, "bytes " + format, text_of_value(bytes));
  line(text, "context", text_of_value(i.at("context_length")) + " tokens");
  line(text, "key-value store", text_of_value(i.at("kv_bytes_per_token")) + " bytes a token");
  const Json& flops = i.at("flops_per_token");
  line(text, "operations",
       fmt::format("{} a token, and {} for each earlier token", text_of_value(flops.at("forward")),
                   text_of_value(flops.at("per_key"))));
  const Json& digest = i.at("digest");
  line(text, "weights digest",
       fmt::format("{} (of the {})", text_of_value(digest.at("weights")), text_of_value(digest.at("weights_of"))));
  line(text, "config digest", text_of_value(digest.at("config")));
  line(text, "tokenizer digest", text_of_value(digest.at("tokenizer")));
  for (const auto& [name, value] : i.at("conventions").items()) line(text, name, text_of_value(value));
  for (const Json& warning : i.at("warnings")) line(text, "warning", warning.get<std::string>());
  if (!i.contains("tensor_list")) return text.substr(0, text.size() - 1);
  for (const Json& t : i.at("tensor_list")) {
    text += fmt::format("{:<12}{:<16}{}\n", t.at("format").get<std::string>(), dump_json(t.at("shape")),
                        t.at("name").get<std::string>());
  }
  return text.substr(0, text.size() - 1);
}

}  // namespace assay
