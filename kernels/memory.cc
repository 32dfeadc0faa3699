#include "kernels/memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <utility>

#include "base/check.h"

namespace assay {
namespace {
constexpr std::size_t kHugePage = std::size_t{2} << 20;
}

HugeMemory HugeMemory::attempt(std::size_t bytes) {
  HugeMemory out;
  if (bytes == 0) return out;
  const bool large = bytes >= kHugePage;
  out.mapped_ = large ? (bytes + 2 * kHugePage - 1) / kHugePage * kHugePage : bytes;
  void* const mapping =
      ::mmap(nullptr, out.mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return out;
  out.mapping_ = mapping;
  auto address = reinterpret_cast<std::uintptr_t>(mapping);
  if (large) {
    address = (address + kHugePage - 1) / kHugePage * kHugePage;
    ::madvise(reinterpret_cast<void*>(address), (bytes + kHugePage - 1) / kHugePage * kHugePage,
              MADV_HUGEPAGE);  // a wish
  }
  out.size_ = bytes;
  out.data_ = reinterpret_cast<std::byte*>(address);
  return out;
}

HugeMemory::HugeMemory(std::size_t bytes) : HugeMemory(attempt(bytes)) {
  ASSAY_CHECK(bytes == 0 || data_ != nullptr);  // callers plan their memory before (`--memory`)
}

HugeMemory::HugeMemory(HugeMemory&& other) noexcept { *this = std::move(other); }

HugeMemory& HugeMemory::operator=(HugeMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
  std::swap(mapping_, other.mapping_);
  return *this;
}

HugeMemory::~HugeMemory() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapped_);
}

std::shared_ptr<std::byte> HugePieces::take(std::size_t bytes) {
  constexpr std::size_t kMapping = 16 * kHugePage, kLarge = 2 * kHugePage, kAlign = 64;
  const std::size_t size = (bytes + kAlign - 1) / kAlign * kAlign;
  if (size >= kLarge) {  // alone
    const auto own = std::make_shared<HugeMemory>(HugeMemory::attempt(size));
    return {own, own->data()};
  }
  if (!open_ || open_->size() - used_ < size) {
    auto next = std::make_shared<HugeMemory>(HugeMemory::attempt(kMapping));
    if (next->data() == nullptr) return nullptr;
    open_ = std::move(next);
    used_ = 0;
  }
  used_ += size;
  return {open_, open_->data() + used_ - size};
}

}  // namespace assay
