// The rows' states of a wave between the layers: in memory, or in a file without a name that goes with the process. Rows are read and
// written in ranges, one after the other.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace assay {

class StateStore {
 public:
  // States of `width` floats. More than memory_bytes of them go to a file in `folder`.
  StateStore(std::int64_t width, std::uint64_t memory_bytes, std::string folder);
  ~StateStore();
  StateStore(const StateStore&) = delete;
  StateStore& operator=(const StateStore&) = delete;

  Status begin(std::int64_t n_rows);  // from now on rows [0, n_rows), their values undefined
  // Rows [first, first + n) to be read and, followed by keep(), changed; good until the next call. `fresh`: their values do not matter.
  Result<std::span<float>> edit(std::int64_t first, std::int64_t n, bool fresh = false);
  Status keep();
  bool on_disk() const { return file_ >= 0; }
  void drop();  // memory and file

 private:
  Status open_file();
  Status move(bool write);

  std::int64_t width_;
  std::uint64_t memory_bytes_;
  std::string folder_;
  std::vector<float> rows_;  // all of them, or those of the last edit
  int file_ = -1;
  std::int64_t n_rows_ = 0, first_ = 0, n_ = 0;
};

}  // namespace assay
