// Files: read whole with a limit, mapped read-only, or replaced atomically.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace assay {

inline constexpr std::size_t kMaxTextFileBytes = std::size_t{1}
                                                 << 30;  // stored outputs of a suite stay below

// The bytes of a file, a pipe or, for "-", of standard input; more than max_bytes is too_large.
Result<std::string> read_file(const std::string& path, std::size_t max_bytes = kMaxTextFileBytes);

// Writes to a sibling file and renames it, so that a reader sees the old bytes or the new ones, never a part.
Status write_file_atomic(const std::string& path, std::string_view bytes);

// A file mapped read-only. A file that shrinks while it is mapped ends the process with SIGBUS: nothing else
// can be promised.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::string& path);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  const std::string& path() const { return path_; }

  // The pages of `part` are not needed any more; they are read again from the file if they are.
  void release(std::span<const std::byte> part) const;

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::string path_;
};

}  // namespace assay
