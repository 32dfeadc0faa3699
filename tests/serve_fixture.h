// The endpoints of `assay serve` on the bundled model, without a network.
#pragma once
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/json.h"
#include "eval/serve/serve.h"
#include "tests/catch.h"

namespace serve_test {

inline const assay::EvalModel& bundled() {
  static const assay::EvalModel model = [] {
    auto loaded = assay::load_eval_model(ASSAY_TREE "/suites/data/demo/model", {.threads = 1});
    if (!loaded.ok()) throw std::runtime_error(loaded.error().text());
    return std::move(loaded).value();
  }();
  return model;
}

struct Told {
  int status = 0;
  assay::Json json;
  std::string body;
};

class Endpoint {
 public:
  explicit Endpoint(const assay::ServeOptions& options = {}) : service_(assay::serve_endpoints(bundled(), options)) {}

  Told post(const std::string& path, const std::string& body, const std::string& key = "") {
    assay::HttpRequest request{.head = {.method = "POST", .path = path, .authorization = key, .content_type = "application/json"}, .body = body,
                               .connected = [] { return true; }};
    if (const auto refused = service_->answer_head(request.head)) return told(*refused);
    return told(service_->answer(request));
  }
  Told post(const std::string& path, const assay::Json& body) { return post(path, assay::dump_json(body)); }
  Told get(const std::string& path, const std::string& method = "GET", const std::string& key = "") {
    const auto reply = service_->answer_head({.method = method, .path = path, .authorization = key, .content_type = {}});
    REQUIRE(reply.has_value());
    return told(*reply);
  }
  assay::HttpService& service() { return *service_; }

 private:
  static Told told(const assay::HttpReply& reply) {
    Told out{.status = reply.status, .json = nullptr, .body = reply.body};
    if (reply.stream) {
      reply.stream([&](std::string_view part) {
        out.body += part;
        return true;
      });
      return out;
    }
    auto json = assay::parse_json(out.body, "reply");
    REQUIRE(json.ok());
    out.json = std::move(json).value();
    return out;
  }
  std::unique_ptr<assay::HttpService> service_;
};

// The events of a stream; the last must be [DONE].
inline std::vector<assay::Json> events(const std::string& body) {
  std::vector<assay::Json> out;
  bool done = false;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = body.find("\n\n", at);
    REQUIRE(end != std::string::npos);
    const std::string line = body.substr(at, end - at);
    REQUIRE(line.starts_with("data: "));
    REQUIRE_FALSE(done);
    done = line == "data: [DONE]";
    if (!done) out.push_back(assay::parse_json(line.substr(6), "event").value());
    at = end + 2;
  }
  CHECK(done);
  return out;
}

}  // namespace serve_test
