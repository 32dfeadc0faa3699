// The header of one GGUF file (ggml/docs/gguf.md), versions 2 and 3, little-endian, parsed whole or refused.
//
//   "GGUF" | u32 version | u64 tensors | u64 metadata entries | entries | tensor entries | padding | tensor bytes
//
// Refused: other versions and big-endian files, strings, arrays or counts that the file is too short for or that pass the
// limits below, arrays of arrays, names twice, extents of 0, sizes that overflow, rows that are no whole number of blocks, an
// alignment that is no power of two, tensors that overlap, leave holes or end after the file, and bytes at the end that
// belong to nothing. Types that this program does not read (IQ*, TQ*, NVFP4 and so on) are refused by name. No byte behind
// the header is looked at; values point into the file.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "reference/weights/format.h"

namespace assay {

inline constexpr std::uint64_t kMaxGgufHeaderBytes = std::uint64_t{1}
                                                     << 29;  // a vocabulary of 260,000 takes 15 MB
inline constexpr std::uint64_t kMaxGgufEntries = 65'536;     // published files have below 100
inline constexpr std::uint64_t kMaxGgufKeyBytes = 65'535;    // gguf.md
inline constexpr std::uint64_t kMaxGgufNameBytes = 64;       // GGML_MAX_NAME
inline constexpr std::uint64_t kMaxGgufStringBytes = std::uint64_t{1}
                                                     << 26;  // the longest published template has 0.1 MB
inline constexpr std::uint64_t kMaxGgufRank = 4;             // GGML_MAX_DIMS
inline constexpr std::uint64_t kMaxGgufAlignment = 65'536;   // published files have 32

enum class GgufType : std::uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64
};
std::string_view name_of(GgufType type);

// A value of the metadata: its bytes in the file.
struct GgufValue {
  GgufType type = GgufType::u8;
  GgufType element = GgufType::u8;   // of an array
  std::uint64_t count = 1;           // elements of an array
  std::span<const std::byte> bytes;  // of a string without its length; of an array its elements as they stand
  std::int64_t offset = 0;           // in the file, for messages

  // No value where the type does not fit: integers of any width and sign that fit 63 bits, f32 and f64 (an f32 as the
  // shortest decimal that names it: the number that the writer had), booleans, strings.
  std::optional<std::int64_t> integer() const;
  std::optional<double> number() const;  // integers too
  std::optional<bool> boolean() const;
  std::optional<std::string_view> text() const;
  // Arrays: the elements as such values.
  std::optional<std::vector<std::string_view>> texts() const;
  std::optional<std::vector<std::int64_t>> integers() const;
  std::optional<std::vector<double>> numbers() const;
};

struct GgufEntry {
  std::string key;
  GgufValue value;
};

struct GgufTensor {
  std::string name;
  Format format = Format::F32;
  std::vector<std::int64_t> shape;  // row-major as elsewhere here: the file lists extents the other way round
  std::uint64_t begin = 0;          // byte in the file
  std::uint64_t size = 0;           // bytes
  std::uint64_t where = 0;          // byte in the file at which the entry begins: for messages
};

struct GgufHeader {
  std::uint32_t version = 0;
  std::vector<GgufEntry> metadata;  // ascending by key
  std::vector<GgufTensor> tensors;  // ascending by begin

  const GgufValue* find(std::string_view key) const;  // nullptr: not there
  const GgufTensor* tensor(std::string_view name) const;
  std::string_view architecture() const;  // general.architecture, "" where it is absent
};

bool begins_as_gguf(std::span<const std::byte> file);

// `file` are the bytes of the whole file (a mapping: only the header is read); `path` is only for errors.
Result<GgufHeader> parse_gguf_header(std::span<const std::byte> file, const std::string& path);

}  // namespace assay
