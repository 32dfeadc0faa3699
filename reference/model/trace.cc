#include "reference/model/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <tuple>

#include "base/sha256.h"

namespace assay {
namespace {

constexpr std::array<std::string_view, kPoints> kNames = {"embedding",
                                                          "input_norm",
                                                          "q",
                                                          "k",
                                                          "v",
                                                          "context",
                                                          "attention",
                                                          "attention_residual",
                                                          "post_norm",
                                                          "router_logits",
                                                          "feed_forward",
                                                          "residual",
                                                          "final_norm",
                                                          "logits"};

std::int64_t digest_of(const void* data, std::size_t bytes) {
  const std::string hex = Sha256().add(data, bytes).hex();
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    unsigned byte = 0;
    std::from_chars(hex.data() + 2 * i, hex.data() + 2 * i + 2, byte, 16);
    out |= std::uint64_t{byte} << (8 * i);
  }
  return static_cast<std::int64_t>(out);
}

auto rank_of(const PointKey& key) {
  const bool last = key.point == Point::final_norm || key.point == Point::logits;
  return std::tuple(last, key.layer, key.point);
}

}  // namespace

std::string_view name_of(Point point) { return kNames[static_cast<std::size_t>(point)]; }

std::optional<Point> point_named(std::string_view name) {
  const auto at = std::find(kNames.begin(), kNames.end(), name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<Point>(at - kNames.begin());
}

bool belongs_to_layer(Point point) {
  return point != Point::embedding && point != Point::final_norm && point != Point::logits;
}

std::int64_t width_of(Point point, const ModelConfig& c) {
  switch (point) {
    case Point::q:
      return c.num_attention_heads * c.key_dim();
    case Point::k:
      return c.num_key_value_heads * c.key_dim();
    case Point::v:
      return c.num_key_value_heads * c.value_dim();
    case Point::context:
      return c.num_attention_heads * c.value_dim();
    case Point::router_logits:
      return c.router.n_experts;
    case Point::logits:
      return c.vocab_size;
    default:
      return c.hidden_size;
  }
}

bool KeptPoints::any() const { return std::find(std::begin(kept), std::end(kept), true) != std::end(kept); }

Result<KeptPoints> parse_kept_points(std::string_view names) {
  KeptPoints out;
  for (std::string_view rest = names; !rest.empty();) {
    const std::string_view name = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    if (name == "all") {
      std::fill(std::begin(out.kept), std::end(out.kept), true);
      continue;
    }
    const auto point = point_named(name);
    if (!point) {
      return Error{.code = Code::usage,
                   .message = "there is no point of that name",
                   .field = "--trace-tensors",
                   .expected = fmt::format("all, or some of {}", fmt::join(kNames, ",")),
                   .got = std::string(name.substr(0, 80))};
    }
    out.kept[static_cast<std::size_t>(*point)] = true;
  }
  return out;
}

std::string PointKey::text() const {
  return belongs_to_layer(point) ? fmt::format("layer.{}.{}", layer, name_of(point))
                                 : std::string(name_of(point));
}

bool operator<(const PointKey& a, const PointKey& b) { return rank_of(a) < rank_of(b); }
bool operator==(const PointKey& a, const PointKey& b) { return a.layer == b.layer && a.point == b.point; }

template <class T>
void PromptTrace::add_row(Point point, std::int64_t layer, std::span<const T> row,
                          std::vector<T> PointRows::*values) {
  ASSAY_CHECK(!row.empty() && (layer >= 0) == belongs_to_layer(point));
  PointRows& rows = points_[{layer, point}];
  ASSAY_CHECK(rows.width == 0 || rows.width == static_cast<std::int64_t>(row.size()));
  rows.width = static_cast<std::int64_t>(row.size());
  rows.digests.push_back(digest_of(row.data(), row.size_bytes()));
  double largest = 0;
  std::int64_t nans = 0;
  for (const T each : row) {
    nans += std::isnan(each);
    if (std::abs(each) > largest) largest = std::abs(each);
  }
  rows.absmax.push_back(largest);
  rows.nans.push_back(nans);
  if (kept_.kept[static_cast<std::size_t>(point)])
    (rows.*values).insert((rows.*values).end(), row.begin(), row.end());
}

void PromptTrace::add(Point point, std::int64_t layer, std::span<const float> row) {
  add_row(point, layer, row, &PointRows::f32);
}
void PromptTrace::add(Point point, std::int64_t layer, std::span<const double> row) {
  add_row(point, layer, row, &PointRows::f64);
}

}  // namespace assay
