#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace assay {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "assay: internal fault: %s does not hold at %s:%d; please report this\n", condition,
               file, line);
  std::abort();
}

}  // namespace assay
