#include "reference/model/packed_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <type_traits>

#include "reference/model/families.h"
#include "reference/model/tensors.h"
#include "reference/weights/mxfp4.h"

namespace assay {
namespace {

constexpr std::int64_t kSliceNumbers = 1 << 21;  // 8 MB of f32: far above what a call costs

class Packer {
 public:
  enum class Does : std::uint8_t { pack, measure, prefetch };  // measure: counts bytes and reads nothing
  explicit Packer(const ModelFiles& files, Does does = Does::pack, PanelFormats formats = PanelFormats::all)
      : files_(files),
        does_(does),
        formats_(formats),
        recipe_(files.config.quant.recipe),
        block_(block_size_of(files.config)) {}

  Status norm(const std::string& name, std::int64_t n, std::vector<float>& out) {
    return vector(name + ".weight", n, out);
  }

  Status vector(const std::string& name, std::int64_t n, std::vector<float>& out) {
    const std::int64_t shape[] = {n};
    bytes_ += static_cast<std::uint64_t>(n) * sizeof(float);
    if (does_ != Does::pack) return {};
    ASSAY_TRY(out, load_f32(files_.checkpoint, name, shape, recipe_, block_));
    return {};
  }

  // Matrices that take the same input, packed as one.
  Status linear(const std::vector<LinearRef>& parts, PackedLinear& out) {
    const std::int64_t n_in = parts[0].weight.n_in;
    std::int64_t n_out = 0;
    for (const LinearRef& part : parts) {
      ASSAY_CHECK(part.weight.n_in == n_in);
      n_out += part.weight.n_out;
    }
    ASSAY_TRY(const WeightFormat format, format_of(parts));
    if (does_ == Does::measure) return measure(parts, format, n_out, n_in);
    if (does_ == Does::prefetch) return prefetch(parts);
    ASSAY_OK(reserve(parts[0].weight.name, packed_bytes(format, n_out, n_in), out));
    ASSAY_OK(pack_parts(parts, format, n_out, n_in, out));
    ASSAY_CHECK(out.matrix.n_out == n_out && out.matrix.n_in == n_in);
    return biases(parts, out);
  }

  Status mlp(const MlpRef& ref, PackedMlp& out) {
    ASSAY_OK(linear({ref.gate, ref.up}, out.gate_up));
    return linear({ref.down}, out.down);
  }

  // kv_b of MLA by heads, in f32: the keys' rows transposed, so that they lead a query into the latent space, and the values' rows.
  Status by_heads(const WeightRef& ref, std::int64_t nope, std::int64_t v_dim, PackedLayer& out) {
    const std::int64_t each = nope + v_dim, rank = ref.n_in, heads = ref.n_out / each;
    ASSAY_CHECK(ref.whole() && heads * each == ref.n_out);
    if (does_ == Does::prefetch) return prefetch({LinearRef{.weight = ref, .bias = {}}});
    if (does_ == Does::measure) return measure_heads(heads, nope, v_dim, rank);
    std::vector<float> rows(static_cast<std::size_t>(each * rank)),
        turned(static_cast<std::size_t>(nope * rank));
    ASSAY_TRY(const TensorView* view, stored_tensor(files_.checkpoint, ref));
    out.k_up.resize(static_cast<std::size_t>(heads));
    out.v_up.resize(static_cast<std::size_t>(heads));
    for (std::int64_t h = 0; h < heads; ++h) {
      ASSAY_OK(rows_of(*view, h * each, each, rank, rows.data()));
      for (std::int64_t d = 0; d < nope; ++d) {
        for (std::int64_t r = 0; r < rank; ++r)
          turned[static_cast<std::size_t>(r * nope + d)] = rows[static_cast<std::size_t>(d * rank + r)];
      }
      ASSAY_OK(pack_head(ref.name, turned.data(), rank, nope, out.k_up[static_cast<std::size_t>(h)]));
      ASSAY_OK(
          pack_head(ref.name, rows.data() + nope * rank, v_dim, rank, out.v_up[static_cast<std::size_t>(h)]));
    }
    release(ref);
    return {};
  }

  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t packing() const {
    return packing_;
  }  // bytes that packing the most awkward matrix takes besides its panels

 private:
  Status measure(const std::vector<LinearRef>& parts, WeightFormat format, std::int64_t n_out,
                 std::int64_t n_in) {
    const std::uint64_t bytes = (packed_bytes(format, n_out, n_in) + 63) / 64 * 64;
    bytes_ += bytes;
    const bool plain =
        format == WeightFormat::f32 || format == WeightFormat::bf16 || format == WeightFormat::f16;
    const bool slices = plain && all_whole(parts);
    packing_ = std::max(packing_, slices ? 3 * kSliceNumbers * sizeof(float) : 3 * bytes);
    for (const LinearRef& part : parts)
      bytes_ += part.has_bias() ? static_cast<std::uint64_t>(n_out) * sizeof(float) : 0;
    return {};
  }

  Status measure_heads(std::int64_t heads, std::int64_t nope, std::int64_t v_dim, std::int64_t rank) {
    const auto rounded = [](std::size_t bytes) { return static_cast<std::uint64_t>((bytes + 63) / 64 * 64); };
    bytes_ += static_cast<std::uint64_t>(heads) * (rounded(packed_bytes(WeightFormat::f32, rank, nope)) +
                                                   rounded(packed_bytes(WeightFormat::f32, v_dim, rank)));
    const auto numbers = static_cast<std::uint64_t>((2 * nope + v_dim) * rank);
    packing_ = std::max<std::uint64_t>(packing_, 2 * numbers * sizeof(float));
    return {};
  }

  Status pack_head(const std::string& name, const float* rows, std::int64_t n_out, std::int64_t n_in,
                   PackedLinear& out) {
    ASSAY_OK(reserve(name, packed_bytes(WeightFormat::f32, n_out, n_in), out));
    out.matrix = pack(rows, WeightFormat::f32, n_out, n_in, out.memory.get());
    return {};
  }

  Status prefetch(const std::vector<LinearRef>& parts) {
    for (const LinearRef& part : parts) {
      const TensorView* view =
          files_.checkpoint.find(part.weight.mxfp4 ? mxfp4_blocks_name(part.weight.name) : part.weight.name);
      if (view != nullptr) files_.checkpoint.prefetch(*view);
    }
    return {};
  }

  static bool all_whole(const std::vector<LinearRef>& parts) {
    return std::all_of(parts.begin(), parts.end(), [](const LinearRef& part) { return part.weight.whole(); });
  }

  // The format that keeps every part as it is stored; f32 where the parts differ or their own does not fit.
  Result<WeightFormat> format_of(const std::vector<LinearRef>& parts) const {
    std::optional<WeightFormat> common;
    for (const LinearRef& part : parts) {
      ASSAY_TRY(const TensorView* view, stored_tensor(files_.checkpoint, part.weight));
      const WeightFormat own = format_of(part.weight, *view);
      if (common && *common != own) return WeightFormat::f32;
      common = own;
    }
    ASSAY_CHECK(common);
    return *common;
  }

  WeightFormat format_of(const WeightRef& ref, const TensorView& view) const {
    if (ref.mxfp4) return WeightFormat::mxfp4;
    if (view.format == Format::BF16 && rows_in_order(view)) return WeightFormat::bf16;
    if (formats_ == PanelFormats::common && (view.format == Format::F16 || view.format == Format::Q8_0))
      return WeightFormat::f32;
    if (view.format == Format::F16 && rows_in_order(view)) return WeightFormat::f16;
    if (view.format == Format::Q8_0 && rows_in_order(view) && has_plain_rows(ref)) return WeightFormat::q8_0;
    if (is_fp8_matrix(view.format) && recipe_ == Recipe::dequant_bf16) return WeightFormat::bf16;
    const bool codes = is_fp8_matrix(view.format) && ref.whole();
    const bool one_block =
        block_.cols % kFp8Inputs == 0 || !block_.stated;  // a panel has one scale for 128 inputs
    if (!codes || !one_block || recipe_ != Recipe::dequant_f32) return WeightFormat::f32;
    return view.format == Format::F8_E4M3 ? WeightFormat::e4m3 : WeightFormat::e5m2;
  }

  // Rows that lie one after the other: of a tensor of its own, or of one expert's part of a tensor.
  static bool has_plain_rows(const WeightRef& ref) { return !ref.transposed && ref.n_stored == ref.n_out; }

  Status reserve(const std::string& name, std::size_t bytes, PackedLinear& out) {
    const std::size_t rounded = (bytes + 63) / 64 * 64;
    out.memory = pieces_.take(rounded);
    if (!out.memory) {
      return Error{.code = Code::memory_limit,
                   .message = "there is not enough memory for the weights",
                   .field = name,
                   .expected = fmt::format("{} bytes", rounded)};
    }
    bytes_ += rounded;
    return {};
  }

  Status pack_parts(const std::vector<LinearRef>& parts, WeightFormat format, std::int64_t n_out,
                    std::int64_t n_in, PackedLinear& out) {
    switch (format) {
      case WeightFormat::f32:
        return pack_plain<float>(parts, format, n_out, n_in, out);
      case WeightFormat::bf16:
      case WeightFormat::f16:
        return pack_plain<std::uint16_t>(parts, format, n_out, n_in, out);
      case WeightFormat::q8_0:
        return pack_q8_parts(parts, n_out, n_in, out);
      case WeightFormat::mxfp4:
        return pack_mxfp4_parts(parts, n_out, n_in, out);
      case WeightFormat::e4m3:
      case WeightFormat::e5m2:
        return pack_fp8_parts(parts, format, n_out, n_in, out);
    }
    ASSAY_CHECK(false);
  }

  template <class T>
  Status pack_plain(const std::vector<LinearRef>& parts, WeightFormat format, std::int64_t n_out,
                    std::int64_t n_in, PackedLinear& out) {
    if (all_whole(parts)) return pack_slices<T>(parts, format, n_out, n_in, out);
    std::vector<T> rows;
    rows.reserve(static_cast<std::size_t>(n_out * n_in));
    for (const LinearRef& part : parts) {
      ASSAY_TRY(const std::vector<T> one, numbers<T>(part.weight));
      rows.insert(rows.end(), one.begin(), one.end());
      release(part.weight);
    }
    out.matrix = pack(rows.data(), format, n_out, n_in, out.memory.get());
    return {};
  }

  // Tensors of their own go to their panels in slices: besides the panels there are never more numbers than a slice.
  template <class T>
  Status pack_slices(const std::vector<LinearRef>& parts, WeightFormat format, std::int64_t n_out,
                     std::int64_t n_in, PackedLinear& out) {
    const std::int64_t panels = std::max<std::int64_t>(1, kSliceNumbers / n_in / kPanelOutputs);
    const std::int64_t slice = std::min(n_out, panels * kPanelOutputs);
    std::vector<T> rows(static_cast<std::size_t>(slice * n_in));
    for (std::int64_t first = 0; first < n_out; first += slice) {
      const std::int64_t count = std::min(slice, n_out - first);
      ASSAY_OK(fill_rows(parts, first, count, n_in, rows.data()));
      pack_rows(rows.data(), first, count, out.memory.get(), format, n_out, n_in);
    }
    for (const LinearRef& part : parts) release(part.weight);
    out.matrix = {out.memory.get(), format, n_out, n_in};
    return {};
  }

  // Rows [first, first + count) of the parts one after the other.
  template <class T>
  Status fill_rows(const std::vector<LinearRef>& parts, std::int64_t first, std::int64_t count,
                   std::int64_t n_in, T* rows) const {
    std::int64_t begin = 0;  // of the part among all rows
    for (const LinearRef& part : parts) {
      const std::int64_t from = std::max(first, begin),
                         to = std::min(first + count, begin + part.weight.n_out);
      if (from < to) {
        ASSAY_TRY(const TensorView* view, stored_tensor(files_.checkpoint, part.weight));
        ASSAY_OK(rows_of(*view, from - begin, to - from, n_in, rows + (from - first) * n_in));
        release_rows(*view, from - begin, to - from);
      }
      begin += part.weight.n_out;
    }
    return {};
  }

  Status rows_of(const TensorView& view, std::int64_t first, std::int64_t n, std::int64_t n_in,
                 float* out) const {
    return load_rows_f32(files_.checkpoint, view, first, n,
                         std::span(out, static_cast<std::size_t>(n * n_in)), recipe_, block_);
  }
  Status rows_of(const TensorView& view, std::int64_t first, std::int64_t n, std::int64_t n_in,
                 std::uint16_t* out) const {
    if (view.format == Format::BF16 || view.format == Format::F16) {
      ASSAY_CHECK(rows_in_order(view));
      std::memcpy(out, view.bytes.data() + first * n_in * 2, static_cast<std::size_t>(n * n_in) * 2);
      return {};
    }
    std::vector<float> wide(static_cast<std::size_t>(n * n_in));
    ASSAY_OK(rows_of(view, first, n, n_in, wide.data()));
    for (const float value : wide) *out++ = round_bf16(value);  // dequant-bf16: exact
    return {};
  }

  template <class T>
  Result<std::vector<T>> numbers(const WeightRef& ref) const {
    if constexpr (std::is_same_v<T, float>) {
      return load_weight_f32(files_.checkpoint, ref, recipe_, block_);
    } else {
      const TensorView* view = files_.checkpoint.find(ref.name);
      ASSAY_CHECK(view);
      if (bits_of(view->format) == static_cast<int>(8 * sizeof(T)))
        return load_weight_codes<T>(files_.checkpoint, ref);
      ASSAY_TRY(const std::vector<float> wide, load_weight_f32(files_.checkpoint, ref, recipe_, block_));
      std::vector<T> out;
      out.reserve(wide.size());
      for (const float value : wide) out.push_back(static_cast<T>(round_bf16(value)));  // dequant-bf16: exact
      return out;
    }
  }

  Status pack_mxfp4_parts(const std::vector<LinearRef>& parts, std::int64_t n_out, std::int64_t n_in,
                          PackedLinear& out) {
    std::vector<std::uint8_t> codes, scales;
    codes.reserve(static_cast<std::size_t>(n_out * n_in / 2));
    const auto append = [](std::vector<std::uint8_t>& to, std::span<const std::byte> from) {
      const auto* const bytes = reinterpret_cast<const std::uint8_t*>(from.data());
      to.insert(to.end(), bytes, bytes + from.size());
    };
    for (const LinearRef& part : parts) {
      const WeightRef& ref = part.weight;
      ASSAY_TRY(const Mxfp4Tensor tensor,
                find_mxfp4(files_.checkpoint, ref.name, ref.n_experts, ref.n_stored, ref.n_in));
      for (std::int64_t o = 0; o < ref.n_out; ++o) {
        append(codes, tensor.codes(ref.expert, ref.first + o * ref.step));
        append(scales, tensor.row_scales(ref.expert, ref.first + o * ref.step));
      }
      files_.checkpoint.release(*tensor.blocks);
      files_.checkpoint.release(*tensor.scales);
    }
    if (recipe_ == Recipe::mxfp4_high_first) {
      for (std::uint8_t& both : codes) both = static_cast<std::uint8_t>(both << 4 | both >> 4);
    }
    out.matrix = pack_mxfp4(codes.data(), scales.data(), n_out, n_in, out.memory.get());
    return {};
  }

  Status pack_fp8_parts(const std::vector<LinearRef>& parts, WeightFormat format, std::int64_t n_out,
                        std::int64_t n_in, PackedLinear& out) {
    std::vector<std::uint8_t> codes;
    std::vector<float> scales;
    for (const LinearRef& part : parts) {
      ASSAY_TRY(const std::vector<std::uint8_t> one, numbers<std::uint8_t>(part.weight));
      codes.insert(codes.end(), one.begin(), one.end());
      const TensorView* view = files_.checkpoint.find(part.weight.name);
      ASSAY_TRY(const BlockScales own, load_scales(files_.checkpoint, *view, block_));
      for (std::int64_t row = 0; row < part.weight.n_out; ++row) {
        for (std::int64_t k = 0; k < n_in; k += kFp8Inputs) scales.push_back(own.at(row, k));
      }
      release(part.weight);
    }
    out.matrix = pack_fp8(format, codes.data(), scales.data(), n_out, n_in, out.memory.get());
    return {};
  }

  // Blocks of an f16 scale and 32 integers (ggml-common.h, block_q8_0), row by row.
  Status pack_q8_parts(const std::vector<LinearRef>& parts, std::int64_t n_out, std::int64_t n_in,
                       PackedLinear& out) {
    constexpr std::int64_t kBlockBytes = 2 + kQ8Inputs;
    ASSAY_CHECK(n_in % kQ8Inputs == 0);
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(n_out * n_in));
    std::vector<float> scales(static_cast<std::size_t>(n_out * n_in / kQ8Inputs));
    std::size_t block = 0;
    for (const LinearRef& part : parts) {
      ASSAY_TRY(const TensorView* view, stored_tensor(files_.checkpoint, part.weight));
      const std::int64_t n = part.weight.n_out * n_in / kQ8Inputs;
      const std::byte* from = view->bytes.data() + part.weight.expert * n * kBlockBytes;
      ASSAY_CHECK(from + n * kBlockBytes <= view->bytes.data() + view->bytes.size());
      for (std::int64_t i = 0; i < n; ++i, ++block, from += kBlockBytes) {
        std::uint16_t scale = 0;
        std::memcpy(&scale, from, sizeof scale);
        scales[block] = f16_to_f32(scale);
        std::memcpy(&codes[block * kQ8Inputs], from + 2, kQ8Inputs);
      }
      release(part.weight);
    }
    out.matrix = pack_q8_0(codes.data(), scales.data(), n_out, n_in, out.memory.get());
    return {};
  }

  // Rows that have been read. A tensor of all experts is released after each one: what the others need is mapped again at little cost.
  void release_rows(const TensorView& view, std::int64_t first, std::int64_t n) const {
    if (!rows_in_order(view) || view.shape.empty()) return;
    const std::size_t row_bytes = view.bytes.size() / static_cast<std::size_t>(view.shape[0]);
    files_.checkpoint.release(view, view.bytes.subspan(static_cast<std::size_t>(first) * row_bytes,
                                                       static_cast<std::size_t>(n) * row_bytes));
  }
  void release(const WeightRef& ref) const {
    const TensorView* view = files_.checkpoint.find(ref.mxfp4 ? mxfp4_blocks_name(ref.name) : ref.name);
    ASSAY_CHECK(view);
    files_.checkpoint.release(*view);
  }

  Status biases(const std::vector<LinearRef>& parts, PackedLinear& out) const {
    const bool any =
        std::any_of(parts.begin(), parts.end(), [](const LinearRef& part) { return part.has_bias(); });
    if (!any) return {};
    for (const LinearRef& part : parts) {
      std::vector<float> one(static_cast<std::size_t>(part.weight.n_out), -0.0f);  // x + -0 is x
      if (part.has_bias()) {
        ASSAY_TRY(one, load_weight_f32(files_.checkpoint, part.bias, recipe_, block_));
      }
      out.bias.insert(out.bias.end(), one.begin(), one.end());
    }
    return {};
  }

  const ModelFiles& files_;
  Does does_;
  PanelFormats formats_;
  Recipe recipe_;
  BlockSize block_;
  HugePieces pieces_;
  std::uint64_t bytes_ = 0, packing_ = 0;
};

Status pack_latent(Packer& from, const ModelConfig& c, const std::string& p, PackedLayer& l) {
  const std::int64_t q = c.num_attention_heads * c.key_dim(), kv = c.kv_lora_rank + c.qk_rope_head_dim;
  const bool low_rank = c.q_lora_rank > 0;
  const LinearRef first = low_rank ? linear_ref(p + ".q_a_proj", c.q_lora_rank, c.hidden_size, c.qkv_bias)
                                   : linear_ref(p + ".q_proj", q, c.hidden_size);
  ASSAY_OK(
      from.linear({first, linear_ref(p + ".kv_a_proj_with_mqa", kv, c.hidden_size, c.qkv_bias)}, l.inputs));
  if (low_rank) {
    ASSAY_OK(from.norm(p + ".q_a_layernorm", c.q_lora_rank, l.q_a_norm));
    ASSAY_OK(from.linear({linear_ref(p + ".q_b_proj", q, c.q_lora_rank)}, l.q_b));
  }
  ASSAY_OK(from.norm(p + ".kv_a_layernorm", c.kv_lora_rank, l.kv_a_norm));
  const LinearRef kv_b = linear_ref(
      p + ".kv_b_proj", c.num_attention_heads * (c.qk_nope_head_dim + c.v_head_dim), c.kv_lora_rank);
  if (c.absorbs()) return from.by_heads(kv_b.weight, c.qk_nope_head_dim, c.v_head_dim, l);
  return from.linear({kv_b}, l.kv_b);
}

Status pack_grouped(Packer& from, const ModelConfig& c, const std::string& p, PackedLayer& l) {
  const std::int64_t q = c.num_attention_heads * c.head_dim, kv = c.num_key_value_heads * c.head_dim;
  ASSAY_OK(from.linear({linear_ref(p + ".q_proj", q, c.hidden_size, c.qkv_bias),
                        linear_ref(p + ".k_proj", kv, c.hidden_size, c.qkv_bias),
                        linear_ref(p + ".v_proj", kv, c.hidden_size, c.qkv_bias)},
                       l.inputs));
  if (c.attention_sinks && c.reading.sinks == Sinks::added)
    ASSAY_OK(from.vector(p + ".sinks", c.num_attention_heads, l.sinks));
  if (c.qk_norm == QkNorm::none) return {};
  const bool whole = c.qk_norm == QkNorm::whole;
  ASSAY_OK(from.norm(p + ".q_norm", whole ? q : c.head_dim, l.q_norm));
  return from.norm(p + ".k_norm", whole ? kv : c.head_dim, l.k_norm);
}

// The router and what else of a mixture is no routed expert.
Status pack_router(Packer& from, const ModelConfig& c, const Family& f, std::int64_t layer, PackedLayer& l) {
  const std::string p = fmt::format("{}.{}", layer_prefix(layer), f.moe_block);
  ASSAY_OK(from.linear({router_ref(c, layer)}, l.router));
  if (c.router.correction_bias)
    ASSAY_OK(from.vector(p + ".gate.e_score_correction_bias", c.router.n_experts, l.correction));
  if (c.router.reading.correction == CorrectionBias::omitted) l.correction.clear();
  for (float& each : l.correction) {
    if (c.router.reading.correction == CorrectionBias::bf16) each = widen_bf16(round_bf16(each));
  }
  if (c.shared_gate)
    ASSAY_OK(from.linear({linear_ref(p + ".shared_expert_gate", 1, c.hidden_size)}, l.shared_gate));
  return c.shared_intermediate_size == 0 ? Status() : from.mlp(shared_ref(c, layer), l.shared);
}

Status pack_experts(Packer& from, const ModelConfig& c, std::int64_t layer, std::int64_t first,
                    std::int64_t end, PackedLayer& l) {
  l.experts.clear();
  l.experts.resize(static_cast<std::size_t>(c.router.n_experts));
  for (std::int64_t e = first; e < end; ++e)
    ASSAY_OK(from.mlp(expert_ref(c, layer, e), l.experts[static_cast<std::size_t>(e)]));
  return {};
}

// Layer `i` of the configuration, which the files number `number`, without its experts.
Status pack_frame(Packer& from, const ModelConfig& c, const Family& family, std::int64_t i,
                  std::int64_t number, PackedLayer& l) {
  const std::string p = layer_prefix(number), attention = p + ".self_attn";
  ASSAY_OK(from.norm(p + ".input_layernorm", c.hidden_size, l.input_norm));
  ASSAY_OK(from.norm(p + ".post_attention_layernorm", c.hidden_size, l.post_norm));
  ASSAY_OK(c.attention == AttentionKind::latent ? pack_latent(from, c, attention, l)
                                                : pack_grouped(from, c, attention, l));
  ASSAY_OK(from.linear(
      {linear_ref(attention + ".o_proj", c.hidden_size, c.num_attention_heads * c.value_dim(), c.o_bias)},
      l.o));
  if (c.layers[static_cast<std::size_t>(i)].is_moe) return pack_router(from, c, family, number, l);
  return from.mlp(dense_ref(c, number), l.dense);
}

}  // namespace

Result<PackedModel> pack_model(const ModelFiles& files, PanelFormats formats) {
  return pack_stack(files, files.config, {}, formats);
}

Result<PackedLinear> pack_matrix(const ModelFiles& files, const std::string& name, std::int64_t n_out,
                                 std::int64_t n_in) {
  Packer packer(files);
  PackedLinear out;
  ASSAY_OK(packer.linear({linear_ref(name, n_out, n_in)}, out));
  return out;
}

Result<std::vector<float>> pack_norm(const ModelFiles& files, const std::string& name, std::int64_t n) {
  Packer packer(files);
  std::vector<float> out;
  ASSAY_OK(packer.norm(name, n, out));
  return out;
}

namespace {

Status pack_ends(Packer& from, const ModelConfig& c, const StackNames& names, PackedEnds& out) {
  ASSAY_OK(from.norm(names.norm, c.hidden_size, out.norm));
  const std::string& head = c.tie_word_embeddings ? names.embedding : names.head;
  return from.linear({linear_ref(head, c.vocab_size, c.hidden_size)}, out.head);
}

bool is_moe(const ModelConfig& c, std::int64_t i) { return c.layers[static_cast<std::size_t>(i)].is_moe; }

}  // namespace

Result<PackedLayer> pack_frame(const ModelFiles& files, const ModelConfig& c, const StackNames& names,
                               std::int64_t i) {
  Packer packer(files);
  PackedLayer out;
  ASSAY_OK(pack_frame(packer, c, family_of(c), i, names.first_layer + i, out));
  return out;
}

Status pack_experts(const ModelFiles& files, const ModelConfig& c, const StackNames& names, std::int64_t i,
                    std::int64_t first, std::int64_t end, PackedLayer& layer) {
  ASSAY_CHECK(is_moe(c, i) && first >= 0 && first < end && end <= c.router.n_experts);
  Packer packer(files);
  return pack_experts(packer, c, names.first_layer + i, first, end, layer);
}

Result<PackedEnds> pack_ends(const ModelFiles& files, const ModelConfig& c, const StackNames& names) {
  Packer packer(files);
  PackedEnds out;
  ASSAY_OK(pack_ends(packer, c, names, out));
  return out;
}

std::uint64_t StackBytes::whole() const {
  std::uint64_t sum = ends;
  for (const LayerBytes& layer : layers) sum += layer.whole();
  return sum;
}

void prefetch_layer(const ModelFiles& files, const ModelConfig& c, const StackNames& names, std::int64_t i,
                    bool with_experts) {
  Packer packer(files, Packer::Does::prefetch);
  PackedLayer nothing;
  if (!pack_frame(packer, c, family_of(c), i, names.first_layer + i, nothing).ok())
    return;  // packing it will say why
  if (with_experts && is_moe(c, i)) prefetch_experts(files, c, names, i, 0, c.router.n_experts);
}

void prefetch_experts(const ModelFiles& files, const ModelConfig& c, const StackNames& names, std::int64_t i,
                      std::int64_t first, std::int64_t end) {
  Packer packer(files, Packer::Does::prefetch);
  PackedLayer nothing;
  static_cast<void>(pack_experts(packer, c, names.first_layer + i, first, end, nothing).ok());
}

Result<StackBytes> measure_stack(const ModelFiles& files, const ModelConfig& c, const StackNames& names) {
  StackBytes out;
  PackedLayer nothing;
  PackedEnds no_ends;
  const auto note = [&](const Packer& packer) { out.packing = std::max(out.packing, packer.packing()); };
  for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
    LayerBytes layer;
    Packer frame(files, Packer::Does::measure);
    ASSAY_OK(pack_frame(frame, c, family_of(c), i, names.first_layer + i, nothing));
    layer.frame = frame.bytes();
    note(frame);
    layer.n_experts = is_moe(c, i) ? c.router.n_experts : 0;
    for (std::int64_t e = 0; e < layer.n_experts; ++e) {
      Packer expert(files, Packer::Does::measure);
      ASSAY_OK(pack_experts(expert, c, names.first_layer + i, e, e + 1, nothing));
      layer.expert = std::max(layer.expert, expert.bytes());
      note(expert);
    }
    out.layers.push_back(layer);
  }
  Packer ends(files, Packer::Does::measure);
  ASSAY_OK(pack_ends(ends, c, names, no_ends));
  out.ends = ends.bytes();
  note(ends);
  return out;
}

Result<PackedModel> pack_stack(const ModelFiles& files, const ModelConfig& c, const StackNames& names,
                               PanelFormats formats) {
  Packer packer(files, Packer::Does::pack, formats);
  PackedModel out;
  out.layers.resize(static_cast<std::size_t>(c.num_hidden_layers));
  for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
    const std::int64_t number = names.first_layer + i;
    PackedLayer& layer = out.layers[static_cast<std::size_t>(i)];
    ASSAY_OK(pack_frame(packer, c, family_of(c), i, number, layer));
    if (is_moe(c, i)) ASSAY_OK(pack_experts(packer, c, number, 0, c.router.n_experts, layer));
  }
  ASSAY_OK(pack_ends(packer, c, names, out.ends));
  out.bytes = packer.bytes();
  return out;
}

}  // namespace assay
