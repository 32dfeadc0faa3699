// HTTP as clients speak it (cpp-httplib, whose header http_client.cc alone sees), and raw bytes over a socket as others do.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct HttpAnswer {
  int status = 0;  // 0: no answer
  std::string body, content_type;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;
// `on_part`: told of every part of the body as it arrives; false closes the connection.
HttpAnswer http(int port, const std::string& method, const std::string& path, const std::string& body = "", const HttpHeaders& headers = {},
                const std::function<bool(std::string_view)>& on_part = {});
// Two requests over one connection.
std::pair<HttpAnswer, HttpAnswer> http_twice(int port, const std::string& path, const std::string& body);

// A connection that says what it is told to.
class RawConnection {
 public:
  explicit RawConnection(int port);
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;
  ~RawConnection();
  bool send(std::string_view bytes);  // false: the other side has closed
  std::string receive();              // all until the other side closes, or a minute is over

 private:
  int socket_;
};
