// What a model is, from its headers and config.json alone (INTERFACE, `inspect`).
#pragma once
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace assay {

struct InspectOptions {
  bool list_tensors = false;  // adds `tensor_list`
  bool read_bytes = false;    // the weights digest over every byte; otherwise over the headers
  bool headers_only = false;  // do not read config.json: for families that are not known here
};

// INTERFACE's fields and, beside them, `params_stored`, `params_mtp` (as stored), `params_mtp_unique` and `params_mtp_active` (without the
// copies of embedding and head), `mtp_modules`, `files`, `digest.weights_of` ("headers"
// or "bytes"). A configuration that cannot be used, or that asks for tensors that the files do not have in
// that shape, is refused; of a single file out of a folder of shards the latter is a warning.
Result<Json> inspect_model(const std::string& model, const InspectOptions& options);

// The same for people.
std::string inspect_text(const Json& inspection);

}  // namespace assay
