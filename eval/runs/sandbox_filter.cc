#include "eval/runs/sandbox_filter.h"

#include "base/check.h"

#ifdef ASSAY_HAVE_SECCOMP
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#endif

namespace assay {
namespace {

#ifdef ASSAY_HAVE_SECCOMP

// bubblewrap loads the filter before it starts the program, so execve stays allowed; without fork it harms nobody.
constexpr const char* kRefused[] = {"fork",      "vfork",       "ptrace",        "process_vm_readv", "process_vm_writev", "keyctl",     "add_key",   "request_key",
                                    "mount",     "umount2",     "pivot_root",    "setns",            "unshare",           "init_module", "finit_module", "delete_module",
                                    "bpf",       "perf_event_open", "userfaultfd", "kexec_load",     "reboot",            "swapon",     "settimeofday", "clock_settime",
                                    "io_uring_setup", "socket", "open_by_handle_at", "personality"};

bool add_rules(scmp_filter_ctx context) {
  for (const char* name : kRefused) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) continue;  // not a call of this kernel's headers
    if (seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), number, 0) != 0) return false;
  }
  // Threads yes, processes no. clone3 hides its flags in memory: libc falls back to clone where it is unknown.
  const int clone_ok = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
  const int clone3_ok = seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  return clone_ok == 0 && clone3_ok == 0;
}

std::string exported() {
  std::string program;
  scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
  if (context == nullptr) return program;
  const int file = memfd_create("filter", MFD_CLOEXEC);
  if (file >= 0 && add_rules(context) && seccomp_export_bpf(context, file) == 0) {
    char buffer[4096];
    lseek(file, 0, SEEK_SET);
    for (ssize_t n = 0; (n = read(file, buffer, sizeof(buffer))) > 0;) program.append(buffer, static_cast<std::size_t>(n));
  }
  if (file >= 0) close(file);
  seccomp_release(context);
  return program;
}

#else

std::string exported() { return {}; }

#endif

}  // namespace

const std::string& sandbox_filter() {
  static const std::string kFilter = exported();
  ASSAY_CHECK(kFilter.size() % 8 == 0);  // struct sock_filter
  return kFilter;
}

}  // namespace assay
