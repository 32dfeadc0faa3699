#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace assay {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Error io_error(const std::string& path, std::string_view what) {
  const int number = errno;
  const bool absent = number == ENOENT || number == ENOTDIR;
  return Error{
      .code = absent ? Code::not_found : Code::io,
      .message = absent ? "no such file" : fmt::format("cannot {} the file: {}", what, std::strerror(number)),
      .file = path};
}

// Opens a regular file and tells its size; folders, devices and pipes are refused.
Result<std::size_t> open_regular(const std::string& path, Descriptor& fd) {
  if (fd.get() < 0) return io_error(path, "open");
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return io_error(path, "examine");
  if (!S_ISREG(info.st_mode)) return Error{.code = Code::io, .message = "not a regular file", .file = path};
  return static_cast<std::size_t>(info.st_size);
}

constexpr std::size_t kPipeBytes = 1 << 16;

// What a file to be read says about its size: 0 for pipes and devices, which tell by ending.
Result<std::size_t> readable_size(const std::string& path, const Descriptor& fd) {
  if (fd.get() < 0) return io_error(path, "open");
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return io_error(path, "examine");
  if (S_ISDIR(info.st_mode)) return Error{.code = Code::io, .message = "a folder, not a file", .file = path};
  return S_ISREG(info.st_mode) ? static_cast<std::size_t>(info.st_size) : 0;
}

Error too_large(const std::string& path, std::size_t max_bytes, std::size_t bytes) {
  return Error{.code = Code::too_large,
               .message = "the file is too large",
               .file = path,
               .expected = fmt::format("at most {} bytes", max_bytes),
               .got = std::to_string(bytes)};
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  Descriptor fd(path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ASSAY_TRY(const std::size_t known, readable_size(path, fd));
  std::string text;
  for (std::size_t done = 0, wanted = known + 1;; wanted = std::max(2 * done, kPipeBytes)) {  // one more byte shows the end
    if (done > max_bytes || known > max_bytes) return too_large(path, max_bytes, std::max(done, known));
    text.resize(std::min(wanted, max_bytes + 1));
    while (done < text.size()) {
      const ssize_t n = ::read(fd.get(), text.data() + done, text.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return io_error(path, "read");
      if (n == 0) {
        text.resize(done);
        return text;
      }
      done += static_cast<std::size_t>(n);
    }
  }
}

Status write_file_atomic(const std::string& path, std::string_view bytes) {
  const std::string temporary = fmt::format("{}.{}.part", path, ::getpid());
  Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (fd.get() < 0) return io_error(temporary, "create");
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      Error error = io_error(temporary, "write");
      ::unlink(temporary.c_str());
      return error;
    }
    done += static_cast<std::size_t>(n);
  }
  const bool kept =
      ::fsync(fd.get()) == 0 && ::close(fd.release()) == 0 && ::rename(temporary.c_str(), path.c_str()) == 0;
  if (kept) return {};
  Error error = io_error(path, "replace");
  ::unlink(temporary.c_str());
  return error;
}

Result<MappedFile> MappedFile::open(const std::string& path) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ASSAY_TRY(const std::size_t size, open_regular(path, fd));
  MappedFile file;
  file.path_ = path;
  if (size == 0) return file;
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) return io_error(path, "map");
  file.data_ = static_cast<const std::byte*>(data);
  file.size_ = size;
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(path_, other.path_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

// All pages that hold a part of it: those at its ends too, or each of many small tensors would keep two pages in memory.
void MappedFile::release(std::span<const std::byte> part) const {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(part.data()) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(part.data() + part.size());
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace assay
