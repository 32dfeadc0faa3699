// GGUF files on disk: one, or the parts that `gguf-split` makes of one: NAME-00001-of-0000N.gguf with the keys split.no,
// split.count and split.tensors.count. All metadata that counts stands in the first part.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "reference/weights/gguf.h"

namespace assay {

struct GgufFile {
  MappedFile mapping;
  GgufHeader header;  // its values point into the mapping
};

Result<GgufFile> open_gguf(const std::string& path);

// True for a file (not a folder) whose first bytes say so.
bool is_gguf_file(const std::string& path);

// The file and, where it is the first of several, the others, each as `resolve(folder, name)` finds it. Refused: another part
// than the first, a part that is missing, that has another number or another count, and tensors that are not as many as said.
using ResolveFile = std::function<Result<std::string>(const std::string& folder, const std::string& name)>;
Result<std::vector<GgufFile>> open_gguf_files(const std::string& path, const ResolveFile& resolve);

// The name of the one GGUF model in a folder (of several parts the first); no value where there is none. Refused: several,
// because they are different quantisations and nobody but the user knows which is meant. Projectors of images (mmproj*) do
// not count.
Result<std::optional<std::string>> gguf_name_in(const std::string& folder);

}  // namespace assay
