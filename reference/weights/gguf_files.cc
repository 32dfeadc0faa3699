#include "reference/weights/gguf_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>

#include "reference/weights/checkpoint.h"
#include "reference/weights/foreign.h"
#include "reference/weights/safetensors.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

struct PartName {
  std::string stem;
  std::int64_t number = 0, count = 0;  // from 1
};

// "NAME-00001-of-00003.gguf"
std::optional<PartName> part_name(const std::string& name) {
  constexpr std::size_t kTail = 20;  // -00001-of-00003.gguf
  if (name.size() <= kTail || !name.ends_with(".gguf")) return std::nullopt;
  const std::string tail = name.substr(name.size() - kTail);
  const std::string number = tail.substr(1, 5), count = tail.substr(10, 5);
  const auto digits = [](const std::string& s) {
    return std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  if (tail[0] != '-' || tail.substr(6, 4) != "-of-" || !digits(number) || !digits(count)) return std::nullopt;
  return PartName{name.substr(0, name.size() - kTail), std::stoll(number), std::stoll(count)};
}

std::string part_name(const std::string& stem, std::int64_t number, std::int64_t count) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", stem, number, count);
}

std::int64_t integer_or(const GgufHeader& header, std::string_view key, std::int64_t fallback) {
  const GgufValue* value = header.find(key);
  return value == nullptr ? fallback : value->integer().value_or(-1);
}

Error split_error(Code code, const std::string& path, std::string_view field, std::string message,
                  std::string expected, std::string got) {
  return Error{.code = code,
               .message = std::move(message),
               .file = path,
               .field = std::string(field),
               .expected = std::move(expected),
               .got = std::move(got)};
}

Status check_part(const GgufFile& file, std::int64_t number, std::int64_t count) {
  const std::int64_t no = integer_or(file.header, "split.no", -1),
                     n = integer_or(file.header, "split.count", -1);
  if (no == number && n == count) return {};
  return split_error(Code::bad_value, file.mapping.path(), no == number ? "split.count" : "split.no",
                     "a part of a split GGUF file is not the one that its name says",
                     fmt::format("part {} of {}", number, count), fmt::format("part {} of {}", no, n));
}

Status check_total(const std::vector<GgufFile>& files) {
  const GgufFile& first = files[0];
  std::int64_t have = 0;
  for (const GgufFile& file : files) have += static_cast<std::int64_t>(file.header.tensors.size());
  const std::int64_t said = integer_or(first.header, "split.tensors.count", have);
  if (said == have) return {};
  return split_error(Code::missing_tensor, first.mapping.path(), "split.tensors.count",
                     "the parts of a split GGUF file hold another number of tensors", std::to_string(said),
                     std::to_string(have));
}

}  // namespace

Result<GgufFile> open_gguf(const std::string& path) {
  ASSAY_TRY(MappedFile mapping, MappedFile::open(path));
  ASSAY_OK(refuse_foreign(mapping.text(), path));
  ASSAY_TRY(GgufHeader header, parse_gguf_header(mapping.bytes(), path));
  return GgufFile{std::move(mapping), std::move(header)};
}

bool is_gguf_file(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return false;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  std::array<std::byte, 4> head{};
  return file && std::fread(head.data(), 1, head.size(), file.get()) == head.size() && begins_as_gguf(head);
}

Result<std::vector<GgufFile>> open_gguf_files(const std::string& path, const ResolveFile& resolve) {
  std::vector<GgufFile> files;
  ASSAY_TRY(GgufFile first, open_gguf(path));
  const std::int64_t count = integer_or(first.header, "split.count", 1);
  files.push_back(std::move(first));
  if (count == 0 || count == 1) return files;
  if (count < 0 || count > static_cast<std::int64_t>(kMaxShards))
    return split_error(Code::too_large, path, "split.count", "a GGUF file has an impossible number of parts",
                       fmt::format("1 to {}", kMaxShards), std::to_string(count));
  const fs::path given(path);
  const auto name = part_name(given.filename().string());
  if (!name || name->count != count)
    return split_error(Code::bad_value, path, "split.count",
                       "a part of a split GGUF file does not have the name of one",
                       part_name("NAME", 1, count), given.filename().string());
  if (name->number != 1)
    return split_error(Code::bad_value, path, "split.no",
                       "this is a later part of a split GGUF file; give the first",
                       part_name(name->stem, 1, count), given.filename().string());
  ASSAY_OK(check_part(files[0], 0, count));
  const std::string folder = given.has_parent_path() ? given.parent_path().string() : ".";
  for (std::int64_t i = 1; i < count; ++i) {
    ASSAY_TRY(const std::string next, resolve(folder, part_name(name->stem, i + 1, count)));
    ASSAY_TRY(GgufFile file, open_gguf(next));
    ASSAY_OK(check_part(file, i, count));
    files.push_back(std::move(file));
  }
  ASSAY_OK(check_total(files));
  return files;
}

Result<std::optional<std::string>> gguf_name_in(const std::string& folder) {
  constexpr int kMaxEntries = 100'000;  // more than any model has files
  std::set<std::string> models;
  std::error_code ignored;
  int seen = 0;
  for (fs::directory_iterator it(folder, ignored), end; it != end && seen < kMaxEntries;
       it.increment(ignored), ++seen) {
    const std::string name = it->path().filename().string();
    if (!name.ends_with(".gguf") || name.starts_with("mmproj")) continue;
    const auto part = part_name(name);
    models.insert(part ? part_name(part->stem, 1, part->count) : name);
  }
  if (models.empty()) return std::optional<std::string>();
  if (models.size() == 1) return std::optional(*models.begin());
  std::string list;
  for (const std::string& name : models) list += (list.empty() ? "" : ", ") + name;
  return Error{.code = Code::bad_value,
               .message = "the folder holds several GGUF models; give the file of one",
               .file = folder,
               .expected = "one .gguf file",
               .got = list.substr(0, 400)};
}

}  // namespace assay
