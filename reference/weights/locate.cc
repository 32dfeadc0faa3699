#include "reference/weights/locate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "reference/weights/gguf_files.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxRefBytes = 256;  // refs/main holds one commit hash

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                  c == '_' || c == '-';
         });
}

// "org/name" and nothing else.
bool is_hub_name(std::string_view model) {
  const auto slash = model.find('/');
  return slash != std::string_view::npos && is_plain_name(model.substr(0, slash)) &&
         is_plain_name(model.substr(slash + 1));
}

Error not_there(const std::string& model, bool hub_name) {
  if (!hub_name) {
    return Error{.code = Code::not_found,
                 .message = "no such model: not a folder, not a file and not an org/name",
                 .file = model};
  }
  return Error{
      .code = Code::not_found,
      .message = fmt::format(
          "the model is neither a path nor in the Hugging Face cache; download it with: hf download {}",
          model),
      .file = model,
      .expected = fmt::format("a folder, a file, or a snapshot below {}", hub_cache_folder())};
}

// The commit that refs/main names; where there is no such file, the only snapshot that is there.
Result<std::string> revision_in(const fs::path& home, const std::string& model) {
  std::error_code ignored;
  const fs::path ref = home / "refs" / "main";
  if (fs::exists(ref, ignored)) {
    ASSAY_TRY(std::string revision, read_file(ref.string(), kMaxRefBytes));
    while (!revision.empty() && (revision.back() == '\n' || revision.back() == ' ')) revision.pop_back();
    if (is_plain_name(revision)) return revision;
    return Error{.code = Code::path_escape,
                 .message = "the cache's refs/main is not a revision",
                 .file = ref.string(),
                 .expected = "a commit hash",
                 .got = revision.substr(0, 80)};
  }
  std::vector<std::string> snapshots;
  for (const auto& entry : fs::directory_iterator(home / "snapshots", ignored))
    snapshots.push_back(entry.path().filename().string());
  if (snapshots.size() == 1) return snapshots[0];
  if (snapshots.empty()) return not_there(model, true);
  return Error{.code = Code::not_found,
               .message = "the cache holds several snapshots and no refs/main; give the folder of one",
               .file = (home / "snapshots").string(),
               .expected = "one snapshot",
               .got = std::to_string(snapshots.size())};
}

ModelLocation at_path(const std::string& model) {
  const fs::path path(model);
  const bool is_folder = fs::is_directory(path);
  const fs::path trimmed = path.has_filename() ? path : path.parent_path();  // "folder/" means folder
  std::error_code ignored;
  const bool relative_only = trimmed.filename() == "." || trimmed.filename() == "..";
  const fs::path named = relative_only ? fs::canonical(trimmed, ignored) : trimmed;
  const std::string parent = path.parent_path().string();
  return {.path = model,
          .folder = is_folder ? model : (parent.empty() ? "." : parent),
          .name = is_folder ? named.filename().string() : path.stem().string(),
          .revision = ""};
}

// GGUF: the file is path and folder in one.
Result<ModelLocation> or_gguf(ModelLocation location) {
  std::error_code ignored;
  if (is_gguf_file(location.path)) location.folder = location.path;
  const fs::path folder = location.path;
  if (!fs::is_directory(folder, ignored)) return location;
  for (const char* name : {"model.safetensors", "model.safetensors.index.json"}) {
    if (fs::exists(folder / name, ignored)) return location;
  }
  ASSAY_TRY(const std::optional<std::string> name, gguf_name_in(location.path));
  if (name) location.path = location.folder = (folder / *name).string();
  return location;
}

}  // namespace

Result<std::string> locate_texts(const std::string& model) {
  std::error_code ignored;
  const bool weights = model.ends_with(".safetensors") || is_gguf_file(model);
  if (fs::is_regular_file(model, ignored) && !weights) return model;
  ASSAY_TRY(ModelLocation location, locate_model(model));
  return std::move(location.folder);
}

std::string hub_cache_folder() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const std::string value = environment(name); !value.empty()) return value;
  }
  if (const std::string home = environment("HF_HOME"); !home.empty()) return home + "/hub";
  if (const std::string cache = environment("XDG_CACHE_HOME"); !cache.empty())
    return cache + "/huggingface/hub";
  return environment("HOME") + "/.cache/huggingface/hub";
}

Result<ModelLocation> locate_model(const std::string& model) {
  if (model.starts_with("http://") || model.starts_with("https://")) {
    return Error{.code = Code::not_implemented,
                 .message = "models behind http are not there yet; give a folder or a file",
                 .file = model};
  }
  std::error_code ignored;
  if (!model.empty() && fs::exists(model, ignored)) return or_gguf(at_path(model));
  const bool hub_name = is_hub_name(model);
  if (!hub_name) return not_there(model, false);
  const auto slash = model.find('/');
  const fs::path home = fs::path(hub_cache_folder()) /
                        fmt::format("models--{}--{}", model.substr(0, slash), model.substr(slash + 1));
  if (!fs::is_directory(home, ignored)) return not_there(model, true);
  ASSAY_TRY(const std::string revision, revision_in(home, model));
  const fs::path snapshot = home / "snapshots" / revision;
  if (!fs::is_directory(snapshot, ignored)) return not_there(model, true);
  return or_gguf(
      {.path = snapshot.string(), .folder = snapshot.string(), .name = model, .revision = revision});
}

}  // namespace assay
