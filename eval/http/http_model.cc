#include "eval/http/http_model.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "eval/http/http_backend.h"
#include "eval/runs/requests.h"
#include "eval/serve/serve_http.h"
#include "eval/serve/told_model.h"
#include "reference/weights/locate.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kUnknownContext = 2048;  // of a server that does not say: what every model of the last years holds
constexpr std::size_t kMaxShown = 10;

std::string environment(const char* name) {
  const char* const value = ::getenv(name);
  return value == nullptr ? "" : value;
}

// Files that go when they have been read.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> make() {
    std::error_code failed;
    std::string name = (fs::temp_directory_path(failed) / "assay-http-XXXXXX").string();
    if (failed || ::mkdtemp(name.data()) == nullptr) return Error{.code = Code::io, .message = "cannot make a temporary folder", .file = name};
    return TemporaryFolder(name);
  }
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Server {
  std::string url;
  std::unique_ptr<HttpPool> pool;
  ApiModel model;
  Json identity = Json::object();  // what it says of itself: recorded with the run
};

Result<ApiModel> choose_model(const std::vector<ApiModel>& models, const HttpAddress& address) {
  const auto named = std::ranges::find(models, address.model, &ApiModel::id);
  if (named != models.end()) return *named;
  if (address.model.empty() && models.size() == 1) return models.front();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(models.size(), kMaxShown); ++i) names.push_back(models[i].id);
  return Error{.code = Code::not_found, .message = address.model.empty() ? "the server has several models; name one behind #" : "the server has no such model",
               .file = address.url, .field = "model", .expected = fmt::format("{}", fmt::join(names, ", ")), .got = address.model};
}

// Who answers: nothing of this is needed, all of it is evidence. A server that has no such endpoint says 404.
Status add_identity(Server& server, const HttpOutcome& models) {
  server.identity = {{"url", server.url}, {"model", server.model.id}, {"owned_by", server.model.owned_by}};
  for (const char* name : {"server", "openai-version", "openai-organization"}) {
    if (const auto value = models.header(name)) server.identity["headers"][name] = *value;
  }
  if (!server.model.told.empty()) return {};
  const std::string root = server.url.ends_with("/v1") ? server.url.substr(0, server.url.size() - 3) : server.url;
  ASSAY_TRY(const HttpOutcome version, server.pool->get(root + "/version"));
  const auto json = parse_json(version.body, root);
  if (version.status == 200 && json.ok() && json->is_object() && version.body.size() < 4096) server.identity["version"] = *json;
  return {};
}

Result<Server> find_server(const HttpAddress& address, const RemoteOptions& remote, std::uint64_t seed) {
  HttpPoolOptions options{.parallel = remote.parallel, .api_key = api_key_for(address.url), .seed = seed};
  if (remote.first_delay_s > 0) options.first_delay_s = remote.first_delay_s;
  Server server{.url = address.url};
  ASSAY_TRY(server.pool, HttpPool::open(options));
  ASSAY_TRY(const HttpOutcome listed, server.pool->get(address.url + "/models"));
  if (listed.status != 200 && (address.model.empty() || listed.status != 404)) return refused_by_server(listed, address.url + "/models");
  if (listed.status == 200) {
    ASSAY_TRY(const std::vector<ApiModel> models, read_models(listed.body, address.url + "/models"));
    ASSAY_TRY(server.model, choose_model(models, address));
  } else {
    server.model.id = address.model;  // a server without a list
  }
  ASSAY_OK(add_identity(server, listed));
  return server;
}

Status load_texts(const std::string& folder, EvalModel& model) {
  ASSAY_TRY(model.tokenizer, Tokenizer::load(folder));
  ASSAY_OK(load_chat_template(folder, model));
  model.asks_texts = false;
  return {};
}

Status fetch_texts(const Server& server, EvalModel& model) {
  ASSAY_TRY(const TemporaryFolder folder, TemporaryFolder::make());
  for (const std::string_view name : kTextFiles) {
    ASSAY_TRY(const HttpOutcome file, server.pool->get(fmt::format("{}/assay/files/{}", server.url, name)));
    if (file.status == 404) continue;
    if (file.status != 200) return refused_by_server(file, fmt::format("{}/assay/files/{}", server.url, name));
    std::ofstream(fs::path(folder.path()) / name, std::ios::binary) << file.body;
  }
  std::error_code ignored;
  if (fs::is_empty(folder.path(), ignored)) return {};  // a model whose tokenizer is within its weights
  return load_texts(folder.path(), model);
}

Error other_digest(const Server& server, const char* what, const std::string& told, const std::string& got) {
  return Error{.code = Code::digest_changed, .message = fmt::format("the {} is not the one that the server says it has", what), .file = server.url, .field = what,
               .expected = told, .got = got};
}

// Where ids come from, and that they are the server's own.
Status find_texts(const Server& server, const RemoteOptions& remote, EvalModel& model) {
  const std::string told_tokenizer = model.tokenizer_digest, told_template = model.template_digest;
  if (!remote.tokenizer.empty()) {
    ASSAY_TRY(const std::string folder, locate_texts(remote.tokenizer));
    ASSAY_OK(load_texts(folder, model));
  } else if (!server.model.told.empty()) {
    ASSAY_OK(fetch_texts(server, model));
  } else if (const auto folder = locate_texts(server.model.id); folder.ok() && !fs::exists(server.model.id)) {
    ASSAY_OK(load_texts(*folder, model));
  }
  if (model.asks_texts) return {};
  model.tokenizer_digest = model.tokenizer.digest();
  if (!told_tokenizer.empty() && told_tokenizer != model.tokenizer_digest) return other_digest(server, "tokenizer", told_tokenizer, model.tokenizer_digest);
  if (!told_template.empty() && told_template != model.template_digest) return other_digest(server, "template", told_template, model.template_digest);
  return {};
}

std::vector<std::int32_t> probe_ids(const EvalModel& model) {
  if (model.asks_texts) return {};
  const std::vector<int> ids = model.tokenizer.encode("The quick brown fox jumps over the lazy dog today", true);
  return {ids.begin(), ids.end()};
}

Json abilities_json(const ApiAbilities& can) {
  return {{"likelihood", name_of(can.likelihood)}, {"echo_max_tokens", can.echo_max_tokens}, {"top_logprobs", can.top_logprobs},
          {"takes_ids", can.takes_ids},            {"returns_ids", can.returns_ids},         {"keeps_special", can.keeps_special},
          {"takes_stream", can.takes_stream}};
}

}  // namespace

bool is_http_model(std::string_view model) { return model.starts_with("http://") || model.starts_with("https://"); }

Result<HttpAddress> parse_http_address(std::string_view model) {
  ASSAY_CHECK(is_http_model(model));
  const auto bad = [](std::string message) {
    return Error{.code = Code::usage, .message = std::move(message), .field = "MODEL", .expected = "http://host:port/v1#model"};
  };
  const auto hash = model.find('#');
  HttpAddress out{.url = std::string(model.substr(0, hash)), .model = hash == std::string_view::npos ? "" : std::string(model.substr(hash + 1))};
  const std::size_t scheme = out.url.find("://") + 3;
  while (out.url.size() > scheme && out.url.ends_with('/')) out.url.pop_back();
  const std::string_view rest = std::string_view(out.url).substr(scheme);
  const std::string_view host = rest.substr(0, rest.find('/'));
  const bool printable = std::ranges::all_of(model, [](char c) { return c > ' ' && c != 0x7f; });
  if (host.empty() || host.starts_with(':') || !printable) return bad("the address of a server cannot be read");
  if (host.find('@') != std::string_view::npos) return bad("a user or password in an address would be stored; set ASSAY_API_KEY in the environment");
  if (rest.find('?') != std::string_view::npos) return bad("the address of a server has no query");
  return out;
}

std::string api_key_for(std::string_view url) {
  const std::string own = environment("ASSAY_API_KEY");
  if (!own.empty()) return own;
  const auto begin = url.find("://") + 3;
  const std::string_view authority = url.substr(begin, url.find('/', begin) - begin);
  const std::string host(authority.starts_with('[') ? authority.substr(1, authority.find(']') - 1) : authority.substr(0, authority.find(':')));
  return url.starts_with("https://") || is_loopback(host) ? environment("OPENAI_API_KEY") : "";
}

Result<EvalModel> load_http_model(const std::string& model, const EngineOptions& options, const std::string& name) {
  if (!options.recipe.empty()) {
    return Error{.code = Code::usage, .message = "a server computes by its own recipe; leave the option out, or give it to `assay serve`", .field = "--recipe",
                 .got = options.recipe};
  }
  ASSAY_TRY(const HttpAddress address, parse_http_address(model));
  ASSAY_TRY(Server server, find_server(address, options.remote, 1));
  EvalModel loaded{.name = name.empty() ? server.model.id : name, .source = model, .engine = nullptr, .tokenizer = {}, .asks_texts = true};
  const bool is_assay = !server.model.told.empty();
  if (is_assay) ASSAY_OK(read_told_facts(server.model.told, server.url, loaded));
  ASSAY_OK(find_texts(server, options.remote, loaded));
  ASSAY_TRY(ApiAbilities can, probe_abilities(*server.pool, server.url, server.model.id, probe_ids(loaded), is_assay));
  if (!is_assay) loaded.facts.context_tokens = server.model.context_tokens.value_or(kUnknownContext) - 1 - can.echo_max_tokens;
  if (loaded.facts.context_tokens < 1) return Error{.code = Code::out_of_range, .message = "the server says that its model reads nothing", .file = server.url, .field = "max_model_len"};
  loaded.asks_texts = loaded.asks_texts || !can.takes_ids || can.likelihood == ApiLikelihood::next_token;
  if (!loaded.asks_texts && !is_assay) loaded.facts.vocab_size = loaded.tokenizer.vocab_size();
  server.identity["abilities"] = abilities_json(can);
  loaded.server_json = dump_json(server.identity);
  server.identity.erase("url");  // the same server may be reached elsewhere tomorrow
  if (loaded.weights_digest.empty()) loaded.server_digest = sha256_hex(dump_json(server.identity));
  loaded.engine = std::make_unique<HttpBackend>(std::move(server.pool), server.url, ApiTarget{.model = server.model.id, .abilities = can});
  return loaded;
}

}  // namespace assay
