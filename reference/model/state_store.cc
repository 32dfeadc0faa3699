#include "reference/model/state_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace assay {
namespace {

Error failed(const std::string& folder, const char* what) {
  return Error{.code = Code::io,
               .message = fmt::format("cannot {} the file of states that do not fit into memory ({}); name "
                                      "another folder with --tmp, or allow more --memory",
                                      what, std::strerror(errno)),
               .file = folder};
}

}  // namespace

StateStore::StateStore(std::int64_t width, std::uint64_t memory_bytes, std::string folder)
    : width_(width), memory_bytes_(memory_bytes), folder_(std::move(folder)) {
  ASSAY_CHECK(width > 0);
}

StateStore::~StateStore() { drop(); }

void StateStore::drop() {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
  rows_ = {};
}

// A file that no name leads to: whatever ends the process, nothing is left behind.
Status StateStore::open_file() {
  if (file_ >= 0) return {};
  const std::string folder = folder_.empty() ? "." : folder_;
  file_ = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file_ >= 0) return {};
  std::string name = folder + "/assay-states-XXXXXX";  // a file system without O_TMPFILE
  file_ = ::mkstemp(name.data());
  if (file_ < 0) return failed(folder, "create");
  ::unlink(name.c_str());
  return {};
}

Status StateStore::begin(std::int64_t n_rows) {
  n_rows_ = n_rows;
  const auto floats = static_cast<std::size_t>(n_rows * width_);
  if (floats * sizeof(float) > memory_bytes_) return open_file();
  drop();
  rows_.resize(floats);
  return {};
}

Result<std::span<float>> StateStore::edit(std::int64_t first, std::int64_t n, bool fresh) {
  ASSAY_CHECK(first >= 0 && n >= 0 && first + n <= n_rows_);
  first_ = first;
  n_ = n;
  const auto floats = static_cast<std::size_t>(n * width_);
  if (!on_disk()) return std::span(rows_).subspan(static_cast<std::size_t>(first * width_), floats);
  if (rows_.size() < floats) rows_ = std::vector<float>(floats);
  if (!fresh) ASSAY_OK(move(false));
  return std::span(rows_).first(floats);
}

Status StateStore::keep() { return on_disk() ? move(true) : Status(); }

Status StateStore::move(bool write) {
  auto* at = reinterpret_cast<char*>(rows_.data());
  auto left = static_cast<std::size_t>(n_ * width_) * sizeof(float);
  auto offset = static_cast<off_t>(first_ * width_) * static_cast<off_t>(sizeof(float));
  while (left > 0) {
    const ssize_t done = write ? ::pwrite(file_, at, left, offset) : ::pread(file_, at, left, offset);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return failed(folder_, write ? "write" : "read");
    if (done == 0)
      return Error{.code = Code::io,
                   .message = "the file of states that do not fit into memory ended early",
                   .file = folder_};
    at += done;
    left -= static_cast<std::size_t>(done);
    offset += done;
  }
  return {};
}

}  // namespace assay
