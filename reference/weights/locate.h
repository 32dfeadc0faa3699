// What a MODEL argument means: a folder, a file, or org/name in the local Hugging Face cache (INTERFACE).
#pragma once
#include <string>

#include "base/result.h"

namespace assay {

struct ModelLocation {
  std::string path;      // a folder or a .safetensors file that exists
  std::string folder;    // where config.json and tokenizer files are looked for
  std::string name;      // for people and the database: org/name, or the last part of the path
  std::string revision;  // of the hub cache, "" elsewhere
};

// A path that exists wins over a name in the cache. The cache is $HF_HUB_CACHE, else $HF_HOME/hub, else
// $XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub; its layout is models--ORG--NAME/{refs/main,
// snapshots/REVISION}. Not there: not_found, with the command that downloads it.
Result<ModelLocation> locate_model(const std::string& model);

std::string hub_cache_folder();

}  // namespace assay
