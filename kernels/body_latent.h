// Attention of up to 16 queries over keys that they share, whose first numbers are their values. A lane is a query, so that a page is
// read as it lies, for scores and for values. Included after body_attention.h and after the constant kLatentTerms (slots of a score
// tile, columns of a value tile; it divides kPageKeys), which chooses only how many registers are used.
#pragma once
#include "kernels/contract.h"

namespace assay {
namespace {

// Positions fit f32 exactly (latent_attention checks that they do). Keys [low, high) are seen by some query, [common, common_end) by all.
struct LatentTile {
  F16 first, end;  // of each query: first_key, end_key
  std::int64_t low, high, common, common_end;
  bool all_see(std::int64_t key) const { return key >= common && key < common_end; }
};

inline F16 where_seen(const LatentTile& tile, std::int64_t key, F16 yes, F16 no) {
  const F16 at = splat(static_cast<float>(key));
  return select(less(at, tile.end), select(less(at, tile.first), no, yes), no);
}

inline LatentTile latent_tile(const AttentionQuery* queries, std::int64_t n) {
  float first[kLatentTile], end[kLatentTile];
  LatentTile tile{splat(0.0f),        splat(0.0f),          queries[0].first_key,
                  queries[0].end_key, queries[0].first_key, queries[0].end_key};
  for (std::int64_t i = 0; i < kLatentTile; ++i) {
    const AttentionQuery& query = queries[i < n ? i : 0];
    first[i] = static_cast<float>(query.first_key);
    end[i] = static_cast<float>(query.end_key);
    tile.low = query.first_key < tile.low ? query.first_key : tile.low;
    tile.high = query.end_key > tile.high ? query.end_key : tile.high;
    tile.common = query.first_key > tile.common ? query.first_key : tile.common;
    tile.common_end = query.end_key < tile.common_end ? query.end_key : tile.common_end;
  }
  tile.first = load(first);
  tile.end = load(end);
  return tile;
}

// scores (64, 16) of a page, whatever its slots hold.
inline void score_latent_page(const LatentShape& shape, const float* keys, const float* q, float* scores) {
  for (std::int64_t slot = 0; slot < kPageKeys; slot += kLatentTerms) {
    for (std::int64_t d0 = 0; d0 < shape.qk_dim; d0 += kBlockK) {
      const bool last = d0 + kBlockK >= shape.qk_dim;
      const std::int64_t end = last ? shape.qk_dim : d0 + kBlockK;
      F16 acc[kLatentTerms];
      for (int j = 0; j < kLatentTerms; ++j) acc[j] = splat(0.0f);
      const float* const rows = keys + slot * shape.qk_dim;
      for (std::int64_t d = d0; d < end; ++d) {
        const F16 x = load(q + 16 * d);
        for (int j = 0; j < kLatentTerms; ++j) acc[j] = fma(x, splat(rows[j * shape.qk_dim + d]), acc[j]);
      }
      for (int j = 0; j < kLatentTerms; ++j) {
        float* const at = scores + 16 * (slot + j);
        const F16 sum = d0 == 0 ? acc[j] : add(load(at), acc[j]);
        store(at, last ? mul(sum, splat(shape.scale)) : sum);
      }
    }
  }
}

// The largest score of each query; slot 0 of `scores` is key `origin`.
inline F16 largest_latent_scores(const LatentTile& tile, std::int64_t origin, const float* scores) {
  F16 m = splat(-__builtin_inff());
  for (std::int64_t key = tile.low; key < tile.high; ++key) {
    const F16 more = max(load(scores + 16 * (key - origin)), m);  // m if the score is NaN
    m = tile.all_see(key) ? more : where_seen(tile, key, more, m);
  }
  return m;
}

// p = exp(s - m) of keys [from, to) in place, zero where a query does not see the key; the page's sums of p. `s`: slot 0 of the page.
inline F16 weigh_latent_page(const LatentTile& tile, std::int64_t from, std::int64_t to, F16 m, float* s) {
  F16 partial[16];
  for (F16& each : partial) each = splat(0.0f);
  for (std::int64_t key = from; key < to; ++key) {
    const std::int64_t slot = key % kPageKeys;
    const F16 e = exp16(sub(load(s + 16 * slot), m));
    const F16 p = tile.all_see(key) ? e : where_seen(tile, key, e, splat(0.0f));
    store(s + 16 * slot, p);
    partial[slot % 16] = add(partial[slot % 16], p);
  }
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) partial[i] = add(partial[i], partial[i + width]);
  }
  return partial[0];
}

// A page's sum of p * value joins the pages before it; a query that sees nothing of the page keeps what it has.
inline F16 join_latent(const LatentTile& tile, std::int64_t page, F16 before, F16 sum) {
  const F16 start = splat(static_cast<float>(page * kPageKeys)),
            end = splat(static_cast<float>((page + 1) * kPageKeys));
  const F16 joined = select(less(tile.first, start), add(before, sum), sum);
  return select(less(start, tile.end), select(less(tile.first, end), joined, before), before);
}

// sums (columns, 16) of kColumns columns from `keys` on, which begins at slot 0 of the page; likewise p.
template <int kColumns>
void latent_columns(const LatentShape& shape, const LatentTile& tile, std::int64_t page, std::int64_t from,
                    std::int64_t to, const float* keys, const float* p, float* sums) {
  F16 acc[kColumns];
  for (int j = 0; j < kColumns; ++j) acc[j] = splat(0.0f);
  for (std::int64_t key = from; key < to; ++key) {
    const std::int64_t slot = key % kPageKeys;
    const F16 weight = load(p + 16 * slot);
    const float* const value = keys + slot * shape.qk_dim;
    if (tile.all_see(key)) {
      for (int j = 0; j < kColumns; ++j) acc[j] = fma(weight, splat(value[j]), acc[j]);
    } else {
      for (int j = 0; j < kColumns; ++j)
        acc[j] = where_seen(tile, key, fma(weight, splat(value[j]), acc[j]), acc[j]);
    }
  }
  for (int j = 0; j < kColumns; ++j)
    store(sums + 16 * j, join_latent(tile, page, load(sums + 16 * j), acc[j]));
}

inline void attend_latent_tile(const LatentShape& shape, const AttentionQuery* queries, std::int64_t n,
                               float* scratch) {
  const LatentTile tile = latent_tile(queries, n);
  const std::int64_t page0 = tile.low / kPageKeys, end_page = (tile.high + kPageKeys - 1) / kPageKeys;
  float* const q = scratch;                       // (qk_dim, 16)
  float* const sums = q + 16 * shape.qk_dim;      // (v_dim, 16)
  float* const scores = sums + 16 * shape.v_dim;  // (keys of all pages, 16)
  for (std::int64_t i = 0; i < kLatentTile; ++i) {
    for (std::int64_t d = 0; d < shape.qk_dim; ++d) q[16 * d + i] = queries[i < n ? i : 0].q[d];
  }
  for (std::int64_t d = 0; d < shape.v_dim; ++d) store(sums + 16 * d, splat(0.0f));
  const float* const* pages = queries[0].pages;
  for (std::int64_t page = page0; page < end_page; ++page)
    score_latent_page(shape, pages[page], q, scores + 16 * kPageKeys * (page - page0));
  const F16 m = largest_latent_scores(tile, page0 * kPageKeys, scores);
  F16 total = splat(0.0f);
  for (std::int64_t page = page0; page < end_page; ++page) {
    const std::int64_t start = page * kPageKeys, from = tile.low > start ? tile.low : start,
                       to = tile.high < start + kPageKeys ? tile.high : start + kPageKeys;
    float* const p = scores + 16 * (start - page0 * kPageKeys);
    total = add(total, weigh_latent_page(tile, from, to, m, p));
    std::int64_t d = 0;
    for (; d + kLatentTerms <= shape.v_dim; d += kLatentTerms)
      latent_columns<kLatentTerms>(shape, tile, page, from, to, pages[page] + d, p, sums + 16 * d);
    for (; d < shape.v_dim; ++d)
      latent_columns<1>(shape, tile, page, from, to, pages[page] + d, p, sums + 16 * d);
  }
  for (std::int64_t d = 0; d < shape.v_dim; ++d) {
    float out[kLatentTile];
    store(out, div(load(sums + 16 * d), total));
    for (std::int64_t i = 0; i < n; ++i) queries[i].out[d] = out[i];
  }
}

void body_attend_latent(const LatentShape& shape, const AttentionQuery* queries, std::int64_t n_queries,
                        float* scratch) {
  for (std::int64_t i = 0; i < n_queries; i += kLatentTile)
    attend_latent_tile(shape, queries + i, n_queries - i < kLatentTile ? n_queries - i : kLatentTile,
                       scratch);
}

}  // namespace
}  // namespace assay
