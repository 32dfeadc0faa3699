#include "eval/serve/serve_http.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <httplib.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/progress.h"

namespace assay {
namespace {

using HttpClock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kStopPoll = 100ms;                           // how late a request to stop may be seen
constexpr std::size_t kMaxPathBytes = 2048;                 // httplib matches paths with std::regex, which recurses
constexpr std::size_t kBodyOverheadBytes = std::size_t{1} << 20;  // of chunked transfer coding
constexpr int kMaxRequestsPerConnection = 1000;
constexpr std::size_t kMaxDrainBytes = std::size_t{64} << 20;  // of a refused body: read so that the client sees the answer, not a reset
constexpr std::chrono::milliseconds kDrainTime = 2s, kRefusalTime = 50ms;
constexpr auto kIdleTime = 10s;  // between two requests of a connection: it holds a thread

// 1: ready, 0: the time is over, -1: the socket is broken.
int wait_for(int socket, short events, HttpClock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - HttpClock::now()).count();
    pollfd one{.fd = socket, .events = events, .revents = 0};
    const int n = ::poll(&one, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 1 << 20)));
    if (n > 0) return (one.revents & (POLLERR | POLLNVAL)) != 0 ? -1 : 1;
    if (n == 0 && left <= 0) return 0;
    if (n < 0 && errno != EINTR) return -1;
  }
}

// A socket whose requests have a deadline as a whole and a size as a whole: httplib itself bounds single reads and lines only.
class Connection final : public httplib::Stream {
 public:
  Connection(socket_t socket, const HttpLimits& limits) : socket_(socket), limits_(limits) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() override {
    ::shutdown(socket_, SHUT_WR);
    if (fault_ != 0 || must_close) drain();
    ::close(socket_);
  }

  bool must_close = false;  // a part of the request was not read: what follows on the wire is no request

  // Waits for the first byte of a request; false: none came, or the server stops.
  bool next_request() {
    const auto idle_until = HttpClock::now() + std::min<HttpClock::duration>(kIdleTime, std::chrono::seconds(limits_.request_timeout_s));
    left_bytes_ = limits_.max_head_bytes;
    in_head_ = true;
    fault_ = 0;
    while (!stop_requested()) {
      const int ready = wait_for(socket_, POLLIN, std::min(idle_until, HttpClock::now() + kStopPoll));
      if (ready < 0 || (ready == 0 && HttpClock::now() >= idle_until)) return false;
      if (ready == 0) continue;
      deadline_ = HttpClock::now() + std::chrono::seconds(limits_.request_timeout_s);
      char first = 0;
      return ::recv(socket_, &first, 1, MSG_PEEK) == 1;
    }
    return false;
  }
  void head_done() {
    in_head_ = false;
    left_bytes_ = limits_.max_body_bytes + kBodyOverheadBytes;
  }
  // Why reading ended early: 431, 413, 408, or 0.
  int fault() const { return fault_; }

  bool open() const {
    char next = 0;
    const ssize_t n = ::recv(socket_, &next, 1, MSG_PEEK | MSG_DONTWAIT);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
  }

  bool is_readable() const override { return wait_for(socket_, POLLIN, deadline_) == 1; }
  bool is_writable() const override {
    return wait_for(socket_, POLLOUT, HttpClock::now() + std::chrono::seconds(limits_.write_timeout_s)) == 1;
  }
  ssize_t read(char* data, size_t size) override {
    if (at_ == buffer_.size() && !fill()) return fault_ == 0 ? 0 : -1;
    const std::size_t n = std::min({size, buffer_.size() - at_, left_bytes_});
    if (n == 0) return fail(in_head_ ? 431 : 413);
    std::copy_n(buffer_.data() + at_, n, data);
    at_ += n;
    left_bytes_ -= n;
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* data, size_t size) override {
    std::size_t done = 0;
    while (done < size) {
      if (!is_writable()) return -1;
      const ssize_t n = ::send(socket_, data + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (n <= 0) return -1;
      done += static_cast<std::size_t>(n);
    }
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return socket_; }

 private:
  ssize_t fail(int status) {
    fault_ = status;
    return -1;
  }
  bool fill() {
    const int ready = wait_for(socket_, POLLIN, deadline_);
    if (ready != 1) {
      fault_ = ready == 0 ? 408 : 400;
      return false;
    }
    buffer_.resize(std::size_t{16} << 10);
    at_ = 0;
    const ssize_t n = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
    buffer_.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return n > 0;
  }
  void drain() const {
    const auto until = HttpClock::now() + kDrainTime;
    std::vector<char> bytes(std::size_t{64} << 10);
    for (std::size_t done = 0; done < kMaxDrainBytes && !stop_requested();) {
      if (wait_for(socket_, POLLIN, until) != 1) return;
      const ssize_t n = ::recv(socket_, bytes.data(), bytes.size(), 0);
      if (n <= 0) return;
      done += static_cast<std::size_t>(n);
    }
  }

  socket_t socket_;
  const HttpLimits& limits_;
  HttpClock::time_point deadline_;
  std::vector<char> buffer_;
  std::size_t at_ = 0, left_bytes_ = 0;
  bool in_head_ = true;
  int fault_ = 0;
};

thread_local Connection* g_connection = nullptr;  // of the request that this thread answers
thread_local bool g_refuse = false;               // this thread only says that there is no room

// One thread a connection, a fixed number of them. What does not fit is refused by the accepting thread itself.
class ConnectionThreads final : public httplib::TaskQueue {
 public:
  ConnectionThreads(int n, std::function<void()> on_tick) : on_tick_(std::move(on_tick)) {
    for (int i = 0; i < n; ++i) threads_.emplace_back([this] { work(); });
  }
  void enqueue(std::function<void()> job) override {
    on_tick_();  // a server that is never idle must see a request to stop too
    {
      const std::scoped_lock lock(mutex_);
      if (n_busy_ + jobs_.size() < threads_.size()) {
        jobs_.push_back(std::move(job));
        ready_.notify_one();
        return;
      }
    }
    g_refuse = true;
    job();
    g_refuse = false;
  }
  void on_idle() override { on_tick_(); }
  void shutdown() override {
    {
      const std::scoped_lock lock(mutex_);
      stop_ = true;
    }
    ready_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ready_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      ++n_busy_;
      lock.unlock();
      job();
      lock.lock();
      --n_busy_;
    }
  }

  std::function<void()> on_tick_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  std::size_t n_busy_ = 0;
  bool stop_ = false;
};

void fill_reply(HttpReply reply, httplib::Response& out) {
  out.status = reply.status;
  for (const auto& [name, value] : reply.headers) out.set_header(name, value);
  if (!reply.stream) {
    out.set_content(reply.body, reply.content_type);
    return;
  }
  out.set_chunked_content_provider(reply.content_type, [stream = std::move(reply.stream)](std::size_t, httplib::DataSink& sink) {
    bool there = true;
    stream([&](std::string_view part) { return there = there && sink.write(part.data(), part.size()); });
    if (there) sink.done();
    return there;
  });
}

HttpHead head_of(const httplib::Request& request) {
  return {.method = request.method, .path = request.path, .authorization = request.get_header_value("Authorization"),
          .content_type = request.get_header_value("Content-Type")};
}

bool has_body(const httplib::Request& request) {
  return request.has_header("Transfer-Encoding") || (request.has_header("Content-Length") && request.get_header_value("Content-Length") != "0");
}

// What httplib reads too generously: lengths that are no numbers, two lengths, codings, sizes before they are read. 0: fine.
std::pair<int, std::string> body_fault(const httplib::Request& request, std::size_t max_bytes) {
  const std::string length = request.get_header_value("Content-Length"), coding = request.get_header_value("Transfer-Encoding");
  if (request.get_header_value_count("Content-Length") > 1 || request.get_header_value_count("Transfer-Encoding") > 1 ||
      (!length.empty() && !coding.empty())) {
    return {400, "the length of the body is told more than once"};
  }
  if (!coding.empty() && coding != "chunked") return {400, "the only transfer coding is chunked"};
  if (request.has_header("Content-Encoding") && request.get_header_value("Content-Encoding") != "identity") return {415, "bodies are not decompressed"};
  if (coding.empty() && length.empty()) return {411, "a body needs a Content-Length"};
  const bool number = std::ranges::all_of(length, [](char c) { return c >= '0' && c <= '9'; });
  if (!number) return {400, "Content-Length is not a number"};
  if (length.size() > 18 || (!length.empty() && std::stoull(length) > max_bytes)) {
    return {413, fmt::format("the body is longer than {} bytes", max_bytes)};
  }
  return {0, ""};
}

std::string reason_of(int status) {
  switch (status) {
    case 408: return "the request did not arrive in time";
    case 413: return "the body is too long";
    case 414: return "the path is too long";
    case 431: return "the headers are too long";
    case 500: return "a fault of the server";
    case 503: return "too many connections; try again";
    default: return "the request is not HTTP that is understood here";
  }
}

}  // namespace

struct HttpServer::State final : httplib::Server {
  State(const HttpLimits& l, HttpService& s) : limits(l), service(s) {
    new_task_queue = [this] { return new ConnectionThreads(limits.max_connections, [this] { stop_when_asked(); }); };
    set_idle_interval(0, std::chrono::microseconds(kStopPoll).count());
    set_socket_options([](socket_t socket) {  // never SO_REUSEPORT, which would let two servers share a port in silence
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    set_tcp_nodelay(true);
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& out) { return before_body(request, out); });
    const auto with_body = [this](const httplib::Request& request, httplib::Response& out) { after_body(request, out); };
    Post(".*", with_body);
    set_error_handler(HandlerWithResponse([this](const httplib::Request&, httplib::Response& out) {
      if (!out.body.empty()) return HandlerResponse::Unhandled;
      const int status = g_connection != nullptr && g_connection->fault() != 0 ? g_connection->fault() : out.status;
      fill_reply(service.fault(status, reason_of(status)), out);
      return HandlerResponse::Handled;
    }));
    set_exception_handler([this](const httplib::Request&, httplib::Response& out, std::exception_ptr) {
      fill_reply(service.fault(500, reason_of(500)), out);
    });
  }

  HandlerResponse before_body(const httplib::Request& request, httplib::Response& out) {
    std::optional<HttpReply> reply;
    if (request.target.size() > kMaxPathBytes) reply = service.fault(414, reason_of(414));
    else reply = service.answer_head(head_of(request));
    if (!reply) {
      const auto [status, why] = body_fault(request, limits.max_body_bytes);
      if (status == 0) return HandlerResponse::Unhandled;
      reply = service.fault(status, why);
    }
    if (has_body(request)) {
      g_connection->must_close = true;
      out.set_header("Connection", "close");
    }
    fill_reply(std::move(*reply), out);
    return HandlerResponse::Handled;
  }

  void after_body(const httplib::Request& request, httplib::Response& out) {
    if (request.body.size() > limits.max_body_bytes) {
      return fill_reply(service.fault(413, fmt::format("the body is longer than {} bytes", limits.max_body_bytes)), out);
    }
    HttpRequest asked{.head = head_of(request), .body = request.body, .connected = [connection = g_connection] { return connection->open(); }};
    fill_reply(service.answer(asked), out);
  }

  void stop_when_asked() {
    if (!stop_requested() || stopped.exchange(true)) return;
    service.stopping();
    stop();
  }

  bool process_and_close_socket(socket_t socket) override {
    Connection connection(socket, limits);
    g_connection = &connection;
    if (g_refuse) refuse(connection);
    for (int i = 1; !g_refuse && connection.next_request(); ++i) {
      bool closed = false;
      const bool last = i == kMaxRequestsPerConnection || stop_requested();
      const bool ok = process_request(connection, last, closed, [&connection](httplib::Request& request) {
        connection.head_done();
        request.ranges.clear();  // answers have no parts
        request.headers.erase("Range");
      });
      if (!ok || closed || last || connection.must_close || connection.fault() != 0) break;
    }
    g_connection = nullptr;
    return true;
  }

  void refuse(Connection& connection) {
    const HttpReply reply = service.fault(503, reason_of(503));
    const std::string text = fmt::format("HTTP/1.1 503 Service Unavailable\r\nContent-Type: {}\r\nContent-Length: {}\r\nRetry-After: 1\r\n"
                                         "Connection: close\r\n\r\n{}",
                                         reply.content_type, reply.body.size(), reply.body);
    std::vector<char> unread(std::size_t{64} << 10);  // closing on unread bytes would reset the connection under the answer
    if (wait_for(connection.socket(), POLLIN, HttpClock::now() + kRefusalTime) == 1) {
      [[maybe_unused]] const ssize_t got = ::recv(connection.socket(), unread.data(), unread.size(), MSG_DONTWAIT);
    }
    [[maybe_unused]] const ssize_t sent = ::send(connection.socket(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  HttpLimits limits;
  HttpService& service;
  std::atomic<bool> stopped{false};
  int bound_port = 0;
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpServer::~HttpServer() = default;
int HttpServer::port() const { return state_->bound_port; }

Result<std::unique_ptr<HttpServer>> HttpServer::bind(const std::string& host, int port, const HttpLimits& limits, HttpService& service) {
  ASSAY_CHECK(limits.max_connections > 0 && port >= 0 && port < 65536);
  auto state = std::make_unique<State>(limits, service);
  state->bound_port = port;
  const bool ok = port == 0 ? (state->bound_port = state->bind_to_any_port(host)) > 0 : state->bind_to_port(host, port);
  if (!ok) {
    return Error{.code = Code::io, .message = "cannot listen there; is the port taken, or the host not an address of this machine?",
                 .field = "--host, --port", .got = fmt::format("{}:{}", host, port)};
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

void HttpServer::run() { state_->listen_after_bind(); }

bool is_loopback(const std::string& host) {
  std::array<unsigned char, 4> v4{};
  return host == "localhost" || host == "::1" || (::inet_pton(AF_INET, host.c_str(), v4.data()) == 1 && v4[0] == 127);
}

}  // namespace assay
