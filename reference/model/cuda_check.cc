#include "reference/model/cuda_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/select.h"
#include "reference/model/cuda_engine_state.h"
#include "reference/weights/activation.h"

namespace assay {
namespace {

class ProductChecker {
 public:
  explicit ProductChecker(ThreadPool& pool) : compute_{kernels(), pool} {}

  void take(SeenProduct seen) {
    if (rows_.empty() || rows_.back().layer != seen.layer || rows_.back().name != seen.name) {
      rows_.push_back({});
      rows_.back().layer = seen.layer;
      rows_.back().name = seen.name;
    }
    ProductError& row = rows_.back();
    const PackedMatrix& w = seen.weights->matrix;
    std::vector<float> want(seen.y.size());
    if (quantises(w.format, seen.arithmetic)) round_activations_by_block(seen.x, seen.n_rows, w.n_in);
    matmul(compute_, w, seen.x.data(), seen.n_rows, want.data());
    for (std::int64_t t = 0; t < seen.n_rows && !seen.weights->bias.empty(); ++t)
      compute_.kernels.add(seen.weights->bias.data(), w.n_out, want.data() + t * w.n_out);
    row.n_numbers += static_cast<std::int64_t>(want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      row.n_different += std::memcmp(&want[i], &seen.y[i], sizeof(float)) != 0;
      row.max_error = std::max(row.max_error, error(seen.y[i], want[i]));
    }
    const bool canonical = seen.arithmetic == GpuArithmetic::canonical || w.format == WeightFormat::f32;
    if (canonical) {
      row.within = row.within && row.n_different == 0;
      return;
    }
    hold_against_bound(seen, want, row);
    row.within = row.within && row.worst_of_bound <= 1;
  }

  std::vector<ProductError> rows() { return std::move(rows_); }

 private:
  static double error(float got, float want) {
    const double difference = std::fabs(double{got} - double{want});
    return difference == difference ? difference : std::numeric_limits<double>::infinity();
  }

  static void hold_against_bound(const SeenProduct& seen, const std::vector<float>& want, ProductError& row) {
    const PackedMatrix& w = seen.weights->matrix;
    const double bound = gpu_product_bound(w.format, w.n_in, seen.arithmetic);
    const std::int64_t rows = std::min(seen.n_rows, kCheckedRows),
                       outputs = std::min(w.n_out, kCheckedOutputs);
    for (std::int64_t j = 0; j < outputs; ++j) {
      const std::int64_t o = j * w.n_out / outputs;
      for (std::int64_t i = 0; i < rows; ++i) {
        const std::int64_t t = i * seen.n_rows / rows;
        double size = 0;
        for (std::int64_t k = 0; k < w.n_in; ++k)
          size += std::fabs(double{packed_weight(w, o, k)} *
                            double{seen.x[static_cast<std::size_t>(t * w.n_in + k)]});
        const auto at = static_cast<std::size_t>(t * w.n_out + o);
        // The bias is added with one more rounding on either side.
        const double allowed = bound * size + 0x1p-23 * std::fabs(double{want[at]}),
                     off = error(seen.y[at], want[at]);
        row.worst_of_bound = std::max(row.worst_of_bound, off == 0 ? 0 : off / allowed);
      }
    }
  }

  Compute compute_;
  std::vector<ProductError> rows_;
};

}  // namespace

Result<std::vector<ProductError>> check_layers(CudaEngine& engine, const std::vector<std::int32_t>& ids) {
  CudaEngine::State& s = engine.state();
  ASSAY_OK(check_ids(s.files.config, ids, 0));
  ProductChecker checker(s.pool);
  const CudaObserver observer{.product = [&](const SeenProduct& seen) { checker.take(seen); },
                              .residual = {}};
  s.forward->observe_with(&observer);
  const auto logits = engine.logits(std::vector<std::vector<std::int32_t>>{ids});
  s.forward->observe_with(nullptr);
  if (!logits.ok()) return logits.error();
  return checker.rows();
}

}  // namespace assay
