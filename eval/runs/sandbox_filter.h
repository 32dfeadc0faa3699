// The system calls that a sandboxed program may not make, as a BPF program for the kernel.
#pragma once
#include <string>

namespace assay {

// Refuses new processes (threads stay possible), tracing, keys, mounts, namespaces, kernel modules and clocks: they fail with EPERM.
// Empty where the tool was built without libseccomp; then there is no sandbox.
const std::string& sandbox_filter();

}  // namespace assay
