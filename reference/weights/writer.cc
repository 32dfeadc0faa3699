#include "reference/weights/writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "reference/weights/safetensors.h"

namespace assay {
namespace {

// A file that is removed unless it was renamed to its final name.
class PartFile {
 public:
  explicit PartFile(const std::string& path)
      : final_(path),
        part_(fmt::format("{}.{}.part", path, ::getpid())),
        fd_(::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {}
  ~PartFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(part_.c_str());
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  Status check_open() const { return fd_ >= 0 ? Status() : failed("create"); }
  Status write(const void* data, std::size_t size) {
    const auto* p = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t n = ::write(fd_, p, size);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed("write");
      p += n;
      size -= static_cast<std::size_t>(n);
    }
    return {};
  }
  Status keep() {
    if (::fsync(fd_) != 0 || ::rename(part_.c_str(), final_.c_str()) != 0) return failed("replace");
    ::close(fd_);
    fd_ = -1;
    return {};
  }

 private:
  Status failed(const char* what) const {
    return Error{.code = Code::io,
                 .message = fmt::format("cannot {} the file: {}", what, std::strerror(errno)),
                 .file = final_};
  }
  std::string final_, part_;
  int fd_;
};

template <class T>
TensorOut make(std::string name, Format format, std::vector<std::int64_t> shape, std::span<const T> values) {
  const auto count = element_count(shape);
  ASSAY_CHECK(count && static_cast<std::size_t>(*count) == values.size());
  return {
      .name = std::move(name), .format = format, .shape = std::move(shape), .bytes = std::as_bytes(values)};
}

std::uint64_t bytes_of(const TensorOut& t) {
  const auto count = element_count(t.shape);
  ASSAY_CHECK(count);
  return static_cast<std::uint64_t>(*count) * static_cast<std::uint64_t>(bits_of(t.format)) / 8;
}

using Metadata = std::span<const std::pair<std::string, std::string>>;
std::string header_of(std::span<const TensorOut* const> order, Metadata metadata) {
  Json header = Json::object();
  for (const auto& [key, value] : metadata) header["__metadata__"][key] = value;
  std::uint64_t at = 0;
  for (const TensorOut* t : order) {
    const std::uint64_t end = at + bytes_of(*t);
    ASSAY_CHECK(!header.contains(t->name) && t->name != "__metadata__");
    header[t->name] = {{"dtype", name_of(t->format)}, {"shape", t->shape}, {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = dump_json(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // tensors begin at a multiple of 8 (README, "Format")
  return text;
}

// Header and tensors by ascending name; write_one puts the bytes of one into the file.
Status write_all(const std::string& path, std::span<const TensorOut> tensors, Metadata metadata,
                 const std::function<Status(PartFile&, const TensorOut&)>& write_one) {
  std::vector<const TensorOut*> order;
  for (const TensorOut& t : tensors) order.push_back(&t);
  std::sort(order.begin(), order.end(),
            [](const TensorOut* a, const TensorOut* b) { return a->name < b->name; });
  const std::string header = header_of(order, metadata);
  ASSAY_CHECK(header.size() <= kMaxHeaderBytes);
  PartFile file(path);
  ASSAY_OK(file.check_open());
  const std::uint64_t length = header.size();  // little-endian, like every machine this builds for
  ASSAY_OK(file.write(&length, sizeof length));
  ASSAY_OK(file.write(header.data(), header.size()));
  for (const TensorOut* t : order) ASSAY_OK(write_one(file, *t));
  return file.keep();
}

}  // namespace

TensorOut tensor_out(std::string name, std::vector<std::int64_t> shape, std::span<const float> values) {
  return make(std::move(name), Format::F32, std::move(shape), values);
}
TensorOut tensor_out(std::string name, std::vector<std::int64_t> shape, std::span<const double> values) {
  return make(std::move(name), Format::F64, std::move(shape), values);
}
TensorOut tensor_out(std::string name, std::vector<std::int64_t> shape,
                     std::span<const std::int64_t> values) {
  return make(std::move(name), Format::I64, std::move(shape), values);
}
TensorOut tensor_out_bf16(std::string name, std::vector<std::int64_t> shape,
                          std::span<const std::uint16_t> codes) {
  return make(std::move(name), Format::BF16, std::move(shape), codes);
}

Status write_safetensors(const std::string& path, std::span<const TensorOut> tensors, Metadata metadata) {
  return write_all(path, tensors, metadata, [](PartFile& file, const TensorOut& t) {
    ASSAY_CHECK(bytes_of(t) == t.bytes.size());
    return file.write(t.bytes.data(), t.bytes.size());
  });
}

Status write_safetensors_made(const std::string& path, std::span<const TensorOut> tensors,
                              const FillTensor& fill) {
  std::vector<std::byte> bytes;
  return write_all(path, tensors, {}, [&](PartFile& file, const TensorOut& t) -> Status {
    ASSAY_CHECK(t.bytes.empty());
    bytes.resize(bytes_of(t));
    ASSAY_OK(fill(static_cast<std::size_t>(&t - tensors.data()), bytes));
    return file.write(bytes.data(), bytes.size());
  });
}

}  // namespace assay
