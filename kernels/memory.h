// Memory for weights and other large arrays: aligned to 2 MiB and asked to lie in huge pages. Streaming weights through 4 KiB pages
// misses the translation buffer once per 4 KiB, which costs a third of the read bandwidth where the system gives huge pages only on request.
#pragma once
#include <cstddef>

namespace assay {

class HugeMemory {
 public:
  HugeMemory() = default;
  explicit HugeMemory(std::size_t bytes);  // zeroed; touched pages count as resident, untouched ones do not
  HugeMemory(HugeMemory&& other) noexcept;
  HugeMemory& operator=(HugeMemory&& other) noexcept;
  HugeMemory(const HugeMemory&) = delete;
  HugeMemory& operator=(const HugeMemory&) = delete;
  ~HugeMemory();

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  float* floats() const { return reinterpret_cast<float*>(data_); }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0, mapped_ = 0;
  void* mapping_ = nullptr;
};

}  // namespace assay
