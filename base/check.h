// Assertions for our own faults, never for input. They stay on in release builds: a wrong verdict costs more.
#pragma once

namespace assay {

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace assay

#define ASSAY_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::assay::check_failed(#condition, __FILE__, __LINE__))
