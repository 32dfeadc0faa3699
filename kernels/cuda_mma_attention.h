// Attention on tensor cores: queries, keys, values and soft-max weights as bf16, f32 sums, pages of 64 keys ascending with a running maximum.
// A query's bits depend on its own keys alone: pages that it does not see leave its sums as they are. Included after cuda_block.h.
#pragma once
#include "kernels/accelerator.h"
#include "kernels/cuda_block.h"
#include "kernels/cuda_math.h"

namespace assay {
namespace {

struct QueryTile {
  std::int32_t first, n;  // among the queries; all of one sequence
};

// kQk, kV: the widest keys and values it holds. A block has up to 64 queries of one sequence and one head, a warp 16 of them.
template <int kQk, int kV>
struct MmaAttentionKernel {
  static constexpr int kQueries = 64, kThreads = 128, kKeys = static_cast<int>(kPageKeys), kChunk = 8;
  static constexpr std::size_t kSharedBytes = 2 * (kQueries * kQk + kQk * kKeys + kKeys * kV);
  static_assert(kQk % 64 == 0 && kV % 64 == 0);
  AttentionShape shape;
  const float* q;
  std::int64_t q_stride;
  float* out;
  const float* const* pages;
  const DeviceQuery* queries;
  const QueryTile* tiles;
  std::int64_t n_tiles;
  std::int64_t blocks() const { return n_tiles * shape.n_heads; }

  struct Rows {
    float sum[kV / 8][4];  // of weight * value: rows lane / 4 and lane / 4 + 8
    float scores[kKeys / 8][4];
    float top[2], total[2], other[2];
    std::int32_t first_key[2], end_key[2];  // empty for rows that are not there
    std::uint32_t a[4], b[4];
  };
  using Registers = PerThread<Rows, kThreads>;

  static ASSAY_GPU int place(int row, int width, int column) {
    return row * width + (((column / kChunk) ^ (row & 7)) * kChunk) + column % kChunk;
  }

  ASSAY_GPU void begin_rows(const QueryTile& tile, std::int64_t head, int t, Rows& r) const {
    ASSAY_UNROLL
    for (int i = 0; i < 2; ++i) {
      const int row = t / kGpuWarp * 16 + t % kGpuWarp / 4 + 8 * i;
      r.first_key[i] = r.end_key[i] = 0;
      if (row < tile.n) {
        r.first_key[i] = queries[tile.first + row].first_key;
        r.end_key[i] = queries[tile.first + row].end_key;
      }
      // A sink is a key without a value whose weight exp(sink - top) is 1 at first; the four threads of a row share it.
      r.top[i] = shape.sinks == nullptr ? -infinity_f32() : shape.sinks[head];
      r.total[i] = shape.sinks != nullptr && t % 4 == 0 ? 1.0f : 0.0f;
    }
    for (auto& column : r.sum) {
      for (float& value : column) value = 0.0f;
    }
  }

  ASSAY_GPU void stage_queries(const QueryTile& tile, std::int64_t head, int t, std::uint16_t* qs,
                               int qk) const {
    for (int i = t; i < kQueries * qk; i += kThreads) {
      const int row = i / qk, d = i % qk;
      const bool inside = row < tile.n && d < shape.qk_dim;
      qs[place(row, kQk, d)] =
          rounded_bf16(inside ? q[queries[tile.first + row].row * q_stride + head * shape.qk_dim + d] : 0.0f);
    }
  }

  // Keys as (qk, 64) and values as (64, v), both zero beyond what the model has.
  ASSAY_GPU void stage_page(const float* keys, int t, std::uint16_t* ks, std::uint16_t* vs, int qk,
                            int v) const {
    for (int i = t; i < qk * kKeys; i += kThreads)
      ks[place(i / kKeys, kKeys, i % kKeys)] = rounded_bf16(i / kKeys < shape.qk_dim ? keys[i] : 0.0f);
    const float* const values = keys + shape.qk_dim * kPageKeys;
    for (int i = t; i < kKeys * v; i += kThreads) {
      const int slot = i / v, column = i % v;
      vs[place(slot, kV, column)] =
          rounded_bf16(column < shape.v_dim ? values[slot * shape.v_dim + column] : 0.0f);
    }
  }

  template <class Block>
  static ASSAY_GPU void score(Block& b, Registers& r, std::uint16_t* qs, std::uint16_t* ks, int qk) {
    b.each([&](int t) {
      for (auto& column : r[t].scores) {
        for (float& value : column) value = 0.0f;
      }
    });
    for (int d = 0; d < qk; d += 16) {
      b.load_matrices(
          [&](int t) { return qs + place(t / kGpuWarp * 16 + t % 16, kQk, d + t % kGpuWarp / 16 * 8); },
          [&](int t) { return r[t].a; });
      ASSAY_UNROLL
      for (int pair = 0; pair < kKeys / 16; ++pair) {
        b.load_transposed(
            [&](int t) {
              const int i = t % kGpuWarp / 8;
              return ks + place(d + i % 2 * 8 + t % 8, kKeys, 16 * pair + i / 2 * 8);
            },
            [&](int t) { return r[t].b; });
        ASSAY_UNROLL
        for (int j = 0; j < 2; ++j)
          b.multiply_bf16([&](int t) { return r[t].scores[2 * pair + j]; }, [&](int t) { return r[t].a; },
                          [&](int t) { return r[t].b + 2 * j; });
      }
    }
  }

  // Scores become weights under the new maximum, sums follow it.
  template <class Block>
  ASSAY_GPU void weigh(Block& b, Registers& r, std::int64_t start) const {
    b.each([&](int t) {
      Rows& w = r[t];
      ASSAY_UNROLL
      for (int i = 0; i < 2; ++i) w.other[i] = w.top[i];
      ASSAY_UNROLL
      for (int j = 0; j < kKeys / 8; ++j) {
        ASSAY_UNROLL
        for (int e = 0; e < 4; ++e) {
          const std::int64_t key = start + 8 * j + 2 * (t % 4) + e % 2;
          const bool seen = key >= w.first_key[e / 2] && key < w.end_key[e / 2];
          w.scores[j][e] = seen ? w.scores[j][e] * shape.scale : -infinity_f32();
          w.other[e / 2] = larger(w.scores[j][e], w.other[e / 2]);
        }
      }
    });
    for (int step = 1; step < 4; step *= 2) {
      ASSAY_UNROLL
      for (int i = 0; i < 2; ++i) {
        b.shuffle([&](int t) { return r[t].other[i]; }, [&](int t) { return t ^ step; },
                  [&](int t, float x) { r[t].other[i] = larger(x, r[t].other[i]); });
      }
    }
    b.each([&](int t) {
      Rows& w = r[t];
      ASSAY_UNROLL
      for (int i = 0; i < 2; ++i) {
        const float top = w.other[i] == -infinity_f32() ? 0.0f : w.other[i];  // nothing seen yet
        const float factor = gpu_exp(w.top[i] - top);
        w.total[i] *= factor;
        ASSAY_UNROLL
        for (int j = 0; j < kV / 8; ++j) {
          w.sum[j][2 * i] *= factor;
          w.sum[j][2 * i + 1] *= factor;
        }
        ASSAY_UNROLL
        for (int j = 0; j < kKeys / 8; ++j) {
          for (int e = 2 * i; e < 2 * i + 2; ++e) {
            w.scores[j][e] = widened_bf16(rounded_bf16(gpu_exp(w.scores[j][e] - top)));
            w.total[i] += w.scores[j][e];
          }
        }
        w.top[i] = w.other[i];
      }
    });
  }

  static ASSAY_GPU std::uint32_t two_bf16(float low, float high) {
    return static_cast<std::uint32_t>(rounded_bf16(low)) | static_cast<std::uint32_t>(rounded_bf16(high))
                                                               << 16;
  }

  template <class Block>
  static ASSAY_GPU void add_values(Block& b, Registers& r, std::uint16_t* vs, int v) {
    ASSAY_UNROLL
    for (int part = 0; part < kKeys / 16; ++part) {
      b.each([&](int t) {
        Rows& w = r[t];
        ASSAY_UNROLL
        for (int i = 0; i < 4; ++i)
          w.a[i] = two_bf16(w.scores[2 * part + i / 2][i % 2 * 2], w.scores[2 * part + i / 2][i % 2 * 2 + 1]);
      });
      ASSAY_UNROLL
      for (int pair = 0; pair < kV / 16; ++pair) {
        if (16 * pair >= v) continue;
        b.load_transposed(
            [&](int t) {
              const int i = t % kGpuWarp / 8;
              return vs + place(16 * part + i % 2 * 8 + t % 8, kV, 16 * pair + i / 2 * 8);
            },
            [&](int t) { return r[t].b; });
        ASSAY_UNROLL
        for (int j = 0; j < 2; ++j)
          b.multiply_bf16([&](int t) { return r[t].sum[2 * pair + j]; }, [&](int t) { return r[t].a; },
                          [&](int t) { return r[t].b + 2 * j; });
      }
    }
  }

  template <class Block>
  ASSAY_GPU void finish(Block& b, Registers& r, const QueryTile& tile, std::int64_t head) const {
    for (int step = 1; step < 4; step *= 2) {
      ASSAY_UNROLL
      for (int i = 0; i < 2; ++i) {
        b.shuffle([&](int t) { return r[t].total[i]; }, [&](int t) { return t ^ step; },
                  [&](int t, float x) { r[t].total[i] += x; });
      }
    }
    b.each([&](int t) {
      ASSAY_UNROLL
      for (int j = 0; j < kV / 8; ++j) {
        ASSAY_UNROLL
        for (int e = 0; e < 4; ++e) {
          const int row = t / kGpuWarp * 16 + t % kGpuWarp / 4 + e / 2 * 8,
                    column = 8 * j + 2 * (t % 4) + e % 2;
          if (row < tile.n && column < shape.v_dim)
            out[(queries[tile.first + row].row * shape.n_heads + head) * shape.v_dim + column] =
                r[t].sum[j][e] / r[t].total[e / 2];
        }
      }
    });
  }

  template <class Block>
  ASSAY_GPU void run(Block& b) const {
    auto* const qs = reinterpret_cast<std::uint16_t*>(b.shared);
    std::uint16_t *const ks = qs + kQueries * kQk, *const vs = ks + kQk * kKeys;
    const QueryTile tile = tiles[b.index / shape.n_heads];
    const std::int64_t head = b.index % shape.n_heads, kv_head = head / (shape.n_heads / shape.n_kv_heads);
    const std::int64_t offset = kv_head * kPageKeys * (shape.qk_dim + shape.v_dim);
    const auto qk = static_cast<int>(blocks_for(shape.qk_dim, 16) * 16),
               v = static_cast<int>(blocks_for(shape.v_dim, 16) * 16);
    const DeviceQuery first = queries[tile.first],
                      last = queries[tile.first + tile.n - 1];  // ascending in both bounds
    Registers r;
    b.phase([&](int t) {
      begin_rows(tile, head, t, r[t]);
      stage_queries(tile, head, t, qs, qk);
    });
    for (std::int64_t page = first.first_key / kPageKeys; page * kPageKeys < last.end_key; ++page) {
      b.phase([&](int t) { stage_page(pages[first.first_page + page] + offset, t, ks, vs, qk, v); });
      score(b, r, qs, ks, qk);
      weigh(b, r, page * kPageKeys);
      add_values(b, r, vs, v);
      b.phase([](int) {});  // all have read the page before the next one comes
    }
    finish(b, r, tile, head);
  }
};

}  // namespace
}  // namespace assay
