// Traces on disk: one safetensors file, written whole or not at all. docs/trace-format.md shows it to users.
//
//   metadata  format = "assay-trace-1", arithmetic = "f32" or "f64", backend, convention.NAME for every convention,
//             points = names of the points (PointKey::text), blanks between them, in the order of computation
//   widths          I64 (n_points)            numbers in a row of each point
//   for prompt i:
//   ids.i           I64 (n_tokens)
//   digests.i       I64 (n_points, n_tokens)  first 8 bytes of the SHA-256 of the row's bytes, little-endian
//   absmax.i        F64 (n_points, n_tokens)  NaNs left out
//   nans.i          I64 (n_points, n_tokens)
//   POINT.i         F32 or F64 (n_tokens, width), such as layer.3.q.0: only points that were asked for
//   and where the model has experts:
//   experts.i       I64 (n_moe_layers, n_tokens, n_chosen)  ascending; --force-experts reads these
//   weights.i       F64 (n_moe_layers, n_tokens, n_chosen)
//   scores.i        F64 (n_moe_layers, n_tokens, n_experts) unbiased
//   margins.i       F64 (n_moe_layers, n_tokens)  of the closest decision, +inf where nothing was refused
//   group_margins.i, expert_margins.i             the same of the groups and of the experts alone
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "reference/model/router_trace.h"
#include "reference/model/trace.h"
#include "reference/weights/checkpoint.h"

namespace assay {

inline constexpr std::string_view kTraceFormat = "assay-trace-1";
inline constexpr std::size_t kMaxTracePoints =
    65'536;  // 4,096 layers of 14 points: config.cc allows no more layers
inline constexpr std::uint64_t kMaxTraceBytes = std::uint64_t{4}
                                                << 30;  // kept tensors stay in memory until written

struct Trace {
  std::string arithmetic, backend;
  std::vector<std::pair<std::string, std::string>> conventions;
  std::vector<std::vector<std::int32_t>> ids;  // of each prompt
  std::vector<PromptTrace> points;             // of each prompt
  std::vector<RouterTrace> routing;            // of each prompt
};
Status write_trace(const std::string& path, const Trace& trace);

// Names of points with single blanks between them, ascending and different.
Result<std::vector<PointKey>> parse_point_keys(std::string_view text, const std::string& path);

// A trace file whose shapes and types are those above; numbers are read where they are needed.
class TraceFile {
 public:
  static Result<TraceFile> open(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const std::string& arithmetic() const { return arithmetic_; }
  const std::vector<PointKey>& points() const { return points_; }
  std::int64_t width(std::size_t point) const { return widths_[point]; }
  std::size_t n_prompts() const { return ids_.size(); }
  const std::vector<std::int64_t>& ids(std::size_t prompt) const { return ids_[prompt]; }

  std::vector<std::int64_t> digests(std::size_t prompt, std::size_t point) const;  // (n_tokens)
  std::vector<double> absmax(std::size_t prompt, std::size_t point) const;         // (n_tokens)
  std::vector<std::int64_t> nans(std::size_t prompt, std::size_t point) const;     // (n_tokens)
  std::vector<double> values(std::size_t prompt,
                             std::size_t point) const;  // (n_tokens, width), empty: not kept
  RouterTrace routing(std::size_t prompt) const;        // without layers: no experts

 private:
  explicit TraceFile(Checkpoint file) : file_(std::move(file)) {}
  Status read_header();
  Status read_prompt(std::size_t prompt);
  Status check_routing(std::size_t prompt) const;
  Status check_values(std::size_t prompt) const;
  template <class T>
  std::vector<T> numbers(const std::string& name) const;
  template <class T>
  std::vector<T> row(std::string_view name, std::size_t prompt, std::size_t point) const;

  Checkpoint file_;
  std::string arithmetic_;
  std::vector<PointKey> points_;
  std::vector<std::int64_t> widths_;
  std::vector<std::vector<std::int64_t>> ids_;
};

}  // namespace assay
