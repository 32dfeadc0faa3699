#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

namespace assay {
namespace {

using namespace std::chrono_literals;

volatile std::sig_atomic_t g_stop = 0;
void on_signal(int number) {
  if (g_stop != 0) std::signal(number, SIG_DFL);  // a second signal ends the process the usual way
  g_stop = 1;
}

constexpr auto kTerminalInterval = 100ms;
constexpr auto kPlainInterval = 10s;

}  // namespace

Progress::Progress(std::string what, std::uint64_t total, std::string unit, bool quiet)
    : what_(std::move(what)),
      unit_(std::move(unit)),
      total_(total),
      quiet_(quiet),
      terminal_(::isatty(2) == 1),
      start_(std::chrono::steady_clock::now()),
      next_(start_ + 1s) {}

Progress::~Progress() {
  if (printed_ && terminal_) print(true);
}

void Progress::add(std::uint64_t n) {
  done_ += n;
  if (quiet_ || std::chrono::steady_clock::now() < next_) return;
  print(false);
  next_ = std::chrono::steady_clock::now() +
          (terminal_ ? std::chrono::milliseconds(kTerminalInterval) : kPlainInterval);
}

void Progress::print(bool last) {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const double left = done_ == 0 ? 0
                                 : seconds * static_cast<double>(total_ - std::min(done_, total_)) /
                                       static_cast<double>(done_);
  const std::string line =
      fmt::format("{}: {}/{} {}, {:.0f} s, {:.0f} s left", what_, done_, total_, unit_, seconds, left);
  fmt::print(stderr, "{}{}{}", terminal_ ? "\r\033[K" : "", line, terminal_ && !last ? "" : "\n");
  std::fflush(stderr);
  printed_ = true;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool stop_requested() { return g_stop != 0; }

}  // namespace assay
