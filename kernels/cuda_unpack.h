// Weight panels (kernels/contract.h) into rows, and one weight of a row widened to f32. Included after cuda_block.h.
#pragma once
#include "kernels/accelerator.h"
#include "kernels/cuda_block.h"
#include "kernels/cuda_math.h"

namespace assay {
namespace {

// Panels of plain numbers: T is their storage.
template <class T>
struct UnpackPlainOp {
  std::int64_t n, n_in, stride;  // n = n_out * stride
  const T* panels;
  bool halves;  // outputs j and j + 16 side by side (bf16)
  T* rows;
  ASSAY_GPU void at(std::int64_t i) const {
    const std::int64_t o = i / stride, k = i % stride, j = o % kPanelOutputs;
    const std::int64_t place = halves ? 2 * (j % 16) + j / 16 : j;
    rows[i] = k < n_in ? panels[(o / kPanelOutputs * n_in + k) * kPanelOutputs + place] : T{0};
  }
};

constexpr std::int64_t kGpuMxfp4Group = kPanelOutputs + kMxfp4Inputs * kPanelOutputs / 2;
constexpr std::int64_t kGpuFp8Group = kPanelOutputs * 4 + kFp8Inputs * kPanelOutputs;

struct UnpackMxfp4Op {
  std::int64_t n, row_bytes, n_groups;  // n = n_out * row_bytes
  const std::uint8_t* panels;
  std::uint8_t *rows, *scales;
  ASSAY_GPU void at(std::int64_t i) const {
    const std::int64_t o = i / row_bytes, byte = i % row_bytes, j = o % kPanelOutputs;
    const std::uint8_t* const panel = panels + o / kPanelOutputs * n_groups * kGpuMxfp4Group;
    if (byte < n_groups) scales[o * n_groups + byte] = panel[byte * kGpuMxfp4Group + j];
    std::uint32_t both = 0;
    for (std::int64_t half = 0; half < 2; ++half) {
      const std::int64_t k = 2 * byte + half;
      if (k >= n_groups * kMxfp4Inputs) continue;
      const std::uint32_t codes =
          panel[k / kMxfp4Inputs * kGpuMxfp4Group + kPanelOutputs + k % kMxfp4Inputs * 16 + j % 16];
      both |= (j < 16 ? codes & 15u : codes >> 4) << (4 * half);
    }
    rows[i] = static_cast<std::uint8_t>(both);
  }
};

struct UnpackFp8Op {
  std::int64_t n, n_in, stride;  // n = n_out * stride
  const std::uint8_t* panels;
  std::uint8_t* rows;
  float* scales;
  ASSAY_GPU void at(std::int64_t i) const {
    const std::int64_t o = i / stride, k = i % stride, j = o % kPanelOutputs,
                       n_groups = (n_in + kFp8Inputs - 1) / kFp8Inputs;
    const std::uint8_t* const panel =
        panels + o / kPanelOutputs * (n_groups * kPanelOutputs * 4 + n_in * kPanelOutputs);
    if (k >= n_in) {
      rows[i] = 0;
      return;
    }
    const std::uint8_t* const group = panel + k / kFp8Inputs * kGpuFp8Group;
    rows[i] = group[kPanelOutputs * 4 + k % kFp8Inputs * kPanelOutputs + j];
    if (k % kFp8Inputs == 0) memcpy(&scales[o * n_groups + k / kFp8Inputs], group + 4 * j, sizeof(float));
  }
};

// A code without its scale: exact in bf16 for all formats but f32.
ASSAY_GPU float code_at(const DeviceMatrix& w, std::int64_t o, std::int64_t k) {
  const std::int64_t i = o * w.stride + k;
  switch (w.format) {
    case WeightFormat::f32:
      return static_cast<const float*>(w.codes)[i];
    case WeightFormat::bf16:
      return widened_bf16(static_cast<const std::uint16_t*>(w.codes)[i]);
    case WeightFormat::mxfp4:
      return gpu_e2m1(static_cast<const std::uint8_t*>(w.codes)[i / 2] >> (4 * (k % 2)) & 15u);
    case WeightFormat::e4m3:
      return gpu_e4m3(static_cast<const std::uint8_t*>(w.codes)[i]);
    case WeightFormat::e5m2:
      return gpu_e5m2(static_cast<const std::uint8_t*>(w.codes)[i]);
    case WeightFormat::q8_0:  // never brought here (PanelFormats::common)
    case WeightFormat::f16:
      break;
  }
  return 0.0f;
}

ASSAY_GPU float scale_at(const DeviceMatrix& w, std::int64_t o, std::int64_t k) {
  if (w.format == WeightFormat::mxfp4)
    return gpu_e8m0(
        static_cast<const std::uint8_t*>(w.scales)[o * (w.n_in / kMxfp4Inputs) + k / kMxfp4Inputs]);
  if (w.format == WeightFormat::e4m3 || w.format == WeightFormat::e5m2)
    return static_cast<const float*>(w.scales)[o * blocks_for(w.n_in, kFp8Inputs) + k / kFp8Inputs];
  return 1.0f;
}

ASSAY_GPU float weight_at(const DeviceMatrix& w, std::int64_t o, std::int64_t k) {
  return w.format <= WeightFormat::bf16 ? code_at(w, o, k) : code_at(w, o, k) * scale_at(w, o, k);
}

}  // namespace
}  // namespace assay
