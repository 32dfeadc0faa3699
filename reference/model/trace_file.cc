#include "reference/model/trace_file.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "reference/weights/safetensors.h"
#include "reference/weights/writer.h"

namespace assay {
namespace {

Error not_a_trace(const std::string& path, std::string field, std::string expected, std::string got) {
  return Error{.code = Code::bad_value,
               .message = "this is not a trace that `assay logits --trace` wrote",
               .file = path,
               .field = std::move(field),
               .expected = std::move(expected),
               .got = got.substr(0, 120)};
}

// The text of one key, or no value.
std::optional<PointKey> parse_key(std::string_view text) {
  constexpr std::string_view kLayer = "layer.";
  if (!text.starts_with(kLayer)) {
    const auto point = point_named(text);
    if (!point || belongs_to_layer(*point)) return std::nullopt;
    return PointKey{kNoLayer, *point};
  }
  std::int64_t layer = -1;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + kLayer.size(), end, layer);
  if (error != std::errc() || stop == end || *stop != '.' || layer < 0) return std::nullopt;
  const auto point = point_named(std::string_view(stop + 1, end));
  if (!point || !belongs_to_layer(*point)) return std::nullopt;
  return PointKey{layer, *point};
}

// Buffers that must live until the file is written.
struct Buffers {
  std::vector<std::vector<std::int64_t>> integers;
  std::vector<std::vector<double>> reals;
  std::vector<TensorOut> out;

  void add(std::string name, std::vector<std::int64_t> shape, std::vector<std::int64_t> values) {
    integers.push_back(std::move(values));
    out.push_back(tensor_out(std::move(name), std::move(shape), integers.back()));
  }
  void add(std::string name, std::vector<std::int64_t> shape, std::vector<double> values) {
    reals.push_back(std::move(values));
    out.push_back(tensor_out(std::move(name), std::move(shape), reals.back()));
  }
};

void add_points(std::size_t i, const PromptTrace& trace, std::int64_t n_tokens, Buffers& to) {
  std::vector<std::int64_t> digests, nans;
  std::vector<double> absmax;
  const auto n_points = static_cast<std::int64_t>(trace.points().size());
  for (const auto& [key, rows] : trace.points()) {
    ASSAY_CHECK(rows.n_tokens() == n_tokens);
    digests.insert(digests.end(), rows.digests.begin(), rows.digests.end());
    nans.insert(nans.end(), rows.nans.begin(), rows.nans.end());
    absmax.insert(absmax.end(), rows.absmax.begin(), rows.absmax.end());
    const std::string name = fmt::format("{}.{}", key.text(), i);
    if (!rows.f32.empty()) to.out.push_back(tensor_out(name, {n_tokens, rows.width}, rows.f32));
    if (!rows.f64.empty()) to.out.push_back(tensor_out(name, {n_tokens, rows.width}, rows.f64));
  }
  to.add(fmt::format("digests.{}", i), {n_points, n_tokens}, std::move(digests));
  to.add(fmt::format("nans.{}", i), {n_points, n_tokens}, std::move(nans));
  to.add(fmt::format("absmax.{}", i), {n_points, n_tokens}, std::move(absmax));
}

void add_routing(std::size_t i, const RouterTrace& t, Buffers& to) {
  if (t.n_moe_layers == 0) return;
  const auto name = [i](std::string_view what) { return fmt::format("{}.{}", what, i); };
  const std::vector<std::int64_t> chosen = {t.n_moe_layers, t.n_tokens, t.n_chosen},
                                  rows = {t.n_moe_layers, t.n_tokens};
  to.add(name("experts"), chosen, std::vector<std::int64_t>(t.experts.begin(), t.experts.end()));
  to.add(name("weights"), chosen, t.weights);
  to.add(name("scores"), {t.n_moe_layers, t.n_tokens, t.n_experts}, t.scores);
  to.add(name("margins"), rows, t.margins);
  to.add(name("group_margins"), rows, t.group_margins);
  to.add(name("expert_margins"), rows, t.expert_margins);
}

template <class T>
constexpr Format kFormatOf = std::is_same_v<T, double> ? Format::F64 : Format::I64;

// A tensor of this format and shape.
Status expect(const Checkpoint& file, const std::string& name, Format format,
              std::span<const std::int64_t> shape) {
  ASSAY_TRY(const TensorView* view, file.need(name, shape));
  if (view->format == format) return {};
  return Error{.code = Code::bad_dtype,
               .message = "a tensor of a trace has another format",
               .file = file.path(),
               .offset = view->offset,
               .field = name,
               .expected = std::string(name_of(format)),
               .got = std::string(name_of(view->format))};
}

}  // namespace

Status write_trace(const std::string& path, const Trace& trace) {
  ASSAY_CHECK(trace.ids.size() == trace.points.size() && trace.ids.size() == trace.routing.size());
  Buffers buffers;
  std::vector<std::int64_t> widths;
  std::string names;
  if (!trace.points.empty()) {
    for (const auto& [key, rows] : trace.points[0].points()) {
      if (!names.empty()) names += ' ';
      names += key.text();
      widths.push_back(rows.width);
    }
  }
  for (std::size_t i = 0; i < trace.ids.size(); ++i) {
    const auto n = static_cast<std::int64_t>(trace.ids[i].size());
    ASSAY_CHECK(trace.points[i].points().size() == widths.size());
    buffers.add(fmt::format("ids.{}", i), {n},
                std::vector<std::int64_t>(trace.ids[i].begin(), trace.ids[i].end()));
    add_points(i, trace.points[i], n, buffers);
    add_routing(i, trace.routing[i], buffers);
  }
  const auto n_points = static_cast<std::int64_t>(widths.size());
  buffers.add("widths", {n_points}, std::move(widths));
  std::vector<std::pair<std::string, std::string>> metadata = {{"format", std::string(kTraceFormat)},
                                                               {"arithmetic", trace.arithmetic},
                                                               {"backend", trace.backend},
                                                               {"points", names}};
  for (const auto& [name, value] : trace.conventions) metadata.emplace_back("convention." + name, value);
  return write_safetensors(path, buffers.out, metadata);
}

Result<std::vector<PointKey>> parse_point_keys(std::string_view text, const std::string& path) {
  std::vector<PointKey> out;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    if (text.size() == 1) return not_a_trace(path, "points", "no blank at the end", "a blank");
    if (!text.empty()) text.remove_prefix(1);
    const auto key = parse_key(word);
    if (!key) return not_a_trace(path, "points", "names such as layer.0.q", std::string(word));
    if (!out.empty() && !(out.back() < *key))
      return not_a_trace(path, "points", fmt::format("ascending points after {}", out.back().text()),
                         std::string(word));
    if (out.size() == kMaxTracePoints) {
      return Error{.code = Code::too_large,
                   .message = "a trace has too many points",
                   .file = path,
                   .field = "points",
                   .expected = fmt::format("at most {}", kMaxTracePoints)};
    }
    out.push_back(*key);
  }
  return out;
}

Result<TraceFile> TraceFile::open(const std::string& path) {
  ASSAY_TRY(Checkpoint file, Checkpoint::open(path));
  TraceFile out(std::move(file));
  ASSAY_OK(out.read_header());
  for (std::size_t i = 0; out.file_.find(fmt::format("ids.{}", i)); ++i) ASSAY_OK(out.read_prompt(i));
  return out;
}

Status TraceFile::read_header() {
  std::string format, points;
  for (const auto& [key, value] : file_.metadata()) {
    if (key == "format") format = value;
    if (key == "arithmetic") arithmetic_ = value;
    if (key == "points") points = value;
  }
  if (format != kTraceFormat)
    return not_a_trace(path(), "format", std::string(kTraceFormat), format.empty() ? "nothing" : format);
  if (arithmetic_ != "f32" && arithmetic_ != "f64")
    return not_a_trace(path(), "arithmetic", "f32 or f64", arithmetic_);
  ASSAY_TRY(points_, parse_point_keys(points, path()));
  const std::int64_t shape[] = {static_cast<std::int64_t>(points_.size())};
  ASSAY_OK(expect(file_, "widths", Format::I64, shape));
  widths_ = numbers<std::int64_t>("widths");
  for (const std::int64_t width : widths_) {
    if (width < 1) return not_a_trace(path(), "widths", "positive widths", std::to_string(width));
  }
  return {};
}

Status TraceFile::read_prompt(std::size_t i) {
  const std::string name = fmt::format("ids.{}", i);
  const TensorView* view = file_.find(name);
  ASSAY_CHECK(view);
  if (view->shape.size() != 1 || view->shape[0] < 1)
    return not_a_trace(path(), name, "a row of ids", shape_text(view->shape));
  ASSAY_OK(expect(file_, name, Format::I64, view->shape));
  ids_.push_back(numbers<std::int64_t>(name));
  const std::int64_t shape[] = {static_cast<std::int64_t>(points_.size()), view->shape[0]};
  ASSAY_OK(expect(file_, fmt::format("digests.{}", i), Format::I64, shape));
  ASSAY_OK(expect(file_, fmt::format("nans.{}", i), Format::I64, shape));
  ASSAY_OK(expect(file_, fmt::format("absmax.{}", i), Format::F64, shape));
  ASSAY_OK(check_values(i));
  return check_routing(i);
}

Status TraceFile::check_values(std::size_t i) const {
  const Format format = arithmetic_ == "f64" ? Format::F64 : Format::F32;
  for (std::size_t p = 0; p < points_.size(); ++p) {
    const std::string name = fmt::format("{}.{}", points_[p].text(), i);
    const std::int64_t shape[] = {static_cast<std::int64_t>(ids_[i].size()), widths_[p]};
    if (file_.find(name)) ASSAY_OK(expect(file_, name, format, shape));
  }
  return {};
}

Status TraceFile::check_routing(std::size_t i) const {
  const auto name = [i](std::string_view what) { return fmt::format("{}.{}", what, i); };
  const TensorView* experts = file_.find(name("experts"));
  if (!experts) return {};
  const auto n = static_cast<std::int64_t>(ids_[i].size());
  if (experts->shape.size() != 3 || experts->shape[1] != n)
    return not_a_trace(path(), name("experts"), fmt::format("[layers, {}, chosen]", n),
                       shape_text(experts->shape));
  ASSAY_OK(expect(file_, name("experts"), Format::I64, experts->shape));
  ASSAY_OK(expect(file_, name("weights"), Format::F64, experts->shape));
  const std::span<const std::int64_t> rows = std::span(experts->shape).first(2);
  for (const char* what : {"margins", "group_margins", "expert_margins"})
    ASSAY_OK(expect(file_, name(what), Format::F64, rows));
  return {};
}

template <class T>
std::vector<T> TraceFile::numbers(const std::string& name) const {
  const TensorView* view = file_.find(name);
  ASSAY_CHECK(view && view->format == kFormatOf<T>);
  std::vector<T> out(view->bytes.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), view->bytes.data(), view->bytes.size());
  return out;
}

template <class T>
std::vector<T> TraceFile::row(std::string_view name, std::size_t prompt, std::size_t point) const {
  const TensorView* view = file_.find(fmt::format("{}.{}", name, prompt));
  ASSAY_CHECK(view && view->format == kFormatOf<T> && point < points_.size());
  std::vector<T> out(ids_[prompt].size());
  std::memcpy(out.data(), view->bytes.data() + point * out.size() * sizeof(T), out.size() * sizeof(T));
  return out;
}

std::vector<std::int64_t> TraceFile::digests(std::size_t i, std::size_t p) const {
  return row<std::int64_t>("digests", i, p);
}
std::vector<double> TraceFile::absmax(std::size_t i, std::size_t p) const {
  return row<double>("absmax", i, p);
}
std::vector<std::int64_t> TraceFile::nans(std::size_t i, std::size_t p) const {
  return row<std::int64_t>("nans", i, p);
}

std::vector<double> TraceFile::values(std::size_t i, std::size_t point) const {
  const std::string name = fmt::format("{}.{}", points_[point].text(), i);
  const TensorView* view = file_.find(name);
  if (!view) return {};
  if (view->format == Format::F64) return numbers<double>(name);
  std::vector<float> narrow(view->bytes.size() / sizeof(float));
  std::memcpy(narrow.data(), view->bytes.data(), view->bytes.size());
  return {narrow.begin(), narrow.end()};
}

RouterTrace TraceFile::routing(std::size_t i) const {
  const auto name = [i](std::string_view what) { return fmt::format("{}.{}", what, i); };
  const TensorView* experts = file_.find(name("experts"));
  RouterTrace out;
  if (!experts) return out;
  out.n_moe_layers = experts->shape[0];
  out.n_tokens = experts->shape[1];
  out.n_chosen = experts->shape[2];
  for (const std::int64_t e : numbers<std::int64_t>(name("experts")))
    out.experts.push_back(static_cast<std::int32_t>(e));
  out.weights = numbers<double>(name("weights"));
  out.margins = numbers<double>(name("margins"));
  out.group_margins = numbers<double>(name("group_margins"));
  out.expert_margins = numbers<double>(name("expert_margins"));
  return out;
}

}  // namespace assay
