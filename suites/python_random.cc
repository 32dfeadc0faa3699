#include "suites/python_random.h"

#include <array>
#include <bit>
#include <cmath>
#include <numeric>
#include <unordered_set>

#include "base/check.h"

namespace assay {
namespace {

constexpr std::size_t kWords = std::mt19937::state_size;

// init_by_array of the reference mt19937ar.c, as a seed sequence: it hands over the whole state.
class ArraySeed {
 public:
  explicit ArraySeed(std::uint64_t seed) {
    key_[0] = static_cast<std::uint32_t>(seed);
    key_[1] = static_cast<std::uint32_t>(seed >> 32);
    n_ = key_[1] == 0 ? 1 : 2;
    state_[0] = 19650218;
    for (std::uint32_t i = 1; i < kWords; ++i) state_[i] = 1812433253U * mixed(i - 1) + i;
    std::size_t i = 1;
    std::uint32_t j = 0;
    for (std::size_t k = 0; k < kWords; ++k) {
      state_[i] = (state_[i] ^ (mixed(i - 1) * 1664525U)) + key_[j] + j;
      i = next(i);
      j = (j + 1) % n_;
    }
    for (std::size_t k = 1; k < kWords; ++k) {
      state_[i] = (state_[i] ^ (mixed(i - 1) * 1566083941U)) - static_cast<std::uint32_t>(i);
      i = next(i);
    }
    state_[0] = 0x80000000U;
  }

  using result_type = std::uint32_t;
  template <class Iterator>
  void generate(Iterator first, Iterator last) const {
    for (std::size_t i = 0; first != last; ++first, ++i) *first = state_[i % kWords];
  }

 private:
  std::uint32_t mixed(std::size_t i) const { return state_[i] ^ (state_[i] >> 30); }
  std::size_t next(std::size_t i) {
    if (i + 1 < kWords) return i + 1;
    state_[0] = state_[kWords - 1];
    return 1;
  }

  std::array<std::uint32_t, 2> key_{};
  std::uint32_t n_ = 1;
  std::array<std::uint32_t, kWords> state_{};
};

}  // namespace

PythonRandom::PythonRandom(std::uint64_t seed) {
  ArraySeed sequence(seed);
  engine_.seed(sequence);
}

std::uint32_t PythonRandom::below(std::uint32_t n) {
  ASSAY_CHECK(n > 0);
  const int bits = std::bit_width(n);
  for (;;) {
    const auto draw = static_cast<std::uint32_t>(engine_() >> (32 - bits));
    if (draw < n) return draw;
  }
}

std::vector<int> PythonRandom::sample(std::size_t n, std::size_t k) {
  ASSAY_CHECK(k <= n && n < (std::size_t{1} << 31));
  std::vector<int> chosen;
  // Lib/random.py: a list costs less than a set below this size.
  double set_size = 21;
  if (k > 5) set_size += std::pow(4, std::ceil(std::log(static_cast<double>(k) * 3) / std::log(4.0)));
  if (static_cast<double>(n) <= set_size) {
    std::vector<int> pool(n);
    std::iota(pool.begin(), pool.end(), 0);
    for (std::size_t i = 0; i < k; ++i) {
      const std::uint32_t j = below(static_cast<std::uint32_t>(n - i));
      chosen.push_back(pool[j]);
      pool[j] = pool[n - i - 1];
    }
    return chosen;
  }
  std::unordered_set<int> seen;
  while (chosen.size() < k) {
    const int j = static_cast<int>(below(static_cast<std::uint32_t>(n)));
    if (seen.insert(j).second) chosen.push_back(j);
  }
  return chosen;
}

}  // namespace assay
