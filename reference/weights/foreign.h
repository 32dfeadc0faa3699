// Files that are no safetensors: recognised by their first bytes and refused with the reason. Python pickles (what torch.save
// writes: a zip archive since 1.6, a bare pickle before) run code when they are read; no program of ours reads them, in
// whatever wrapping.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace assay {

// Fine where the bytes may be safetensors.
Status refuse_foreign(std::string_view bytes, const std::string& path);

// Why a folder without safetensors and GGUF files cannot be read: the first pickle in it, or that there is nothing.
Error no_weights_in(const std::string& folder);

}  // namespace assay
