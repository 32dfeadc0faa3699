#include "eval/runs/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

#include "base/check.h"
#include "eval/runs/sandbox_filter.h"

namespace assay {
namespace {

constexpr std::size_t kMaxProgramBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxWhy = 200, kKeptStderr = 16 * 1024;
constexpr std::size_t kMaxStderr = std::size_t{1} << 20;  // after it nobody reads: the next write ends the program
constexpr int kPollMs = 200;
// Where the program finds its parts: 3 solution, tests and mark; 4 what it answers; 5 the filter, read by bwrap.
constexpr int kPartsFd = 3, kAnswerFd = 4, kFilterFd = 5;

// What runs in the sandbox. It says S when it has started and L when the solution is loaded; the tests come only then, and the mark, which
// no solution can know, is read after they are through: an end by exit(0) or a printed word is no pass.
constexpr const char* kDriver = R"py(
import os, sys, types
def part(read=os.read):
    def exactly(n):
        got = b''
        while len(got) < n:
            more = read(3, n - len(got))
            if not more: os._exit(9)
            got += more
        return got
    return exactly(int.from_bytes(exactly(8), 'little'))
def main(write=os.write, end=os._exit, compile=compile, execute=exec, part=part):
    module = types.ModuleType('solution')
    sys.modules['solution'] = module
    write(4, b'S')
    execute(compile(part(), 'solution', 'exec', dont_inherit=True), module.__dict__)
    write(4, b'L')
    execute(compile(part(), 'tests', 'exec', dont_inherit=True), module.__dict__)
    write(4, part())
    end(0)
try:
    main()
except BaseException:  # exit() too; no thread and no exit handler of the program runs after it
    import traceback
    try: traceback.print_exc(limit=-3)
    finally: os._exit(1)
)py";

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    reset();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { reset(); }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

// Above the numbers that the program will see, so that moving one there never closes another.
Descriptor above_reserved(int fd) {
  if (fd < 0) return Descriptor();
  Descriptor high(fcntl(fd, F_DUPFD_CLOEXEC, 16));
  close(fd);
  return high;
}

struct Pipe {
  Descriptor from, to;
};

bool open_pipe(Pipe& out) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  out.from = above_reserved(ends[0]);
  out.to = above_reserved(ends[1]);
  return out.from.get() >= 0 && out.to.get() >= 0;
}

Descriptor file_of(const std::string& bytes) {
  Descriptor file = above_reserved(memfd_create("filter", MFD_CLOEXEC));
  const bool written = file.get() >= 0 && write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  if (!written) return Descriptor();
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::string part(std::string_view bytes) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(bytes.size() >> (8 * i) & 0xFF);
  return out.append(bytes);
}

std::string fresh_mark() {
  std::array<unsigned char, 16> bytes{};
  ASSAY_CHECK(getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  std::string mark;
  for (const unsigned char byte : bytes) mark += fmt::format("{:02x}", byte);
  return mark;
}

std::vector<std::string> command_line(const std::string& bwrap, const std::string& python, const SandboxLimits& limits) {
  return {bwrap,        "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL",       "--uid",       "65534",    "--gid",  "65534",
          "--clearenv", "--setenv",      "PATH",              "/usr/bin",      "--setenv",   "HOME",      "/tmp",        "--setenv", "PYTHONHASHSEED", "0",
          "--ro-bind",  "/usr",          "/usr",              "--ro-bind-try", "/lib",       "/lib",      "--ro-bind-try", "/lib64", "/lib64", "--dev", "/dev",
          "--size",     std::to_string(limits.file_bytes), "--tmpfs", "/tmp",  "--chdir",    "/tmp",      "--seccomp",   std::to_string(kFilterFd), "--",
          python,       "-S",            "-s",                "-B",            "-c",         kDriver};
}

void limit(int resource, std::int64_t soft, std::int64_t hard) {
  const rlimit value{static_cast<rlim_t>(soft), static_cast<rlim_t>(hard)};
  setrlimit(static_cast<__rlimit_resource_t>(resource), &value);
}

// Between fork and exec: only calls that are safe there.
[[noreturn]] void become(char* const* arguments, const std::array<int, 6>& files, const SandboxLimits& limits) {
  for (int i = 0; i < static_cast<int>(files.size()); ++i) dup2(files[static_cast<std::size_t>(i)], i);
  limit(RLIMIT_CPU, limits.cpu_s, limits.cpu_s + 1);
  limit(RLIMIT_AS, limits.memory_bytes, limits.memory_bytes);
  limit(RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes);
  limit(RLIMIT_CORE, 0, 0);
  limit(RLIMIT_NOFILE, 64, 64);
  char* const no_environment[] = {nullptr};
  execve(arguments[0], arguments, no_environment);
  _exit(127);
}

// One program from its start to its end.
class SandboxedRun {
 public:
  SandboxedRun(const ProgramTest& test, const SandboxLimits& limits) : limits_(limits), mark_(fresh_mark()), solution_(part(test.solution)), rest_(part(test.tests) + part(mark_)) {}

  ProgramOutcome run(const std::string& bwrap, const std::string& python) {
    if (!start(bwrap, python)) return {ProgramVerdict::fault, "the sandbox could not be started"};
    end_ = std::chrono::steady_clock::now() + std::chrono::seconds(limits_.wall_s);
    const bool in_time = talk() && (passed() || ends_by_itself());
    if (!reaped_) {
      kill(child_, SIGKILL);  // bwrap is the end of its namespace: whatever still runs there goes with it
      while (waitpid(child_, &status_, 0) < 0 && errno == EINTR) {
      }
    }
    return outcome(in_time);
  }

 private:
  bool start(const std::string& bwrap, const std::string& python) {
    Descriptor nothing = above_reserved(open("/dev/null", O_RDWR | O_CLOEXEC)), filter = file_of(sandbox_filter());
    if (!open_pipe(parts_) || !open_pipe(answer_) || !open_pipe(words_) || nothing.get() < 0 || filter.get() < 0) return false;
    auto line = command_line(bwrap, python, limits_);
    std::vector<char*> arguments;
    for (std::string& word : line) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const std::array<int, 6> files = {nothing.get(), nothing.get(), words_.to.get(), parts_.from.get(), answer_.to.get(), filter.get()};
    child_ = fork();
    if (child_ == 0) become(arguments.data(), files, limits_);
    parts_.from.reset();
    answer_.to.reset();
    words_.to.reset();
    return child_ > 0 && fcntl(parts_.to.get(), F_SETFL, O_NONBLOCK) == 0;
  }

  // Feeds the parts and listens until the mark is there or nobody is left to speak. False: the wall guard ended it.
  bool talk() {
    pending_ = solution_;
    while (!finished()) {
      if (std::chrono::steady_clock::now() > end_) return false;
      std::array<pollfd, 3> waits = {pollfd{answer_.from.get(), POLLIN, 0}, pollfd{words_.from.get(), POLLIN, 0}, pollfd{pending_.empty() ? -1 : parts_.to.get(), POLLOUT, 0}};
      if (poll(waits.data(), waits.size(), kPollMs) < 0 && errno != EINTR) return false;
      if (waits[0].revents != 0) hear(answer_.from, heard_, 64);
      if (waits[1].revents != 0) hear_words();
      if (waits[2].revents != 0) feed();
      if (!told_ && heard_.starts_with("SL") && pending_.empty()) {
        told_ = true;
        pending_ = rest_;
      }
    }
    return true;
  }

  bool passed() const { return heard_ == "SL" + mark_; }
  bool finished() const { return answer_.from.get() < 0 || heard_.size() >= 2 + mark_.size(); }

  bool ends_by_itself() {
    while (std::chrono::steady_clock::now() < end_) {
      const pid_t ended = waitpid(child_, &status_, WNOHANG);
      reaped_ = ended == child_;
      if (reaped_) return true;
      pollfd words{words_.from.get(), POLLIN, 0};
      poll(&words, 1, 5);
      if (words.revents != 0) hear_words();
    }
    return false;
  }

  void hear_words() {
    n_said_ += hear(words_.from, said_, kKeptStderr);
    if (n_said_ > kMaxStderr) words_.from.reset();
  }

  // Keeps the last bytes of what is said.
  static std::size_t hear(Descriptor& from, std::string& into, std::size_t keep) {
    char buffer[8192];
    const ssize_t n = read(from.get(), buffer, sizeof(buffer));
    if (n <= 0) {
      if (n == 0 || errno != EINTR) from.reset();
      return 0;
    }
    into.append(buffer, static_cast<std::size_t>(n));
    if (into.size() > keep) into.erase(0, into.size() - keep);
    return static_cast<std::size_t>(n);
  }

  void feed() {
    const ssize_t n = write(parts_.to.get(), pending_.data(), pending_.size());
    if (n > 0) pending_.remove_prefix(static_cast<std::size_t>(n));
    if (n < 0 && errno != EINTR && errno != EAGAIN) pending_ = {};  // nobody reads any more
  }

  ProgramOutcome outcome(bool in_time) const {
    if (passed()) return {ProgramVerdict::passed, "the tests passed"};
    if (!heard_.starts_with('S')) return {ProgramVerdict::fault, fmt::format("the sandbox did not start: {}", last_words("no reason given"))};
    if (!in_time) return {ProgramVerdict::fault, fmt::format("nothing was decided in {} s", limits_.wall_s)};
    if (n_said_ > kMaxStderr) return {ProgramVerdict::failed, "it printed more than 1 MiB of errors"};
    const int code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
    if (code == 128 + SIGXCPU || (code == 128 + SIGKILL && said_.empty())) return {ProgramVerdict::failed, fmt::format("it was ended: {} s of CPU time are the limit", limits_.cpu_s)};
    return {ProgramVerdict::failed, last_words(heard_.size() > 1 ? "it ended before the tests were through" : "it ended before the tests began")};
  }

  // The last line of standard error: what Python raised.
  std::string last_words(std::string_view otherwise) const {
    std::string_view text = said_;
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
    const auto line = text.rfind('\n');
    if (line != std::string_view::npos) text.remove_prefix(line + 1);
    std::string out(text.empty() ? otherwise : text.substr(0, kMaxWhy));
    std::replace_if(out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7E; }, '?');
    return out;
  }

  const SandboxLimits& limits_;
  std::string mark_, solution_, rest_, heard_, said_;
  std::string_view pending_;
  Pipe parts_, answer_, words_;
  pid_t child_ = -1;
  int status_ = 0;
  std::size_t n_said_ = 0;
  std::chrono::steady_clock::time_point end_;
  bool told_ = false, reaped_ = false;
};

std::string find_program(std::string_view name) {
  for (const char* folder : {"/usr/bin/", "/usr/local/bin/", "/bin/"}) {
    const std::string path = std::string(folder) + std::string(name);
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

}  // namespace

Sandbox::Sandbox(SandboxLimits limits) : Sandbox(limits, find_program("bwrap"), find_program("python3")) {}

Sandbox::Sandbox(SandboxLimits limits, std::string bwrap, std::string python) : limits_(limits), bwrap_(std::move(bwrap)), python_(std::move(python)) {
  ASSAY_CHECK(limits_.cpu_s > 0 && limits_.wall_s > 0 && limits_.memory_bytes > 0 && limits_.file_bytes > 0);
  static const auto kNoPipeSignal = signal(SIGPIPE, SIG_IGN);  // a program that ends early must not end us
  ASSAY_CHECK(kNoPipeSignal != SIG_ERR);
}

std::string Sandbox::unavailable() const {
  if (sandbox_filter().empty()) return "assay was built without libseccomp";
  if (bwrap_.empty()) return "bubblewrap (bwrap) is not installed";
  if (python_.empty()) return "python3 is not installed in /usr/bin or /usr/local/bin";
  const ProgramOutcome first = run({"x = 1\n", "assert x == 1\n"});
  return first.verdict == ProgramVerdict::passed ? std::string() : first.why;
}

ProgramOutcome Sandbox::run(const ProgramTest& test) const {
  if (sandbox_filter().empty() || bwrap_.empty() || python_.empty()) return {ProgramVerdict::fault, "there is no sandbox here"};
  if (test.solution.size() > kMaxProgramBytes || test.tests.size() > kMaxProgramBytes) return {ProgramVerdict::failed, "the program is too long"};
  return SandboxedRun(test, limits_).run(bwrap_, python_);
}

}  // namespace assay
