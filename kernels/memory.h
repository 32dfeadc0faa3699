// Memory for weights and other large arrays: aligned to 2 MiB and asked to lie in huge pages. Streaming weights through 4 KiB pages
// misses the translation buffer once per 4 KiB, which costs a third of the read bandwidth where the system gives huge pages only on request.
#pragma once
#include <cstddef>
#include <memory>

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

  static HugeMemory attempt(std::size_t bytes);  // as above; without data where the system has no more

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  float* floats() const { return reinterpret_cast<float*>(data_); }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0, mapped_ = 0;
  void* mapping_ = nullptr;
};

// Pieces of memory, 64-byte aligned, cut one after the other from mappings of some size, so that small matrices share huge pages.
// A mapping lives as long as a piece of it.
class HugePieces {
 public:
  // Null where the system has no more.
  std::shared_ptr<std::byte> take(std::size_t bytes);

 private:
  std::shared_ptr<HugeMemory> open_;
  std::size_t used_ = 0;  // of it
};

}  // namespace assay
