// Memory that a thread keeps between calls, and how rows are shared out. Private to kernels/.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/parallel.h"
#include "kernels/memory.h"

namespace assay {

// A growing, page-aligned buffer; make it thread_local.
class ScratchFloats {
 public:
  float* at_least(std::size_t n) {
    if (n * sizeof(float) > memory_.size()) memory_ = HugeMemory((n + 1023) / 1024 * 1024 * sizeof(float));
    return memory_.floats();
  }

 private:
  HugeMemory memory_;
};

inline constexpr std::int64_t kElementsPerTask =
    1 << 15;  // some 10 us of row work: waking a thread costs about as much

// Calls body(i) for all rows, on one thread where all of them are little work. `cost` is about the elements
// touched by a row.
template <class Body>
void for_rows(ThreadPool& pool, std::int64_t n_rows, std::int64_t cost, const Body& body) {
  ASSAY_CHECK(n_rows >= 0 && cost >= 0);
  const std::int64_t step = std::max<std::int64_t>(1, kElementsPerTask / std::max<std::int64_t>(1, cost));
  const std::int64_t n_tasks = (n_rows + step - 1) / step;
  const auto range = [&](std::size_t task, int) {
    const std::int64_t first = static_cast<std::int64_t>(task) * step;
    for (std::int64_t i = first; i < std::min(first + step, n_rows); ++i) body(i);
  };
  if (n_tasks <= 1) {
    if (n_rows > 0) range(0, 0);
    return;
  }
  pool.run(static_cast<std::size_t>(n_tasks), range);
}

}  // namespace assay
