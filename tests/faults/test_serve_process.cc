// A real `assay serve` on the loopback, with real clients: well-behaved ones, several at once, slow and broken ones, and signals.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/json.h"
#include "tests/command.h"
#include "tests/faults/http_client.h"
#include "tests/process.h"

using namespace assay;

namespace {

const std::string kServedModel = ASSAY_TREE "/suites/data/demo/model";
const std::string kCompletions = "/v1/completions";

class Server {
 public:
  explicit Server(std::vector<std::string> options = {}) : process_(arguments(std::move(options)), scratch_.path()) {
    const std::string ready = process_.line(), begin = "listening on http://127.0.0.1:";
    INFO(ready << process_.err());
    REQUIRE(ready.starts_with(begin));
    REQUIRE(ready.ends_with("/v1"));
    port_ = std::stoi(ready.substr(begin.size()));
  }
  int port() const { return port_; }
  AssayProcess& process() { return process_; }
  int stop(int signal = SIGTERM) {
    process_.signal(signal);
    return process_.wait();
  }

 private:
  static std::vector<std::string> arguments(std::vector<std::string> options) {
    options.insert(options.begin(), {"serve", kServedModel, "--port", "0", "--threads", "1"});
    return options;
  }
  Scratch scratch_;
  AssayProcess process_;
  int port_ = 0;
};

Json json_of(const HttpAnswer& answer) {
  auto json = parse_json(answer.body, "");
  INFO(answer.status << " " << answer.body);
  REQUIRE(json.ok());
  return std::move(json).value();
}

std::string choices_of(const HttpAnswer& answer) { return answer.status == 200 ? dump_json(json_of(answer)["choices"]) : "refused"; }

// Long enough that no machine is through with it before a signal arrives.
const std::string kLong = R"({"prompt": ["a", "b", "c", "d"], "max_tokens": 1000, "temperature": 100, "n": 32, "seed": 1)";

}  // namespace

TEST_CASE("serve process: all endpoints, one connection or several, and a clean end") {
  Server server;
  const int port = server.port();
  CHECK(json_of(http(port, "GET", "/health"))["status"] == "ok");
  CHECK(http(port, "HEAD", "/health").status == 200);
  CHECK(json_of(http(port, "GET", "/v1/models"))["data"][0]["id"] == "model");
  CHECK(json_of(http(port, "GET", "/v1/models/model"))["object"] == "model");
  CHECK(http(port, "GET", "/v1/models/other").status == 404);
  CHECK(http(port, "GET", "/nothing").status == 404);
  CHECK(http(port, "GET", kCompletions).status == 405);
  CHECK(http(port, "PUT", kCompletions, "{}").status == 405);
  CHECK(http(port, "POST", "/v1/embeddings", "{}").status == 404);
  const std::string body = R"({"prompt": "Max went to the", "max_tokens": 6, "temperature": 0})";
  const auto [first, second] = http_twice(port, kCompletions, body);
  CHECK(first.status == 200);
  CHECK(choices_of(first) == choices_of(second));
  CHECK(first.content_type == "application/json");
  const HttpAnswer chat = http(port, "POST", "/v1/chat/completions", R"({"messages": [{"role": "user", "content": "How many?"}], "max_tokens": 4})");
  CHECK(json_of(chat)["choices"][0]["message"]["role"] == "assistant");
  const std::string streamed = body.substr(0, body.size() - 1) + R"(, "stream": true})";
  std::string parts;
  const HttpAnswer stream = http(port, "POST", kCompletions, streamed, {}, [&](std::string_view part) { return parts += part, true; });
  CHECK(stream.status == 200);
  CHECK(stream.content_type.starts_with("text/event-stream"));
  CHECK(parts.ends_with("data: [DONE]\n\n"));
  const HttpAnswer ranged = http(port, "POST", kCompletions, body, {{"Range", "bytes=0-1,2-3"}});
  CHECK(choices_of(ranged) == choices_of(first));  // answers have no parts
  CHECK(server.stop() == 0);
  CHECK(server.process().err().empty());
}

TEST_CASE("serve process: eight clients at once get the bytes that one gets") {
  Server server;
  std::vector<std::string> bodies;
  for (int i = 0; i < 8; ++i) {
    bodies.push_back(R"({"prompt": "Item )" + std::to_string(i % 3) + R"(: Max went", "max_tokens": 12, "seed": 3, "logprobs": 1, "temperature": )" +
                     std::to_string(i % 2) + "}");
  }
  std::vector<std::string> alone, together(bodies.size());
  for (const std::string& body : bodies) alone.push_back(choices_of(http(server.port(), "POST", kCompletions, body)));
  std::vector<std::thread> clients;
  std::vector<HttpAnswer> answers(bodies.size());
  for (std::size_t i = 0; i < bodies.size(); ++i) clients.emplace_back([&, i] { answers[i] = http(server.port(), "POST", kCompletions, bodies[i]); });
  for (std::thread& client : clients) client.join();
  for (std::size_t i = 0; i < bodies.size(); ++i) together[i] = choices_of(answers[i]);
  CHECK(together == alone);
  CHECK(std::ranges::count(alone, "refused") == 0);
}

TEST_CASE("serve process: broken requests are told so, and the next client is served") {
  Server server({"--max-body", "4096", "--request-timeout", "1"});
  const int port = server.port();
  CHECK(http(port, "POST", kCompletions, "{").status == 400);
  CHECK(http(port, "POST", kCompletions, R"({"prompt": "a", "temperature": NaN})").status == 400);
  CHECK(http(port, "POST", kCompletions, R"({"prompt": [99999]})").status == 400);
  CHECK(http(port, "POST", kCompletions, "{}", {{"Content-Type", "text/plain"}}).status == 415);
  CHECK(http(port, "POST", kCompletions, "{}", {{"Content-Encoding", "gzip"}}).status == 415);
  const HttpAnswer huge = http(port, "POST", kCompletions, R"({"prompt": ")" + std::string(1 << 20, 'a') + "\"}");
  CHECK(huge.status == 413);
  CHECK(json_of(huge)["error"]["type"] == "invalid_request_error");
  CHECK(http(port, "GET", "/" + std::string(4000, 'a')).status == 414);
  const std::string head = "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
  const std::pair<std::string, const char*> raw[] = {
      {"nonsense\r\n\r\n", " 400 "},
      {std::string("\0\0\0\0\r\n\r\n", 8), " 400 "},
      {head + "Content-Length: -1\r\n\r\n{}", " 400 "},
      {head + "Content-Length: 99999999999999999999\r\n\r\n{}", " 413 "},
      {head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", " 400 "},
      {head + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", " 400 "},
      {head + "Transfer-Encoding: gzip\r\n\r\n{}", " 400 "},
      {head + "\r\n", " 411 "},
      {head + "Content-Length: 100\r\n\r\n{", " 408 "},                          // the rest never comes
      {"POST /v1/completions HTTP/1.1\r\nX: ", " 408 "},                         // nor do the other headers
      {"GET /health HTTP/1.1\r\nX: " + std::string(100'000, 'a') + "\r\n\r\n", ""},  // too long a line: closed, told or not
      {"GET /health HTTP/1.1\r\nRange: bytes=" + std::string(8000, '1') + "\r\n\r\n", ""},
  };
  for (const auto& [bytes, expected] : raw) {
    INFO(bytes.substr(0, 150));
    RawConnection connection(port);
    connection.send(bytes);
    const std::string answer = connection.receive();  // ends: the server closes
    CHECK(answer.substr(0, 13).find(expected) != std::string::npos);
  }
  RawConnection many(port);
  many.send("GET /health HTTP/1.1\r\n");
  bool open = true;
  for (int i = 0; i < 20'000 && open; ++i) open = many.send("X" + std::to_string(i) + ": " + std::string(40, 'a') + "\r\n");
  CHECK(many.receive().find("200 OK") == std::string::npos);
  RawConnection chunked(port);  // a body without an announced length is bounded too
  chunked.send(head + "Transfer-Encoding: chunked\r\n\r\n");
  open = true;
  for (int i = 0; i < 400 && open; ++i) open = chunked.send("1000\r\n" + std::string(4096, ' ') + "\r\n");
  CHECK(chunked.receive().find("200 OK") == std::string::npos);
  CHECK(json_of(http(port, "GET", "/health"))["status"] == "ok");
  CHECK(server.stop() == 0);
}

TEST_CASE("serve process: more connections than there is room for are told so") {
  Server server({"--max-connections", "2"});
  RawConnection first(server.port()), second(server.port());
  REQUIRE(first.send("GET /health HTTP/1.1\r\n"));
  REQUIRE(second.send("GET /health HTTP/1.1\r\n"));
  // The two are taken in the order in which they came, so the third finds no room.
  RawConnection third(server.port());
  third.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string told = third.receive();
  CHECK(told.starts_with("HTTP/1.1 503 "));
  CHECK(told.find("\"type\":\"server_error\"") != std::string::npos);
  REQUIRE(first.send("Connection: close\r\n\r\n"));
  CHECK(first.receive().starts_with("HTTP/1.1 200 "));
}

TEST_CASE("serve process: SIGTERM and SIGINT while a request runs end it cleanly") {
  for (const int signal : {SIGTERM, SIGINT}) {
    Server server;
    std::string parts;
    bool told = false;
    // The first part of the stream shows that the request runs.
    const HttpAnswer stream = http(server.port(), "POST", kCompletions, kLong + R"(, "stream": true})", {}, [&](std::string_view part) {
      parts += part;
      if (!std::exchange(told, true)) server.process().signal(signal);
      return true;
    });
    CHECK(told);
    CHECK(parts.find("\"code\":\"shutting_down\"") != std::string::npos);
    CHECK(parts.find("[DONE]") == std::string::npos);  // what was cut off does not look whole
    CHECK(server.process().wait() == 0);
  }
}

TEST_CASE("serve process: requests that wait are answered 503 when the server stops") {
  Server server;
  std::vector<HttpAnswer> answers(3);
  std::vector<std::thread> clients;
  bool told = false;
  const HttpAnswer stream = http(server.port(), "POST", kCompletions, kLong + R"(, "stream": true})", {}, [&](std::string_view) {
    if (std::exchange(told, true)) return true;
    for (HttpAnswer& answer : answers) {
      clients.emplace_back([&server, &answer] { answer = http(server.port(), "POST", kCompletions, kLong + "}"); });
    }
    server.process().signal(SIGTERM);
    return true;
  });
  for (std::thread& client : clients) client.join();
  CHECK(server.process().wait() == 0);
  for (const HttpAnswer& answer : answers) {
    INFO(answer.body);
    CHECK((answer.status == 503 || answer.status == 0));  // 0: it came when nobody listened any more
    if (answer.status == 503) CHECK(json_of(answer)["error"]["code"] == "shutting_down");
  }
}

TEST_CASE("serve process: a client that goes away frees the engine") {
  Server server;
  const HttpAnswer gone = http(server.port(), "POST", kCompletions, kLong + R"(, "stream": true})", {}, [](std::string_view) { return false; });
  CHECK(gone.status == 0);
  // The long request would take minutes; this one is answered once it was given up.
  CHECK(http(server.port(), "POST", kCompletions, R"({"prompt": "a", "max_tokens": 2})").status == 200);
  CHECK(server.stop() == 0);
}

TEST_CASE("serve process: what cannot be had is refused") {
  const Scratch scratch;
  Server server({"--api-key", "k"});
  CHECK(http(server.port(), "GET", "/v1/models").status == 401);
  CHECK(http(server.port(), "GET", "/v1/models", "", {{"Authorization", "Bearer k"}}).status == 200);
  const CommandResult taken = run_assay({"serve", kServedModel, "--port", std::to_string(server.port())}, scratch.path());
  CHECK(taken.code == 3);
  CHECK(taken.err.starts_with("assay: cannot listen there"));
  CHECK(taken.out.empty());
  CHECK(run_assay({"serve", scratch / "none"}, scratch.path()).code == 3);
  CHECK(run_assay({"serve", kServedModel, "--port", "70000"}, scratch.path()).code == 2);
  CHECK(run_assay({"serve", kServedModel, "--host", "192.0.2.1", "--port", "0"}, scratch.path()).code == 3);
}
