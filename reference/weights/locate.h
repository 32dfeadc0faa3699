// What a MODEL argument means: a folder, a file, or org/name in the local Hugging Face cache (INTERFACE).
#pragma once
#include <string>

#include "base/result.h"

namespace assay {

struct ModelLocation {
  std::string path;  // a folder, a .safetensors or a .gguf file that exists
  std::string
      folder;  // where config.json and tokenizer files are looked for; a .gguf file, which holds its own
  std::string name;      // for people and the database: org/name, or the last part of the path
  std::string revision;  // of the hub cache, "" elsewhere
};

// A path that exists wins over a name in the cache. The cache is $HF_HUB_CACHE, else $HF_HOME/hub, else
// $XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub; its layout is models--ORG--NAME/{refs/main,
// snapshots/REVISION}. Not there: not_found, with the command that downloads it. A folder (or snapshot) that holds a GGUF model
// and no safetensors stands for that file.
Result<ModelLocation> locate_model(const std::string& model);

// Where the tokenizer and template of MODEL are: a file that holds no weights (tokenizer.json, chat_template.jinja, …) is its
// own answer, all else is locate_model's `folder`.
Result<std::string> locate_texts(const std::string& model);

std::string hub_cache_folder();

}  // namespace assay
