#include "reference/model/router_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "reference/weights/checkpoint.h"

namespace assay {
namespace {

std::size_t product(std::int64_t a, std::int64_t b, std::int64_t c) {
  return static_cast<std::size_t>(a) * static_cast<std::size_t>(b) * static_cast<std::size_t>(c);
}

std::vector<std::int64_t> integers_of(const TensorView& view) {
  std::vector<std::int64_t> out(view.bytes.size() / sizeof(std::int64_t));
  std::memcpy(out.data(), view.bytes.data(), out.size() * sizeof(std::int64_t));
  return out;
}

Error bad_choice(const Checkpoint& file, const TensorView& view, std::string expected, std::int64_t got) {
  return Error{.code = Code::out_of_range,
               .message = "a recorded choice of experts cannot be replayed",
               .file = file.file_of(view),
               .offset = view.offset,
               .field = view.name,
               .expected = std::move(expected),
               .got = std::to_string(got)};
}

// Choices recorded for other tokens would be replayed without a word.
Status check_same_ids(const Checkpoint& file, std::int64_t i, const std::vector<std::int32_t>& prompt) {
  const TensorView* view = file.find(fmt::format("ids.{}", i));
  if (!view) return {};
  const std::vector<std::int64_t> ids =
      view->format == Format::I64 ? integers_of(*view) : std::vector<std::int64_t>{};
  if (std::equal(ids.begin(), ids.end(), prompt.begin(), prompt.end())) return {};
  return Error{.code = Code::bad_value,
               .message = "the choices were recorded for other token ids",
               .file = file.file_of(*view),
               .offset = view->offset,
               .field = view->name,
               .expected = fmt::format("the {} ids of prompt {}", prompt.size(), i),
               .got = fmt::format("{} ids", ids.size())};
}

Result<ForcedExperts> read_one(const Checkpoint& file, std::int64_t i, ForcedExperts shape,
                               std::int64_t n_experts) {
  const std::int64_t extents[] = {shape.n_moe_layers, shape.n_tokens, shape.n_chosen};
  ASSAY_TRY(const TensorView* view, file.need(fmt::format("experts.{}", i), extents));
  if (view->format != Format::I64) {
    return Error{.code = Code::bad_dtype,
                 .message = "expert choices are 64-bit integers",
                 .file = file.file_of(*view),
                 .field = view->name,
                 .expected = "I64",
                 .got = std::string(name_of(view->format))};
  }
  for (const std::int64_t e : integers_of(*view)) {
    if (e < 0 || e >= n_experts)
      return bad_choice(file, *view, fmt::format("an expert below {}", n_experts), e);
    shape.experts.push_back(static_cast<std::int32_t>(e));
  }
  const auto k = static_cast<std::size_t>(shape.n_chosen);
  for (std::size_t row = 0; row < shape.experts.size(); row += k) {
    const auto begin = shape.experts.begin() + static_cast<std::ptrdiff_t>(row),
               end = begin + static_cast<std::ptrdiff_t>(k);
    std::sort(begin, end);
    const auto twice = std::adjacent_find(begin, end);
    if (twice != end) return bad_choice(file, *view, "different experts for a token", *twice);
  }
  return shape;
}

}  // namespace

RouterTrace::RouterTrace(std::int64_t moe_layers, std::int64_t tokens, std::int64_t chosen,
                         std::int64_t n_all, bool with_scores)
    : n_moe_layers(moe_layers), n_tokens(tokens), n_chosen(chosen), n_experts(n_all) {
  ASSAY_CHECK(moe_layers >= 0 && tokens >= 0 && chosen >= 0 && chosen <= n_all);
  experts.resize(product(moe_layers, tokens, chosen));
  weights.resize(experts.size());
  margins.assign(product(moe_layers, tokens, 1), std::numeric_limits<double>::infinity());
  group_margins = expert_margins = margins;
  if (with_scores) scores.resize(product(moe_layers, tokens, n_all));
}

std::size_t RouterTrace::at(std::int64_t moe_layer, std::int64_t token) const {
  ASSAY_CHECK(moe_layer >= 0 && moe_layer < n_moe_layers && token >= 0 && token < n_tokens);
  return product(moe_layer, n_tokens, 1) + static_cast<std::size_t>(token);
}

std::vector<NearTie> near_ties(const RouterTrace& trace, double below) {
  std::vector<NearTie> out;
  for (std::int64_t layer = 0; layer < trace.n_moe_layers; ++layer) {
    for (std::int64_t t = 0; t < trace.n_tokens; ++t) {
      const double margin = trace.margins[trace.at(layer, t)];
      if (!(margin >= below)) out.push_back({layer, t, margin});
    }
  }
  return out;
}

Result<std::vector<ForcedExperts>> read_forced_experts(const std::string& path,
                                                       std::span<const std::vector<std::int32_t>> prompts,
                                                       std::int64_t n_moe_layers, std::int64_t n_chosen,
                                                       std::int64_t n_experts) {
  ASSAY_CHECK(n_chosen > 0 && n_chosen <= n_experts);
  ASSAY_TRY(const Checkpoint file, Checkpoint::open(path));
  std::vector<ForcedExperts> out;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    ASSAY_OK(check_same_ids(file, static_cast<std::int64_t>(i), prompts[i]));
    ForcedExperts shape{.n_moe_layers = n_moe_layers,
                        .n_tokens = static_cast<std::int64_t>(prompts[i].size()),
                        .n_chosen = n_chosen,
                        .experts = {}};
    ASSAY_TRY(ForcedExperts one, read_one(file, static_cast<std::int64_t>(i), std::move(shape), n_experts));
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace assay
