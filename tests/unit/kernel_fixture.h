// What the tests of kernels share: every available implementation with several thread counts, inputs that
// make rounding show, and bitwise comparison.
#pragma once
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "base/rng.h"
#include "kernels/contract.h"
#include "kernels/select.h"
#include "tests/catch.h"

namespace assay::test {

// Runs body for every implementation with 1 and 3 threads.
inline void each_compute(const std::function<void(const Compute&)>& body) {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    for (const Kernels* table : available_kernels()) {
      INFO("kernels " << table->name << ", threads " << threads);
      body(Compute{*table, pool});
    }
  }
}

inline std::vector<float> normals(std::size_t n, std::uint64_t stream, double scale = 1) {
  Stream random(17, stream);
  std::vector<float> out(n);
  for (float& x : out) x = static_cast<float>(scale * random.normal());
  return out;
}

// linspace(-100, 100, n): products of it cancel almost completely, so that any change of order shows
// (batch_invariant_ops' recipe).
inline std::vector<float> linspace(std::size_t n) {
  std::vector<float> out(n);
  for (std::size_t i = 0; i < n; ++i)
    out[i] = static_cast<float>(-100 + 200 * static_cast<double>(i) / static_cast<double>(n > 1 ? n - 1 : 1));
  return out;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// A weight matrix with the memory it lies in.
struct Weights {
  std::vector<float> rows;  // (n_out, n_in), what the packed matrix means
  std::vector<std::uint16_t> bf16_rows;
  std::vector<std::byte> memory;
  PackedMatrix packed;
};

inline Weights make_weights(std::vector<float> values, WeightFormat format, std::int64_t n_out,
                            std::int64_t n_in) {
  Weights w;
  w.rows = std::move(values);
  w.memory.resize(packed_bytes(format, n_out, n_in));
  if (format == WeightFormat::bf16) {
    for (float& x : w.rows) {
      w.bf16_rows.push_back(f32_to_bf16(x));
      x = bf16_to_f32(w.bf16_rows.back());
    }
    w.packed = pack(w.bf16_rows.data(), format, n_out, n_in, w.memory.data());
  } else {
    w.packed = pack(w.rows.data(), format, n_out, n_in, w.memory.data());
  }
  return w;
}

}  // namespace assay::test
