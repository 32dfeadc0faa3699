// The weights of a model: one .safetensors file, a folder with model.safetensors or with shards and an index, or GGUF: a
// .gguf file, the first of several (NAME-00001-of-0000N.gguf), or a folder that holds one such model. Tensors of GGUF files
// have the names, shapes and order of rows of the Hugging Face checkpoint (gguf_tensors.h).
//
// open() reads headers and the index, never tensor bytes, and either accepts everything or refuses with file,
// offset, field, expected and got. Beyond what safetensors.h refuses: an index that names anything but plain
// file names, a shard that is missing, that does not hold what the index says or repeats a tensor of another
// shard, a link that leaves the folder (except the hub cache's snapshots/REV/NAME -> ../../blobs/HASH), and
// Python pickles.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "reference/weights/format.h"

namespace assay {

inline constexpr std::size_t kMaxShards = 4096;                       // DeepSeek-V3 has 163
inline constexpr std::size_t kMaxIndexBytes = std::size_t{64} << 20;  // DeepSeek-V3's index has 9 MB

struct GgufHeader;
struct JoinedRows;

// A tensor in a mapped file. The bytes are little-endian, row-major and may stand at any address: read them
// with memcpy, rows through stored_row() or load_rows_f32.
struct TensorView {
  std::string name;
  Format format = Format::F32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
  std::size_t file_index = 0;  // in Checkpoint::files()
  std::int64_t offset = 0;     // of the first byte in that file
  // Heads of so many rows whose two halves alternate in the file: its row 2 i + s is row i + s paired_rows / 2 of the head, as
  // converters to GGUF's `llama` architecture write queries and keys. 0: rows in their own order.
  std::int64_t paired_rows = 0;
  std::shared_ptr<const JoinedRows> joined =
      {};  // where two stored tensors make up this one; `bytes` is then empty

  std::int64_t elements() const;
};

// A tensor whose rows come in groups: `first_rows` of one stored tensor, then `second_rows` of another.
struct JoinedRows {
  TensorView first, second;  // rank 3, the groups first
  std::int64_t first_rows = 0, second_rows = 0;
  bool first_transposed = false;  // (groups, columns, first_rows) in the file
};

// True where `bytes` are the tensor's rows one after the other.
inline bool rows_in_order(const TensorView& view) { return view.paired_rows == 0 && !view.joined; }
// Where row `row` stands in the file; not for joined tensors.
std::int64_t stored_row(const TensorView& view, std::int64_t row);
// The tensor itself, or the two that it is joined of: what has bytes.
std::vector<const TensorView*> stored_parts(const TensorView& view);
std::uint64_t stored_bytes(const TensorView& view);

class Checkpoint {
 public:
  // `path`: a folder, a .safetensors or a .gguf file.
  static Result<Checkpoint> open(const std::string& path);
  Checkpoint(Checkpoint&&) noexcept = default;
  Checkpoint& operator=(Checkpoint&&) noexcept = default;

  std::span<const TensorView> tensors() const {
    return tensors_;
  }                                                     // ascending by name; pointers stay valid over moves
  const TensorView* find(std::string_view name) const;  // nullptr: not there
  // The tensor, of exactly this shape; else missing_tensor or bad_shape.
  Result<const TensorView*> need(std::string_view name, std::span<const std::int64_t> shape) const;

  // Views into `whole`, which find() and need() give from now on under their own names; tensors() keeps listing what the files
  // hold. Names must be new (else Code::duplicate) and parts must lie in the bytes of the whole (checked).
  Status add_parts(const TensorView& whole, std::vector<TensorView> parts);
  bool has_parts(std::string_view name) const { return wholes_.contains(name); }

  const std::string& path() const { return path_; }
  std::string folder() const;  // where config.json and tokenizer files lie; a .gguf file, which holds its own
  const GgufHeader* gguf() const { return gguf_.get(); }  // nullptr: not GGUF; of several files the first
  const std::string& file_of(const TensorView& view) const;
  std::span<const std::string> files() const { return files_; }  // paths, in the order of the index
  std::span<const std::string> warnings() const { return warnings_; }
  std::uint64_t bytes() const;  // of all tensors
  // `__metadata__` of all files, in order.
  std::span<const std::pair<std::string, std::string>> metadata() const { return metadata_; }

  // SHA-256 over names, formats, shapes and bytes in ascending order of names: how the weights are split into
  // files does not show. Reads every byte once; kept afterwards (call it from one thread).
  const std::string& weights_digest() const;
  // The same without the bytes: headers only.
  std::string headers_digest() const;

  // The bytes of this tensor are not needed any more: their pages may go (they are read again when touched).
  void release(const TensorView& view) const;
  void release(const TensorView& view,
               std::span<const std::byte> part) const;  // only this part of view.bytes
  // They will be needed soon.
  void prefetch(const TensorView& view) const;

 private:
  Checkpoint() = default;
  Status add_file(const std::string& path);
  Status sort_and_check();

  std::string path_;
  bool is_folder_ = false;
  std::vector<MappedFile> mappings_;
  std::vector<std::string> files_;
  std::vector<TensorView> tensors_;
  std::map<std::string, TensorView, std::less<>> parts_;
  std::set<std::string, std::less<>> wholes_;  // names of tensors that have parts
  std::vector<std::string> warnings_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  std::shared_ptr<const GgufHeader> gguf_;
  mutable std::string weights_digest_;

  friend struct CheckpointOpener;
};

}  // namespace assay
