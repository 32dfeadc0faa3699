// A running `assay`: its output can be waited for, it can be sent signals, and it never outlives the test.
#pragma once
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/file.h"
#include "tests/catch.h"
#include "tests/scratch.h"

class AssayProcess {
 public:
  AssayProcess(const std::vector<std::string>& arguments, const std::string& folder) {
    std::vector<char*> argv = {const_cast<char*>("assay")};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const std::string program = std::string(ASSAY_BIN) + "/assay", err = scratch_ / "err";
    int out[2];
    REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      const int err_fd = ::open(err.c_str(), O_WRONLY | O_CREAT, 0600);
      const bool ready = ::dup2(out[1], 1) >= 0 && ::dup2(err_fd, 2) >= 0 && ::chdir(folder.c_str()) == 0;
      if (ready) ::execv(program.c_str(), argv.data());
      ::_exit(127);
    }
    ::close(out[1]);
    out_ = out[0];
  }
  AssayProcess(const AssayProcess&) = delete;
  AssayProcess& operator=(const AssayProcess&) = delete;
  ~AssayProcess() {
    if (!ended_) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(out_);
  }

  // The next line of its standard output; "" when it ends or says nothing for a minute.
  std::string line() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    for (;;) {
      const auto end = text_.find('\n');
      if (end != std::string::npos) {
        const std::string line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return line;
      }
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
      pollfd one{.fd = out_, .events = POLLIN, .revents = 0};
      char bytes[4096];
      if (left <= 0 || ::poll(&one, 1, static_cast<int>(left)) <= 0) return "";
      const ssize_t n = ::read(out_, bytes, sizeof bytes);
      if (n <= 0) return "";
      text_.append(bytes, static_cast<std::size_t>(n));
    }
  }

  void signal(int number) const { REQUIRE(::kill(pid_, number) == 0); }
  bool running() {
    if (!ended_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
    return !ended_;
  }
  // Waits for its end: the exit code, or minus the signal that ended it.
  int wait() {
    if (!ended_) REQUIRE(::waitpid(pid_, &status_, 0) == pid_);
    ended_ = true;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
  }
  std::string err() const { return *assay::read_file(scratch_ / "err"); }

 private:
  Scratch scratch_;
  pid_t pid_ = -1;
  int out_ = -1, status_ = 0;
  bool ended_ = false;
  std::string text_;
};
