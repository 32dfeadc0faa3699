#include "reference/model/model_files.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <set>

#include "reference/model/fused_experts.h"
#include "reference/model/gguf_config.h"
#include "reference/model/tensors.h"
#include "reference/weights/gguf_tensors.h"
#include "reference/weights/mxfp4.h"

namespace assay {
namespace {

// Number N of "model.layers.N.…", or -1.
std::int64_t layer_of(std::string_view name) {
  constexpr std::string_view kPrefix = "model.layers.";
  if (!name.starts_with(kPrefix)) return -1;
  std::int64_t layer = -1;
  const auto [end, error] = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), layer);
  return error == std::errc() && end != name.data() + name.size() && *end == '.' ? layer : -1;
}

bool may_be_unused(const ModelConfig& c, std::string_view name) {
  if (name.ends_with("rotary_emb.inv_freq"))
    return true;  // a buffer that old exports stored; it follows from the configuration
  if (name == kRopeFactorsName && c.rope.kind == RopeKind::factors)
    return true;  // a part of the configuration
  if (c.tie_word_embeddings && name == "lm_head.weight") return true;
  const std::int64_t layer = layer_of(name);
  return layer >= c.num_hidden_layers &&
         c.attention == AttentionKind::latent;  // MTP modules lie after the layers
}

}  // namespace

Result<ModelFiles> open_model(const std::string& path) {
  ASSAY_TRY(Checkpoint checkpoint, Checkpoint::open(path));
  ASSAY_TRY(ModelConfig config, model_config_of(checkpoint));
  return join_model(std::move(config), std::move(checkpoint));
}

Result<ModelFiles> join_model(ModelConfig config, Checkpoint checkpoint) {
  adopt_storage(checkpoint, config);
  ASSAY_OK(view_fused_experts(config, checkpoint));
  ASSAY_OK(check_tensors(checkpoint, config));
  return ModelFiles{std::move(config), std::move(checkpoint)};
}

void adopt_storage(const Checkpoint& checkpoint, ModelConfig& c) {
  const bool open = c.quant.method.empty() && c.expert_storage == ExpertStorage::interleaved;
  if (!open || c.hidden_size % kMxfp4Block != 0 || c.moe_intermediate_size % kMxfp4Block != 0) return;
  const std::string plain = expert_ref(c, 0, 0).gate.weight.name;
  if (checkpoint.find(plain) == nullptr && checkpoint.find(mxfp4_blocks_name(plain)) != nullptr)
    c.quant.method = "mxfp4";
}

Status check_stored(const Checkpoint& checkpoint, const TensorSpec& spec) {
  ASSAY_TRY(const TensorView* view, checkpoint.need(spec.name, spec.shape));
  const bool bytes = spec.store != TensorStore::numbers;
  if (bytes ? view->format != Format::U8 : !is_number_format(view->format)) {
    return Error{.code = Code::bad_dtype,
                 .message = "a weight is stored in a format that holds no weights",
                 .file = checkpoint.file_of(*view),
                 .offset = view->offset,
                 .field = spec.name,
                 .expected = bytes ? "U8" : "F32, BF16, F16, F64 or FP8 with scales",
                 .got = std::string(name_of(view->format))};
  }
  if (!is_fp8_matrix(view->format) || checkpoint.find(scale_name(checkpoint, spec.name)) != nullptr)
    return {};
  return Error{.code = Code::missing_tensor,
               .message = "an FP8 matrix has no scales",
               .file = checkpoint.file_of(*view),
               .offset = view->offset,
               .field = scale_name(checkpoint, spec.name),
               .expected = "F32 or F8_E8M0 scales",
               .got = "nothing"};
}

Status check_tensors(const Checkpoint& checkpoint, const ModelConfig& config) {
  std::set<std::string_view> known;
  const std::vector<TensorSpec> specs = tensors_of(config);
  for (const TensorSpec& spec : specs) {
    ASSAY_OK(check_stored(checkpoint, spec));
    known.insert(spec.name);
  }
  for (const TensorView& view : checkpoint.tensors()) {
    const bool empty = view.elements() == 0;  // transformers stores a shared expert of width 0
    if (known.contains(view.name) || checkpoint.has_parts(view.name) || may_be_unused(config, view.name) || is_block_scale(checkpoint, view) ||
        empty)
      continue;
    return Error{.code = Code::unsupported,
                 .message = "the weights hold a tensor that the configuration does not explain",
                 .file = checkpoint.file_of(view),
                 .offset = view.offset,
                 .field = view.name,
                 .expected = "only tensors of " + config.model_type,
                 .got = std::string(name_of(view.format))};
  }
  return {};
}

Status check_ids(const ModelConfig& config, std::span<const std::int32_t> ids, std::int64_t prompt,
                 std::int64_t not_fed) {
  const auto refuse = [&](Code code, std::string message, std::string expected, std::string got) {
    return Error{.code = code,
                 .message = std::move(message),
                 .field = fmt::format("prompt {}", prompt),
                 .expected = std::move(expected),
                 .got = std::move(got)};
  };
  if (ids.empty()) return refuse(Code::bad_value, "a prompt has no tokens", "at least one id", "none");
  if (static_cast<std::int64_t>(ids.size()) - not_fed > config.max_position_embeddings) {
    return refuse(Code::too_large, "a prompt is longer than the context",
                  fmt::format("at most {} tokens", config.max_position_embeddings),
                  std::to_string(ids.size()));
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < config.vocab_size) continue;
    return refuse(Code::out_of_range, "a token id is outside the vocabulary",
                  fmt::format("0 to {}", config.vocab_size - 1), fmt::format("{} at position {}", ids[i], i));
  }
  return {};
}

BlockSize block_size_of(const ModelConfig& config) {
  return config.quant.block_rows > 0 ? BlockSize{config.quant.block_rows, config.quant.block_cols}
                                     : BlockSize{.stated = false};
}

}  // namespace assay
