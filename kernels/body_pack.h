// Inputs of a tile of tokens, brought into the order in which the register tile reads them: (n_k, kTile), input by input.
#pragma once
#include <cstdint>

namespace assay {
namespace {

// Inputs [from, n_k) of n rows; rows that are missing are zero.
template <std::int64_t kTile>
void pack_plain(const float* const* rows, std::int64_t n, std::int64_t k0, std::int64_t from,
                std::int64_t n_k, float* tile) {
  for (std::int64_t k = from; k < n_k; ++k) {
    for (std::int64_t t = 0; t < n; ++t) tile[k * kTile + t] = rows[t][k0 + k];
    for (std::int64_t t = n; t < kTile; ++t) tile[k * kTile + t] = 0.0f;
  }
}

}  // namespace
}  // namespace assay
