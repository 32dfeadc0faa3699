// One head of attention for a few queries of one sequence. Included after a lanes_*.h, body_math.h and
// body_rows.h, and after the constants kScoreGroups (16-key groups of a score tile) and kValueLanes (16-lane
// columns of a value tile), which choose only how many registers are used.
#pragma once
#include "kernels/contract.h"

namespace assay {
namespace {

// scores[q * stride + slot] of kGroups * 16 keys over one block of inputs, joined to the blocks before;
// scaled after the last.
template <int kQueries, int kGroups>
void score_block(const float* keys, const float* const* q, std::int64_t d0, std::int64_t end, bool last,
                 float scale, float* scores, std::int64_t stride) {
  F16 acc[kQueries][kGroups];
  for (int i = 0; i < kQueries; ++i) {
    for (int g = 0; g < kGroups; ++g) acc[i][g] = splat(0.0f);
  }
  for (std::int64_t d = d0; d < end; ++d) {
    F16 k[kGroups];
    for (int g = 0; g < kGroups; ++g) k[g] = load(keys + d * kPageKeys + 16 * g);
    for (int i = 0; i < kQueries; ++i) {
      const F16 x = splat(q[i][d]);
      for (int g = 0; g < kGroups; ++g) acc[i][g] = fma(x, k[g], acc[i][g]);
    }
  }
  for (int i = 0; i < kQueries; ++i) {
    for (int g = 0; g < kGroups; ++g) {
      float* const at = scores + i * stride + 16 * g;
      const F16 sum = d0 == 0 ? acc[i][g] : add(load(at), acc[i][g]);
      store(at, last ? mul(sum, splat(scale)) : sum);
    }
  }
}

template <int kQueries>
void score_page(const float* keys, const float* const* q, std::int64_t qk_dim, float scale, float* scores,
                std::int64_t stride) {
  for (std::int64_t slot = 0; slot < kPageKeys; slot += 16 * kScoreGroups) {
    for (std::int64_t d0 = 0; d0 < qk_dim; d0 += kBlockK) {
      const bool last = d0 + kBlockK >= qk_dim;
      score_block<kQueries, kScoreGroups>(keys + slot, q, d0, last ? qk_dim : d0 + kBlockK, last, scale,
                                          scores + slot, stride);
    }
  }
}

// p = exp(s - m) of the visible slots [begin, end) of a page in place, zero elsewhere; the page's sum of p.
inline float weigh_page(float* s, std::int64_t begin, std::int64_t end, F16 m) {
  F16 partial = splat(0.0f);
  for (std::int64_t slot = 0; slot < kPageKeys; slot += 16) {
    store(s + slot, exp16(sub(load(s + slot), m)));
    for (std::int64_t i = slot; i < slot + 16; ++i) {
      if (i < begin || i >= end) s[i] = 0.0f;
    }
    partial = add(partial, load(s + slot));
  }
  return tree_sum(partial);
}

// out (columns of one tile) = or += sum over slots [begin, end) of p * value; n columns, <= 16 * kLanes.
template <int kLanes>
void value_tile(const float* p, const float* values, std::int64_t v_dim, std::int64_t begin, std::int64_t end,
                bool first, float* out) {
  F16 acc[kLanes];
  for (int j = 0; j < kLanes; ++j) acc[j] = splat(0.0f);
  for (std::int64_t slot = begin; slot < end; ++slot) {
    const F16 weight = splat(p[slot]);
    for (int j = 0; j < kLanes; ++j) acc[j] = fma(weight, load(values + slot * v_dim + 16 * j), acc[j]);
  }
  for (int j = 0; j < kLanes; ++j) store(out + 16 * j, first ? acc[j] : add(load(out + 16 * j), acc[j]));
}

inline void value_tail(const float* p, const float* values, std::int64_t v_dim, std::int64_t n,
                       std::int64_t begin, std::int64_t end, bool first, float* out) {
  F16 acc = splat(0.0f);
  for (std::int64_t slot = begin; slot < end; ++slot)
    acc = fma(splat(p[slot]), load_n(values + slot * v_dim, n), acc);
  store_n(out, first ? acc : add(load_n(out, n), acc), n);
}

inline void value_page(const float* p, const float* values, std::int64_t v_dim, std::int64_t begin,
                       std::int64_t end, bool first, float* out) {
  std::int64_t d = 0;
  for (; d + 16 * kValueLanes <= v_dim; d += 16 * kValueLanes)
    value_tile<kValueLanes>(p, values + d, v_dim, begin, end, first, out + d);
  for (; d + 16 <= v_dim; d += 16) value_tile<1>(p, values + d, v_dim, begin, end, first, out + d);
  if (d < v_dim) value_tail(p, values + d, v_dim, v_dim - d, begin, end, first, out + d);
}

// Soft-max and values of one query whose scores lie in `s`, the first of them slot 0 of page `page0`.
inline void finish_query(const AttentionShape& shape, const AttentionQuery& query, std::int64_t head,
                         std::int64_t offset, std::int64_t page0, float* s) {
  const std::int64_t origin = page0 * kPageKeys;
  float top = body_maximum(s + (query.first_key - origin), query.end_key - query.first_key);
  const float sink = shape.sinks == nullptr ? 0.0f : shape.sinks[head];
  if (shape.sinks != nullptr && sink > top) top = sink;
  const F16 m = splat(top);
  float* const out = query.out + head * shape.v_dim;
  float total = 0.0f;
  bool first = true;
  for (std::int64_t page = query.first_key / kPageKeys; page * kPageKeys < query.end_key; ++page) {
    const std::int64_t start = page * kPageKeys;
    const std::int64_t begin = query.first_key > start ? query.first_key - start : 0;
    const std::int64_t end = query.end_key - start < kPageKeys ? query.end_key - start : kPageKeys;
    float* const p = s + (start - origin);
    const float page_sum = weigh_page(p, begin, end, m);
    total = first ? page_sum : total + page_sum;
    value_page(p, query.pages[page] + offset + shape.qk_dim * kPageKeys, shape.v_dim, begin, end, first, out);
    first = false;
  }
  if (shape.sinks != nullptr) {
    float e[16];
    store(e, exp16(splat(sink - top)));
    total += e[0];
  }
  const F16 sum = splat(total);
  std::int64_t d = 0;
  for (; d + 16 <= shape.v_dim; d += 16) store(out + d, div(load(out + d), sum));
  if (d < shape.v_dim) store_n(out + d, div(load_n(out + d, shape.v_dim - d), sum), shape.v_dim - d);
}

template <int kQueries>
void attend_tile(const AttentionShape& shape, const AttentionQuery* queries, std::int64_t head,
                 float* scratch) {
  std::int64_t first_key = queries[0].first_key, end_key = queries[0].end_key;
  const float* q[kQueries];
  for (int i = 0; i < kQueries; ++i) {
    q[i] = queries[i].q + head * shape.qk_dim;
    if (queries[i].first_key < first_key) first_key = queries[i].first_key;
    if (queries[i].end_key > end_key) end_key = queries[i].end_key;
  }
  const std::int64_t page0 = first_key / kPageKeys, end_page = (end_key + kPageKeys - 1) / kPageKeys;
  const std::int64_t stride = (end_page - page0) * kPageKeys;
  const std::int64_t kv_head = head / (shape.n_heads / shape.n_kv_heads);
  const std::int64_t offset = kv_head * kPageKeys * (shape.qk_dim + shape.v_dim);
  for (std::int64_t page = page0; page < end_page; ++page) {
    score_page<kQueries>(queries[0].pages[page] + offset, q, shape.qk_dim, shape.scale,
                         scratch + (page - page0) * kPageKeys, stride);
  }
  for (int i = 0; i < kQueries; ++i)
    finish_query(shape, queries[i], head, offset, page0, scratch + i * stride);
}

void body_attend(const AttentionShape& shape, const AttentionQuery* queries, std::int64_t n_queries,
                 std::int64_t head, float* scratch) {
  std::int64_t i = 0;
  for (; i + 4 <= n_queries; i += 4) attend_tile<4>(shape, queries + i, head, scratch);
  for (; i < n_queries; ++i) attend_tile<1>(shape, queries + i, head, scratch);
}

}  // namespace
}  // namespace assay
