// Attention over pages of 64 keys in the contract's own order: scores as matrix products, the exact maximum over all visible keys first, then
// weights, sums and values page by page, pages joined ascending. Included after cuda_block.h.
#pragma once
#include "kernels/accelerator.h"
#include "kernels/cuda_block.h"
#include "kernels/cuda_math.h"

namespace assay {
namespace {

struct StoreKeysOp {
  std::int64_t n;  // slots * kv heads * (qk_dim + v_dim)
  DeviceKeys keys;
  const DeviceSlot* slots;  // on the device
  ASSAY_GPU void at(std::int64_t i) const {
    const AttentionShape& s = keys.shape;
    const std::int64_t width = s.qk_dim + s.v_dim, d = i % width, head = i / width % s.n_kv_heads;
    const DeviceSlot to = slots[i / width / s.n_kv_heads];
    float* const page = keys.pages[to.page] + head * kPageKeys * width;
    if (d >= s.qk_dim) {
      page[s.qk_dim * kPageKeys + to.slot * s.v_dim + d - s.qk_dim] =
          keys.v[to.row * keys.v_stride + head * keys.v_head + d - s.qk_dim];
    } else if (d < keys.own) {
      page[d * kPageKeys + to.slot] = keys.k[to.row * keys.k_stride + head * keys.k_head + d];
    } else {
      page[d * kPageKeys + to.slot] = keys.shared[to.row * keys.shared_stride + d - keys.own];
    }
  }
};

// One block a query and head. The scores are computed twice, for the maximum and for the weights, so that no context is too long.
struct CanonicalAttentionKernel {
  static constexpr int kThreads = 128, kColumns = static_cast<int>(kGpuMaxValueDim) / kThreads;
  static constexpr std::size_t kSharedBytes = (kGpuMaxKeyDim + kPageKeys + 16 + 2 + kThreads) * sizeof(float);
  AttentionShape shape;
  const float* q;
  std::int64_t q_stride;
  float* out;
  const float* const* pages;
  const DeviceQuery* queries;  // on the device
  std::int64_t n_queries;
  std::int64_t blocks() const { return n_queries * shape.n_heads; }

  struct Columns {
    float v[kColumns];
  };

  ASSAY_GPU float score(const float* query, const float* keys, int slot) const {
    float sum = 0.0f;
    for (std::int64_t d0 = 0; d0 < shape.qk_dim; d0 += kBlockK) {
      float acc = 0.0f;
      for (std::int64_t d = d0; d < lesser(d0 + kBlockK, shape.qk_dim); ++d)
        acc = fused(query[d], keys[d * kPageKeys + slot], acc);
      sum = d0 == 0 ? acc : sum + acc;
    }
    return sum * shape.scale;
  }

  template <class Block>
  ASSAY_GPU void run(Block& b) const {
    auto* const query = reinterpret_cast<float*>(b.shared);
    float *const p = query + kGpuMaxKeyDim, *const sums = p + kPageKeys, *const top = sums + 16,
                 *const all = top + 2;
    const DeviceQuery at = queries[b.index / shape.n_heads];
    const std::int64_t head = b.index % shape.n_heads, kv_head = head / (shape.n_heads / shape.n_kv_heads);
    const std::int64_t offset = kv_head * kPageKeys * (shape.qk_dim + shape.v_dim);
    const std::int64_t first_page = at.first_key / kPageKeys, end_page = blocks_for(at.end_key, kPageKeys);
    const float* const* const own = pages + at.first_page;
    b.phase([&](int t) {
      for (std::int64_t d = t; d < shape.qk_dim; d += kThreads)
        query[d] = q[at.row * q_stride + head * shape.qk_dim + d];
      all[t] = -infinity_f32();
    });
    b.phase([&](int t) {
      if (t >= kPageKeys) return;
      for (std::int64_t page = first_page; page < end_page; ++page) {
        const std::int64_t key = page * kPageKeys + t;
        if (key >= at.first_key && key < at.end_key)
          all[t] = larger(score(query, own[page] + offset, t), all[t]);
      }
    });
    b.phase([&](int t) {
      if (t != 0) return;
      float m = -infinity_f32();
      for (int i = 0; i < kPageKeys; ++i) m = larger(all[i], m);
      if (shape.sinks != nullptr) m = larger(shape.sinks[head], m);
      top[0] = m;
      top[1] = 0.0f;
    });
    PerThread<Columns, kThreads> values;
    for (std::int64_t page = first_page; page < end_page; ++page) {
      const float* const keys = own[page] + offset;
      const std::int64_t start = page * kPageKeys;
      const auto begin = static_cast<int>(at.first_key > start ? at.first_key - start : 0),
                 end = static_cast<int>(lesser(at.end_key - start, kPageKeys));
      b.phase([&](int t) {
        if (t < kPageKeys) p[t] = t >= begin && t < end ? gpu_exp(score(query, keys, t) - top[0]) : 0.0f;
      });
      b.phase([&](int t) {
        if (t < 16) sums[t] = ((p[t] + p[t + 16]) + p[t + 32]) + p[t + 48];
        join_values(p, keys + shape.qk_dim * kPageKeys, begin, end, page == first_page, t, values[t]);
      });
      b.phase([&](int t) {
        if (t == 0) top[1] = page == first_page ? gpu_tree(sums) : top[1] + gpu_tree(sums);
      });
    }
    b.phase([&](int t) {
      if (t == 0 && shape.sinks != nullptr) top[1] += gpu_exp(shape.sinks[head] - top[0]);
    });
    b.each([&](int t) {
      for (int i = 0; i < kColumns && t + i * kThreads < shape.v_dim; ++i)
        out[(at.row * shape.n_heads + head) * shape.v_dim + t + i * kThreads] = values[t].v[i] / top[1];
    });
  }

  ASSAY_GPU void join_values(const float* p, const float* v, int begin, int end, bool first, int t,
                             Columns& sum) const {
    for (int i = 0; i < kColumns; ++i) {
      const std::int64_t column = t + i * kThreads;
      if (column >= shape.v_dim) break;
      float acc = 0.0f;
      for (int slot = begin; slot < end; ++slot) acc = fused(p[slot], v[slot * shape.v_dim + column], acc);
      sum.v[i] = first ? acc : sum.v[i] + acc;
    }
  }
};

}  // namespace
}  // namespace assay
