// http://host:port/v1#model as a model to be asked: who answers there, what it can do, how texts become ids.
#pragma once
#include <string>

#include "base/result.h"
#include "eval/http/http_api.h"
#include "eval/http/http_pool.h"
#include "eval/runs/eval_model.h"

namespace assay {

bool is_http_model(std::string_view model);  // begins with http:// or https://

struct HttpAddress {
  std::string url;    // without the fragment and slashes at its end
  std::string model;  // what stands behind #; "": the only model there
};
// Refused (usage): a user or password in the address (the key comes from the environment), a query, an empty host.
Result<HttpAddress> parse_http_address(std::string_view model);

// The key for `url`: ASSAY_API_KEY; else OPENAI_API_KEY, which is sent to this machine or over https only. "": none.
std::string api_key_for(std::string_view url);

// Finds out what the server can do, cheapest for a run first. `ids`: a text of some tokens by the model's tokenizer; empty: only texts are tried.
// `is_assay`: the server is an `assay serve`.
Result<ApiAbilities> probe_abilities(HttpPool& pool, const std::string& url, const std::string& model, const std::vector<std::int32_t>& ids, bool is_assay);

// Everything above. The tokenizer is that of options.remote.tokenizer; else the server's own files, where it hands them out (assay serve; held
// against the digest it tells); else that of the model's name in the local Hugging Face cache; else none, and then the server splits the texts
// (EvalModel::asks_texts). `name` overrides the name that is recorded.
Result<EvalModel> load_http_model(const std::string& model, const EngineOptions& options, const std::string& name);

}  // namespace assay
