// The numeric operations of every model family. This header fixes, for each one, the order of its additions
// and every rounding, so that scalar, AVX2, AVX-512 and NEON code, any number of threads and any
// batch give the same bits (DESIGN, "Canonical arithmetic"). All arithmetic is IEEE binary32, round to
// nearest even, unless "f64" is written; a fused multiply-add is one rounding and is used exactly where `fma`
// is written below. NaNs propagate; their payload is not defined. Plain types only: nvcc reads this header
// too.
#pragma once
#include <cstddef>
#include <cstdint>

namespace assay {

class ThreadPool;  // base/parallel.h

enum class Isa : std::uint8_t { scalar, avx2, avx512, neon };
enum class WeightFormat : std::uint8_t {
  f32,
  bf16,
  mxfp4,  // e2m1 codes, a power of two for 32 inputs of each output
  e4m3,   // FP8 codes, an f32 scale for 128 inputs of each output
  e5m2,
  q8_0,  // GGUF's 8-bit integers, an f32 scale for 32 inputs of each output
  f16
};
// Those that a kernel widens a block at a time before it multiplies.
static constexpr bool is_coded(WeightFormat format) { return format > WeightFormat::bf16; }
// Those with scales among their codes.
static constexpr bool is_scaled(WeightFormat format) {
  return is_coded(format) && format != WeightFormat::f16;
}

inline constexpr std::int64_t kPanelOutputs = 32;  // outputs of a weight panel: two AVX-512 registers
inline constexpr std::int64_t kBlockK = 512;       // inputs of one f32 accumulation chain (DESIGN)
inline constexpr std::int64_t kMxfp4Inputs = 32;   // inputs under one scale (OCP Microscaling Formats 1.0)
inline constexpr std::int64_t kFp8Inputs = 128;    // inputs under one scale in a panel (DeepSeek-V3's block)
inline constexpr std::int64_t kQ8Inputs = 32;      // inputs under one scale (GGUF's Q8_0)
static_assert(kBlockK % kMxfp4Inputs == 0 && kBlockK % kFp8Inputs == 0 && kBlockK % kQ8Inputs == 0);
inline constexpr std::int64_t kPageKeys =
    64;                                   // keys of one attention block, absolute in the sequence (DESIGN)
inline constexpr int kMaxExperts = 1024;  // DeepSeek-V3 has 256, Kimi-K2 384, Qwen3-Next 512
inline constexpr double kRouterNearTie = 1e-5;  // a router margin below this cannot be promised by any f32 program

// ---------------------------------------------------------------------------------------------------- packed
// weights A weight matrix (n_out, n_in) in panels of 32 outputs. Panel p holds, for k = 0 .. n_in-1, the 32
// weights of outputs 32p .. 32p+31 at input k side by side; outputs past n_out are zero. In f32 they lie in
// order; in bf16 and f16 output j and j+16 share a 32-bit word (low half j), so that a shift and a mask widen 32
// weights. The memory (packed_bytes, 64-byte aligned for speed) is the caller's.
struct PackedMatrix {
  const void* panels = nullptr;
  WeightFormat format = WeightFormat::f32;
  std::int64_t n_out = 0, n_in = 0;
};
std::size_t packed_bytes(WeightFormat format, std::int64_t n_out, std::int64_t n_in);
// Bytes of the first n_in inputs of a panel: where the next panel begins, or its input n_in (a multiple of kBlockK).
std::int64_t panel_bytes(WeightFormat format, std::int64_t n_in);
// Packs outputs [first, first + count) from `rows` (count, n_in), row-major, in the panel's own format (f32, or bf16 and f16
// as their 16 bits); `first` is a multiple of 32. Panels may so be filled one after the other while a file is
// read.
void pack_rows(const void* rows, std::int64_t first, std::int64_t count, void* panels, WeightFormat format,
               std::int64_t n_out, std::int64_t n_in);
// The whole matrix.
PackedMatrix pack(const void* rows, WeightFormat format, std::int64_t n_out, std::int64_t n_in, void* panels);
float packed_weight(const PackedMatrix& w, std::int64_t output,
                    std::int64_t input);  // one weight, widened: embeddings, tests

// Coded formats are widened in the kernels, a block of inputs at a time: weight = float(code) * float(scale), rounded once to f32
// (mxfp4 and f16: exact), so that a product has the bits that f32 panels of those weights give.
// mxfp4: for each 32 inputs the scales of the 32 outputs (e8m0, one byte each), then 16 bytes an input, output j in the
// low nibble of byte j and output j + 16 in its high nibble. FP8 and q8_0: for each 128 (32) inputs 32 f32 scales, then 32 bytes an
// input.
// rows: codes (n_out, n_in / 2), the earlier input in the low nibble; scales (n_out, n_in / 32). n_in a multiple of 32.
PackedMatrix pack_mxfp4(const std::uint8_t* codes, const std::uint8_t* scales, std::int64_t n_out,
                        std::int64_t n_in, void* panels);
// codes (n_out, n_in); scales (n_out, ceil(n_in / 128)). format: e4m3 or e5m2.
PackedMatrix pack_fp8(WeightFormat format, const std::uint8_t* codes, const float* scales, std::int64_t n_out,
                      std::int64_t n_in, void* panels);
// codes (n_out, n_in), two's complement; scales (n_out, ceil(n_in / 32)).
PackedMatrix pack_q8_0(const std::uint8_t* codes, const float* scales, std::int64_t n_out, std::int64_t n_in,
                       void* panels);
float bf16_to_f32(std::uint16_t bits);
float f16_to_f32(std::uint16_t bits);
std::uint16_t f32_to_bf16(float value);  // nearest even; a NaN stays a quiet NaN

// ---------------------------------------------------------------------------------------------------- what
// it runs on
struct Kernels;            // the table of one instruction set, below
struct Compute {           // the first argument of every operation
  const Kernels& kernels;  // kernels() of kernels/select.h, or a forced one
  ThreadPool& pool;        // operations split their rows or outputs over it; not reentrant
};

// ---------------------------------------------------------------------------------------------------- matrix
// product y[t, o] = sum over k of w[o, k] * x[row(t), k]. Inputs k in blocks of 512: within a block one
// accumulator from +0, k ascending, acc = fma(x, w, acc); y = block 0, then y = y + block b for b = 1, 2, ...
// (one rounding each).
struct MatmulJob {
  PackedMatrix w;
  const float* x = nullptr;            // row-major, x_stride from row to row
  const std::int32_t* rows = nullptr;  // (n_tokens) which rows of x; nullptr: 0, 1, 2, ...
  std::int64_t n_tokens = 0;
  std::int64_t x_stride = 0;  // >= n_in
  float* y = nullptr;         // (n_tokens, n_out), y_stride from row to row
  std::int64_t y_stride = 0;  // >= n_out
};
void matmul(const Compute& c, const PackedMatrix& w, const float* x /* (n_tokens, n_in) */,
            std::int64_t n_tokens, float* y /* (n_tokens, n_out) */);
// Several products at once (experts with their gathered tokens): the same bits as one after the other,
// without a barrier between them.
void matmul_group(const Compute& c, const MatmulJob* jobs, std::int64_t n_jobs);

// ---------------------------------------------------------------------------------------------------- rows
// Sums over a row ("16 strided partial sums"): partial j takes elements j, j+16, j+32, ... ascending from +0;
// then the tree (0+8, 1+9, ..), (0+4, ..), (0+2, 1+3), (0+1).

// y = (x * r) * weight with r = 1 / sqrt(S / n + eps), S the strided sum of squares, partial = fma(x, x,
// partial). Rows (n_rows, n); y may be x.
void rms_norm(const Compute& c, const float* x, const float* weight, std::int64_t n_rows, std::int64_t n,
              float eps, float* y);
// As above on rows that lie x_stride and y_stride apart (a part of a wider row).
void rms_norm_strided(const Compute& c, const float* x, std::int64_t x_stride, const float* weight,
                      std::int64_t n_rows, std::int64_t n, float eps, float* y, std::int64_t y_stride);
// y = silu(gate) * up, elementwise over (n_rows, n); y may be gate.
void silu_mul(const Compute& c, const float* gate, const float* up, std::int64_t n_rows, std::int64_t n,
              float* y);
// As above where gate and up are the halves of one row: in (n_rows, 2 n), gate first.
void silu_mul_halves(const Compute& c, const float* gate_up, std::int64_t n_rows, std::int64_t n, float* y);
// gpt-oss: g = min(limit, gate), u = max(-limit, min(limit, up)), y = (u + 1) * (g * sigmoid(alpha * g)), each operation
// rounded; in (n_rows, 2 n) as above. A NaN stays one.
struct SwigluClamp {
  float alpha = 0, limit = 0;
};
void clamped_swiglu_halves(const Compute& c, SwigluClamp clamp, const float* gate_up, std::int64_t n_rows,
                           std::int64_t n, float* y);
void add(const Compute& c, const float* x, std::int64_t n_rows, std::int64_t n, float* y);  // y = y + x
void add_scaled(const Compute& c, float a, const float* x, std::int64_t n_rows, std::int64_t n,
                float* y);  // y = fma(a, x, y): with a = 1 the bits of add
// y[t] = sum over its experts in ascending order of weight * expert row, y = fma(weight, e, y) from +0. slots
// (n_rows, top_k) are rows of `expert_out` (…, n) in ascending order of their experts, weights (n_rows,
// top_k); a negative slot is left out.
void combine_experts(const Compute& c, const float* expert_out, const std::int32_t* slots,
                     const float* weights, std::int64_t n_rows, std::int64_t top_k, std::int64_t n, float* y);
// Row soft-max, in place allowed: m = maximum (exact), e = exp(x - m), S = strided sum of e, y = e / S.
void softmax_rows(const Compute& c, const float* x, std::int64_t n_rows, std::int64_t n, float* y);

// Elementwise functions, in place allowed. Errors measured over all finite f32 arguments
// (tests/unit/test_kernel_math.cc):
enum class Function : std::uint8_t {
  exp,      // <= 1.1 ulp; +inf above 88.7228, gradual underflow, +0 below -104
  log,      // <= 2 ulp; log(0) = -inf, log(x < 0) = NaN
  sigmoid,  // <= 3 ulp; e / (1 + e) with e = exp(-|x|), numerator 1 for x >= 0: no overflow on either side
  silu,     // <= 4 ulp; x * sigmoid(x)
  tanh,     // <= 3 ulp
};
void apply(const Compute& c, Function f, const float* x, std::int64_t n, float* y);

// ---------------------------------------------------------------------------------------------------- rotary
// embedding (x0, x1) -> (fma(x0, cos, -(x1 * sin)), fma(x1, cos, x0 * sin)) for each pair of the first 2 *
// n_pairs elements of each head.
enum class RotaryPairs : std::uint8_t {
  interleaved /* (2i, 2i+1): DeepSeek */,
  half_split /* (i, i + n_pairs): Llama */
};
// x: (n_tokens, n_heads) heads, head_stride and token_stride apart, rotated in place. tables (n_tokens,
// n_pairs): rows for each token's position.
void rotary(const Compute& c, float* x, std::int64_t n_tokens, std::int64_t token_stride,
            std::int64_t n_heads, std::int64_t head_stride, std::int64_t n_pairs, RotaryPairs pairs,
            const float* cos_rows, const float* sin_rows);
// A row of the tables: cos and sin of (position * inverse_frequency[i]) in f64, times `magnitude` (YaRN) in
// f64, rounded once.
void rotary_row(double position, const double* inverse_frequency, std::int64_t n_pairs, double magnitude,
                float* cos_row, float* sin_row);

// ----------------------------------------------------------------------------------------------------
// attention Keys and values of a sequence lie in pages of 64 positions: page i holds positions 64 i .. 64 i +
// 63 of the sequence, for each kv head first the keys transposed (qk_dim, 64), then the values (64, v_dim).
// Pages can be shared between sequences with a common prefix.
struct AttentionShape {
  std::int64_t n_heads = 0,
               n_kv_heads = 0;  // heads h of one kv head lie together: kv head = h / (n_heads / n_kv_heads)
  std::int64_t qk_dim = 0, v_dim = 0;
  float scale = 0;  // score = dot * scale
  const float* sinks =
      nullptr;  // (n_heads) or none: one more score a head, unscaled, which has no value (gpt-oss)
};
std::size_t page_floats(const AttentionShape& shape);
// Stores one token's keys (n_kv_heads, k_stride apart) and values (n_kv_heads, v_stride apart) at `slot` (0
// .. 63) of a page.
void store_key_value(const AttentionShape& shape, const float* k, std::int64_t k_stride, const float* v,
                     std::int64_t v_stride, float* page, std::int64_t slot);
struct AttentionQuery {
  const float* q = nullptr;             // (n_heads, qk_dim)
  float* out = nullptr;                 // (n_heads, v_dim)
  const float* const* pages = nullptr;  // of its sequence, from position 0
  std::int64_t first_key = 0;           // visible keys: [first_key, end_key), at least one
  std::int64_t end_key = 0;
};
// For each head: s[i] = scale * (product of q and key i as in matmul); m = maximum of all visible s (exact);
// p[i] = exp(s[i] - m). In each page: sum of p in 16 strided partials (by slot) and the tree; value sums from
// +0, keys ascending, acc = fma(p, v, acc). Pages are joined ascending (first visible page, then + next ...);
// out = value sum / sum of p. A sink takes part in the maximum, and exp(sink - m) is added to the sum of p last.
void attention(const Compute& c, const AttentionShape& shape, const AttentionQuery* queries,
               std::int64_t n_queries);

// MLA in its absorbed form: every query head of a token reads the same key, whose first v_dim numbers are its value. Keys lie in pages
// of 64 positions (64, qk_dim), one number of a token once; heads are queries of their own. The results are those of attention()
// with one head, these keys and these values, bit for bit.
struct LatentShape {
  std::int64_t qk_dim = 0, v_dim = 0;  // v_dim <= qk_dim
  float scale = 0;                     // score = dot * scale
};
std::size_t latent_page_floats(const LatentShape& shape);
// Queries: q (qk_dim), out (v_dim); end_key below 2^24.
void latent_attention(const Compute& c, const LatentShape& shape, const AttentionQuery* queries,
                      std::int64_t n_queries);

// ---------------------------------------------------------------------------------------------------- head
// f64 log-probability of `target` in a row of logits: logit - m - log(S); m the maximum; S: blocks of 512
// elements, in each the strided f32 sum of exp(x - m), blocks added ascending in f64. Rows (n_rows, n),
// row_stride apart. A target is an index into its row.
void log_softmax_at(const Compute& c, const float* logits, std::int64_t row_stride, std::int64_t n_rows,
                    std::int64_t n, const std::int32_t* targets, double* logprobs);
// log(sum of exp) of a row as above, f64: logprob of any token i is logits[i] - this.
double log_sum_exp(const Compute& c, const float* logits, std::int64_t n);
std::int64_t argmax(const float* x,
                    std::int64_t n);  // ties: the lower index; NaNs never win; -1 where all are NaN

// ---------------------------------------------------------------------------------------------------- router
enum class RouterScore : std::uint8_t {
  softmax,
  sigmoid,
  softmax_of_chosen /* soft-max over the chosen logits only */
};
enum class GroupRule : std::uint8_t {
  none,
  top2_sum /* DeepSeek-V3 noaux_tc */,
  maximum /* V2 group_limited_greedy */
};
struct RouterSpec {
  std::int32_t n_experts = 0, top_k = 0;
  std::int32_t n_groups = 1, top_groups = 1;
  RouterScore score = RouterScore::softmax;
  GroupRule groups = GroupRule::none;
  bool normalise = false;  // weights / (their sum + epsilon)
  float epsilon = 1e-20f;  // DeepSeek-V3; others 0
  float scale = 1.0f;      // routed_scaling_factor, applied last
  const float* bias =
      nullptr;  // (n_experts) e_score_correction_bias: only for the choice, never for the weights
  bool weights_are_biased =
      false;  // convention: the compared score becomes the weight (a published bug of several engines)
  bool masked_groups_are_zero =
      false;  // convention of older transformers: experts of refused groups compete with score 0, not -inf
};
struct RouterChoice {               // of n_tokens tokens
  std::int32_t* experts = nullptr;  // (n_tokens, top_k), ascending expert index
  float* weights = nullptr;         // (n_tokens, top_k), in the order of `experts`
  double* margins = nullptr;        // (n_tokens) or nullptr: f64 distance of the closest decision (group or
                                    // expert), +inf where nothing was refused
  // For traces, each may be nullptr: the same margins apart, and the unbiased scores (n_tokens, n_experts), which are
  // the logits under softmax_of_chosen. The CUDA router leaves them out.
  double* group_margins = nullptr;
  double* expert_margins = nullptr;
  float* scores = nullptr;
};
// Choice: scores (strided soft-max or sigmoid) + bias; groups by the sum of their two best (top2_sum, f32,
// best + second) or their maximum; then the top_k of the allowed experts; ties to the lower index everywhere.
// Weights: unbiased scores of the chosen; normalisation sums them from +0 in ascending expert order, divides
// by (sum + 1e-20f); then * scale.
void route(const Compute& c, const RouterSpec& spec, const float* logits /* (n_tokens, n_experts) */,
           std::int64_t n_tokens, const RouterChoice& out);
// The weights of a choice made elsewhere (an oracle's): out.experts is read (ascending), out.weights written,
// margins untouched.
void route_forced(const Compute& c, const RouterSpec& spec, const float* logits, std::int64_t n_tokens,
                  const RouterChoice& out);

// ---------------------------------------------------------------------------------------------------- one
// instruction set What an instruction set provides; each entry works on one thread. The operations above
// split work and call these.
struct Kernels {
  Isa isa = Isa::scalar;
  const char* name = "";
  std::int64_t tile_tokens = 0;  // tokens of one register tile
  // x tile (k, tile_tokens) for inputs [k0, k0 + n_k) of `n` <= tile_tokens rows; missing rows are zero.
  void (*pack_tokens)(const float* const* rows, std::int64_t n, std::int64_t k0, std::int64_t n_k,
                      float* tile);
  // One panel times n_tiles tiles over one block of n_k <= 512 inputs. panel: its first byte at k0. tiles:
  // tile_stride floats apart. y: rows y_stride apart, the panel's first output; n_tokens rows and n_out <= 32
  // columns are written; `first` says y = block, else y += block. scratch: 512 * 32 floats.
  void (*matmul_block)(const void* panel, WeightFormat format, std::int64_t n_k, const float* tiles,
                       std::int64_t tile_stride, std::int64_t n_tokens, float* y, std::int64_t y_stride,
                       std::int64_t n_out, bool first, float* scratch);
  // Few tokens (1 .. kFewTokens), all inputs: panels [first_panel, end_panel) of w.
  void (*matmul_few)(const PackedMatrix& w, std::int64_t first_panel, std::int64_t end_panel,
                     const float* const* rows, std::int64_t n_tokens, float* y, std::int64_t y_stride);
  void (*rms_norm)(const float* x, const float* weight, std::int64_t n, float eps, float* y);
  void (*silu_mul)(const float* gate, const float* up, std::int64_t n, float* y);
  void (*clamped_swiglu)(SwigluClamp clamp, const float* gate, const float* up, std::int64_t n, float* y);
  void (*add)(const float* x, std::int64_t n, float* y);
  void (*add_scaled)(float a, const float* x, std::int64_t n, float* y);  // y = fma(a, x, y)
  void (*softmax)(const float* x, std::int64_t n, float* y);
  void (*apply)(Function f, const float* x, std::int64_t n, float* y);
  void (*rotate)(float* head, std::int64_t n_pairs, RotaryPairs pairs, const float* cos_row,
                 const float* sin_row);
  // One head of up to kAttentionTile queries that share pages; scratch: kAttentionTile * (floats of all
  // visible pages + v_dim).
  void (*attend)(const AttentionShape& shape, const AttentionQuery* queries, std::int64_t n_queries,
                 std::int64_t head, float* scratch);
  // Any number of queries that share pages; scratch: kLatentTile * (qk_dim + v_dim + keys of all visible pages).
  void (*attend_latent)(const LatentShape& shape, const AttentionQuery* queries, std::int64_t n_queries,
                        float* scratch);
  float (*maximum)(const float* x, std::int64_t n);           // NaNs never win; -inf for none
  float (*sum_exp)(const float* x, std::int64_t n, float m);  // strided sum of exp(x - m)
  // The machine's limits, for kernels/bench: `steps` rounds of independent fused multiply-adds on registers (gives the
  // floating-point operations done), and one pass of reading over n floats in four streams.
  std::int64_t (*burn_fma)(std::int64_t steps, float* sink);
  float (*read_all)(const float* x, std::int64_t n);
};
inline constexpr std::int64_t kFewTokens = 4;
inline constexpr std::int64_t kAttentionTile = 4;
inline constexpr std::int64_t kLatentTile = 16;

}  // namespace assay
