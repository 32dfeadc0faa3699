// Runs the built `assay` as a user would and keeps what it printed.
#pragma once
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "tests/catch.h"
#include "tests/scratch.h"

struct CommandResult {
  int code = -1;  // exit code; -1: ended by a signal
  std::string out, err;
};

// `folder`: where it runs, so that the default database lands there.
inline CommandResult run_assay(const std::vector<std::string>& arguments, const std::string& folder) {
  const Scratch scratch;
  const std::string program = std::string(ASSAY_BIN) + "/assay";
  std::vector<char*> argv = {const_cast<char*>("assay")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const std::string out = scratch / "out", err = scratch / "err";
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const int out_fd = ::open(out.c_str(), O_WRONLY | O_CREAT, 0600);
    const int err_fd = ::open(err.c_str(), O_WRONLY | O_CREAT, 0600);
    const bool ready = ::dup2(out_fd, 1) >= 0 && ::dup2(err_fd, 2) >= 0 && ::chdir(folder.c_str()) == 0;
    if (ready) ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CommandResult result;
  if (WIFEXITED(status)) result.code = WEXITSTATUS(status);
  result.out = *assay::read_file(out);
  result.err = *assay::read_file(err);
  return result;
}
