// One object of a clone. git is asked, not linked: its object format is its own business, and most users of a clone have it.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/check.h"
#include "eval/claims/claim_source.h"

extern char** environ;  // NOLINT: POSIX names it so

namespace assay {
namespace {

// Reads to the end or to one byte more than is allowed; negative: an error.
bool drain(int descriptor, std::size_t max_bytes, std::string& out) {
  std::array<char, 1 << 16> buffer{};
  for (;;) {
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got == 0) return true;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    out.append(buffer.data(), static_cast<std::size_t>(got));
    if (out.size() > max_bytes) return false;
  }
}

// Starts git with its standard output in a pipe whose reading end is given back; -1: it could not be started.
int start_git(const std::array<std::string, 6>& words, pid_t& child) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return -1;
  std::array<char*, 7> argv{};
  for (std::size_t i = 0; i < words.size(); ++i) argv[i] = const_cast<char*>(words[i].c_str());
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], 1);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  const int error = ::posix_spawnp(&child, "git", &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  if (error == 0) return pipe[0];
  ::close(pipe[0]);
  return -1;
}

}  // namespace

Result<std::string> read_git_object(const std::string& folder, const std::string& commit, const std::string& path, std::size_t max_bytes) {
  ASSAY_CHECK(!commit.empty() && commit.find_first_not_of("0123456789abcdef") == std::string::npos);
  ASSAY_CHECK(!path.empty());
  const auto missing = [&](std::string message, std::string expected) {
    return Error{.code = Code::not_found, .message = std::move(message), .file = folder, .field = "source", .expected = std::move(expected), .got = commit + ":" + path};
  };
  pid_t child = 0;
  const int descriptor = start_git({"git", "-C", folder, "cat-file", "blob", commit + ":" + path}, child);
  if (descriptor < 0) return missing("git could not be started", "git, or a folder with the files instead of a clone");
  std::string out;
  const bool read = drain(descriptor, max_bytes, out);
  ::close(descriptor);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (out.size() > max_bytes) return Error{.code = Code::too_large, .message = "a source is too large", .file = folder, .field = "source", .got = commit + ":" + path};
  if (read && WIFEXITED(status) && WEXITSTATUS(status) == 0) return out;
  return missing("the clone has no such object", "a clone that has the claim's commit (git fetch it)");
}

}  // namespace assay
