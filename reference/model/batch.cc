#include "reference/model/batch.h"

#include <algorithm>

#include "base/check.h"

namespace assay {

PageStore::PageStore(std::int64_t floats_per_layer, std::int64_t n_layers)
    : floats_per_layer_(floats_per_layer), n_layers_(n_layers) {
  ASSAY_CHECK(floats_per_layer > 0 && n_layers > 0);
}

std::int32_t PageStore::take() {
  if (free_.empty()) {
    // Zeroed: the score tile reads whole pages, and what lies beyond the last key must not be a signalling or stale number.
    pages_.push_back(std::make_unique<float[]>(static_cast<std::size_t>(floats_per_layer_ * n_layers_)));
    users_.push_back(0);
    free_.push_back(static_cast<std::int32_t>(pages_.size() - 1));
  }
  const std::int32_t page = free_.back();
  free_.pop_back();
  users_[static_cast<std::size_t>(page)] = 1;
  return page;
}

void PageStore::share(std::int32_t page) {
  ASSAY_CHECK(users_[static_cast<std::size_t>(page)] > 0);
  ++users_[static_cast<std::size_t>(page)];
}

void PageStore::give_back(std::int32_t page) {
  std::int32_t& users = users_[static_cast<std::size_t>(page)];
  ASSAY_CHECK(users > 0);
  if (--users == 0) free_.push_back(page);
}

void PageStore::copy(std::int32_t from, std::int32_t to) {
  ASSAY_CHECK(from != to);
  const float* source = pages_[static_cast<std::size_t>(from)].get();
  std::copy_n(source, floats_per_layer_ * n_layers_, pages_[static_cast<std::size_t>(to)].get());
}

float* PageStore::at(std::int32_t page, std::int64_t layer) const {
  ASSAY_CHECK(page >= 0 && static_cast<std::size_t>(page) < pages_.size());
  ASSAY_CHECK(n_layers_ == 1 || layer < n_layers_);
  return pages_[static_cast<std::size_t>(page)].get() + (n_layers_ == 1 ? 0 : layer * floats_per_layer_);
}

std::int64_t PageStore::bytes() const { return static_cast<std::int64_t>(pages_.size()) * bytes_per_page(); }

void PageStore::clear() {
  free_.clear();
  for (std::size_t i = pages_.size(); i-- > 0;) free_.push_back(static_cast<std::int32_t>(i));
  std::fill(users_.begin(), users_.end(), 0);
}

}  // namespace assay
