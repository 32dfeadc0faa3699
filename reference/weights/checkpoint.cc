#include "reference/weights/checkpoint.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/json.h"
#include "base/sha256.h"
#include "reference/weights/foreign.h"
#include "reference/weights/gguf.h"
#include "reference/weights/gguf_files.h"
#include "reference/weights/gguf_tensors.h"
#include "reference/weights/safetensors.h"

namespace assay {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kSingleName = "model.safetensors";
constexpr std::string_view kIndexName = "model.safetensors.index.json";

// Folders in which the file behind a link may lie: the folder itself and, in the hub cache's layout
// models--ORG--NAME/{snapshots/REVISION,blobs}, the blobs beside it.
std::vector<fs::path> allowed_roots(const fs::path& folder) {
  std::vector<fs::path> roots = {folder};
  if (folder.parent_path().filename() == "snapshots")
    roots.push_back(folder.parent_path().parent_path() / "blobs");
  return roots;
}

bool lies_in(const fs::path& file, const fs::path& root) {
  const auto [root_end, unused] = std::mismatch(root.begin(), root.end(), file.begin(), file.end());
  return root_end == root.end();
}

Error escape_error(const std::string& file, const std::string& name, std::string got) {
  return Error{.code = Code::path_escape,
               .message = "a file name points outside the model's folder",
               .file = file,
               .field = name,
               .expected = "a file in the folder",
               .got = std::move(got)};
}

// A shard's name must be a plain file name: no separators, no dots alone, nothing that a shell or a log would
// misread.
Status check_shard_name(const std::string& name, const std::string& index_path) {
  const bool plain = !name.empty() && name != "." && name != ".." && name.size() <= 255 &&
                     std::none_of(name.begin(), name.end(), [](char c) {
                       return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
                     });
  if (!plain) return escape_error(index_path, "weight_map", name.substr(0, 120));
  if (name.ends_with(".safetensors")) return {};
  const bool pickle =
      name.ends_with(".bin") || name.ends_with(".pt") || name.ends_with(".pth") || name.ends_with(".pkl");
  return Error{.code = pickle ? Code::pickle : Code::bad_value,
               .message = pickle ? "the index names a Python pickle, which runs code when it is read"
                                 : "the index names a file that is not .safetensors",
               .file = index_path,
               .field = "weight_map",
               .expected = "NAME.safetensors",
               .got = name};
}

// Follows links and refuses what leaves the folder.
Result<std::string> resolve(const fs::path& folder, const std::string& name) {
  const fs::path path = folder / name;
  std::error_code failure;
  const fs::path target = fs::canonical(path, failure);
  if (failure) {
    return Error{
        .code = Code::not_found, .message = "a file of the checkpoint is missing", .file = path.string()};
  }
  const fs::path home = fs::canonical(folder, failure);
  if (failure) return Error{.code = Code::io, .message = failure.message(), .file = folder.string()};
  for (const fs::path& root : allowed_roots(home)) {
    if (lies_in(target, root)) return path.string();
  }
  return escape_error(path.string(), name, target.string());
}

using WeightMap =
    std::vector<std::pair<std::string, std::string>>;  // tensor -> shard, in the order of the file

Result<WeightMap> read_index(const std::string& path) {
  ASSAY_TRY(const Json document,
            read_json_file(path, {.max_bytes = kMaxIndexBytes, .max_depth = 8, .max_values = 4'000'000}));
  if (!document.is_object() || !document.contains("weight_map")) {
    return Error{.code = Code::missing_field,
                 .message = "the index has no weight_map",
                 .file = path,
                 .field = "weight_map"};
  }
  const Json& map = document.at("weight_map");
  if (!map.is_object() || map.empty()) {
    return Error{.code = Code::bad_value,
                 .message = "weight_map is not an object with tensors",
                 .file = path,
                 .field = "weight_map",
                 .expected = "{tensor: file}",
                 .got = map.type_name()};
  }
  WeightMap result;
  for (const auto& [tensor, shard] : map.items()) {
    if (!shard.is_string()) {
      return Error{.code = Code::bad_value,
                   .message = "weight_map has a value that is not a file name",
                   .file = path,
                   .field = tensor,
                   .expected = "a string",
                   .got = shard.type_name()};
    }
    ASSAY_OK(check_shard_name(shard.get_ref<const std::string&>(), path));
    result.emplace_back(tensor, shard.get<std::string>());
  }
  return result;
}

}  // namespace

std::int64_t TensorView::elements() const {
  const auto count = element_count(shape);
  ASSAY_CHECK(count.has_value());
  return *count;
}

std::int64_t stored_row(const TensorView& view, std::int64_t row) {
  ASSAY_CHECK(!view.joined);
  if (view.paired_rows == 0) return row;
  const std::int64_t in_head = row % view.paired_rows, half = view.paired_rows / 2;
  return row - in_head + 2 * (in_head % half) + in_head / half;
}

std::vector<const TensorView*> stored_parts(const TensorView& view) {
  if (view.joined) return {&view.joined->first, &view.joined->second};
  return {&view};
}

std::uint64_t stored_bytes(const TensorView& view) {
  std::uint64_t sum = 0;
  for (const TensorView* part : stored_parts(view)) sum += part->bytes.size();
  return sum;
}

struct CheckpointOpener {
  static Result<Checkpoint> file(const std::string& path) {
    if (is_gguf_file(path) || path.ends_with(".gguf")) return gguf(path);
    Checkpoint checkpoint;
    checkpoint.path_ = path;
    ASSAY_OK(checkpoint.add_file(path));
    ASSAY_OK(checkpoint.sort_and_check());
    return checkpoint;
  }

  static Result<Checkpoint> folder(const std::string& path) {
    std::error_code ignored;
    const bool single = fs::exists(fs::path(path) / kSingleName, ignored);
    const bool index = fs::exists(fs::path(path) / kIndexName, ignored);
    if (!single && !index) return other_folder(path);
    Checkpoint checkpoint;
    checkpoint.path_ = path;
    checkpoint.is_folder_ = true;
    if (single && index)
      checkpoint.warnings_.push_back("model.safetensors is read, the index beside it is not");
    if (!single) {
      ASSAY_OK(shards(checkpoint, (fs::path(path) / kIndexName).string()));
      return checkpoint;
    }
    ASSAY_TRY(const std::string file, resolve(path, std::string(kSingleName)));
    ASSAY_OK(checkpoint.add_file(file));
    ASSAY_OK(checkpoint.sort_and_check());
    return checkpoint;
  }

 private:
  static Result<Checkpoint> other_folder(const std::string& path) {
    ASSAY_TRY(const std::optional<std::string> name, gguf_name_in(path));
    if (!name) return no_weights_in(path);
    ASSAY_TRY(const std::string file, resolve(path, *name));
    return gguf(file);
  }

  static Result<Checkpoint> gguf(const std::string& path) {
    ASSAY_TRY(std::vector<GgufFile> files,
              open_gguf_files(path, [](const std::string& folder, const std::string& name) {
                return resolve(folder, name);
              }));
    Checkpoint checkpoint;
    checkpoint.path_ = path;
    std::vector<GgufPart> parts;
    for (const GgufFile& file : files)
      parts.push_back({&file.header, file.mapping.bytes(), file.mapping.path()});
    ASSAY_TRY(checkpoint.tensors_, published_tensors(parts));
    checkpoint.gguf_ = std::make_shared<const GgufHeader>(std::move(files[0].header));
    for (GgufFile& file : files) {
      checkpoint.files_.push_back(file.mapping.path());
      checkpoint.mappings_.push_back(std::move(file.mapping));
    }
    ASSAY_OK(checkpoint.sort_and_check());
    return checkpoint;
  }

  static Status shards(Checkpoint& checkpoint, const std::string& index_path) {
    ASSAY_OK(resolve(checkpoint.path_, std::string(kIndexName)));
    ASSAY_TRY(const WeightMap map, read_index(index_path));
    std::map<std::string, std::size_t> index_of;
    for (const auto& [tensor, shard] : map) {
      if (!index_of.emplace(shard, checkpoint.files_.size()).second) continue;
      if (index_of.size() > kMaxShards) {
        return Error{.code = Code::too_large,
                     .message = "the index names too many shards",
                     .file = index_path,
                     .field = "weight_map",
                     .expected = fmt::format("at most {}", kMaxShards),
                     .got = "more"};
      }
      ASSAY_TRY(const std::string file, resolve(checkpoint.path_, shard));
      ASSAY_OK(checkpoint.add_file(file));
    }
    ASSAY_OK(checkpoint.sort_and_check());
    return check_map(checkpoint, map, index_of, index_path);
  }

  // What the index says about each tensor must be so; a tensor that only a shard knows is read and said.
  static Status check_map(Checkpoint& checkpoint, const WeightMap& map,
                          const std::map<std::string, std::size_t>& index_of, const std::string& index_path) {
    for (const auto& [tensor, shard] : map) {
      const TensorView* view = checkpoint.find(tensor);
      if (view != nullptr && view->file_index == index_of.at(shard)) continue;
      return Error{.code = Code::missing_tensor,
                   .message = "a shard does not hold a tensor that the index places there",
                   .file = index_path,
                   .field = tensor,
                   .expected = shard,
                   .got = view == nullptr ? "no shard holds it"
                                          : fs::path(checkpoint.file_of(*view)).filename().string()};
    }
    const std::size_t extra = checkpoint.tensors_.size() - map.size();
    if (extra > 0)
      checkpoint.warnings_.push_back(fmt::format("{} tensors of the shards are not in the index", extra));
    return {};
  }
};

Result<Checkpoint> Checkpoint::open(const std::string& path) {
  std::error_code failure;
  const fs::file_status status = fs::status(path, failure);
  if (!fs::exists(status))
    return Error{.code = Code::not_found, .message = "no such file or folder", .file = path};
  return fs::is_directory(status) ? CheckpointOpener::folder(path) : CheckpointOpener::file(path);
}

Status Checkpoint::add_file(const std::string& path) {
  ASSAY_TRY(MappedFile mapping, MappedFile::open(path));
  ASSAY_TRY(Header header, parse_safetensors_header(mapping.bytes(), path));
  for (HeaderEntry& e : header.entries) {
    const std::uint64_t offset = header.data_begin + e.begin;
    ASSAY_CHECK(offset <= mapping.bytes().size() && e.end - e.begin <= mapping.bytes().size() - offset);
    tensors_.push_back({.name = std::move(e.name),
                        .format = e.format,
                        .shape = std::move(e.shape),
                        .bytes = mapping.bytes().subspan(offset, e.end - e.begin),
                        .file_index = files_.size(),
                        .offset = static_cast<std::int64_t>(offset)});
  }
  std::move(header.metadata.begin(), header.metadata.end(), std::back_inserter(metadata_));
  mappings_.push_back(std::move(mapping));
  files_.push_back(path);
  return {};
}

Status Checkpoint::sort_and_check() {
  std::stable_sort(tensors_.begin(), tensors_.end(),
                   [](const TensorView& a, const TensorView& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(tensors_.begin(), tensors_.end(),
                         [](const TensorView& a, const TensorView& b) { return a.name == b.name; });
  if (twice == tensors_.end()) return {};
  return Error{.code = Code::duplicate,
               .message = "two shards hold the same tensor",
               .file = file_of(*(twice + 1)),
               .offset = (twice + 1)->offset,
               .field = twice->name,
               .expected = "each tensor once",
               .got = fmt::format("also in {}", file_of(*twice))};
}

const TensorView* Checkpoint::find(std::string_view name) const {
  const auto it = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                   [](const TensorView& view, std::string_view n) { return view.name < n; });
  if (it != tensors_.end() && it->name == name) return &*it;
  const auto part = parts_.find(name);
  return part == parts_.end() ? nullptr : &part->second;
}

Status Checkpoint::add_parts(const TensorView& whole, std::vector<TensorView> parts) {
  for (TensorView& part : parts) {
    ASSAY_CHECK(part.bytes.data() >= whole.bytes.data());
    ASSAY_CHECK(part.bytes.data() + part.bytes.size() <= whole.bytes.data() + whole.bytes.size());
    if (find(part.name)) {
      return Error{.code = Code::duplicate,
                   .message = "a tensor is stored by itself and as a part of another one",
                   .file = file_of(whole),
                   .offset = whole.offset,
                   .field = part.name,
                   .expected = "each tensor once",
                   .got = "also in " + whole.name};
    }
    std::string name = part.name;
    parts_.emplace(std::move(name), std::move(part));
  }
  wholes_.insert(whole.name);
  return {};
}

Result<const TensorView*> Checkpoint::need(std::string_view name, std::span<const std::int64_t> shape) const {
  const TensorView* view = find(name);
  if (view == nullptr) {
    return Error{.code = Code::missing_tensor,
                 .message = "a tensor that the configuration asks for is missing",
                 .file = path_,
                 .field = std::string(name),
                 .expected = shape_text(shape),
                 .got = "nothing"};
  }
  if (std::equal(view->shape.begin(), view->shape.end(), shape.begin(), shape.end())) return view;
  return Error{.code = Code::bad_shape,
               .message = "a tensor does not have the shape that the configuration asks for",
               .file = file_of(*view),
               .offset = view->offset,
               .field = std::string(name),
               .expected = shape_text(shape),
               .got = shape_text(view->shape)};
}

std::string Checkpoint::folder() const {
  if (is_folder_ || gguf_) return path_;
  const std::string parent = fs::path(path_).parent_path().string();
  return parent.empty() ? "." : parent;
}

const std::string& Checkpoint::file_of(const TensorView& view) const {
  ASSAY_CHECK(view.file_index < files_.size());
  return files_[view.file_index];
}

std::uint64_t Checkpoint::bytes() const {
  std::uint64_t sum = 0;
  for (const TensorView& view : tensors_) sum += stored_bytes(view);
  return sum;
}

namespace {

void add_header(Sha256& hash, const TensorView& view) {
  hash.add_field(view.name).add_field(name_of(view.format)).add_field(shape_text(view.shape));
  if (view.paired_rows > 0) hash.add_field(fmt::format("rows paired in {}", view.paired_rows));
  if (view.joined)
    hash.add_field(fmt::format("rows joined {} {}", view.joined->first_rows, view.joined->second_rows));
}

}  // namespace

const std::string& Checkpoint::weights_digest() const {
  if (!weights_digest_.empty()) return weights_digest_;
  Sha256 hash;
  for (const TensorView& view : tensors_) {
    add_header(hash, view);
    for (const TensorView* part : stored_parts(view)) {
      hash.add_field({reinterpret_cast<const char*>(part->bytes.data()), part->bytes.size()});
    }
    release(view);
  }
  weights_digest_ = hash.hex();
  return weights_digest_;
}

std::string Checkpoint::headers_digest() const {
  Sha256 hash;
  for (const TensorView& view : tensors_) add_header(hash, view);
  return hash.hex();
}

void Checkpoint::release(const TensorView& view) const {
  for (const TensorView* part : stored_parts(view)) {
    ASSAY_CHECK(part->file_index < mappings_.size());
    mappings_[part->file_index].release(part->bytes);
  }
}

void Checkpoint::release(const TensorView& view, std::span<const std::byte> part) const {
  ASSAY_CHECK(view.file_index < mappings_.size());
  mappings_[view.file_index].release(part);
}

void Checkpoint::prefetch(const TensorView& view) const {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (const TensorView* part : stored_parts(view)) {
    const auto begin = reinterpret_cast<std::uintptr_t>(part->bytes.data()) / page * page;
    const auto end = reinterpret_cast<std::uintptr_t>(part->bytes.data() + part->bytes.size());
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_WILLNEED);
  }
}

}  // namespace assay
