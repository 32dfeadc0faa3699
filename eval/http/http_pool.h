// The client half of HTTP: many calls in flight at once over libcurl (its header is seen by http_pool.cc alone), retried where a retry can help.
// What the bodies mean is somebody else's (eval/http/http_api.h).
//
// Repeated: transport faults (no connection, dropped, cut short), 408, 425, 429, 500, 502, 503, 504, and answers that the caller finds unusable.
// Between two attempts lie min(first_delay_s 2^(attempt-1), max_delay_s) seconds, times a factor of 0.5 to 1 that is drawn from the call's own
// stream, so that refused calls do not come back together; a Retry-After (seconds or HTTP date) that asks for more is kept, up to
// max_retry_after_s. A server that is too busy (429, 503) is also asked less at a time: the window of calls in flight shrinks to 0.7 of itself and
// grows by one for each window of answers (additive increase, multiplicative decrease: RFC 5681's rule).
//
// Redirects are not followed (they would carry the key elsewhere), bodies are not decompressed, certificates are verified, and the environment's
// proxy is not used for the machine itself.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace assay {

struct HttpPoolOptions {
  int parallel = 128;             // calls in flight at most, 1 to kMaxParallelCalls
  int max_attempts = 10;          // of one call
  int max_unusable = 3;           // answers with status 2xx that the caller could not use
  double first_delay_s = 0.2, max_delay_s = 30, max_retry_after_s = 600;
  int connect_timeout_s = 30;
  int silence_s = 3600;           // a connection that brings nothing for so long is dropped: a long generation is silent until its end
  std::size_t max_body_bytes = std::size_t{256} << 20;
  std::string api_key;            // sent as `Authorization: Bearer`; "": none. Never stored, printed or part of an error
  std::uint64_t seed = 1;         // of the factors above
};
inline constexpr int kMaxParallelCalls = 4096;

struct HttpCall {
  std::string url;
  std::string body;  // "": GET; else POST of JSON
};

struct HttpOutcome {
  int status = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case; the last 32, 256 bytes of each
  std::optional<std::string_view> header(std::string_view name) const;
};

struct HttpPoolCounts {
  std::uint64_t calls = 0, attempts = 0;                              // attempts - calls: repeated ones
  std::uint64_t busy = 0, failed = 0, dropped = 0, unusable = 0;      // attempts that ended in 429 or 503; another refusal that is repeated; a fault
                                                                      // of the transport; an answer that the caller refused
};

class HttpPool {
 public:
  // Refused: a key that cannot stand in a header, options out of range.
  static Result<std::unique_ptr<HttpPool>> open(HttpPoolOptions options);
  ~HttpPool();

  // Makes all calls. `done` is told of each one's last outcome, once, in the order in which they end; statuses that are not repeated (200, 400, 404,
  // ...) come there too. An error that it returns for a 2xx repeats the call until max_unusable, then ends the whole with that error; for any other
  // status it ends the whole at once. Ends with Code::interrupted on a stop request, Code::io when a call has used all its attempts.
  Status send(std::span<const HttpCall> calls, const std::function<Status(std::size_t call, const HttpOutcome& outcome)>& done);
  // One call; its last outcome, whatever the status.
  Result<HttpOutcome> get(const std::string& url);
  Result<HttpOutcome> post(const std::string& url, std::string body);

  const HttpPoolCounts& counts() const;

 private:
  struct State;
  explicit HttpPool(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Seconds that a Retry-After asks for, as of `now_unix_s`; none where it is neither a number nor a date, 0 for dates that are over.
std::optional<double> retry_after_seconds(std::string_view value, std::int64_t now_unix_s);
// How long to wait before attempt `attempt` + 1 (attempts count from 1) of call `call`.
double retry_delay(const HttpPoolOptions& options, std::uint64_t call, int attempt, std::optional<double> retry_after_s);

}  // namespace assay
