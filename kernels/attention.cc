// Attention over pages of keys and values: storing, and how queries are grouped into tasks.
#include <algorithm>
#include <vector>

#include "kernels/contract.h"
#include "kernels/scratch.h"

namespace assay {
namespace {

constexpr std::int64_t kRunQueries = 32;  // queries of one sequence that one task takes over the same pages
constexpr std::int64_t kSerialWork = 1 << 18;  // multiply-adds below which one thread does it all

struct Run {
  std::int64_t first, n;
};

void check_shape(const AttentionShape& shape) {
  ASSAY_CHECK(shape.n_heads >= 1 && shape.n_kv_heads >= 1 && shape.n_heads % shape.n_kv_heads == 0);
  ASSAY_CHECK(shape.qk_dim >= 1 && shape.v_dim >= 1);
}

std::vector<Run> runs_of(const AttentionQuery* queries, std::int64_t n_queries) {
  std::vector<Run> runs;
  for (std::int64_t i = 0; i < n_queries; ++i) {
    const AttentionQuery& q = queries[i];
    ASSAY_CHECK(q.first_key >= 0 && q.first_key < q.end_key);
    ASSAY_CHECK(q.q != nullptr && q.out != nullptr && q.pages != nullptr);
    const bool joins =
        !runs.empty() && runs.back().n < kRunQueries && queries[runs.back().first].pages == q.pages;
    joins ? static_cast<void>(++runs.back().n) : runs.push_back({i, 1});
  }
  return runs;
}

// Floats that attend() needs for these queries.
std::size_t scratch_floats(const AttentionQuery* queries, const Run& run) {
  std::int64_t first = queries[run.first].first_key, end = queries[run.first].end_key;
  for (std::int64_t i = run.first; i < run.first + run.n; ++i) {
    first = std::min(first, queries[i].first_key);
    end = std::max(end, queries[i].end_key);
  }
  const std::int64_t pages = (end + kPageKeys - 1) / kPageKeys - first / kPageKeys;
  return static_cast<std::size_t>(kAttentionTile * pages * kPageKeys);
}

}  // namespace

std::size_t page_floats(const AttentionShape& shape) {
  check_shape(shape);
  return static_cast<std::size_t>(shape.n_kv_heads * kPageKeys * (shape.qk_dim + shape.v_dim));
}

void store_key_value(const AttentionShape& shape, const float* k, std::int64_t k_stride, const float* v,
                     std::int64_t v_stride, float* page, std::int64_t slot) {
  ASSAY_CHECK(slot >= 0 && slot < kPageKeys);
  ASSAY_CHECK(k_stride >= shape.qk_dim && v_stride >= shape.v_dim);
  for (std::int64_t h = 0; h < shape.n_kv_heads; ++h) {
    float* const keys = page + h * kPageKeys * (shape.qk_dim + shape.v_dim);
    for (std::int64_t d = 0; d < shape.qk_dim; ++d) keys[d * kPageKeys + slot] = k[h * k_stride + d];
    std::copy_n(v + h * v_stride, shape.v_dim, keys + shape.qk_dim * kPageKeys + slot * shape.v_dim);
  }
}

void attention(const Compute& c, const AttentionShape& shape, const AttentionQuery* queries,
               std::int64_t n_queries) {
  check_shape(shape);
  const std::vector<Run> runs = runs_of(queries, n_queries);
  const auto task = [&](std::size_t i, int) {
    static thread_local ScratchFloats scratch;
    const Run& run = runs[i / static_cast<std::size_t>(shape.n_heads)];
    const auto head = static_cast<std::int64_t>(i % static_cast<std::size_t>(shape.n_heads));
    c.kernels.attend(shape, queries + run.first, run.n, head, scratch.at_least(scratch_floats(queries, run)));
  };
  std::int64_t work = 0;
  for (std::int64_t i = 0; i < n_queries; ++i)
    work += (queries[i].end_key - queries[i].first_key) * shape.n_heads * (shape.qk_dim + shape.v_dim);
  const std::size_t n_tasks = runs.size() * static_cast<std::size_t>(shape.n_heads);
  if (work < kSerialWork) {
    for (std::size_t i = 0; i < n_tasks; ++i) task(i, 0);
  } else {
    c.pool.run(n_tasks, task);
  }
}

}  // namespace assay
