#include "eval/serve/serve.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "eval/serve/serve_error.h"
#include "eval/serve/serve_exchange.h"
#include "eval/serve/told_model.h"

namespace assay {
namespace {

constexpr std::string_view kServedModels = "/v1/models", kCompletions = "/v1/completions", kChats = "/v1/chat/completions", kHealth = "/health", kFiles = "/v1/assay/files/";

HttpReply json_reply(const Json& json, int status = 200) { return {.status = status, .body = dump_json(json)}; }

HttpReply refusal(const ApiError& error) { return json_reply(error_json(error), error.status); }

// Takes as long for a wrong key as for the right one, whatever they share.
bool same_secret(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b.empty() ? '\0' : b[i % b.size()]));
  }
  return difference == 0;
}

std::vector<std::int32_t> stop_ids_of(const EvalModel& model) {
  std::vector<std::int32_t> ids = model.facts.eos_ids;
  if (const auto eos = model.tokenizer.eos_id()) ids.push_back(*eos);
  return ids;
}

class Endpoints final : public HttpService {
 public:
  Endpoints(const EvalModel& model, const ServeOptions& options)
      : queue_(*model.engine, options.max_waiting),
        served_{.model = model,
                .queue = queue_,
                .id = options.name.empty() ? model.name : options.name,
                .stop_ids = stop_ids_of(model),
                .seed = options.seed,
                .max_tokens = options.max_tokens > 0 ? options.max_tokens : model.context_tokens(),
                .created_s = static_cast<std::int64_t>(std::time(nullptr)),
                .other_names = {model.source, absolute(model.source)}},
        api_key_(options.api_key) {}

  std::optional<HttpReply> answer_head(const HttpHead& head) override {
    const bool reads = head.method == "GET" || head.method == "HEAD";
    const bool posted = head.path == kCompletions || head.path == kChats;
    const bool listed = head.path == kServedModels || head.path.starts_with("/v1/models/") || head.path.starts_with(kFiles);
    if (head.path == kHealth && reads) return json_reply({{"status", "ok"}});
    if (!may_enter(head.authorization)) return refuse_key();
    if (!posted && !listed && head.path != kHealth) return refusal(status_error(404, "there is nothing at this path: " + head.path.substr(0, 80)));
    if (posted ? head.method != "POST" : !reads) return refuse_method(posted ? "POST" : "GET");
    if (head.path.starts_with(kFiles)) return file(head.path.substr(kFiles.size()));
    if (listed) return head.path == kServedModels ? models() : one_model(head.path.substr(kServedModels.size() + 1));
    if (!is_json(head.content_type)) return refusal(status_error(415, "the body must be JSON, sent as Content-Type: application/json"));
    return std::nullopt;
  }

  HttpReply answer(const HttpRequest& request) override {
    return request.head.path == kChats ? chat(served_, request) : complete(served_, request);
  }

  HttpReply fault(int status, std::string_view why) override { return refusal(status_error(status, why)); }
  void stopping() override { queue_.stop(); }

 private:
  static std::string absolute(const std::string& path) {
    std::error_code ignored;
    const std::filesystem::path whole = std::filesystem::absolute(path, ignored).lexically_normal();
    return ignored ? path : whole.string();
  }

  static bool is_json(std::string content_type) {
    std::ranges::transform(content_type, content_type.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const std::string kind = content_type.substr(0, content_type.find_first_of("; "));
    return kind == "application/json";
  }

  bool may_enter(const std::string& authorization) const {
    constexpr std::string_view kBearer = "Bearer ";
    if (api_key_.empty()) return true;
    return authorization.starts_with(kBearer) && same_secret(authorization.substr(kBearer.size()), api_key_);
  }

  static HttpReply refuse_key() {
    HttpReply reply = refusal({.status = 401, .message = "this server asks for its API key: Authorization: Bearer KEY", .param = {}, .code = "invalid_api_key"});
    reply.headers.emplace_back("WWW-Authenticate", "Bearer");
    return reply;
  }
  static HttpReply refuse_method(const char* allowed) {
    HttpReply reply = refusal(status_error(405, fmt::format("this path answers {} only", allowed)));
    reply.headers.emplace_back("Allow", allowed);
    return reply;
  }

  Json model_json() const {
    return {{"id", served_.id},
            {"object", "model"},
            {"created", served_.created_s},
            {"owned_by", "assay"},
            {"max_model_len", served_.model.context_tokens()},
            {"weights_digest", served_.model.weights_digest},
            {"assay", told_facts(served_.model)}};
  }
  HttpReply models() const { return json_reply({{"object", "list"}, {"data", Json::array({model_json()})}}); }
  HttpReply one_model(const std::string& id) const {
    const Status known = check_model(served_, id);
    return known.ok() ? json_reply(model_json()) : error_reply(known.error());
  }

  // Tokenizer and template as their author wrote them, so that a client can render and split texts as this server does.
  HttpReply file(const std::string& name) const {
    const bool told = std::ranges::find(kTextFiles, name) != kTextFiles.end() && !served_.model.texts_folder.empty();
    const auto bytes = told ? read_file(served_.model.texts_folder + "/" + name) : Result<std::string>(Error{.code = Code::not_found});
    if (!bytes.ok()) return refusal(status_error(404, "the model has no such file: " + name.substr(0, 80)));
    return {.status = 200, .body = *bytes, .content_type = "application/octet-stream"};
  }

  ServeQueue queue_;
  Served served_;
  std::string api_key_;
};

std::string shown_host(const std::string& host) { return host.find(':') == std::string::npos ? host : "[" + host + "]"; }

}  // namespace

std::unique_ptr<HttpService> serve_endpoints(const EvalModel& model, const ServeOptions& options) { return std::make_unique<Endpoints>(model, options); }

Status serve_model(const EvalModel& model, const ServeOptions& options, const std::function<void(const std::string& address)>& ready) {
  const std::unique_ptr<HttpService> endpoints = serve_endpoints(model, options);
  ASSAY_TRY(const std::unique_ptr<HttpServer> server, HttpServer::bind(options.host, options.port, options.http, *endpoints));
  ready(fmt::format("http://{}:{}/v1", shown_host(options.host), server->port()));
  server->run();
  return {};
}

}  // namespace assay
