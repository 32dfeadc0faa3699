// Memory of an accelerator as a pass uses it: buffers that stay from pass to pass, and pages of keys and values.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/accelerator.h"

namespace assay {

// Memory on the device that grows and is kept from pass to pass.
class DeviceBuffer {
 public:
  explicit DeviceBuffer(Accelerator& a) : a_(&a) {}
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  ~DeviceBuffer() { a_->give(data_); }
  template <class T = float>
  T* at_least(std::int64_t n) {
    return static_cast<T*>(bytes(static_cast<std::size_t>(n) * sizeof(T)));
  }
  template <class T>
  T* hold(std::span<const T> values) {  // a copy of host numbers
    T* const to = at_least<T>(static_cast<std::int64_t>(values.size()));
    if (to != nullptr && !values.empty()) a_->to_device(to, values.data(), values.size_bytes());
    return to;
  }
  float* floats() const { return static_cast<float*>(data_); }

 private:
  void* bytes(std::size_t n);
  Accelerator* a_;
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

// Pages of keys and values on the device, as PageStore: 64 positions of n_layers layers each, shared by counting.
class DevicePages {
 public:
  DevicePages(Accelerator& accelerator, std::int64_t floats_per_layer, std::int64_t n_layers);
  DevicePages(const DevicePages&) = delete;
  DevicePages& operator=(const DevicePages&) = delete;
  ~DevicePages();
  std::int32_t take();
  void share(std::int32_t page) { ++users_[static_cast<std::size_t>(page)]; }
  void give_back(std::int32_t page);
  void copy(std::int32_t from, std::int32_t to);
  float* at(std::int32_t page, std::int64_t layer) const;
  std::int64_t bytes_per_page() const {
    return floats_per_layer_ * n_layers_ * static_cast<std::int64_t>(sizeof(float));
  }
  std::int64_t n_in_use() const { return static_cast<std::int64_t>(pages_.size() - free_.size()); }

 private:
  Accelerator& a_;
  std::int64_t floats_per_layer_, n_layers_;
  std::vector<float*> pages_;
  std::vector<std::int32_t> users_, free_;
};

}  // namespace assay
