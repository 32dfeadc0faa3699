// What a row of the benchmark is measured with: numbers to work on, threads, limits to hold it against. Private to kernels/bench/.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <regex>
#include <string>
#include <utility>

#include "base/parallel.h"
#include "kernels/bench/bench.h"
#include "kernels/memory.h"

namespace assay {

// Memory full of words that are two bf16 numbers of magnitude 2^-7 .. 1 each, and so an f32 number too: any piece of it can serve as
// weights or inputs. Pieces of one size are handed out in turn, so that each is cold when its turn comes again.
class BenchNumbers {
 public:
  explicit BenchNumbers(std::uint64_t bytes);
  float* data() const { return memory_.floats(); }
  std::int64_t floats() const { return floats_; }
  std::int64_t pieces(std::int64_t size) const;  // of `size` floats, each beginning on a cache line
  float* piece(std::int64_t size,
               std::int64_t turn) const;  // the turn-th, from the first again after the last

 private:
  HugeMemory memory_;
  std::int64_t floats_;
};

// The machine's, with some number of threads.
struct MachineLimits {
  double flops_per_s = 0, bytes_per_s = 0;
};

class Meter {
 public:
  Meter(const Kernels& table, const BenchOptions& options, std::optional<std::regex> filter);
  bool wanted(const std::string& kernel, const std::string& shape) const;
  Compute compute() { return {kernels_, pool_}; }
  ThreadPool& pool() { return pool_; }
  const Kernels& kernels() const { return kernels_; }
  const BenchOptions& options() const { return options_; }
  BenchNumbers& numbers() { return numbers_; }
  BenchNumbers& outputs();  // half as much, whose values may be changed; made when first asked for

  BenchRow time(const std::string& kernel, const std::string& shape, int threads,
                const std::function<void()>& body);
  double best() const { return best_; }  // seconds of the fastest repetition of the last row

  // Fraction and name of the limit that binds, from the row's flops, bytes and threads.
  void hold(BenchRow& row) const;
  MachineLimits alone, all;  // with one thread, with all

 private:
  const Kernels& kernels_;
  const BenchOptions& options_;
  std::optional<std::regex> filter_;
  ThreadPool pool_;
  BenchNumbers numbers_;
  std::optional<BenchNumbers> outputs_;
  double best_ = 0;
};

}  // namespace assay
