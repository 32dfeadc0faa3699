// Merges sequences into prefix trees and cuts them into waves: batches that are computed in one pass over the weights.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "reference/model/batch.h"

namespace assay {

struct WaveLimits {
  std::int64_t max_rows = 4096;  // a single longer sequence makes a longer wave
  std::int64_t max_pages = 4096;
  std::int64_t chunk_rows = 0;  // longest segment, 0: no limit
  bool reuse = true;            // shared prefixes are computed once a wave
};

struct Wave {
  Batch batch;
  std::vector<std::size_t> sequences;           // which ones are in it
  std::vector<std::vector<std::int32_t>> rows;  // of each of them: the row of every token
  std::vector<std::int64_t> users;              // (n_rows) sequences of this wave that a row serves
};

class WavePlan {
 public:
  // The ids must outlive the plan.
  WavePlan(std::vector<std::span<const std::int32_t>> sequences, const WaveLimits& limits);
  // Fills the next wave, with fresh pages of `pages`; false where there is none.
  bool next(PageStore& pages, Wave& wave);

 private:
  std::size_t shared_with_path(std::span<const std::int32_t> ids, const Wave& wave) const;
  void add(std::size_t sequence, PageStore& pages, Wave& wave);
  void add_segment(std::span<const std::int32_t> ids, std::size_t begin, std::size_t end, PageStore& pages,
                   Wave& wave);

  std::vector<std::span<const std::int32_t>> sequences_;
  std::vector<std::size_t> order_;  // sequences sorted by their ids
  std::size_t next_ = 0;
  WaveLimits limits_;
  std::vector<std::int32_t> path_rows_, path_pages_;  // of the sequence added last
};

}  // namespace assay
