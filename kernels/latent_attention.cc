// Attention over keys that all heads share and that hold their own values: how queries are grouped into tasks.
#include <algorithm>
#include <vector>

#include "kernels/contract.h"
#include "kernels/scratch.h"

namespace assay {
namespace {

constexpr std::int64_t kLatentRun = 4 * kLatentTile;  // queries of one sequence that one task takes
constexpr std::int64_t kLatentSerialWork = 1 << 18;   // multiply-adds below which one thread does it all
constexpr std::int64_t kExactPositions = 1 << 24;     // the kernel compares positions as f32

struct LatentRun {
  std::int64_t first, n;
};

void check_latent_shape(const LatentShape& shape) {
  ASSAY_CHECK(shape.qk_dim >= 1 && shape.v_dim >= 1 && shape.v_dim <= shape.qk_dim);
}

std::vector<LatentRun> latent_runs(const AttentionQuery* queries, std::int64_t n_queries) {
  std::vector<LatentRun> runs;
  for (std::int64_t i = 0; i < n_queries; ++i) {
    const AttentionQuery& q = queries[i];
    ASSAY_CHECK(q.first_key >= 0 && q.first_key < q.end_key && q.end_key < kExactPositions);
    ASSAY_CHECK(q.q != nullptr && q.out != nullptr && q.pages != nullptr);
    const bool joins =
        !runs.empty() && runs.back().n < kLatentRun && queries[runs.back().first].pages == q.pages;
    joins ? static_cast<void>(++runs.back().n) : runs.push_back({i, 1});
  }
  return runs;
}

// Floats that attend_latent() needs for these queries.
std::size_t latent_scratch(const LatentShape& shape, const AttentionQuery* queries, const LatentRun& run) {
  std::int64_t first = queries[run.first].first_key, end = queries[run.first].end_key;
  for (std::int64_t i = run.first; i < run.first + run.n; ++i) {
    first = std::min(first, queries[i].first_key);
    end = std::max(end, queries[i].end_key);
  }
  const std::int64_t pages = (end + kPageKeys - 1) / kPageKeys - first / kPageKeys;
  return static_cast<std::size_t>(kLatentTile * (shape.qk_dim + shape.v_dim + pages * kPageKeys));
}

}  // namespace

std::size_t latent_page_floats(const LatentShape& shape) {
  check_latent_shape(shape);
  return static_cast<std::size_t>(kPageKeys * shape.qk_dim);
}

void latent_attention(const Compute& c, const LatentShape& shape, const AttentionQuery* queries,
                      std::int64_t n_queries) {
  check_latent_shape(shape);
  const std::vector<LatentRun> runs = latent_runs(queries, n_queries);
  const auto task = [&](std::size_t i, int) {
    static thread_local ScratchFloats scratch;
    const LatentRun& run = runs[i];
    c.kernels.attend_latent(shape, queries + run.first, run.n,
                            scratch.at_least(latent_scratch(shape, queries, run)));
  };
  std::int64_t work = 0;
  for (std::int64_t i = 0; i < n_queries; ++i)
    work += (queries[i].end_key - queries[i].first_key) * (shape.qk_dim + shape.v_dim);
  if (work < kLatentSerialWork) {
    for (std::size_t i = 0; i < runs.size(); ++i) task(i, 0);
  } else {
    c.pool.run(runs.size(), task);
  }
}

}  // namespace assay
