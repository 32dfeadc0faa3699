// What a forward pass computed at named points: of every token's row a digest, the largest magnitude and the
// NaNs, and the numbers themselves where asked for. Both paths fill the same points, in their own arithmetic
// (f32 or f64). A row depends on its sequence alone, so a trace does not depend on batches, waves or threads.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "reference/model/config.h"

namespace assay {

// In the order in which a layer computes them. All but the first and the last two belong to a layer.
enum class Point : std::uint8_t {
  embedding,           // (hidden) what the first layer reads
  input_norm,          // (hidden)
  q,                   // (heads, key_dim) after norm and rotation
  k,                   // (kv heads, key_dim) after norm and rotation; latent: put together for every head
  v,                   // (kv heads, value_dim)
  context,             // (heads, value_dim) what attention read, before the output projection
  attention,           // (hidden) after the output projection
  attention_residual,  // (hidden)
  post_norm,           // (hidden)
  router_logits,       // (experts); mixture layers only
  feed_forward,        // (hidden) what the experts together, or the dense block, give
  residual,            // (hidden) the layer's output
  final_norm,          // (hidden)
  logits,              // (vocab)
};
inline constexpr std::size_t kPoints = 14;
inline constexpr std::int64_t kNoLayer = -1;

std::string_view name_of(Point point);  // "attention_residual"
std::optional<Point> point_named(std::string_view name);
bool belongs_to_layer(Point point);

// Points whose numbers are kept. "all", or names with commas between them; Code::usage for anything else.
struct KeptPoints {
  bool kept[kPoints] = {};
  bool any() const;
};
Result<KeptPoints> parse_kept_points(std::string_view names);

// Numbers in a row of a point.
std::int64_t width_of(Point point, const ModelConfig& config);

// A point in a layer: embedding first, then layer by layer, final_norm and logits last.
struct PointKey {
  std::int64_t layer = kNoLayer;
  Point point = Point::embedding;
  std::string text() const;  // "layer.3.q", "logits": the prefix of tensor names in a trace file
};
bool operator<(const PointKey& a, const PointKey& b);
bool operator==(const PointKey& a, const PointKey& b);

// Rows of one point of one prompt, tokens ascending.
struct PointRows {
  std::int64_t width = 0;
  std::vector<std::int64_t>
      digests;                 // (n_tokens): first 8 bytes, little-endian, of the SHA-256 of the row's bytes
  std::vector<double> absmax;  // (n_tokens): of all that are no NaNs
  std::vector<std::int64_t> nans;  // (n_tokens)
  std::vector<float> f32;          // (n_tokens, width) of the f32 path where kept
  std::vector<double> f64;         // (n_tokens, width) of the f64 path where kept
  std::int64_t n_tokens() const { return static_cast<std::int64_t>(digests.size()); }
};

class PromptTrace {
 public:
  PromptTrace() = default;
  explicit PromptTrace(const KeptPoints& kept) : kept_(kept) {}

  // The next token's row of a point.
  void add(Point point, std::int64_t layer, std::span<const float> row);
  void add(Point point, std::int64_t layer, std::span<const double> row);

  const std::map<PointKey, PointRows>& points() const { return points_; }

 private:
  template <class T>
  void add_row(Point point, std::int64_t layer, std::span<const T> row, std::vector<T> PointRows::*values);

  KeptPoints kept_;
  std::map<PointKey, PointRows> points_;
};

}  // namespace assay
