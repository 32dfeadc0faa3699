#include "eval/compare/explain_other.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "reference/weights/checkpoint.h"
#include "reference/weights/dequant.h"
#include "reference/weights/safetensors.h"

namespace assay {
namespace {

constexpr std::int64_t kMaxNumbers = std::int64_t{1}
                                     << 29;  // 4 GiB of f64, kept in memory with as much of our own

using Prompts = std::vector<std::vector<std::int32_t>>;

struct Reader {
  const Checkpoint& file;
  std::int64_t vocab;
  OtherLogits out;

  Error refuse(const TensorView& view, std::string message, std::string expected, std::string got) const {
    return Error{.code = Code::bad_value,
                 .message = std::move(message),
                 .file = file.file_of(view),
                 .offset = view.offset,
                 .field = view.name,
                 .expected = std::move(expected),
                 .got = std::move(got)};
  }

  // Numbers of a tensor, all finite.
  Result<std::vector<double>> numbers(const TensorView& view) {
    const bool known = view.format == Format::F64 || view.format == Format::F32 ||
                       view.format == Format::F16 || view.format == Format::BF16;
    if (!known)
      return refuse(view, "logits have a format that is not read here", "F64, F32, F16 or BF16",
                    std::string(name_of(view.format)));
    if (view.elements() > kMaxNumbers)
      return refuse(view, "there are too many logits; cut the prompts",
                    fmt::format("at most {}", kMaxNumbers), std::to_string(view.elements()));
    out.format = view.format;
    ASSAY_TRY(std::vector<double> values, load_f64(file, view.name, view.shape));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isfinite(values[i])) continue;
      return refuse(view, "logits that are not finite explain nothing", "finite numbers",
                    fmt::format("{} at element {}", values[i], i));
    }
    return values;
  }

  Result<std::vector<std::int64_t>> integers(const std::string& name) const {
    const TensorView* view = file.find(name);
    if (!view || view->format != Format::I64 || view->shape.size() != 1) {
      return Error{
          .code = view ? Code::bad_dtype : Code::missing_tensor,
          .message = "a case does not say which tokens it is of",
          .file = file.path(),
          .field = name,
          .expected = "a row of I64",
          .got = view ? fmt::format("{} {}", name_of(view->format), shape_text(view->shape)) : "nothing"};
    }
    std::vector<std::int64_t> values(view->bytes.size() / sizeof(std::int64_t));
    if (!values.empty()) std::memcpy(values.data(), view->bytes.data(), view->bytes.size());
    return values;
  }

  Status add(const TensorView& view, const std::vector<std::int32_t>& ids,
             std::vector<std::int64_t> positions) {
    const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(positions.size()), vocab};
    if (view.shape != shape)
      return refuse(view, "the logits do not fit ids and vocabulary", shape_text(shape),
                    shape_text(view.shape));
    ASSAY_TRY(std::vector<double> values, numbers(view));
    out.prompts.push_back({ids, std::move(positions), std::move(values)});
    return {};
  }
};

std::vector<std::int64_t> all_positions(std::size_t n) {
  std::vector<std::int64_t> out(n);
  std::iota(out.begin(), out.end(), std::int64_t{0});
  return out;
}

Error no_ids(const std::string& path) {
  return Error{.code = Code::usage,
               .message = "these logits do not say which tokens they are of; give --ids",
               .file = path,
               .field = "--ids"};
}

Status read_numbered(Reader& r, const Prompts& prompts) {
  if (prompts.empty()) return no_ids(r.file.path());
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::int64_t shape[] = {static_cast<std::int64_t>(prompts[i].size()), r.vocab};
    ASSAY_TRY(const TensorView* view, r.file.need(fmt::format("logits.{}", i), shape));
    ASSAY_OK(r.add(*view, prompts[i], all_positions(prompts[i].size())));
  }
  return {};
}

// One tensor for one prompt, or for several of one length.
Status read_stacked(Reader& r, const TensorView& view, const Prompts& prompts) {
  if (prompts.empty()) return no_ids(r.file.path());
  if (view.shape.size() == 2 && prompts.size() == 1)
    return r.add(view, prompts[0], all_positions(prompts[0].size()));
  const auto n = static_cast<std::int64_t>(prompts[0].size());
  const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(prompts.size()), n, r.vocab};
  for (const auto& ids : prompts) {
    if (view.shape == shape && static_cast<std::int64_t>(ids.size()) == n) continue;
    return r.refuse(view, "the logits do not fit ids and vocabulary", shape_text(shape),
                    shape_text(view.shape));
  }
  ASSAY_TRY(const std::vector<double> values, r.numbers(view));
  const auto step = static_cast<std::ptrdiff_t>(n * r.vocab);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i) * step;
    r.out.prompts.push_back({prompts[i], all_positions(prompts[i].size()), {begin, begin + step}});
  }
  return {};
}

Status read_case(Reader& r, std::size_t i, const TensorView& view, const Prompts& prompts) {
  ASSAY_TRY(const std::vector<std::int64_t> wide, r.integers(fmt::format("case{}.input_ids", i)));
  ASSAY_TRY(std::vector<std::int64_t> positions, r.integers(fmt::format("case{}.positions", i)));
  std::vector<std::int32_t> ids;
  for (const std::int64_t id : wide)
    ids.push_back(id >= 0 && id < r.vocab ? static_cast<std::int32_t>(id) : -1);  // -1: check_ids refuses
  if (!prompts.empty() && (i >= prompts.size() || prompts[i] != ids))
    return r.refuse(view, "the file's own ids are not those of --ids", "the same prompts",
                    fmt::format("another prompt {}", i));
  for (std::size_t p = 0; p < positions.size(); ++p) {
    const std::int64_t least = p == 0 ? 0 : positions[p - 1] + 1;
    if (positions[p] >= least && positions[p] < static_cast<std::int64_t>(ids.size())) continue;
    return r.refuse(view, "positions of a case are not ascending inside its prompt",
                    fmt::format("{} to {}", least, ids.size()), std::to_string(positions[p]));
  }
  return r.add(view, ids, std::move(positions));
}

Status read_cases(Reader& r, const std::string& reading, const Prompts& prompts) {
  bool stored = false;
  for (std::size_t i = 0; r.file.find(fmt::format("case{}.logits", i)); ++i) {
    const TensorView* view = r.file.find(fmt::format("case{}.{}", i, reading));
    stored = stored || view;
    ASSAY_OK(read_case(r, i, view ? *view : *r.file.find(fmt::format("case{}.logits", i)), prompts));
  }
  if (stored) return {};
  return Error{.code = Code::missing_tensor,
               .message = "no case holds this reading",
               .file = r.file.path(),
               .field = reading,
               .expected = fmt::format("case0.{}", reading),
               .got = "nothing"};
}

void measure(OtherLogits& out) {
  double sum = 0, squares = 0, n = 0;
  for (const OtherPrompt& prompt : out.prompts) {
    for (const double each : prompt.logits) {
      out.max_abs = std::max(out.max_abs, std::abs(each));
      sum += each;
      squares += each * each;
      ++n;
    }
  }
  out.std = n > 0 ? std::sqrt(std::max(0.0, squares / n - sum / n * (sum / n))) : 0;
}

}  // namespace

std::int64_t OtherLogits::n_positions() const {
  std::int64_t n = 0;
  for (const OtherPrompt& prompt : prompts) n += static_cast<std::int64_t>(prompt.positions.size());
  return n;
}

Result<OtherLogits> read_other_logits(const std::string& path, const std::string& reading,
                                      const Prompts& prompts, std::int64_t vocab) {
  ASSAY_TRY(const Checkpoint file, Checkpoint::open(path));
  Reader r{file, vocab, {}};
  if (file.find("case0.logits")) {
    ASSAY_OK(read_cases(r, reading, prompts));
  } else if (const TensorView* whole = file.find("logits")) {
    ASSAY_OK(read_stacked(r, *whole, prompts));
  } else {
    ASSAY_OK(read_numbered(r, prompts));
  }
  if (r.out.n_positions() == 0) {
    return Error{.code = Code::bad_value,
                 .message = "there are no logits to explain",
                 .file = path,
                 .expected = "at least one row",
                 .got = "none"};
  }
  measure(r.out);
  return std::move(r.out);
}

}  // namespace assay
