// A block of a kernel on the host, for tests: the threads run one after another within each phase, upwards or downwards (a result that
// depends on which has a race). Shared memory begins as NaN, background copies arrive only when they are waited for, and the matrix
// operations follow the register layouts of the PTX manual (sections on ldmatrix and mma.m16n8k16).
#pragma once
#include <vector>

#include "base/check.h"
#include "kernels/cuda_block.h"

namespace assay {
namespace {

class HostBlock {
 public:
  HostBlock(int n_threads, std::size_t shared_bytes, bool downwards)
      : n_threads_(n_threads), downwards_(downwards), memory_(shared_bytes / sizeof(Line) + 1) {
    shared = memory_[0].bytes;
  }

  std::int64_t index = 0;
  unsigned char* shared = nullptr;

  void begin(std::int64_t block, std::size_t shared_bytes) {
    index = block;
    copies_.clear();
    groups_.clear();
    std::memset(shared, 0xff, shared_bytes);
  }

  template <class Body>
  void phase(const Body& body) {
    for (int i = 0; i < n_threads_; ++i) body(downwards_ ? n_threads_ - 1 - i : i);
  }
  template <class Body>
  void each(const Body& body) {
    phase(body);
  }

  void copy_16(void* to, const void* from, bool inside) { copies_.push_back({to, inside ? from : nullptr}); }
  void end_copies() {
    groups_.push_back(std::move(copies_));
    copies_.clear();
  }
  template <int kLeft>
  void wait_copies() {
    while (groups_.size() > kLeft) {
      for (const Copy& copy : groups_.front()) {
        copy.from == nullptr ? std::memset(copy.to, 0, 16) : std::memcpy(copy.to, copy.from, 16);
      }
      groups_.erase(groups_.begin());
    }
  }

  template <class Row, class Out>
  void load_matrices(const Row& row, const Out& out) {
    for (int w = 0; w < n_threads_; w += kGpuWarp) {
      for (int i = 0; i < 4; ++i) {
        for (int lane = 0; lane < kGpuWarp; ++lane) {
          const auto* const from =
              static_cast<const unsigned char*>(static_cast<const void*>(row(w + 8 * i + lane / 4)));
          std::memcpy(out(w + lane) + i, from + 4 * (lane % 4), 4);
        }
      }
    }
  }

  template <class Row, class Out>
  void load_transposed(const Row& row, const Out& out) {
    for (int w = 0; w < n_threads_; w += kGpuWarp) {
      for (int i = 0; i < 4; ++i) {
        for (int lane = 0; lane < kGpuWarp; ++lane) {
          const std::uint32_t low = row(w + 8 * i + 2 * (lane % 4))[lane / 4],
                              high = row(w + 8 * i + 2 * (lane % 4) + 1)[lane / 4];
          out(w + lane)[i] = low | high << 16;
        }
      }
    }
  }

  template <class C, class A, class B>
  void multiply_bf16(const C& c, const A& a, const B& b) {
    for (int w = 0; w < n_threads_; w += kGpuWarp) {
      float x[16][16], y[16][8];
      for (int lane = 0; lane < kGpuWarp; ++lane) {
        const int group = lane / 4, k = 2 * (lane % 4);
        for (int half = 0; half < 2; ++half) {
          for (int i = 0; i < 4; ++i)
            x[group + 8 * (i % 2)][k + 8 * (i / 2) + half] = part(a(w + lane)[i], half);
          for (int i = 0; i < 2; ++i) y[k + 8 * i + half][group] = part(b(w + lane)[i], half);
        }
      }
      for (int lane = 0; lane < kGpuWarp; ++lane) {
        for (int i = 0; i < 4; ++i) {
          float& d = c(w + lane)[i];
          double sum = double{d};
          for (int k = 0; k < 16; ++k)
            sum += double{x[lane / 4 + 8 * (i / 2)][k]} * double{y[k][2 * (lane % 4) + i % 2]};
          d = static_cast<float>(sum);
        }
      }
    }
  }

  template <class In, class From, class Out>
  void shuffle(const In& in, const From& from, const Out& out) {
    std::vector<decltype(in(0))> values;
    for (int t = 0; t < n_threads_; ++t) values.push_back(in(t));
    for (int t = 0; t < n_threads_; ++t)
      out(t, values[static_cast<std::size_t>(t / kGpuWarp * kGpuWarp + from(t) % kGpuWarp)]);
  }

 private:
  struct alignas(128) Line {
    unsigned char bytes[128];
  };
  struct Copy {
    void* to;
    const void* from;  // nullptr: zeros
  };
  static float part(std::uint32_t word, int half) {
    return widened_bf16(static_cast<std::uint16_t>(half == 0 ? word : word >> 16));
  }

  int n_threads_;
  bool downwards_;
  std::vector<Line> memory_;
  std::vector<Copy> copies_;
  std::vector<std::vector<Copy>> groups_;
};

template <class K>
void run_on_host(const K& kernel, std::int64_t first, std::int64_t end, bool downwards) {
  HostBlock block(K::kThreads, K::kSharedBytes, downwards);
  for (std::int64_t i = first; i < end; ++i) {
    block.begin(i, K::kSharedBytes);
    kernel.run(block);
  }
}

}  // namespace
}  // namespace assay
