#include "reference/model/mtp_oracle.h"

#include "reference/model/model_files.h"

namespace assay {
namespace {

using namespace oracle;

Result<Row> load_norm(const Checkpoint& checkpoint, const ModelConfig& c, const std::string& name) {
  const std::int64_t shape[] = {c.hidden_size};
  return load_f64(checkpoint, name + ".weight", shape, c.quant.recipe, block_size_of(c));
}

Result<Linear> load_projection(const Checkpoint& checkpoint, const ModelConfig& c, const std::string& name) {
  const std::int64_t n_out = c.hidden_size, n_in = 2 * c.hidden_size, shape[] = {n_out, n_in};
  ASSAY_TRY(const Row rows, load_f64(checkpoint, name + ".weight", shape, c.quant.recipe, block_size_of(c)));
  Linear out{.n_out = n_out, .n_in = n_in, .columns = Row(rows.size()), .bias = {}};
  const auto height = static_cast<std::size_t>(n_out), width = static_cast<std::size_t>(n_in);
  for (std::size_t o = 0; o < height; ++o) {
    for (std::size_t k = 0; k < width; ++k) out.columns[k * height + o] = rows[o * width + k];
  }
  return out;
}

Row joined(const Row& a, const Row& b) {
  Row out = a;
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

}  // namespace

Result<MtpOracle> MtpOracle::load(const Checkpoint& checkpoint, const ModelConfig& config) {
  ASSAY_OK(check_mtp(config, checkpoint));
  MtpOracle out;
  for (std::int64_t k = 0; k < config.num_nextn_predict_layers; ++k) {
    const std::string p = mtp_prefix(config, k);
    ASSAY_TRY(Row enorm, load_norm(checkpoint, config, p + ".enorm"));
    ASSAY_TRY(Row hnorm, load_norm(checkpoint, config, p + ".hnorm"));
    ASSAY_TRY(Linear eh_proj, load_projection(checkpoint, config, p + ".eh_proj"));
    ASSAY_TRY(Oracle block, Oracle::load(checkpoint, mtp_block(config, k), mtp_names(config, checkpoint, k)));
    out.modules_.push_back({std::move(enorm), std::move(hnorm), std::move(eh_proj), std::move(block)});
  }
  return out;
}

std::vector<std::vector<double>> MtpOracle::logits(const Oracle& model, std::span<const std::int32_t> ids,
                                                   const MtpChoices& choices) const {
  const double eps = model.config().norm_eps();
  Rows h = model.embed(ids);
  model.run_layers(h);
  if (choices.hidden == MtpHidden::normed) {
    for (Row& row : h) row = model.norm(row);
  }
  std::vector<std::vector<double>> out(modules_.size());
  for (std::size_t k = 0; k < modules_.size() && ids.size() > k + 1; ++k) {
    const Module& m = modules_[k];
    Rows x = m.block.embed(ids.subspan(k + 1));
    if (choices.first == MtpFirst::masked) x[0].assign(x[0].size(), 0.0);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Row e = rms_norm(x[i], m.enorm, eps), s = rms_norm(h[i], m.hnorm, eps);
      x[i] = m.eh_proj(choices.order == MtpOrder::embedding_first ? joined(e, s) : joined(s, e));
    }
    m.block.run_layers(x);
    for (Row& row : x) {
      const Row normed = m.block.norm(row), logits = m.block.head(normed);
      out[k].insert(out[k].end(), logits.begin(), logits.end());
      if (choices.chain == MtpChain::normed) row = normed;
    }
    h = std::move(x);
  }
  return out;
}

}  // namespace assay
