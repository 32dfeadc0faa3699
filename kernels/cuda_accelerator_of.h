// The accelerator's operations as launches of kernels, over a Runtime that has the memory and runs the blocks: a CUDA device
// (cuda_accelerator.cu) or the host (cuda_emulated.cc). What is decided here - grids, tiles, which kernel - is the same for both.
#pragma once
#include <vector>

#include "base/check.h"
#include "kernels/accelerator.h"
#include "kernels/cuda_attention.h"
#include "kernels/cuda_head.h"
#include "kernels/cuda_mma_attention.h"
#include "kernels/cuda_mma_product.h"
#include "kernels/cuda_product.h"
#include "kernels/cuda_router.h"
#include "kernels/cuda_rows.h"
#include "kernels/cuda_unpack.h"

namespace assay {
namespace {

template <class Runtime>
class AcceleratorOf final : public Accelerator {
 public:
  template <class... Args>
  explicit AcceleratorOf(Args&&... args) : r_(static_cast<Args&&>(args)...) {}

  Runtime& runtime() { return r_; }
  const char* name() const override { return r_.name(); }
  std::uint64_t free_bytes() const override { return r_.free_bytes(); }
  void* take(std::size_t bytes) override { return r_.take(bytes); }
  void give(void* memory) override { r_.give(memory); }
  void to_device(void* to, const void* from, std::size_t bytes) override { r_.to_device(to, from, bytes); }
  void to_host(void* to, const void* from, std::size_t bytes) override { r_.to_host(to, from, bytes); }
  void copy(void* to, const void* from, std::size_t bytes) override { r_.copy(to, from, bytes); }
  void zero(void* to, std::size_t bytes) override { r_.zero(to, bytes); }
  void stream_begin() override { r_.stream_begin(); }
  void stream_up(void* to, const void* from, std::size_t bytes) override { r_.stream_up(to, from, bytes); }
  void stream_ready() override { r_.stream_ready(); }
  const char* finish() override { return r_.finish(); }
  double seconds_of(void (*work)(void*), void* argument) override { return r_.seconds_of(work, argument); }

  void unpack(const PackedMatrix& from, const DeviceMatrix& to) override {
    const auto* const bytes = static_cast<const std::uint8_t*>(from.panels);
    void* const codes = const_cast<void*>(to.codes);
    void* const scales = const_cast<void*>(to.scales);
    const std::int64_t n = to.n_out * to.stride;
    switch (to.format) {
      case WeightFormat::f32:
        return each(UnpackPlainOp<float>{n, to.n_in, to.stride, static_cast<const float*>(from.panels), false,
                                         static_cast<float*>(codes)});
      case WeightFormat::bf16:
        return each(UnpackPlainOp<std::uint16_t>{n, to.n_in, to.stride,
                                                 static_cast<const std::uint16_t*>(from.panels), true,
                                                 static_cast<std::uint16_t*>(codes)});
      case WeightFormat::mxfp4:
        return each(UnpackMxfp4Op{n / 2, to.stride / 2, to.n_in / kMxfp4Inputs, bytes,
                                  static_cast<std::uint8_t*>(codes), static_cast<std::uint8_t*>(scales)});
      case WeightFormat::e4m3:
      case WeightFormat::e5m2:
        return each(UnpackFp8Op{n, to.n_in, to.stride, bytes, static_cast<std::uint8_t*>(codes),
                                static_cast<float*>(scales)});
      case WeightFormat::q8_0:  // never brought here (PanelFormats::common)
      case WeightFormat::f16:
        ASSAY_CHECK(false);
    }
  }

  void multiply(const DeviceInput& x, const DeviceProduct* products, std::int64_t n_products,
                GpuArithmetic arithmetic) override {
    if (n_products == 0) return;
    const WeightFormat format = products[0].w.format;  // of one call's products it is the same
    if (arithmetic == GpuArithmetic::canonical || format == WeightFormat::f32)
      return multiply_canonical(x, products, n_products);
    const std::int64_t n_in = products[0].w.n_in, stride = device_stride(WeightFormat::bf16, n_in);
    if (quantises(format, arithmetic)) return multiply_fp8(x, stride, products, n_products);
    Temporary<std::uint16_t> rounded(r_, x.n_rows * stride);
    if (rounded.data == nullptr) return;
    each(ToBf16Op{x.n_rows * stride, n_in, stride, x.x, x.stride, nullptr, rounded.data});
    if (n_products == 1 && !x.of_experts && products[0].rows == nullptr && format == WeightFormat::bf16 &&
        r_.dense_bf16(rounded.data + products[0].first_row * stride, stride, products[0])) {
      if (products[0].bias != nullptr) add_bias(products[0]);
      return;
    }
    if (format == WeightFormat::e4m3 || format == WeightFormat::e5m2)
      return multiply_mma<true>(rounded.data, stride, nullptr, products, n_products);
    multiply_mma<false>(rounded.data, stride, nullptr, products, n_products);
  }

  void rms_norm(const DeviceHeads& x, const float* weight, std::int64_t n, float eps) override {
    launch(RmsNormKernel{x.data, x.n_rows, x.row_stride, x.n_heads, x.head_stride, weight, n, eps, x.data,
                         x.row_stride, x.head_stride});
  }
  void rms_norm_to(const float* x, const float* weight, std::int64_t n_rows, std::int64_t n, float eps,
                   float* y) override {
    launch(RmsNormKernel{x, n_rows, n, 1, 0, weight, n, eps, y, n, 0});
  }
  void gate(const float* gate_up, std::int64_t n_rows, std::int64_t inner, SwigluClamp clamp,
            float* y) override {
    each(GateOp{n_rows * inner, inner, gate_up, clamp, y});
  }
  void add_scaled(float a, const float* factors, const float* x, std::int64_t n_rows, std::int64_t n,
                  float* y) override {
    each(AddScaledOp{n_rows * n, n, a, factors, x, y});
  }
  void combine(const float* expert_out, const std::int32_t* slots, const float* weights, std::int64_t n_rows,
               std::int64_t top_k, std::int64_t n, float* y) override {
    each(CombineOp{n_rows * n, n, top_k, expert_out, slots, weights, y});
  }
  void rotary(const DeviceHeads& x, std::int64_t n_pairs, RotaryPairs pairs, const float* cos_rows,
              const float* sin_rows) override {
    each(RotaryOp{x.n_rows * x.n_heads * n_pairs, n_pairs, x, pairs, cos_rows, sin_rows});
  }
  void clip(float* x, std::int64_t n_rows, std::int64_t stride, std::int64_t n, float limit) override {
    each(ClipOp{n_rows * n, n, stride, limit, x});
  }
  void sigmoid(float* x, std::int64_t n) override { each(SigmoidOp{n, x}); }
  void round_bf16(const float* x, std::int64_t n, float* y) override { each(RoundBf16Op{n, x, y}); }
  void divide(float* x, std::int64_t n, float by) override { each(DivideOp{n, x, by}); }
  void gather(const float* x, const std::int32_t* rows, std::int64_t n_rows, std::int64_t n,
              float* y) override {
    each(GatherOp{n_rows * n, n, x, rows, y});
  }
  void route(const RouterSpec& spec, const float* logits, std::int64_t n_tokens, const RouterChoice& out,
             bool forced) override {
    launch(RouteKernel{spec, logits, n_tokens, out, forced});
  }
  void store_keys(const DeviceKeys& keys) override {
    const Temporary<DeviceSlot> slots(r_, keys.slots, keys.n_slots);
    each(StoreKeysOp{keys.n_slots * keys.shape.n_kv_heads * (keys.shape.qk_dim + keys.shape.v_dim), keys,
                     slots.data});
  }
  void attend(const DeviceAttention& job, GpuArithmetic arithmetic) override {
    const Temporary<DeviceQuery> queries(r_, job.queries, job.n_queries);
    if (arithmetic != GpuArithmetic::canonical) {  // the kernel depends on the shape alone
      if (job.shape.qk_dim <= 128 && job.shape.v_dim <= 128) return attend_mma<128, 128>(job, queries.data);
      if (job.shape.qk_dim <= 192 && job.shape.v_dim <= 128) return attend_mma<192, 128>(job, queries.data);
      if (job.shape.qk_dim <= 256 && job.shape.v_dim <= 256) return attend_mma<256, 256>(job, queries.data);
    }
    launch(CanonicalAttentionKernel{job.shape, job.q, job.q_stride, job.out, job.pages, queries.data,
                                    job.n_queries});
  }
  void summarise(const float* logits, std::int64_t n_rows, std::int64_t n, HeadSummary* out) override {
    launch(HeadKernel{logits, n_rows, n, out});
  }

 private:
  // Device memory for one call: what was queued with it goes on to be valid (memory is given back in the queue's order).
  template <class T>
  struct Temporary {
    Temporary(Runtime& runtime, std::int64_t n)
        : r(runtime), data(static_cast<T*>(runtime.take(static_cast<std::size_t>(n) * sizeof(T)))) {}
    Temporary(Runtime& runtime, const T* host, std::int64_t n) : Temporary(runtime, n) {
      if (data != nullptr) r.to_device(data, host, static_cast<std::size_t>(n) * sizeof(T));
    }
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;
    ~Temporary() { r.give(data); }
    Runtime& r;
    T* data;
  };

  template <class K>
  void launch(const K& kernel) {
    if (kernel.blocks() > 0) r_.launch(kernel, kernel.blocks());
  }
  template <class Op>
  void each(const Op& op) {
    launch(EachElement<Op>{op});
  }

  static std::vector<ProductTile> tiles_of(const DeviceProduct* products, std::int64_t n_products,
                                           std::int64_t tokens) {
    std::vector<ProductTile> out;
    for (std::int64_t i = 0; i < n_products; ++i) {
      for (std::int64_t t = 0; t < products[i].n_tokens; t += tokens)
        out.push_back({static_cast<std::int32_t>(i), static_cast<std::int32_t>(t)});
    }
    return out;
  }
  static std::int64_t columns_of(const DeviceProduct* products, std::int64_t n_products,
                                 std::int64_t outputs) {
    std::int64_t widest = 0;
    for (std::int64_t i = 0; i < n_products; ++i)
      widest = products[i].w.n_out > widest ? products[i].w.n_out : widest;
    return (widest + outputs - 1) / outputs;
  }

  void multiply_canonical(const DeviceInput& x, const DeviceProduct* products, std::int64_t n_products) {
    const std::vector<ProductTile> tiles = tiles_of(products, n_products, CanonicalProductKernel::kTile);
    const Temporary<DeviceProduct> jobs(r_, products, n_products);
    const Temporary<ProductTile> where(r_, tiles.data(), static_cast<std::int64_t>(tiles.size()));
    launch(CanonicalProductKernel{x, jobs.data, where.data, static_cast<std::int64_t>(tiles.size()),
                                  columns_of(products, n_products, CanonicalProductKernel::kTile)});
  }

  void multiply_fp8(const DeviceInput& x, std::int64_t stride, const DeviceProduct* products,
                    std::int64_t n_products) {
    const std::int64_t n_in = products[0].w.n_in, n_blocks = (n_in + kFp8Inputs - 1) / kFp8Inputs;
    if (n_products == 1 && !x.of_experts && products[0].rows == nullptr &&
        r_.dense_fp8(*this, x, products[0])) {
      if (products[0].bias != nullptr) add_bias(products[0]);
      return;
    }
    const Temporary<std::uint16_t> codes(r_, x.n_rows * stride);
    const Temporary<float> scales(r_, x.n_rows * n_blocks);
    if (codes.data == nullptr || scales.data == nullptr) return;
    launch(QuantiseKernel{x.x, x.n_rows, n_in, x.stride, n_blocks, codes.data, nullptr, stride, 0,
                          scales.data, 0});
    multiply_mma<true>(codes.data, stride, scales.data, products, n_products);
  }

  // Products of few tokens take tiles of 16, others of 128: which does not show in the bits.
  template <bool kBlockScales>
  void multiply_mma(const std::uint16_t* x, std::int64_t stride, const float* x_scales,
                    const DeviceProduct* products, std::int64_t n_products) {
    constexpr std::int64_t kFew = 32;
    std::vector<DeviceProduct> few, many;
    for (std::int64_t i = 0; i < n_products; ++i)
      (products[i].n_tokens <= kFew ? few : many).push_back(products[i]);
    run_mma<16, 64, 1, 4, kBlockScales>(x, stride, x_scales, few);
    run_mma<128, 128, 2, 4, kBlockScales>(x, stride, x_scales, many);
  }
  template <int kM, int kN, int kWarpsM, int kWarpsN, bool kBlockScales>
  void run_mma(const std::uint16_t* x, std::int64_t stride, const float* x_scales,
               const std::vector<DeviceProduct>& products) {
    const auto n = static_cast<std::int64_t>(products.size());
    if (n == 0) return;
    const std::vector<ProductTile> tiles = tiles_of(products.data(), n, kM);
    const Temporary<DeviceProduct> jobs(r_, products.data(), n);
    const Temporary<ProductTile> where(r_, tiles.data(), static_cast<std::int64_t>(tiles.size()));
    launch(MmaProductKernel<kM, kN, kWarpsM, kWarpsN, kBlockScales>{
        x, stride, x_scales, jobs.data, where.data, static_cast<std::int64_t>(tiles.size()),
        columns_of(products.data(), n, kN)});
  }

  template <int kQk, int kV>
  void attend_mma(const DeviceAttention& job, const DeviceQuery* queries) {
    using Kernel = MmaAttentionKernel<kQk, kV>;
    std::vector<QueryTile> tiles;
    for (std::int64_t i = 0; i < job.n_queries; ++i) {
      const bool joins = !tiles.empty() && tiles.back().n < Kernel::kQueries &&
                         job.queries[tiles.back().first].first_page == job.queries[i].first_page;
      joins ? static_cast<void>(++tiles.back().n) : tiles.push_back({static_cast<std::int32_t>(i), 1});
    }
    const auto n = static_cast<std::int64_t>(tiles.size());
    const Temporary<QueryTile> where(r_, tiles.data(), n);
    launch(Kernel{job.shape, job.q, job.q_stride, job.out, job.pages, queries, where.data, n});
  }

  void add_bias(const DeviceProduct& p) {
    each(BiasOp{p.n_tokens * p.w.n_out, p.w.n_out, p.bias, p.y, p.y_stride});
  }

  Runtime r_;
};

}  // namespace
}  // namespace assay
