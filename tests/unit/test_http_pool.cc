// Retries: how long is waited, what a Retry-After says, addresses and keys. The network itself is in tests/faults/test_http_run.cc.
#include <stdlib.h>

#include "eval/http/http_model.h"
#include "eval/http/http_pool.h"
#include "tests/catch.h"

using namespace assay;

namespace {

// One environment variable for the time of a test.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() { ::unsetenv(name_); }

 private:
  const char* name_;
};

}  // namespace

TEST_CASE("http pool: Retry-After is seconds or a date") {
  constexpr std::int64_t kNow = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT, RFC 9110's own example
  CHECK(retry_after_seconds("120", kNow) == 120);
  CHECK(retry_after_seconds(" 1.5 ", kNow) == 1.5);
  CHECK(retry_after_seconds("0", kNow) == 0);
  CHECK(retry_after_seconds("-3", kNow) == 0);
  CHECK(retry_after_seconds("Sun, 06 Nov 1994 08:50:37 GMT", kNow) == 60);
  CHECK(retry_after_seconds("Sun, 06 Nov 1994 08:49:00 GMT", kNow) == 0);  // over
  for (const char* bad : {"", "soon", "1e999", "inf", "nan", "12 parsecs"}) {
    INFO(bad);
    CHECK_FALSE(retry_after_seconds(bad, kNow).has_value());
  }
}

TEST_CASE("http pool: delays double up to a cap, differ between calls, and keep what the server asks for") {
  const HttpPoolOptions options{.first_delay_s = 0.2, .max_delay_s = 30, .max_retry_after_s = 600, .seed = 3};
  for (int attempt = 1; attempt <= 60; ++attempt) {
    const double base = std::min(30.0, 0.2 * std::pow(2.0, attempt - 1));
    const double delay = retry_delay(options, 7, attempt, std::nullopt);
    INFO(attempt);
    CHECK(delay >= base / 2);
    CHECK(delay <= base);
    CHECK(delay == retry_delay(options, 7, attempt, std::nullopt));
  }
  CHECK(retry_delay(options, 7, 3, std::nullopt) != retry_delay(options, 8, 3, std::nullopt));
  CHECK(retry_delay(options, 7, 1, 5) == 5);
  CHECK(retry_delay(options, 7, 1, 86'400) == 600);  // no server holds a client for a day
  CHECK(retry_delay(options, 7, 10, 0.001) >= 15);   // never less than its own
}

TEST_CASE("http pool: what cannot be used is refused before anything is sent") {
  CHECK(HttpPool::open({.parallel = 0}).error().code == Code::usage);
  CHECK(HttpPool::open({.parallel = kMaxParallelCalls + 1}).error().code == Code::usage);
  const auto injected = HttpPool::open({.api_key = "secret-key\r\nX-Evil: 1"});
  REQUIRE_FALSE(injected.ok());
  CHECK(injected.error().code == Code::bad_value);
  CHECK(injected.error().text().find("secret-key") == std::string::npos);
  const auto pool = HttpPool::open({.max_attempts = 1});
  REQUIRE(pool.ok());
  for (const char* url : {"file:///etc/passwd", "gopher://127.0.0.1/", "nonsense://a"}) {
    INFO(url);
    CHECK((*pool)->get(url).error().code == Code::io);
  }
}

TEST_CASE("http pool: nobody listens: told after the attempts that are allowed, without what stands before an @") {
  const auto pool = HttpPool::open({.max_attempts = 3, .first_delay_s = 0.001});
  REQUIRE(pool.ok());
  const auto answer = (*pool)->get("http://user:password@127.0.0.1:9/v1/models");  // the port of `discard`
  REQUIRE_FALSE(answer.ok());
  CHECK(answer.error().code == Code::io);
  CHECK(answer.error().message.find("3 attempts") != std::string::npos);
  CHECK(answer.error().text().find("password") == std::string::npos);
  CHECK((*pool)->counts().attempts == 3);
  CHECK((*pool)->counts().dropped == 3);
}

TEST_CASE("http model: addresses") {
  const auto parsed = parse_http_address("http://127.0.0.1:8000/v1/#org/name");
  REQUIRE(parsed.ok());
  CHECK(parsed->url == "http://127.0.0.1:8000/v1");
  CHECK(parsed->model == "org/name");
  CHECK(parse_http_address("https://example.org/v1")->model.empty());
  CHECK(parse_http_address("http://[::1]:80/v1#a")->url == "http://[::1]:80/v1");
  for (const char* bad : {"http://", "http:///v1", "http://:80/v1", "http://u:p@host/v1", "http://host/v1?key=1", "http://ho st/v1", "http://host/v1#a\nb"}) {
    INFO(bad);
    const auto refused = parse_http_address(bad);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == Code::usage);
    CHECK(refused.error().text().find("u:p") == std::string::npos);
  }
  CHECK(is_http_model("https://a/v1"));
  CHECK_FALSE(is_http_model("httpd/model"));
}

TEST_CASE("http model: OpenAI's key goes to this machine or over https only; ASSAY_API_KEY goes where the user points") {
  const Environment theirs("OPENAI_API_KEY", "theirs");
  {
    const Environment none("ASSAY_API_KEY", nullptr);
    CHECK(api_key_for("http://127.0.0.1:8000/v1") == "theirs");
    CHECK(api_key_for("http://localhost:8000/v1") == "theirs");
    CHECK(api_key_for("http://[::1]:8000/v1") == "theirs");
    CHECK(api_key_for("https://api.openai.com/v1") == "theirs");
    CHECK(api_key_for("http://example.org/v1").empty());
    CHECK(api_key_for("http://127.0.0.1.example.org/v1").empty());
  }
  const Environment own("ASSAY_API_KEY", "own");
  CHECK(api_key_for("http://example.org/v1") == "own");
}
