// Progress of long work, on standard error: one moving line with the time left on a terminal, a plain line
// now and then elsewhere. Also the request to stop (SIGINT, SIGTERM), which long work asks for between steps.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace assay {

class Progress {
 public:
  // `unit` names what is counted: "items", "tokens". Nothing is printed for work that ends within a second.
  Progress(std::string what, std::uint64_t total, std::string unit, bool quiet = false);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void add(std::uint64_t n = 1);  // call from one thread

 private:
  void print(bool last);

  std::string what_, unit_;
  std::uint64_t total_, done_ = 0;
  bool quiet_, terminal_, printed_ = false;
  std::chrono::steady_clock::time_point start_, next_;
};

double seconds_since(std::chrono::steady_clock::time_point start);

void catch_stop_signals();  // once, in main
bool stop_requested();

}  // namespace assay
