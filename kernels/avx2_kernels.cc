// The kernels for avx2: the shared bodies over its registers and its own matrix tile.
// Order matters: each of these uses the ones before it.
// clang-format off
#include "kernels/lanes_avx2.h"
#include "kernels/body_math.h"
#include "kernels/body_rows.h"
#include "kernels/body_pack.h"
#include "kernels/tile_avx2.h"
#include "kernels/body_attention.h"
#include "kernels/body_latent.h"
#include "kernels/body_widen.h"
#include "kernels/body_matmul.h"
// clang-format on
#include "kernels/tables.h"

namespace assay {
const Kernels& avx2_kernels() {
  static constexpr Kernels kTable = make_table(Isa::avx2, "avx2");
  return kTable;
}
}  // namespace assay
