#include "reference/model/wave_plan.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace assay {

WavePlan::WavePlan(std::vector<std::span<const std::int32_t>> sequences, const WaveLimits& limits)
    : sequences_(std::move(sequences)), order_(sequences_.size()), limits_(limits) {
  ASSAY_CHECK(limits.max_rows > 0 && limits.max_pages > 0 && limits.chunk_rows >= 0);
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::stable_sort(order_.begin(), order_.end(), [this](std::size_t a, std::size_t b) {
    return std::lexicographical_compare(sequences_[a].begin(), sequences_[a].end(), sequences_[b].begin(),
                                        sequences_[b].end());
  });
}

// Length of the common beginning of `ids` and the sequence added last.
std::size_t WavePlan::shared_with_path(std::span<const std::int32_t> ids, const Wave& wave) const {
  if (!limits_.reuse) return 0;
  const std::size_t most = std::min(ids.size(), path_rows_.size());
  std::size_t n = 0;
  while (n < most && wave.batch.ids[static_cast<std::size_t>(path_rows_[n])] == ids[n]) ++n;
  return n;
}

void WavePlan::add_segment(std::span<const std::int32_t> ids, std::size_t begin, std::size_t end,
                           PageStore& pages, Wave& wave) {
  constexpr auto kKeys = static_cast<std::size_t>(kPageKeys);
  ASSAY_CHECK(begin < end && end <= ids.size() && path_rows_.size() == begin);
  Segment segment;
  segment.first_row = wave.batch.n_rows();
  segment.n_rows = static_cast<std::int64_t>(end - begin);
  segment.position = static_cast<std::int64_t>(begin);
  path_pages_.resize(begin / kKeys);
  segment.inherited_rows.assign(path_rows_.begin() + static_cast<std::ptrdiff_t>(path_pages_.size() * kKeys),
                                path_rows_.end());
  while (path_pages_.size() * kKeys < end) path_pages_.push_back(pages.take());
  segment.pages = path_pages_;
  for (std::size_t p = begin; p < end; ++p) {
    path_rows_.push_back(static_cast<std::int32_t>(wave.batch.ids.size()));
    wave.batch.ids.push_back(ids[p]);
    wave.batch.positions.push_back(static_cast<std::int64_t>(p));
    wave.users.push_back(0);
  }
  wave.batch.segments.push_back(std::move(segment));
}

void WavePlan::add(std::size_t sequence, PageStore& pages, Wave& wave) {
  const std::span<const std::int32_t> ids = sequences_[sequence];
  const std::size_t shared = shared_with_path(ids, wave);
  path_rows_.resize(shared);
  const std::size_t chunk =
      limits_.chunk_rows > 0 ? static_cast<std::size_t>(limits_.chunk_rows) : ids.size();
  for (std::size_t begin = shared; begin < ids.size(); begin += chunk) {
    add_segment(ids, begin, std::min(begin + chunk, ids.size()), pages, wave);
  }
  for (const std::int32_t row : path_rows_) ++wave.users[static_cast<std::size_t>(row)];
  wave.sequences.push_back(sequence);
  wave.rows.push_back(path_rows_);
}

bool WavePlan::next(PageStore& pages, Wave& wave) {
  wave = Wave{};
  path_rows_.clear();
  path_pages_.clear();
  pages.clear();
  for (; next_ < order_.size(); ++next_) {
    const std::span<const std::int32_t> ids = sequences_[order_[next_]];
    const auto fresh = static_cast<std::int64_t>(ids.size() - shared_with_path(ids, wave));
    const std::int64_t fresh_pages = fresh == 0 ? 0 : fresh / kPageKeys + 2;
    const bool full =
        wave.batch.n_rows() + fresh > limits_.max_rows || pages.n_in_use() + fresh_pages > limits_.max_pages;
    if (full && wave.batch.n_rows() > 0) break;
    add(order_[next_], pages, wave);
  }
  return !wave.sequences.empty();
}

}  // namespace assay
