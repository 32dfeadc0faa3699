#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "reference/model/cuda_engine_state.h"

namespace assay {

CudaPlan::CudaPlan(std::vector<std::span<const std::int32_t>> sequences, std::int64_t max_rows,
                   std::int64_t chunk_rows, bool reuse)
    : sequences_(std::move(sequences)),
      order_(sequences_.size()),
      max_rows_(max_rows),
      chunk_rows_(chunk_rows),
      reuse_(reuse) {
  ASSAY_CHECK(max_rows > 0 && chunk_rows >= 0);
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::stable_sort(order_.begin(), order_.end(), [this](std::size_t a, std::size_t b) {
    return std::lexicographical_compare(sequences_[a].begin(), sequences_[a].end(), sequences_[b].begin(),
                                        sequences_[b].end());
  });
}

// Tokens that the sequence has in common with the one added last: whole pages, or all of them.
std::size_t CudaPlan::shared(std::size_t sequence, const CudaPass& pass) const {
  if (!reuse_) return 0;
  const std::span<const std::int32_t> ids = sequences_[sequence];
  const std::size_t most = std::min(ids.size(), path_rows_.size());
  std::size_t n = 0;
  while (n < most && pass.batch.ids[static_cast<std::size_t>(path_rows_[n])] == ids[n]) ++n;
  return n == ids.size() ? n : n / static_cast<std::size_t>(kPageKeys) * static_cast<std::size_t>(kPageKeys);
}

void CudaPlan::add(std::size_t sequence, DevicePages& pages, CudaPass& pass) {
  constexpr auto kKeys = static_cast<std::size_t>(kPageKeys);
  const std::span<const std::int32_t> ids = sequences_[sequence];
  const std::size_t common = shared(sequence, pass),
                    chunk = chunk_rows_ > 0 ? static_cast<std::size_t>(chunk_rows_) : ids.size();
  path_rows_.resize(common);
  path_pages_.resize((common + kKeys - 1) / kKeys);
  for (std::size_t begin = common; begin < ids.size(); begin += chunk) {
    const std::size_t end = std::min(begin + chunk, ids.size());
    while (path_pages_.size() * kKeys < end) {
      taken_.push_back(pages.take());
      path_pages_.push_back(taken_.back());
    }
    pass.batch.segments.push_back({pass.batch.n_rows(), static_cast<std::int64_t>(end - begin),
                                   static_cast<std::int64_t>(begin), path_pages_});
    for (std::size_t p = begin; p < end; ++p) {
      path_rows_.push_back(static_cast<std::int32_t>(pass.batch.ids.size()));
      pass.batch.ids.push_back(ids[p]);
      pass.batch.positions.push_back(static_cast<std::int64_t>(p));
      pass.users.push_back(0);
    }
  }
  for (const std::int32_t row : path_rows_) ++pass.users[static_cast<std::size_t>(row)];
  pass.sequences.push_back(sequence);
  pass.rows.push_back(path_rows_);
}

bool CudaPlan::next(DevicePages& pages, CudaPass& pass) {
  pass = CudaPass{};
  path_rows_.clear();
  path_pages_.clear();
  for (const std::int32_t page : taken_) pages.give_back(page);
  taken_.clear();
  for (; next_ < order_.size(); ++next_) {
    const auto fresh =
        static_cast<std::int64_t>(sequences_[order_[next_]].size() - shared(order_[next_], pass));
    if (pass.batch.n_rows() > 0 && pass.batch.n_rows() + fresh > max_rows_) break;
    add(order_[next_], pages, pass);
  }
  return !pass.sequences.empty();
}

}  // namespace assay
