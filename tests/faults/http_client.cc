#include "tests/faults/http_client.h"

#include <arpa/inet.h>
#include <httplib.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

HttpAnswer answer_of(const httplib::Result& result) {
  if (!result) return {};
  return {.status = result->status, .body = result->body, .content_type = result->get_header_value("Content-Type")};
}

constexpr int kPatienceSeconds = 120;

}  // namespace

HttpAnswer http(int port, const std::string& method, const std::string& path, const std::string& body, const HttpHeaders& headers,
                const std::function<bool(std::string_view)>& on_part) {
  httplib::Client client("127.0.0.1", port);
  client.set_read_timeout(kPatienceSeconds);
  httplib::Request request;
  request.method = method;
  request.path = path;
  request.body = body;
  if (!body.empty()) request.set_header("Content-Type", "application/json");
  for (const auto& [name, value] : headers) {
    request.headers.erase(name);
    request.set_header(name, value);
  }
  if (on_part) {
    request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) { return on_part({data, size}); };
  }
  return answer_of(client.send(request));
}

std::pair<HttpAnswer, HttpAnswer> http_twice(int port, const std::string& path, const std::string& body) {
  httplib::Client client("127.0.0.1", port);
  client.set_read_timeout(kPatienceSeconds);
  client.set_keep_alive(true);
  const HttpAnswer first = answer_of(client.Post(path, body, "application/json"));
  return {first, answer_of(client.Post(path, body, "application/json"))};
}

RawConnection::RawConnection(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("cannot connect");
}

RawConnection::~RawConnection() { ::close(socket_); }

bool RawConnection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::string RawConnection::receive() {
  std::string all;
  char bytes[4096];
  for (;;) {
    pollfd one{.fd = socket_, .events = POLLIN, .revents = 0};
    if (::poll(&one, 1, 60'000) <= 0) return all;
    const ssize_t n = ::recv(socket_, bytes, sizeof bytes, 0);
    if (n <= 0) return all;
    all.append(bytes, static_cast<std::size_t>(n));
  }
}
