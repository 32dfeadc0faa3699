// What the tests of the GPU's kernels share: the host in the GPU's place with threads in either order, the device where there is one, and
// arrays that lie there.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "kernels/accelerator.h"
#include "kernels/cuda.h"
#include "tests/unit/kernel_fixture.h"

namespace assay::test {

// Runs body on every accelerator; what it compares is told to the reader where no device is.
inline void each_accelerator(const std::function<void(Accelerator&)>& body) {
  ThreadPool pool(2);
  for (const bool downwards : {false, true}) {
    INFO("emulated, threads " << (downwards ? "downwards" : "upwards"));
    const auto host = emulated_accelerator(pool, downwards);
    body(*host);
    CHECK(host->finish() == nullptr);
  }
  auto device = open_cuda();
  if (!device.ok()) return;
  INFO((*device)->name());
  body(**device);
  const char* const fault = (*device)->finish();
  INFO((fault == nullptr ? "" : fault));
  CHECK(fault == nullptr);
}

// An array on the device.
template <class T>
class OnDevice {
 public:
  OnDevice(Accelerator& a, std::size_t n) : a_(a), n_(n), data_(static_cast<T*>(a.take(n * sizeof(T)))) {
    REQUIRE(data_ != nullptr);
  }
  OnDevice(Accelerator& a, std::span<const T> values) : OnDevice(a, values.size()) {
    a_.to_device(data_, values.data(), n_ * sizeof(T));
  }
  OnDevice(Accelerator& a, const std::vector<T>& values) : OnDevice(a, std::span<const T>(values)) {}
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  ~OnDevice() { a_.give(data_); }
  T* get() const { return data_; }
  std::vector<T> host() const {
    std::vector<T> out(n_);
    a_.to_host(out.data(), data_, n_ * sizeof(T));
    return out;
  }

 private:
  Accelerator& a_;
  std::size_t n_;
  T* data_;
};

// A weight matrix there, unpacked from its panels.
class MatrixOnDevice {
 public:
  MatrixOnDevice(Accelerator& a, const PackedMatrix& w)
      : panels_(a,
                std::span(static_cast<const std::byte*>(w.panels), packed_bytes(w.format, w.n_out, w.n_in))),
        codes_(a, device_code_bytes(w.format, w.n_out, w.n_in)),
        scales_(a, device_scale_bytes(w.format, w.n_out, w.n_in)) {
    matrix_ = {codes_.get(), scales_.get(), w.format, w.n_out, w.n_in, device_stride(w.format, w.n_in)};
    a.unpack({panels_.get(), w.format, w.n_out, w.n_in}, matrix_);
  }
  const DeviceMatrix& get() const { return matrix_; }

 private:
  OnDevice<std::byte> panels_, codes_, scales_;
  DeviceMatrix matrix_;
};

// Random weights in any format, in panels.
struct AnyWeights {
  std::vector<std::byte> memory;
  PackedMatrix packed;
};
inline AnyWeights any_weights(WeightFormat format, std::int64_t n_out, std::int64_t n_in,
                              std::uint64_t stream) {
  AnyWeights w;
  w.memory.resize(packed_bytes(format, n_out, n_in));
  Stream random(23, stream);
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(n_out * n_in));
  for (auto& code : codes) {
    const auto drawn = static_cast<std::uint8_t>(random.below(256));
    code = (drawn & 0x7fU) >= 0x7cU ? 0x31 : drawn;  // no NaN, no infinity
  }
  std::vector<float> numbers(codes.size()), scales(static_cast<std::size_t>(n_out * ((n_in + 127) / 128)));
  for (float& x : numbers) x = static_cast<float>(random.normal());
  for (float& x : scales) x = static_cast<float>(0.01 + random.normal() * 0.001);
  if (format == WeightFormat::f32) {
    w.packed = pack(numbers.data(), format, n_out, n_in, w.memory.data());
  } else if (format == WeightFormat::bf16) {
    std::vector<std::uint16_t> bits;
    for (const float x : numbers) bits.push_back(f32_to_bf16(x));
    w.packed = pack(bits.data(), format, n_out, n_in, w.memory.data());
  } else if (format == WeightFormat::mxfp4) {
    std::vector<std::uint8_t> powers(static_cast<std::size_t>(n_out * n_in / 32));
    for (auto& power : powers) power = static_cast<std::uint8_t>(120 + random.below(12));
    w.packed = pack_mxfp4(codes.data(), powers.data(), n_out, n_in, w.memory.data());
  } else {
    w.packed = pack_fp8(format, codes.data(), scales.data(), n_out, n_in, w.memory.data());
  }
  return w;
}

}  // namespace assay::test
