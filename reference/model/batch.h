// What one visit of a layer computes: rows of token ids in segments, each the continuation of a sequence whose keys and values lie in
// pages.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/contract.h"

namespace assay {

// A run of rows that follow one another in a sequence.
struct Segment {
  std::int64_t first_row = 0, n_rows = 0;
  std::int64_t position = 0;        // of the first row
  std::vector<std::int32_t> pages;  // of the whole sequence from position 0 to the last row
  // Where the sequence leaves another one within a page: the other's page, whose first position % 64 slots are copied into the page
  // of the first row before anybody attends. -1: nothing is copied.
  std::int32_t inherited_page = -1;
};

struct Batch {
  std::vector<std::int32_t> ids;        // (n_rows)
  std::vector<std::int64_t> positions;  // (n_rows)
  std::vector<Segment> segments;
  std::vector<std::int32_t> forced_experts;  // (n_moe_layers, n_rows, n_chosen) or empty

  std::int64_t n_rows() const { return static_cast<std::int64_t>(ids.size()); }
};

// Pages of keys and values: each page holds 64 positions of `n_layers` layers. Scoring keeps one layer at a time, generation all.
class PageStore {
 public:
  PageStore(std::int64_t floats_per_layer, std::int64_t n_layers);
  std::int32_t take();                // a page with one user
  void share(std::int32_t page);      // one user more
  void give_back(std::int32_t page);  // one user less; the last one frees it for take()
  void copy(std::int32_t from, std::int32_t to);
  float* at(std::int32_t page, std::int64_t layer) const;  // a store of one layer ignores `layer`
  std::int64_t bytes() const;                              // of all pages ever taken
  std::int64_t bytes_per_page() const {
    return floats_per_layer_ * n_layers_ * static_cast<std::int64_t>(sizeof(float));
  }
  std::int64_t n_in_use() const { return static_cast<std::int64_t>(pages_.size() - free_.size()); }
  void clear();  // all pages are free

 private:
  std::int64_t floats_per_layer_, n_layers_;
  std::vector<std::unique_ptr<float[]>> pages_;
  std::vector<std::int32_t> users_, free_;
};

}  // namespace assay
