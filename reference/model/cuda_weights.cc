#include "reference/model/cuda_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace assay {
namespace {

std::size_t to_256(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

// Pointers that are still offsets into a layer's memory, one more than they say so that 0 is not nullptr.
template <class T>
const T* offset_pointer(std::size_t offset) {
  return reinterpret_cast<const T*>(offset + 1);
}
template <class T>
void rebase(const T*& pointer, unsigned char* base) {
  if (pointer != nullptr)
    pointer = reinterpret_cast<const T*>(base + reinterpret_cast<std::size_t>(pointer) - 1);
}
void rebase(DeviceLinear& linear, unsigned char* base) {
  if (linear.host == nullptr) return;
  const auto* codes = static_cast<const unsigned char*>(linear.matrix.codes);
  const auto* scales = static_cast<const unsigned char*>(linear.matrix.scales);
  rebase(codes, base);
  rebase(scales, base);
  rebase(linear.bias, base);
  linear.matrix.codes = codes;
  linear.matrix.scales = scales;
}

}  // namespace

// Gives every piece of a layer its place.
class DeviceWeights::Planner {
 public:
  explicit Planner(Image& image) : image_(image) {}

  const float* vector(const std::vector<float>& values) {
    if (values.empty()) return nullptr;
    const std::size_t bytes = values.size() * sizeof(float), to = reserve(image_.bytes, bytes);
    image_.pieces.push_back({values.data(), bytes, reserve(image_.raw_bytes, bytes), to, 0, {}, false});
    return offset_pointer<float>(to);
  }

  DeviceLinear linear(const PackedLinear& from) {
    DeviceLinear out;
    if (from.empty()) return out;
    const PackedMatrix& m = from.matrix;
    const std::size_t bytes = packed_bytes(m.format, m.n_out, m.n_in);
    const std::size_t codes = reserve(image_.bytes, device_code_bytes(m.format, m.n_out, m.n_in)),
                      scales = reserve(image_.bytes, device_scale_bytes(m.format, m.n_out, m.n_in));
    image_.pieces.push_back({m.panels, bytes, reserve(image_.raw_bytes, bytes), codes, scales, m, true});
    out.matrix = {offset_pointer<unsigned char>(codes),
                  offset_pointer<unsigned char>(scales),
                  m.format,
                  m.n_out,
                  m.n_in,
                  device_stride(m.format, m.n_in)};
    out.bias = vector(from.bias);
    out.host = &from;
    return out;
  }

  DeviceMlp mlp(const PackedMlp& from) { return {linear(from.gate_up), linear(from.down)}; }

 private:
  static std::size_t reserve(std::size_t& end, std::size_t bytes) {
    return std::exchange(end, end + to_256(bytes));
  }
  Image& image_;
};

DeviceWeights::Image DeviceWeights::plan_layer(const PackedLayer& from) {
  Image image;
  Planner plan(image);
  DeviceLayer& to = image.layer;
  to.input_norm = plan.vector(from.input_norm);
  to.post_norm = plan.vector(from.post_norm);
  to.q_norm = plan.vector(from.q_norm);
  to.k_norm = plan.vector(from.k_norm);
  to.q_a_norm = plan.vector(from.q_a_norm);
  to.kv_a_norm = plan.vector(from.kv_a_norm);
  to.sinks = plan.vector(from.sinks);
  to.correction = plan.vector(from.correction);
  to.inputs = plan.linear(from.inputs);
  to.q_b = plan.linear(from.q_b);
  to.kv_b = plan.linear(from.kv_b);
  to.o = plan.linear(from.o);
  to.router = plan.linear(from.router);
  to.shared_gate = plan.linear(from.shared_gate);
  to.dense = plan.mlp(from.dense);
  to.shared = plan.mlp(from.shared);
  for (const PackedMlp& expert : from.experts) to.experts.push_back(plan.mlp(expert));
  return image;
}

DeviceLayer DeviceWeights::materialise(const Image& image, unsigned char* rows) const {
  DeviceLayer out = image.layer;
  for (const float** vector : {&out.input_norm, &out.post_norm, &out.q_norm, &out.k_norm, &out.q_a_norm,
                               &out.kv_a_norm, &out.sinks, &out.correction})
    rebase(*vector, rows);
  for (DeviceLinear* linear : {&out.inputs, &out.q_b, &out.kv_b, &out.o, &out.router, &out.shared_gate,
                               &out.dense.gate_up, &out.dense.down, &out.shared.gate_up, &out.shared.down})
    rebase(*linear, rows);
  for (DeviceMlp& expert : out.experts) {
    rebase(expert.gate_up, rows);
    rebase(expert.down, rows);
  }
  return out;
}

void DeviceWeights::unpack(const Image& image, const unsigned char* raw, unsigned char* rows) const {
  for (const Piece& p : image.pieces) {
    if (!p.is_matrix) {
      a_->copy(rows + p.to, raw + p.raw, p.bytes);
      continue;
    }
    const DeviceMatrix to{rows + p.to,    rows + p.scales, p.panels.format,
                          p.panels.n_out, p.panels.n_in,   device_stride(p.panels.format, p.panels.n_in)};
    a_->unpack({raw + p.raw, p.panels.format, p.panels.n_out, p.panels.n_in}, to);
  }
}

void* DeviceWeights::take(std::size_t bytes) {
  void* const memory = a_->take(bytes);
  taken_.push_back(memory);
  bytes_ += bytes;
  return memory;
}

unsigned char* DeviceWeights::bring(const Image& image) {
  auto* const rows = static_cast<unsigned char*>(take(image.bytes));
  auto* const raw = static_cast<unsigned char*>(a_->take(image.raw_bytes));
  if (rows == nullptr || raw == nullptr) return rows;
  a_->stream_begin();
  for (const Piece& p : image.pieces) a_->stream_up(raw + p.raw, p.host, p.bytes);
  a_->stream_ready();
  unpack(image, raw, rows);
  a_->give(raw);
  return rows;
}

Result<DeviceWeights> DeviceWeights::place(Accelerator& accelerator, const PackedModel& model,
                                           std::uint64_t budget, bool streamed) {
  DeviceWeights out(accelerator);
  Image ends;
  Planner plan(ends);
  const float* norm = plan.vector(model.ends.norm);
  out.head_ = plan.linear(model.ends.head);
  std::uint64_t all = ends.bytes, largest = 0, largest_raw = 0;
  for (const PackedLayer& layer : model.layers) {
    out.images_.push_back(plan_layer(layer));
    all += out.images_.back().bytes;
    largest = std::max<std::uint64_t>(largest, out.images_.back().bytes);
    largest_raw = std::max<std::uint64_t>(largest_raw, out.images_.back().raw_bytes);
  }
  const bool resident = !streamed && all + largest_raw <= budget;
  const std::uint64_t least = ends.bytes + ends.raw_bytes + largest + 2 * largest_raw;
  if (!resident && least > budget) {
    return Error{.code = Code::memory_limit,
                 .message =
                     "the device's memory does not hold the layers that are computed at a time; take another "
                     "device or the CPU",
                 .field = "device memory",
                 .expected = fmt::format("at least {} bytes for weights", least),
                 .got = std::to_string(budget)};
  }
  unsigned char* const last = out.bring(ends);
  rebase(norm, last);
  rebase(out.head_, last);
  out.norm_ = norm;
  for (const Image& image : out.images_) {
    if (resident) out.layers_.push_back(out.materialise(image, out.bring(image)));
  }
  if (!resident) {
    out.streamed_rows_ = static_cast<unsigned char*>(out.take(largest));
    for (unsigned char*& raw : out.raw_) raw = static_cast<unsigned char*>(out.take(largest_raw));
    for (const Image& image : out.images_) out.layers_.push_back(out.materialise(image, out.streamed_rows_));
  }
  if (const char* fault = accelerator.finish())
    return Error{.code = Code::memory_limit,
                 .message = std::string("weights could not be brought to the device: ") + fault,
                 .field = "device memory"};
  return out;
}

void DeviceWeights::prefetch(std::size_t i) {
  if (is_resident() || i >= images_.size()) return;
  const std::size_t slot = i % 2;
  if (in_raw_[slot] == static_cast<std::int64_t>(i)) return;
  for (const Piece& p : images_[i].pieces) a_->stream_up(raw_[slot] + p.raw, p.host, p.bytes);
  in_raw_[slot] = static_cast<std::int64_t>(i);
}

const DeviceLayer& DeviceWeights::layer(std::size_t i) {
  ASSAY_CHECK(i < layers_.size());
  if (is_resident() || in_rows_ == static_cast<std::int64_t>(i)) return layers_[i];
  prefetch(i);
  a_->stream_ready();
  unpack(images_[i], raw_[i % 2], streamed_rows_);
  a_->stream_begin();  // the next layer may come once this one has left its raw memory, and with it the one before
  in_rows_ = static_cast<std::int64_t>(i);
  return layers_[i];
}

DeviceWeights::DeviceWeights(DeviceWeights&& o) noexcept
    : a_(o.a_),
      taken_(std::exchange(o.taken_, {})),
      images_(std::move(o.images_)),
      layers_(std::move(o.layers_)),
      streamed_rows_(o.streamed_rows_),
      raw_{o.raw_[0], o.raw_[1]},
      in_rows_(o.in_rows_),
      in_raw_{o.in_raw_[0], o.in_raw_[1]},
      norm_(o.norm_),
      head_(o.head_),
      bytes_(o.bytes_) {}

DeviceWeights::~DeviceWeights() {
  for (void* memory : taken_) a_->give(memory);
}

}  // namespace assay
