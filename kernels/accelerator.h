// The operations of a forward pass over memory of a device: what kernels/contract.h defines, with pointers that only the device reads.
// Two make it true: a CUDA GPU, and a host that runs the same kernels' source one thread after another (tests, and whoever wants to know
// what a GPU would answer). Plain types: nvcc reads this header. Calls are queued; finish() waits and tells the first thing that went wrong.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/contract.h"

namespace assay {

// How matrix products and attention are computed; all else is the contract's in both.
enum class GpuArithmetic : std::uint8_t {
  canonical,  // the contract's own order: the bits of the CPU
  // Inputs of products, queries, keys, values and soft-max weights rounded to bf16, products on tensor cores with f32 sums, k ascending. An
  // error bound is derived in gpu_product_bound; routers, and weights that are stored as f32, stay canonical.
  bf16,
  // As bf16, but inputs of products with e4m3 weights become e4m3 with one scale for 128 inputs of a row (max(amax, 1e-4) / 448, as FP8
  // checkpoints are served: DeepSeek-V3 inference/kernel.py), and each 128-block's sum is added under both scales.
  fp8
};

// A weight matrix on the device, row-major (n_out, stride): stride >= n_in numbers from row to row, zeros after n_in, rows at multiples of
// 16 bytes. Scales as the contract's packers take them: mxfp4 (n_out, n_in / 32) bytes, FP8 (n_out, ceil(n_in / 128)) f32.
struct DeviceMatrix {
  const void* codes = nullptr;
  const void* scales = nullptr;
  WeightFormat format = WeightFormat::f32;
  std::int64_t n_out = 0, n_in = 0, stride = 0;
};
std::int64_t device_stride(WeightFormat format, std::int64_t n_in);
std::size_t device_code_bytes(WeightFormat format, std::int64_t n_out,
                              std::int64_t n_in);  // a multiple of 128
std::size_t device_scale_bytes(WeightFormat format, std::int64_t n_out, std::int64_t n_in);  // likewise

// y[t, o] = sum over k of w[o, k] * x[row(t), k] + bias[o], of rows of one input.
struct DeviceInput {
  const float* x = nullptr;  // (n_rows, n_in), stride from row to row
  std::int64_t n_rows = 0, stride = 0;
  bool of_experts = false;  // one kernel for all products whatever their number, so that no expert's bits depend on the others
};
struct DeviceProduct {
  DeviceMatrix w;
  const std::int32_t* rows = nullptr;  // (n_tokens) on the device, or nullptr: first_row, first_row + 1, ...
  std::int64_t first_row = 0, n_tokens = 0;
  float* y = nullptr;  // (n_tokens, n_out), y_stride from row to row
  std::int64_t y_stride = 0;
  const float* bias = nullptr;  // (n_out) on the device, or nullptr
};

// Heads (or one whole row) of n_rows rows: head h of row r begins at data + r * row_stride + h * head_stride.
struct DeviceHeads {
  float* data = nullptr;
  std::int64_t n_rows = 0, row_stride = 0, n_heads = 1, head_stride = 0;
};

// One query token: where its keys lie. pages: index of its sequence's first page among the page pointers.
struct DeviceQuery {
  std::int32_t row = 0;  // of q and of out
  std::int32_t first_page = 0;
  std::int32_t first_key = 0, end_key = 0;
};
struct DeviceAttention {
  AttentionShape shape;      // sinks on the device
  const float* q = nullptr;  // row r, head h at q + r * q_stride + h * qk_dim
  std::int64_t q_stride = 0;
  float* out = nullptr;                  // (rows, n_heads * v_dim)
  const float* const* pages = nullptr;   // on the device: of all sequences, one after the other
  const DeviceQuery* queries = nullptr;  // host; those of one sequence lie together, ascending
  std::int64_t n_queries = 0;
};
// Where a row's keys and values go: slot `slot` of page `page` (index among the page pointers).
struct DeviceSlot {
  std::int32_t row = 0, page = 0, slot = 0;
};
struct DeviceKeys {
  AttentionShape shape;
  // Head h of row r: keys are `own` numbers at k + r * k_stride + h * k_head, then (latent attention) qk_dim - own numbers at
  // shared + r * shared_stride, the same for every head; values v_dim numbers at v + r * v_stride + h * v_head.
  const float *k = nullptr, *v = nullptr, *shared = nullptr;
  std::int64_t own = 0, k_stride = 0, k_head = 0, v_stride = 0, v_head = 0, shared_stride = 0;
  float* const* pages = nullptr;      // on the device
  const DeviceSlot* slots = nullptr;  // host
  std::int64_t n_slots = 0;
};

// What is asked of a row of logits, and the answer: log-probability of token t = logit[t] - (maximum + log(sum)), in f64 by the caller.
struct HeadSummary {
  double sum = 0;  // of exp(logit - maximum), blocks of 512 as log_softmax_at
  float maximum = 0, top = 0;
  std::int32_t top_token = -1;  // the lower index on a tie, -1: all NaN
};

double head_log_sum(const HeadSummary& summary);  // log(sum of exp) of the row, as log_sum_exp

class Accelerator {
 public:
  virtual ~Accelerator() = default;
  virtual const char* name() const = 0;          // "NVIDIA H200", "emulated"
  virtual std::uint64_t free_bytes() const = 0;  // of its memory now
  virtual void* take(std::size_t bytes) = 0;     // aligned to 256; nullptr: a fault
  virtual void give(void* memory) = 0;           // taken here; nullptr allowed
  virtual void to_device(void* to, const void* from,
                         std::size_t bytes) = 0;  // `from` may go when the call returns
  virtual void to_host(void* to, const void* from, std::size_t bytes) = 0;  // complete on return
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;     // within the device
  virtual void zero(void* to, std::size_t bytes) = 0;
  // Host memory to the device through pinned buffers, beside the kernels that run: kernels queued after stream_ready() see it; what was queued
  // before stream_begin() is done before it is overwritten.
  virtual void stream_begin() = 0;
  virtual void stream_up(void* to, const void* from, std::size_t bytes) = 0;
  virtual void stream_ready() = 0;
  virtual const char* finish() = 0;  // waits; the first fault so far (static text), nullptr for none
  virtual double seconds_of(void (*work)(void*), void* argument) = 0;  // device time of what `work` queues

  // Panels (kernels/contract.h), lying on the device, into rows.
  virtual void unpack(const PackedMatrix& panels, const DeviceMatrix& to) = 0;
  virtual void multiply(const DeviceInput& x, const DeviceProduct* products, std::int64_t n_products,
                        GpuArithmetic arithmetic) = 0;
  virtual void rms_norm(const DeviceHeads& x, const float* weight, std::int64_t n,
                        float eps) = 0;  // in place
  virtual void rms_norm_to(const float* x, const float* weight, std::int64_t n_rows, std::int64_t n,
                           float eps, float* y) = 0;
  // y (n_rows, inner) from gate_up (n_rows, 2 inner); limit 0: silu(gate) * up, else clamped_swiglu_halves.
  virtual void gate(const float* gate_up, std::int64_t n_rows, std::int64_t inner, SwigluClamp clamp,
                    float* y) = 0;
  // y = fma(a, x, y); with factors (n_rows) one for each row in place of a.
  virtual void add_scaled(float a, const float* factors, const float* x, std::int64_t n_rows, std::int64_t n,
                          float* y) = 0;
  virtual void combine(const float* expert_out, const std::int32_t* slots, const float* weights,
                       std::int64_t n_rows, std::int64_t top_k, std::int64_t n, float* y) = 0;
  virtual void rotary(const DeviceHeads& x, std::int64_t n_pairs, RotaryPairs pairs, const float* cos_rows,
                      const float* sin_rows) = 0;
  virtual void clip(float* x, std::int64_t n_rows, std::int64_t stride, std::int64_t n, float limit) = 0;
  virtual void sigmoid(float* x, std::int64_t n) = 0;
  virtual void round_bf16(const float* x, std::int64_t n,
                          float* y) = 0;  // to the nearest bf16 number, kept as f32
  virtual void divide(float* x, std::int64_t n, float by) = 0;
  virtual void gather(const float* x, const std::int32_t* rows, std::int64_t n_rows, std::int64_t n,
                      float* y) = 0;
  // As route(); finite logits, at most 32 groups, top_k <= 64. All pointers on the device; out.margins, group_margins, expert_margins, scores may be
  // nullptr. `forced`: out.experts is read, and only weights and scores are written.
  virtual void route(const RouterSpec& spec, const float* logits, std::int64_t n_tokens,
                     const RouterChoice& out, bool forced) = 0;
  virtual void store_keys(const DeviceKeys& keys) = 0;
  virtual void attend(const DeviceAttention& job, GpuArithmetic arithmetic) = 0;
  // out (n_rows) on the device; picked[i] = logits[i, picks[i]] where picks is given.
  virtual void summarise(const float* logits, std::int64_t n_rows, std::int64_t n, HeadSummary* out) = 0;
};
inline constexpr std::int64_t kGpuMaxGroups = 32, kGpuMaxChosen = 64, kGpuMaxValueDim = 512,
                              kGpuMaxKeyDim = 1024;

// |bf16 product - canonical product| <= this times sum over k of |w| |x| (both as stored, unrounded). u = 2^-8 is bf16's unit roundoff; w is
// rounded too where its format is not exact in bf16. A tensor core adds 16 products to the sum at a time, aligned to the largest and cut at
// 2^-23 of it or finer (Fasi, Higham, Mikaitis, Pranesh 2021, "Numerical behavior of NVIDIA tensor cores"): at most 17 * 2^-23 of the sum of
// magnitudes a step. The canonical sum's own error is (512 + blocks) * 2^-24.
// fp8: against the canonical product of the quantised inputs, which both sides know exactly.
double gpu_product_bound(WeightFormat format, std::int64_t n_in, GpuArithmetic arithmetic);
// Whether this arithmetic quantises the inputs of a product with such weights.
inline bool quantises(WeightFormat format, GpuArithmetic arithmetic) {
  return arithmetic == GpuArithmetic::fp8 && format == WeightFormat::e4m3;
}

// The host in the GPU's place; downwards: threads of a block run in descending order. `pool` outlives it.
std::unique_ptr<Accelerator> emulated_accelerator(ThreadPool& pool, bool downwards = false);
// The first CUDA device, or why there is none (static text in *why).
std::unique_ptr<Accelerator> cuda_accelerator(const char** why);

}  // namespace assay
