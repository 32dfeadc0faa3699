// The HTTP half of `assay serve`: connections, deadlines and sizes, on cpp-httplib (its header is seen by serve_http.cc alone). What the
// requests mean is somebody else's: an HttpService.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace assay {

struct HttpLimits {
  std::size_t max_body_bytes = std::size_t{16} << 20;  // a million token ids as text stay below
  std::size_t max_head_bytes = std::size_t{64} << 10;  // request line and headers
  int max_connections = 64;                            // one thread each; further ones are answered 503 at once
  int request_timeout_s = 30;                          // a request must have arrived whole so long after its first byte
  int write_timeout_s = 30;                            // a client that takes nothing for so long is gone
};

// What is known before the body is read.
struct HttpHead {
  std::string method, path;    // the path decoded, without the query
  std::string authorization;   // the header's value, "" where there is none
  std::string content_type;
};

struct HttpRequest {
  HttpHead head;
  std::string body;
  std::function<bool()> connected;  // false once the client has closed its side
};

using HttpWrite = std::function<bool(std::string_view part)>;  // false: the client is gone
struct HttpReply {
  int status = 200;
  std::string body, content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::function<void(const HttpWrite& write)> stream;  // if set: called to send the body in parts, in place of `body`
};

// Called from many threads at once.
class HttpService {
 public:
  virtual ~HttpService() = default;
  // An answer that needs no body (GET, refusals), or nothing: then the body is read and answer() is called.
  virtual std::optional<HttpReply> answer_head(const HttpHead& head) = 0;
  virtual HttpReply answer(const HttpRequest& request) = 0;
  // What is answered when the transport itself refuses: 400, 408, 411, 413, 415, 431, 500, 503.
  virtual HttpReply fault(int status, std::string_view why) = 0;
  virtual void stopping() = 0;  // called once when the server begins to stop: what is running should come to its end
};

class HttpServer {
 public:
  // Port 0: any free one. Refused (Code::io) where the address cannot be had. `service` must outlive the server.
  static Result<std::unique_ptr<HttpServer>> bind(const std::string& host, int port, const HttpLimits& limits, HttpService& service);
  ~HttpServer();
  int port() const;
  void run();  // until stop_requested() (base/progress.h); every connection has ended when it returns

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

bool is_loopback(const std::string& host);  // 127.0.0.0/8, ::1, localhost

}  // namespace assay
