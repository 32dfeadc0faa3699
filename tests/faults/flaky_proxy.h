// A server between a client and `assay serve` that behaves like a bad day of a cluster: of the requests to /completions it answers a share with 429
// or 500, drops a share before or within the answer, and lets answers overtake each other. What it does to request n is drawn from its seed and n.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

class FlakyProxy {
 public:
  struct Faults {
    double refused = 0.1, dropped = 0.05, held = 0.3;  // shares of the requests to /completions
  };
  // Forwards to 127.0.0.1:`port`.
  FlakyProxy(int port, Faults faults, std::uint64_t seed);
  FlakyProxy(const FlakyProxy&) = delete;
  FlakyProxy& operator=(const FlakyProxy&) = delete;
  ~FlakyProxy();

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
  // `reached` is called once, from a thread of the proxy, when so many further requests to /completions have come.
  void at_request(int further, std::function<void()> reached);

  struct Counts {
    int completions = 0, refused = 0, dropped = 0, overtaken = 0;
    std::vector<std::string> bodies;    // of all requests to /completions
    std::vector<std::string> keys;      // Authorization headers, as they came
  };
  Counts counts();

 private:
  struct Message {
    std::string head, body;
    bool completion() const { return head.find("/completions ") != std::string::npos; }
  };
  void accept_all();
  void serve(int socket);
  void answer(int socket, const Message& request);
  void count(const Message& request);
  std::string forward(const Message& request) const;
  void hold();

  static std::optional<Message> read_message(int socket, std::string& rest);

  const int upstream_;
  const Faults faults_;
  const std::uint64_t seed_;
  int listener_ = -1, port_ = 0;
  std::mutex mutex_;  // of all below
  std::condition_variable changed_;
  Counts counts_;
  int running_ = 0, holding_ = 0, sent_ = 0, until_reached_ = 0;
  std::function<void()> reached_;
  std::vector<int> sockets_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};
