#include "reference/model/wave_plan.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.h"

namespace assay {
namespace {

constexpr auto kKeysAPage = static_cast<std::size_t>(kPageKeys);

}  // namespace

std::int64_t Wave::n_keys() const {
  std::int64_t n = 0;
  for (const Slab& slab : slabs) {
    for (const std::int64_t position : slab.batch.positions) n += position + 1;
  }
  return n;
}

WavePlan::WavePlan(std::vector<Sequence> sequences, const WaveLimits& limits)
    : sequences_(std::move(sequences)), limits_(limits) {
  ASSAY_CHECK(limits.max_rows > 0 && limits.slab_rows >= 0 && limits.max_pages > 0 && limits.chunk_rows >= 0);
  std::map<std::int64_t, std::size_t> unit_of;
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    const Sequence& s = sequences_[i];
    ASSAY_CHECK(s.account >= 0);
    n_accounts_ = std::max(n_accounts_, s.account + 1);
    const auto [it, is_new] =
        s.unit < 0 ? std::pair(unit_of.end(), true) : unit_of.try_emplace(s.unit, units_.size());
    if (is_new) units_.emplace_back();
    (is_new ? units_.back() : units_[it->second]).push_back(i);
  }
  const auto by_ids = [this](std::size_t a, std::size_t b) { return before(a, b); };
  for (Members& members : units_) std::stable_sort(members.begin(), members.end(), by_ids);
  std::stable_sort(units_.begin(), units_.end(),
                   [&](const Members& a, const Members& b) { return before(a.front(), b.front()); });
}

bool WavePlan::before(std::size_t a, std::size_t b) const {
  const auto &x = sequences_[a].ids, &y = sequences_[b].ids;
  return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end());
}

// Length of the common beginning of two sequences.
std::size_t WavePlan::shared(std::size_t a, std::size_t b) const {
  if (!limits_.reuse) return 0;
  const auto &x = sequences_[a].ids, &y = sequences_[b].ids;
  return static_cast<std::size_t>(std::mismatch(x.begin(), x.end(), y.begin(), y.end()).first - x.begin());
}

// The sequences of the wave that begins with unit `next`, sorted by their ids; moves on to the unit after it.
WavePlan::Members WavePlan::take_next(std::size_t& next) const {
  Members out;
  std::int64_t rows = 0, pages = 0;
  for (; next < units_.size(); ++next) {
    std::int64_t fresh = 0;
    for (std::size_t i = 0; i < units_[next].size(); ++i) {
      const std::size_t at = units_[next][i];
      const std::size_t common = i > 0         ? shared(units_[next][i - 1], at)
                                 : out.empty() ? 0
                                               : shared(out.back(), at);
      fresh += static_cast<std::int64_t>(sequences_[at].ids.size() - common);
    }
    const std::int64_t fresh_pages = fresh / kPageKeys + 2 * std::ssize(units_[next]);
    const bool too_many_pages = limits_.slab_rows == 0 && pages + fresh_pages > limits_.max_pages;
    if (rows > 0 && (rows + fresh > limits_.max_rows || too_many_pages)) break;
    out.insert(out.end(), units_[next].begin(), units_[next].end());
    rows += fresh;
    pages += fresh_pages;
  }
  std::stable_sort(out.begin(), out.end(), [this](std::size_t a, std::size_t b) { return before(a, b); });
  return out;
}

// The path goes on elsewhere from token `at`: later slabs do not read the pages that hold nothing before it.
void WavePlan::leave_path(std::size_t at) {
  const std::size_t kept = (at + kKeysAPage - 1) / kKeysAPage;
  page_goes_on_ = page_goes_on_ || path_rows_.size() > at;
  for (std::size_t i = kept; i < path_pages_.size(); ++i) left_pages_.push_back(path_pages_[i]);
  path_pages_.resize(std::min(kept, path_pages_.size()));
  path_rows_.resize(at);
}

// The slab that the next segment goes to, which takes `n_pages` pages.
Slab& WavePlan::slab_for(std::int64_t n_pages, PageStore& pages, Wave& wave) {
  const bool none = wave.slabs.empty();
  const bool full = !none && limits_.slab_rows > 0 &&
                    (wave.slabs.back().batch.n_rows() >= limits_.slab_rows ||
                     pages.n_in_use() + n_pages > limits_.max_pages);
  if (none || full) {
    for (const std::int32_t page : left_pages_) pages.give_back(page);
    left_pages_.clear();
    wave.slabs.push_back({.first_row = wave.n_rows, .batch = {}});
  }
  return wave.slabs.back();
}

void WavePlan::add_segment(std::span<const std::int32_t> ids, std::size_t begin, std::size_t end,
                           PageStore& pages, Wave& wave) {
  ASSAY_CHECK(begin < end && end <= ids.size() && path_rows_.size() == begin);
  Slab& slab = slab_for(static_cast<std::int64_t>((end - begin) / kKeysAPage + 2), pages, wave);
  if (limits_.slab_rows > 0)
    end = std::min(end, begin + static_cast<std::size_t>(limits_.slab_rows - slab.batch.n_rows()));
  Segment segment;
  segment.first_row = slab.batch.n_rows();
  segment.n_rows = static_cast<std::int64_t>(end - begin);
  segment.position = static_cast<std::int64_t>(begin);
  if (begin % kKeysAPage != 0 && page_goes_on_) {
    segment.inherited_page = path_pages_.back();
    left_pages_.push_back(path_pages_.back());
    path_pages_.pop_back();
  }
  page_goes_on_ = false;
  while (path_pages_.size() * kKeysAPage < end) path_pages_.push_back(pages.take());
  segment.pages = path_pages_;
  for (std::size_t p = begin; p < end; ++p) {
    path_rows_.push_back(static_cast<std::int32_t>(wave.n_rows++));
    slab.batch.ids.push_back(ids[p]);
    slab.batch.positions.push_back(static_cast<std::int64_t>(p));
  }
  slab.batch.segments.push_back(std::move(segment));
}

void WavePlan::add(std::size_t sequence, PageStore& pages, Wave& wave) {
  const std::span<const std::int32_t> ids = sequences_[sequence].ids;
  const std::size_t chunk =
      limits_.chunk_rows > 0 ? static_cast<std::size_t>(limits_.chunk_rows) : ids.size();
  while (path_rows_.size() < ids.size()) {
    const std::size_t begin = path_rows_.size();
    add_segment(ids, begin, std::min(begin + chunk, ids.size()), pages, wave);
  }
  auto& users = wave.users[static_cast<std::size_t>(sequences_[sequence].account)];
  users.resize(static_cast<std::size_t>(wave.n_rows), 0);
  for (const std::int32_t row : path_rows_) ++users[static_cast<std::size_t>(row)];
  wave.sequences.push_back(sequence);
  wave.rows.push_back(path_rows_);
}

bool WavePlan::next(PageStore& pages, Wave& wave) {
  wave = Wave{};
  wave.users.resize(static_cast<std::size_t>(n_accounts_));
  path_rows_.clear();
  path_pages_.clear();
  left_pages_.clear();
  page_goes_on_ = false;
  pages.clear();
  const Members members = take_next(next_);
  for (std::size_t i = 0; i < members.size(); ++i) {
    leave_path(i == 0 ? 0 : shared(members[i - 1], members[i]));
    add(members[i], pages, wave);
  }
  for (auto& users : wave.users) users.resize(static_cast<std::size_t>(wave.n_rows), 0);
  return !members.empty();
}

WaveCount WavePlan::count() const {
  WaveCount out;
  for (std::size_t next = next_; next < units_.size(); ++out.n_waves) {
    const Members members = take_next(next);
    std::int64_t rows = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const auto length = static_cast<std::int64_t>(sequences_[members[i]].ids.size());
      const auto common = static_cast<std::int64_t>(i == 0 ? 0 : shared(members[i - 1], members[i]));
      rows += length - common;
      out.keys += (length * (length + 1) - common * (common + 1)) / 2;
    }
    out.n_rows += rows;
    out.most_rows = std::max(out.most_rows, rows);
  }
  return out;
}

}  // namespace assay
