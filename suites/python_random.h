// random.Random of CPython 3 (Modules/_randommodule.c, Lib/random.py): Mersenne Twister seeded by init_by_array, integers below n by
// rejection of getrandbits, sample and shuffle. Protocols that other harnesses drew with it can be asked with the very same draws.
#pragma once
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace assay {

class PythonRandom {
 public:
  explicit PythonRandom(std::uint64_t seed);
  std::uint32_t below(std::uint32_t n);  // [0, n), n > 0
  // random.sample(range(n), k): k different numbers, k <= n.
  std::vector<int> sample(std::size_t n, std::size_t k);
  // random.shuffle(list).
  template <typename T>
  void shuffle(std::vector<T>& list) {
    for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[below(static_cast<std::uint32_t>(i))]);
  }

 private:
  std::mt19937 engine_;
};

}  // namespace assay
