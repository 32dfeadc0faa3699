// Merges sequences into prefix trees and cuts them into waves: rows that are computed in one pass over the weights. The rows of a wave
// come in slabs, which visit a layer one after the other: what a visit needs besides the rows' states is needed for one slab at a time.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "reference/model/batch.h"

namespace assay {

struct WaveLimits {
  std::int64_t max_rows = 4096;   // of a wave; a single longer sequence makes a longer wave
  std::int64_t slab_rows = 0;     // of a slab, 0: a wave is one slab
  std::int64_t max_pages = 4096;  // in use at a time; a single sequence that needs more gets them
  std::int64_t chunk_rows = 0;    // longest segment, 0: no limit
  bool reuse = true;              // shared prefixes are computed once a wave
};

struct Slab {
  std::int64_t first_row = 0;  // of the wave
  Batch batch;
};

struct Wave {
  std::vector<Slab> slabs;
  std::int64_t n_rows = 0;
  std::int64_t n_keys() const;                  // that the rows attend to, windows aside
  std::vector<std::size_t> sequences;           // which ones are in it
  std::vector<std::vector<std::int32_t>> rows;  // of each of them: the wave's row of every token
  std::vector<std::vector<std::int64_t>>
      users;  // of each account (n_rows): its sequences of this wave that a row serves
};

struct Sequence {
  std::span<const std::int32_t> ids;
  std::int64_t unit = -1;    // sequences of one unit come in one wave; -1: by itself
  std::int32_t account = 0;  // who counts what it does
};

// How many rows a plan would compute, without making it.
struct WaveCount {
  std::int64_t n_waves = 0, n_rows = 0, most_rows = 0;  // most_rows: of one wave
  std::int64_t keys = 0;                                // that the rows attend to
};

class WavePlan {
 public:
  // The ids must outlive the plan.
  WavePlan(std::vector<Sequence> sequences, const WaveLimits& limits);
  // Fills the next wave, with pages of `pages`, all of which are free before; false where there is none.
  bool next(PageStore& pages, Wave& wave);
  WaveCount count() const;  // of what is left

 private:
  using Members = std::vector<std::size_t>;  // sequences
  std::size_t shared(std::size_t a, std::size_t b) const;
  bool before(std::size_t a, std::size_t b) const;
  Members take_next(std::size_t& next) const;
  void add(std::size_t sequence, PageStore& pages, Wave& wave);
  void add_segment(std::span<const std::int32_t> ids, std::size_t begin, std::size_t end, PageStore& pages,
                   Wave& wave);
  Slab& slab_for(std::int64_t n_pages, PageStore& pages, Wave& wave);
  void leave_path(std::size_t at);

  std::vector<Sequence> sequences_;
  std::int32_t n_accounts_ = 1;
  std::vector<Members> units_;  // sorted by the ids of their first member, the members by their ids
  std::size_t next_ = 0;        // unit
  WaveLimits limits_;
  std::vector<std::int32_t> path_rows_, path_pages_;  // of the sequence added last
  std::vector<std::int32_t> left_pages_;  // that this slab may still read and the next one does not
  bool page_goes_on_ =
      false;  // the path's last page holds keys of a sequence that went on where the path does not
};

}  // namespace assay
