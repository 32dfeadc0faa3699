#include "reference/weights/foreign.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>

namespace assay {
namespace {

namespace fs = std::filesystem;

struct Magic {
  std::string_view bytes, name;
  bool holds_pickle;  // in the files that people publish weights in
};

constexpr std::array<Magic, 8> kMagics = {{
    {{"PK\x03\x04", 4}, "a zip archive with a Python pickle", true},
    {{"PK\x05\x06", 4}, "an empty zip archive", true},
    {{"7z\xBC\xAF\x27\x1C", 6}, "a 7z archive, as it is used to hide a Python pickle", true},
    {{"\x1F\x8B", 2}, "a gzip archive", false},
    {{"\x28\xB5\x2F\xFD", 4}, "a zstd archive", false},
    {{"Rar!", 4}, "a rar archive", false},
    {{"\x89HDF", 4}, "an HDF5 file", false},
    {{"GGML", 4}, "a file of GGUF's predecessor", false},
}};

constexpr std::array<std::string_view, 6> kPickleEndings = {".bin",  ".pt",  ".pth",
                                                            ".ckpt", ".pkl", ".pickle"};

bool has_pickle_ending(std::string_view path) {
  return std::any_of(kPickleEndings.begin(), kPickleEndings.end(),
                     [&](std::string_view e) { return path.ends_with(e); });
}

// Protocols 2 to 5 begin with their number. The textual ones have no magic: an opcode that can begin one, the stop opcode at
// the end, and the ending of the name have to do.
bool is_bare_pickle(std::string_view bytes, std::string_view path) {
  if (bytes.size() < 2) return false;
  if (bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5) return true;
  const std::size_t end = bytes.find_last_not_of("\r\n");
  const bool framed = std::string_view("(]}cl").find(bytes[0]) != std::string_view::npos && bytes[end] == '.';
  return framed && has_pickle_ending(path);
}

Error pickle_error(const std::string& path, std::string got) {
  return Error{
      .code = Code::pickle,
      .message = "this is a Python pickle, which runs code when it is read; convert it to safetensors",
      .file = path,
      .offset = 0,
      .expected = "a safetensors or GGUF file",
      .got = std::move(got)};
}

}  // namespace

Status refuse_foreign(std::string_view bytes, const std::string& path) {
  if (bytes.size() > 8 && bytes[8] == '{')
    return {};  // a header length that happens to look like another magic
  if (is_bare_pickle(bytes, path)) return pickle_error(path, "pickle");
  for (const Magic& magic : kMagics) {
    if (!bytes.starts_with(magic.bytes)) continue;
    if (magic.holds_pickle) return pickle_error(path, std::string(magic.name));
    return Error{.code = Code::unsupported,
                 .message = "files of this kind are not read; use the safetensors or GGUF files of the model",
                 .file = path,
                 .offset = 0,
                 .expected = "a safetensors or GGUF file",
                 .got = std::string(magic.name)};
  }
  return {};
}

Error no_weights_in(const std::string& folder) {
  constexpr int kMaxEntries = 100'000;  // more than any model has files
  std::error_code ignored;
  std::optional<std::string> first;
  int seen = 0;
  for (fs::directory_iterator it(folder, ignored), end; it != end && seen < kMaxEntries;
       it.increment(ignored), ++seen) {
    const std::string name = it->path().filename().string();
    if ((has_pickle_ending(name) || name == "pytorch_model.bin.index.json") && (!first || name < *first))
      first = name;
  }
  if (first) {
    return Error{
        .code = Code::pickle,
        .message =
            "the folder holds weights only as a Python pickle, which runs code when it is read; convert them "
            "to safetensors",
        .file = (fs::path(folder) / *first).string(),
        .expected = "model.safetensors",
        .got = *first};
  }
  return Error{.code = Code::not_found,
               .message = "the folder holds no weights",
               .file = folder,
               .expected = "model.safetensors, model.safetensors.index.json or a .gguf file"};
}

}  // namespace assay
