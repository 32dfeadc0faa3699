#include "suites/input.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlockBytes = 1 << 18;
constexpr int kMaxMembers = 100'000;

struct CloseArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using Archive = std::unique_ptr<archive, CloseArchive>;

Error archive_error(archive* a, const std::string& path) {
  const char* why = archive_error_string(a);
  return Error{
      .code = Code::truncated,
      .message = fmt::format("the file cannot be unpacked: {}", why == nullptr ? "unknown reason" : why),
      .file = path};
}

Result<Archive> open_archive(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    return Error{.code = Code::not_found, .message = "no such file", .file = path};
  if (fs::is_directory(path, ignored)) {
    return Error{.code = Code::io, .message = "a file is expected here, not a folder", .file = path};
  }
  Archive a(archive_read_new());
  ASSAY_CHECK(a != nullptr);
  archive_read_support_filter_gzip(a.get());
  archive_read_support_filter_zstd(a.get());
  archive_read_support_filter_xz(a.get());
  archive_read_support_format_zip(a.get());
  archive_read_support_format_raw(a.get());
  archive_read_support_format_empty(a.get());
  if (archive_read_open_filename(a.get(), path.c_str(), kBlockBytes) != ARCHIVE_OK)
    return archive_error(a.get(), path);
  return a;
}

Status read_member(archive* a, const std::string& path, const std::string& name, std::uint64_t& total,
                   const ChunkSink& sink) {
  for (bool first = true;; first = false) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int got = archive_read_data_block(a, &data, &size, &offset);
    if (got == ARCHIVE_EOF) return first ? sink(name, {}, true) : Status{};
    if (got < ARCHIVE_WARN) return archive_error(a, path);
    total += size;
    if (total > kMaxPlainBytes) {
      return Error{.code = Code::too_large, .message = "the file unpacks to more than 16 GiB", .file = path};
    }
    ASSAY_OK(sink(name, {static_cast<const char*>(data), size}, first));
  }
}

}  // namespace

Status read_input(const std::string& path, const ChunkSink& sink) {
  ASSAY_TRY(const Archive a, open_archive(path));
  std::uint64_t total = 0;
  for (int n = 0;; ++n) {
    archive_entry* entry = nullptr;
    const int got = archive_read_next_header(a.get(), &entry);
    if (got == ARCHIVE_EOF) return {};
    if (got < ARCHIVE_WARN) return archive_error(a.get(), path);
    if (n >= kMaxMembers) {
      return Error{
          .code = Code::too_large, .message = "the archive has more than 100,000 members", .file = path};
    }
    if (archive_entry_filetype(entry) == AE_IFDIR) continue;
    const bool single = archive_format(a.get()) == ARCHIVE_FORMAT_RAW;
    const char* name = archive_entry_pathname_utf8(entry);
    ASSAY_OK(read_member(a.get(), path, single || name == nullptr ? std::string() : name, total, sink));
  }
}

bool fits(std::string_view name, std::string_view pattern, std::string* star) {
  const auto at = pattern.find('*');
  if (at == std::string_view::npos) return pattern.empty() || name == pattern;
  const auto head = pattern.substr(0, at), tail = pattern.substr(at + 1);
  if (name.size() < head.size() + tail.size() || !name.starts_with(head) || !name.ends_with(tail))
    return false;
  if (star != nullptr) *star = name.substr(at, name.size() - head.size() - tail.size());
  return true;
}

Result<std::vector<Member>> read_members(const std::string& path, std::string_view pattern,
                                         std::size_t max_bytes) {
  std::vector<Member> members;
  std::size_t total = 0;
  bool wanted = false;
  ASSAY_OK(read_input(path, [&](std::string_view name, std::string_view chunk, bool first) -> Status {
    if (first) {
      wanted = fits(name, pattern);
      if (wanted) members.push_back(Member{std::string(name), {}});
    }
    if (!wanted) return {};
    total += chunk.size();
    if (total > max_bytes) {
      return Error{
          .code = Code::too_large, .message = "the file is larger than it may be here", .file = path};
    }
    members.back().text += chunk;
    return {};
  }));
  std::stable_sort(members.begin(), members.end(),
                   [](const Member& a, const Member& b) { return a.name < b.name; });
  return members;
}

Result<std::string> unpack_gzip(std::string_view bytes, std::size_t max_bytes, std::string_view file) {
  const std::string path(file);
  const Archive a(archive_read_new());
  ASSAY_CHECK(a != nullptr);
  archive_read_support_filter_gzip(a.get());
  archive_read_support_format_raw(a.get());
  archive_read_support_format_empty(a.get());
  if (archive_read_open_memory(a.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) return archive_error(a.get(), path);
  archive_entry* entry = nullptr;
  const int got = archive_read_next_header(a.get(), &entry);
  if (got == ARCHIVE_EOF) return std::string();
  if (got < ARCHIVE_WARN) return archive_error(a.get(), path);
  std::string text;
  std::uint64_t total = 0;
  ASSAY_OK(read_member(a.get(), path, "", total, [&](std::string_view, std::string_view chunk, bool) -> Status {
    if (chunk.size() > max_bytes - text.size()) {
      return Error{.code = Code::too_large, .message = "the file is larger than it may be here", .file = path};
    }
    text += chunk;
    return {};
  }));
  return text;
}

Result<std::string> find_packed(const std::string& path) {
  for (const char* suffix : {"", ".gz", ".zst"}) {
    std::error_code ignored;
    if (fs::is_regular_file(path + suffix, ignored)) return path + suffix;
  }
  return Error{.code = Code::not_found, .message = "no such file, plain or packed", .file = path};
}

}  // namespace assay
