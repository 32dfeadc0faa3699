// One head of attention for a few queries of one sequence. Included after a lanes_*.h, body_math.h and
// body_rows.h, and after the constants kScoreGroups (16-key groups of a score tile) and kValueLanes (16-lane
// columns of a value tile of four queries), which choose only how many registers are used.
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

// What a query sees of a page: slots [begin, end), none where end <= begin. `first`: it saw none before.
struct Seen {
  std::int64_t begin, end;
  bool first;
  bool any() const { return begin < end; }
};

// acc += p * value for slots [from, to). kCheck: only where the query sees the slot; else all of them do.
template <int kQueries, int kLanes, bool kCheck>
[[gnu::always_inline]] inline void add_values(const float* const* p, const Seen* seen, const float* values,
                                              std::int64_t v_dim, std::int64_t n, std::int64_t from,
                                              std::int64_t to, F16 (&acc)[kQueries][kLanes]) {
  for (std::int64_t slot = from; slot < to; ++slot) {
    F16 v[kLanes];
    for (int j = 0; j < kLanes; ++j) {
      const float* const at = values + slot * v_dim + 16 * j;
      v[j] = n < 16 ? load_n(at, n) : load(at);
    }
    for (int i = 0; i < kQueries; ++i) {
      if (kCheck && (slot < seen[i].begin || slot >= seen[i].end)) continue;
      const F16 weight = splat(p[i][slot]);
      for (int j = 0; j < kLanes; ++j) acc[i][j] = fma(weight, v[j], acc[i][j]);
    }
  }
}

// out[i] + d0 (16 kLanes columns, or the n < 16 last ones) = or += sum over the slots that query i sees of p[i] * value. Slots that all
// see are taken without asking; before and after them each query takes its own.
template <int kQueries, int kLanes>
void value_columns(const float* const* p, const Seen* seen, const float* values, std::int64_t v_dim,
                   std::int64_t d0, std::int64_t n, float* const* out) {
  F16 acc[kQueries][kLanes];
  std::int64_t low = kPageKeys, high = 0, common = 0, common_end = kPageKeys;
  for (int i = 0; i < kQueries; ++i) {
    for (int j = 0; j < kLanes; ++j) acc[i][j] = splat(0.0f);
    low = seen[i].any() && seen[i].begin < low ? seen[i].begin : low;
    high = seen[i].any() && seen[i].end > high ? seen[i].end : high;
    common = seen[i].begin > common ? seen[i].begin : common;
    common_end = seen[i].end < common_end ? seen[i].end : common_end;
  }
  if (common >= common_end) common = common_end = high;
  add_values<kQueries, kLanes, true>(p, seen, values + d0, v_dim, n, low, common, acc);
  add_values<kQueries, kLanes, false>(p, seen, values + d0, v_dim, n, common, common_end, acc);
  add_values<kQueries, kLanes, true>(p, seen, values + d0, v_dim, n, common_end, high, acc);
  for (int i = 0; i < kQueries; ++i) {
    for (int j = 0; seen[i].any() && j < kLanes; ++j) {
      float* const to = out[i] + d0 + 16 * j;
      store_n(to, seen[i].first ? acc[i][j] : add(load_n(to, n), acc[i][j]), n);
    }
  }
}

template <int kQueries>
void value_page(const float* const* p, const Seen* seen, const float* values, std::int64_t v_dim,
                float* const* out) {
  std::int64_t d = 0;
  for (; d + 16 * kValueLanes <= v_dim; d += 16 * kValueLanes)
    value_columns<kQueries, kValueLanes>(p, seen, values, v_dim, d, 16, out);
  for (; d + 16 <= v_dim; d += 16) value_columns<kQueries, 1>(p, seen, values, v_dim, d, 16, out);
  if (d < v_dim) value_columns<kQueries, 1>(p, seen, values, v_dim, d, v_dim - d, out);
}

// The largest score of a query, whose scores begin with slot 0 of the page that holds key `origin`.
inline float largest_score(const AttentionShape& shape, const AttentionQuery& query, std::int64_t head,
                           std::int64_t origin, const float* s) {
  const float top = body_maximum(s + (query.first_key - origin), query.end_key - query.first_key);
  return shape.sinks != nullptr && shape.sinks[head] > top ? shape.sinks[head] : top;
}

inline void divide_by_sum(const AttentionShape& shape, std::int64_t head, float top, float total,
                          float* out) {
  if (shape.sinks != nullptr) {
    float e[16];
    store(e, exp16(splat(shape.sinks[head] - top)));
    total += e[0];
  }
  const F16 sum = splat(total);
  std::int64_t d = 0;
  for (; d + 16 <= shape.v_dim; d += 16) store(out + d, div(load(out + d), sum));
  if (d < shape.v_dim) store_n(out + d, div(load_n(out + d, shape.v_dim - d), sum), shape.v_dim - d);
}

// Soft-max and values of queries whose scores lie in scores + i * stride, the first of them slot 0 of page `page0`.
template <int kQueries>
void finish_queries(const AttentionShape& shape, const AttentionQuery* queries, std::int64_t head,
                    std::int64_t offset, std::int64_t page0, std::int64_t end_page, float* scores,
                    std::int64_t stride) {
  float top[kQueries], total[kQueries] = {};
  float* out[kQueries];
  Seen seen[kQueries];
  for (int i = 0; i < kQueries; ++i) {
    top[i] = largest_score(shape, queries[i], head, page0 * kPageKeys, scores + i * stride);
    out[i] = queries[i].out + head * shape.v_dim;
    seen[i].first = true;
  }
  for (std::int64_t page = page0; page < end_page; ++page) {
    const std::int64_t start = page * kPageKeys;
    const float* p[kQueries];
    for (int i = 0; i < kQueries; ++i) {
      const AttentionQuery& query = queries[i];
      float* const s = scores + i * stride + (start - page0 * kPageKeys);
      p[i] = s;
      seen[i].begin = query.first_key > start ? query.first_key - start : 0;
      seen[i].end = query.end_key - start < kPageKeys ? query.end_key - start : kPageKeys;
      if (!seen[i].any()) continue;
      const float page_sum = weigh_page(s, seen[i].begin, seen[i].end, splat(top[i]));
      total[i] = seen[i].first ? page_sum : total[i] + page_sum;
    }
    value_page<kQueries>(p, seen, queries[0].pages[page] + offset + shape.qk_dim * kPageKeys, shape.v_dim,
                         out);
    for (Seen& each : seen) each.first = each.first && !each.any();
  }
  for (int i = 0; i < kQueries; ++i) divide_by_sum(shape, head, top[i], total[i], out[i]);
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
  finish_queries<kQueries>(shape, queries, head, offset, page0, end_page, scratch, stride);
}

void body_attend(const AttentionShape& shape, const AttentionQuery* queries, std::int64_t n_queries,
                 std::int64_t head, float* scratch) {
  std::int64_t i = 0;
  for (; i + 4 <= n_queries; i += 4) attend_tile<4>(shape, queries + i, head, scratch);
  for (; i < n_queries; ++i) attend_tile<1>(shape, queries + i, head, scratch);
}

}  // namespace
}  // namespace assay
