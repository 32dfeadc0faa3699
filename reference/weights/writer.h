// Writes .safetensors files that parse_safetensors_header accepts: names ascending, no holes, data aligned to
// 8 bytes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "reference/weights/format.h"

namespace assay {

// A tensor to write; the bytes belong to the caller and must be exactly those of format and shape (checked).
struct TensorOut {
  std::string name;
  Format format = Format::F32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

// For rows that are plain numbers: float F32, double F64, std::int64_t I64, std::uint16_t BF16.
TensorOut tensor_out(std::string name, std::vector<std::int64_t> shape, std::span<const float> values);
TensorOut tensor_out(std::string name, std::vector<std::int64_t> shape, std::span<const double> values);
TensorOut tensor_out(std::string name, std::vector<std::int64_t> shape, std::span<const std::int64_t> values);
TensorOut tensor_out_bf16(std::string name, std::vector<std::int64_t> shape,
                          std::span<const std::uint16_t> codes);

// Writes a sibling file and renames it: a reader sees the old file or the new one. Names must differ.
Status write_safetensors(const std::string& path, std::span<const TensorOut> tensors,
                         std::span<const std::pair<std::string, std::string>> metadata = {});

// The same where the bytes of a tensor are made when their turn comes, so that one is in memory at a time: fill(i, bytes) writes
// those of tensors[i], whose own span is empty.
using FillTensor = std::function<Status(std::size_t index, std::span<std::byte> bytes)>;
Status write_safetensors_made(const std::string& path, std::span<const TensorOut> tensors,
                              const FillTensor& fill);

}  // namespace assay
