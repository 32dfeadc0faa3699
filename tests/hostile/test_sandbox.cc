// Programs that do not want to be tested: none passes, none harms, none hangs; without a sandbox there is no score.
#include <unistd.h>

#include <string>
#include <vector>

#include "eval/runs/sandbox.h"
#include "eval/runs/sandbox_filter.h"
#include "tests/catch.h"

namespace {

using namespace assay;

// Empty where programs can be run.
const std::string& no_sandbox() {
  static const std::string kWhy = Sandbox().unavailable();
  return kWhy;
}

struct HostileProgram {
  const char* what;
  std::string solution;
  const char* why;  // part of the reason
};

TEST_CASE("sandbox: right programs pass and wrong ones fail") {
  if (!no_sandbox().empty()) {
    WARN("skipped: " << no_sandbox());
    return;
  }
  const Sandbox sandbox({.cpu_s = 5, .wall_s = 300});
  const std::string right = "def f(x):\n    return x + 1\n";
  CHECK(sandbox.run({right, "assert f(1) == 2"}).verdict == ProgramVerdict::passed);
  CHECK(sandbox.run({right, "assert f(1) == 3"}).verdict == ProgramVerdict::failed);
  CHECK(sandbox.run({right, "assert f(1) == 3"}).why.find("AssertionError") != std::string::npos);
  CHECK(sandbox.run({"def f(x) return x", ""}).why.find("SyntaxError") != std::string::npos);
  CHECK(sandbox.run({std::string(300'000, '#') + "\nx = 1", "assert x == 1"}).verdict == ProgramVerdict::passed);  // longer than a pipe holds
  CHECK(sandbox.run({"from dataclasses import dataclass\n@dataclass\nclass A:\n    x: 'int'\n", "assert A(1).x == 1"}).verdict == ProgramVerdict::passed);
  CHECK(sandbox.run({"open('/tmp/x', 'w').write('ok')", "assert open('/tmp/x').read() == 'ok'"}).verdict == ProgramVerdict::passed);
  CHECK(sandbox.run({"x = list({'a', 'b', 'c', 'd'})", "import sys; assert sys.flags.hash_randomization == 0"}).verdict == ProgramVerdict::passed);  // the same order every time
}

TEST_CASE("sandbox: hostile programs fail, each for its own reason") {
  if (!no_sandbox().empty()) {
    WARN("skipped: " << no_sandbox());
    return;
  }
  const Sandbox sandbox({.cpu_s = 1, .wall_s = 300});
  const std::vector<HostileProgram> programs = {
      {"ends before the tests", "import sys\nsys.exit(0)", "SystemExit"},
      {"ends at once", "import os\nos._exit(0)", "before the tests"},
      {"forges the success", "import os\nos.write(4, b'L' + b'0' * 32)\nprint('PASSED', flush=True)\nos._exit(0)", "before the tests"},
      {"ends when it is called", "import os\ndef f(): os._exit(0)", "before the tests"},
      {"raises SystemExit when it is called", "def f(): raise SystemExit(0)", "SystemExit"},
      {"never ends", "while True: pass", "CPU time"},
      {"writes errors without end", "import sys\nwhile True: sys.stderr.write('x' * 100000)", "1 MiB"},
      {"takes all memory", "x = 'a' * (4 << 30)", "MemoryError"},
      {"forks", "import os\nwhile True: os.fork()", "not permitted"},
      {"starts programs", "import subprocess\nsubprocess.run(['/usr/bin/id'])", "not permitted"},
      {"starts threads without end", "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(1000,)).start()", "thread"},
      {"fills the disk", "f = open('/tmp/x', 'wb')\nwhile True: f.write(b'x' * 1000000)", "File too large"},
      {"writes to the system", "open('/usr/x', 'w')", "Read-only"},
      {"reads passwords", "open('/etc/shadow').read()", "No such file"},
      {"reads the home folder", "import os\nos.listdir('/root')", "No such file"},
      {"uses the network", "import socket\nsocket.create_connection(('127.0.0.1', 80), 1)", "not permitted"},
      {"kills its parents", "import os, signal\nos.kill(1, 9)\nos.kill(os.getppid(), 9)", ""},
      {"waits for input", "input()", "EOFError"},
  };
  for (const auto& program : programs) {
    const ProgramOutcome outcome = sandbox.run({program.solution, "f()\nassert False"});
    INFO(program.what << ": " << outcome.why);
    CHECK(outcome.verdict == ProgramVerdict::failed);
    CHECK(outcome.why.find(program.why) != std::string::npos);
  }
  CHECK(::access("/tmp/x", F_OK) != 0);
  CHECK(sandbox.run({"x = 1", "assert x"}).verdict == ProgramVerdict::passed);  // and it still works
}

TEST_CASE("sandbox: what cannot be decided is a fault, never a score") {
  const ProgramTest right = {"x = 1", "assert x == 1"};
  CHECK(Sandbox({}, "", "/usr/bin/python3").run(right).verdict == ProgramVerdict::fault);
  CHECK(Sandbox({}, "/usr/bin/bwrap", "").run(right).verdict == ProgramVerdict::fault);
  CHECK_FALSE(Sandbox({}, "", "").unavailable().empty());
  CHECK(Sandbox({}, "/bin/false", "/usr/bin/python3").run(right).verdict == ProgramVerdict::fault);
  CHECK(Sandbox({}, "/nowhere/bwrap", "/usr/bin/python3").run(right).verdict == ProgramVerdict::fault);
  if (!no_sandbox().empty()) return;
  CHECK(Sandbox({}, "/usr/bin/bwrap", "/usr/bin/nowhere").run(right).verdict == ProgramVerdict::fault);
  const ProgramOutcome asleep = Sandbox({.cpu_s = 5, .wall_s = 1}).run({"import time\ntime.sleep(1000)", ""});
  CHECK(asleep.verdict == ProgramVerdict::fault);
  CHECK_FALSE(asleep.why.empty());
}

TEST_CASE("sandbox: the filter is there where the tool was built with it") {
  CHECK(sandbox_filter().size() % 8 == 0);
  CHECK(sandbox_filter() == sandbox_filter());
  if (no_sandbox().empty()) CHECK(sandbox_filter().size() > 80);
}

}  // namespace
