// The header of one safetensors file, parsed whole or refused (safetensors README, "Format").
//
//   8 bytes N, little-endian | N bytes JSON, first byte '{' | tensor bytes, covered exactly by the tensors
//
// Refused: a header above kMaxHeaderBytes, anything that is not the documented JSON (unknown keys included),
// duplicate names, unknown formats, shapes whose product overflows or does not fit the byte range, ranges
// that overlap, leave holes or end before or after the file. Zero-size and rank-0 tensors are legal, entries
// may stand in any order. No byte behind the header is looked at.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "reference/weights/format.h"

namespace assay {

inline constexpr std::uint64_t kMaxHeaderBytes =
    100'000'000;  // MAX_HEADER_SIZE of the reference implementation
inline constexpr std::size_t kMaxTensorsPerFile =
    1'000'000;                                        // DeepSeek-V3 has 91,991 in all its shards together
inline constexpr std::size_t kMaxNameBytes = 65'536;  // published names stay below 100
inline constexpr std::size_t kMaxRank = 32;           // published ranks stay below 6

struct HeaderEntry {
  std::string name;
  Format format = Format::F32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes from the end of the header
  std::uint64_t where = 0;           // byte in the file at which the entry ends: for messages
};

struct Header {
  std::vector<HeaderEntry> entries;                           // ascending by (begin, end, name)
  std::vector<std::pair<std::string, std::string>> metadata;  // `__metadata__`
  std::uint64_t data_begin = 0;                               // byte in the file at which tensor data begin
};

// `file` are the bytes of the whole file (a mapping: only the header is read); `path` is only for errors.
Result<Header> parse_safetensors_header(std::span<const std::byte> file, const std::string& path);

// Number of elements, or no value where the product does not fit 63 bits.
std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape);

std::string shape_text(std::span<const std::int64_t> shape);  // "[3, 4]"

}  // namespace assay
