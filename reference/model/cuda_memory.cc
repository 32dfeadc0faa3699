#include "reference/model/cuda_memory.h"

#include "base/check.h"

namespace assay {

void* DeviceBuffer::bytes(std::size_t n) {
  if (n <= size_ && data_ != nullptr) return data_;
  a_->give(data_);
  data_ = a_->take(n);
  size_ = n;
  return data_;
}

DevicePages::DevicePages(Accelerator& a, std::int64_t floats_per_layer, std::int64_t n_layers)
    : a_(a), floats_per_layer_(floats_per_layer), n_layers_(n_layers) {
  ASSAY_CHECK(floats_per_layer > 0 && n_layers > 0);
}

DevicePages::~DevicePages() {
  for (float* page : pages_) a_.give(page);
}

std::int32_t DevicePages::take() {
  if (free_.empty()) {
    const auto bytes = static_cast<std::size_t>(bytes_per_page());
    auto* const memory = static_cast<float*>(a_.take(bytes));
    if (memory != nullptr)
      a_.zero(memory, bytes);  // whole pages are read; what lies beyond the last key must be a number
    pages_.push_back(memory);
    users_.push_back(0);
    free_.push_back(static_cast<std::int32_t>(pages_.size() - 1));
  }
  const std::int32_t page = free_.back();
  free_.pop_back();
  users_[static_cast<std::size_t>(page)] = 1;
  return page;
}

void DevicePages::give_back(std::int32_t page) {
  std::int32_t& users = users_[static_cast<std::size_t>(page)];
  ASSAY_CHECK(users > 0);
  if (--users == 0) free_.push_back(page);
}

void DevicePages::copy(std::int32_t from, std::int32_t to) {
  ASSAY_CHECK(from != to);
  a_.copy(pages_[static_cast<std::size_t>(to)], pages_[static_cast<std::size_t>(from)],
          static_cast<std::size_t>(bytes_per_page()));
}

float* DevicePages::at(std::int32_t page, std::int64_t layer) const {
  ASSAY_CHECK(page >= 0 && static_cast<std::size_t>(page) < pages_.size());
  ASSAY_CHECK(n_layers_ == 1 || layer < n_layers_);
  return pages_[static_cast<std::size_t>(page)] + (n_layers_ == 1 ? 0 : layer * floats_per_layer_);
}

}  // namespace assay
