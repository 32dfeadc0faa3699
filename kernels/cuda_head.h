// What is kept of a row of logits: maximum, sum of exponentials in blocks of 512 (kernels/contract.h, "head") and the likeliest token. One
// block a row. Included after cuda_block.h.
#pragma once
#include "kernels/accelerator.h"
#include "kernels/cuda_block.h"
#include "kernels/cuda_math.h"

namespace assay {
namespace {

struct HeadKernel {
  static constexpr int kThreads = 256;
  static constexpr std::int64_t kSumBlock = 512, kMaxBlocks = 2048;  // a vocabulary of 2^20
  struct Shared {
    float top[kThreads], best[kThreads], sums[kMaxBlocks];
    std::int32_t token[kThreads];
  };
  static constexpr std::size_t kSharedBytes = sizeof(Shared);
  const float* logits;
  std::int64_t n_rows, n;
  HeadSummary* out;
  std::int64_t blocks() const { return n_rows; }

  // Whether candidate (x, token) goes before (best, at); a NaN never does, -1 is no token.
  static ASSAY_GPU bool before(float x, std::int32_t token, float best, std::int32_t at) {
    if (token < 0 || x != x) return false;
    return at < 0 || x > best || (x == best && token < at);
  }

  ASSAY_GPU void search(Shared& s, const float* row, int t) const {
    float m = -infinity_f32(), best = 0.0f;
    std::int32_t token = -1;
    for (std::int64_t i = t; i < n; i += kThreads) {
      m = larger(row[i], m);
      if (before(row[i], static_cast<std::int32_t>(i), best, token)) {
        best = row[i];
        token = static_cast<std::int32_t>(i);
      }
    }
    s.top[t] = m;
    s.best[t] = best;
    s.token[t] = token;
  }

  static ASSAY_GPU void join(Shared& s) {
    for (int t = 1; t < kThreads; ++t) {
      s.top[0] = larger(s.top[t], s.top[0]);
      if (!before(s.best[t], s.token[t], s.best[0], s.token[0])) continue;
      s.best[0] = s.best[t];
      s.token[0] = s.token[t];
    }
  }

  static ASSAY_GPU float block_sum(const float* x, std::int64_t n_block, float m) {
    float partial[16] = {};
    for (std::int64_t i = 0; i < n_block; i += 16) {
      for (int j = 0; j < 16; ++j) partial[j] += i + j < n_block ? gpu_exp(x[i + j] - m) : 0.0f;
    }
    return gpu_tree(partial);
  }

  template <class Block>
  ASSAY_GPU void run(Block& b) const {
    Shared& s = *reinterpret_cast<Shared*>(b.shared);
    const float* const row = logits + b.index * n;
    b.phase([&](int t) { search(s, row, t); });
    b.phase([&](int t) {
      if (t == 0) join(s);
    });
    b.phase([&](int t) {
      for (std::int64_t block = t; block * kSumBlock < n; block += kThreads)
        s.sums[block] =
            block_sum(row + block * kSumBlock, lesser(kSumBlock, n - block * kSumBlock), s.top[0]);
    });
    b.each([&](int t) {
      if (t != 0) return;
      double sum = 0;
      for (std::int64_t block = 0; block * kSumBlock < n; ++block) sum += static_cast<double>(s.sums[block]);
      out[b.index] = {sum, s.top[0], s.best[0], s.token[0]};
    });
  }
};

}  // namespace
}  // namespace assay
