#include "tests/faults/flaky_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "base/rng.h"

namespace {

constexpr std::size_t kMaxMessage = std::size_t{64} << 20;

void send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string header_of(const std::string& head, const std::string& name) {
  const auto at = lower(head).find("\r\n" + name + ":");
  if (at == std::string::npos) return "";
  const auto begin = head.find_first_not_of(' ', at + name.size() + 3), end = head.find("\r\n", begin);
  return head.substr(begin, end - begin);
}

int connect_to(int port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(static_cast<std::uint16_t>(port)), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return socket;
  ::close(socket);
  return -1;
}

const std::string kRefusals[] = {
    "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops",
};

}  // namespace

FlakyProxy::FlakyProxy(int port, Faults faults, std::uint64_t seed) : upstream_(port), faults_(faults), seed_(seed) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof address;
  const bool ready = ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 && ::listen(listener_, 512) == 0 &&
                     ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (!ready) throw std::runtime_error("the proxy cannot listen");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

FlakyProxy::~FlakyProxy() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
    changed_.notify_all();
  }
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  for (std::thread& thread : threads_) thread.join();
}

void FlakyProxy::at_request(int further, std::function<void()> reached) {
  const std::scoped_lock lock(mutex_);
  until_reached_ = further;
  reached_ = std::move(reached);
}

FlakyProxy::Counts FlakyProxy::counts() {
  const std::scoped_lock lock(mutex_);
  return counts_;
}

void FlakyProxy::accept_all() {
  for (;;) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::scoped_lock lock(mutex_);
    if (socket < 0 || stopping_) {
      if (socket >= 0) ::close(socket);
      return;
    }
    sockets_.push_back(socket);
    threads_.emplace_back([this, socket] {
      serve(socket);
      const std::scoped_lock closing(mutex_);
      std::erase(sockets_, socket);
      ::close(socket);
    });
  }
}

std::optional<FlakyProxy::Message> FlakyProxy::read_message(int socket, std::string& rest) {
  std::size_t needed = 0;
  for (;;) {
    const auto end = rest.find("\r\n\r\n");
    if (end != std::string::npos) {
      const std::string length = header_of(rest.substr(0, end + 2), "content-length");
      needed = end + 4 + (length.empty() ? 0 : std::stoul(length));
      if (rest.size() >= needed) {
        Message message{rest.substr(0, end + 2), rest.substr(end + 4, needed - end - 4)};
        rest.erase(0, needed);
        return message;
      }
    }
    char bytes[65536];
    const ssize_t n = ::recv(socket, bytes, sizeof bytes, 0);
    if (n <= 0 || rest.size() > kMaxMessage) return std::nullopt;
    rest.append(bytes, static_cast<std::size_t>(n));
  }
}

void FlakyProxy::serve(int socket) {
  std::string rest;
  while (const auto request = read_message(socket, rest)) answer(socket, *request);
}

void FlakyProxy::count(const Message& request) {
  counts_.completions += 1;
  counts_.bodies.push_back(request.body);
  counts_.keys.push_back(header_of(request.head, "authorization"));
  if (until_reached_ > 0 && --until_reached_ == 0) reached_();
}

// Lets another answer go first, if any is on its way.
void FlakyProxy::hold() {
  std::unique_lock lock(mutex_);
  ++holding_;
  const int before = sent_;
  changed_.wait(lock, [&] { return stopping_ || sent_ != before || holding_ >= running_; });
  counts_.overtaken += sent_ != before ? 1 : 0;
  --holding_;
}

void FlakyProxy::answer(int socket, const Message& request) {
  if (!request.completion()) return send_all(socket, forward(request));
  int number = 0;
  {
    const std::scoped_lock lock(mutex_);
    count(request);
    number = counts_.completions;
    ++running_;
  }
  assay::Stream draw(seed_, static_cast<std::uint64_t>(number));
  const double kind = draw.uniform(), detail = draw.uniform();
  if (kind < faults_.refused) {
    send_all(socket, kRefusals[detail < 0.5 ? 0 : 1]);
  } else {
    const std::string whole = forward(request);
    if (kind < faults_.refused + faults_.dropped) {
      send_all(socket, std::string_view(whole).substr(0, detail < 0.5 ? 0 : whole.size() / 2));
      ::shutdown(socket, SHUT_RDWR);
    } else {
      if (detail < faults_.held) hold();
      send_all(socket, whole);
    }
  }
  const std::scoped_lock lock(mutex_);
  counts_.refused += kind < faults_.refused ? 1 : 0;
  counts_.dropped += kind >= faults_.refused && kind < faults_.refused + faults_.dropped ? 1 : 0;
  --running_;
  ++sent_;
  changed_.notify_all();
}

std::string FlakyProxy::forward(const Message& request) const {
  const int socket = connect_to(upstream_);
  if (socket < 0) return "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
  send_all(socket, request.head + "\r\n" + request.body);
  std::string rest;
  const auto reply = read_message(socket, rest);
  ::close(socket);
  if (!reply) return "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
  return reply->head + "\r\n" + reply->body;
}
