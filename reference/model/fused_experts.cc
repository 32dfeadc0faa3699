#include "reference/model/fused_experts.h"

#include <fmt/format.h>

#include "reference/model/families.h"
#include "reference/model/tensors.h"

namespace assay {
namespace {

// Rows [first, first + n) of matrix `index` of a stack (n_matrices, rows, cols), as a matrix of its own.
TensorView slice(const TensorView& stack, std::int64_t index, std::int64_t first, std::int64_t n,
                 std::string name) {
  const std::int64_t rows = stack.shape[1], cols = stack.shape[2];
  ASSAY_CHECK(index < stack.shape[0] && first + n <= rows);
  const auto row_bytes = static_cast<std::size_t>(cols) * static_cast<std::size_t>(bits_of(stack.format)) / 8;
  const std::size_t begin = static_cast<std::size_t>(index * rows + first) * row_bytes;
  TensorView out = stack;
  out.name = std::move(name);
  out.shape = {n, cols};
  out.bytes = stack.bytes.subspan(begin, static_cast<std::size_t>(n) * row_bytes);
  out.offset = stack.offset + static_cast<std::int64_t>(begin);
  return out;
}

// A row of elements that share bytes cannot be cut out.
Status whole_bytes(const Checkpoint& checkpoint, const TensorView& view) {
  if (bits_of(view.format) % 8 == 0) return {};
  return Error{.code = Code::bad_dtype,
               .message = "fused experts are stored in a format whose elements share bytes",
               .file = checkpoint.file_of(view),
               .offset = view.offset,
               .field = view.name,
               .expected = "F32, BF16, F16 or F64",
               .got = std::string(name_of(view.format))};
}

Status view_layer(const ModelConfig& c, const Family& f, std::int64_t layer, Checkpoint& checkpoint) {
  const std::string fused = layer_prefix(layer) + ".mlp.experts.";
  if (!checkpoint.find(fused + "gate_up_proj")) return {};
  const std::int64_t n = c.router.n_experts, inner = c.moe_intermediate_size, hidden = c.hidden_size;
  const std::int64_t up_shape[] = {n, 2 * inner, hidden}, down_shape[] = {n, hidden, inner};
  ASSAY_TRY(const TensorView* gate_up, checkpoint.need(fused + "gate_up_proj", up_shape));
  ASSAY_TRY(const TensorView* down, checkpoint.need(fused + "down_proj", down_shape));
  ASSAY_OK(whole_bytes(checkpoint, *gate_up));
  ASSAY_OK(whole_bytes(checkpoint, *down));
  std::vector<TensorView> rows, columns;
  for (std::int64_t e = 0; e < n; ++e) {
    const std::string p = expert_prefix(c, layer, e);
    rows.push_back(slice(*gate_up, e, 0, inner, fmt::format("{}.{}.weight", p, f.gate_name)));
    rows.push_back(slice(*gate_up, e, inner, inner, fmt::format("{}.{}.weight", p, f.up_name)));
    columns.push_back(slice(*down, e, 0, hidden, fmt::format("{}.{}.weight", p, f.down_name)));
  }
  ASSAY_OK(checkpoint.add_parts(*gate_up, std::move(rows)));
  ASSAY_OK(checkpoint.add_parts(*down, std::move(columns)));
  if (f.moe_block == "mlp") return {};
  const std::int64_t gate_shape[] = {n, hidden};
  ASSAY_TRY(const TensorView* gate, checkpoint.need(layer_prefix(layer) + ".mlp.gate.weight", gate_shape));
  TensorView renamed = *gate;
  renamed.name = fmt::format("{}.{}.gate.weight", layer_prefix(layer), f.moe_block);
  return checkpoint.add_parts(*gate, {std::move(renamed)});
}

// The layout is that of these families only: others fuse their experts in other orders.
bool may_be_fused(MoeStyle style) {
  return style == MoeStyle::mixtral || style == MoeStyle::qwen || style == MoeStyle::olmoe ||
         style == MoeStyle::deepseek;
}

}  // namespace

Status view_fused_experts(const ModelConfig& config, Checkpoint& checkpoint) {
  const Family& family = family_of(config);
  if (!may_be_fused(family.moe)) return {};
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    if (config.layers[static_cast<std::size_t>(i)].is_moe)
      ASSAY_OK(view_layer(config, family, i, checkpoint));
  }
  return {};
}

}  // namespace assay
