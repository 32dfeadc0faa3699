// A completion server as a backend: one call a request (and a sample), many in flight, answers in the order of the requests whatever the order in
// which they come. An answer is taken once: what is repeated after a fault replaces nothing and is counted nowhere but in `http_counts`.
#pragma once
#include <memory>
#include <string>

#include "eval/http/http_api.h"
#include "eval/http/http_pool.h"
#include "reference/model/backend.h"

namespace assay {

class HttpBackend final : public Backend {
 public:
  // `url`: http://host:port/v1.
  HttpBackend(std::unique_ptr<HttpPool> pool, std::string url, ApiTarget target);

  // Requests by ids or by text. Refused as unsupported where the server cannot tell what is asked.
  Result<std::vector<ScoreAnswer>> score(std::span<const ScoreRequest> requests) override;
  // `options.stop` is asked once, of the whole sample, so that what it knows beyond stop_strings counts; a sample ends where it first says so.
  // Options of the engine alone (token) are refused by assertion.
  Result<std::vector<GenerateAnswer>> generate(std::span<const GenerateRequest> requests, const GenerateOptions& options) override;
  BackendStats stats() const override;  // tokens_computed: as the server counts them in `usage`
  void reset_stats() override;
  std::string name() const override { return "http"; }

  const HttpPoolCounts& http_counts() const { return pool_->counts(); }
  const ApiTarget& target() const { return target_; }

 private:
  std::string completions_url() const { return url_ + "/completions"; }
  std::unique_ptr<HttpPool> pool_;
  std::string url_;
  ApiTarget target_;
  BackendStats stats_;
};

// What a status that is no success means: the key, the model, the request.
Error refused_by_server(const HttpOutcome& outcome, const std::string& url);

}  // namespace assay
