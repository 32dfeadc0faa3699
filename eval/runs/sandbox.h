// Running a stranger's Python where it can harm nobody: bubblewrap with its own user, process, network and mount namespaces,
// a seccomp filter and resource limits. No network, no files but the system's programs (read-only) and a small /tmp in memory, no
// further processes.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "suites/program.h"

namespace assay {

struct SandboxLimits {
  int cpu_s = 10;                                // counted CPU time: what decides, whatever the load
  std::int64_t memory_bytes = std::int64_t{1} << 30;
  std::int64_t file_bytes = std::int64_t{16} << 20;  // of one file, and of /tmp together
  // Not a limit on programs: after it nothing is known (a program that sleeps, a machine without time for it), so it is a fault.
  int wall_s = 120;
};

class Sandbox {
 public:
  // The programs are looked for in fixed places (/usr/bin, /usr/local/bin, /bin), not in PATH.
  explicit Sandbox(SandboxLimits limits = {});
  Sandbox(SandboxLimits limits, std::string bwrap, std::string python);  // for tests

  // Empty where it can run programs, else the reason why every outcome will be a fault. Found out by a first program.
  std::string unavailable() const;

  // Safe to call from several threads.
  ProgramOutcome run(const ProgramTest& test) const;

 private:
  SandboxLimits limits_;
  std::string bwrap_, python_;
};

}  // namespace assay
