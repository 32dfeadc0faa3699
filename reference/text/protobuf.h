// The wire format of protocol buffers (protobuf.dev/programming-guides/encoding), read field by field: enough
// for SentencePiece models. Nothing is copied; groups, which proto3 dropped, are refused.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace assay {

struct WireField {
  std::uint32_t number = 0;
  enum class Type : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 } type = Type::kVarint;
  std::uint64_t value = 0;      // kVarint, kFixed64, kFixed32
  std::string_view bytes = {};  // kBytes
};

class WireReader {
 public:
  // `message` lies at byte `offset` of `file`, which are only for errors.
  WireReader(std::string_view message, std::string_view file, std::size_t offset = 0)
      : message_(message), file_(file), offset_(offset) {}

  // The next field; nullopt at the end. Refused: truncated or overlong numbers, lengths beyond the end, number 0.
  Result<std::optional<WireField>> next();
  std::size_t offset() const { return offset_ + at_; }

 private:
  Result<std::uint64_t> varint();
  Result<std::uint64_t> fixed(std::size_t bytes);
  Error broken(std::string expected) const;

  std::string_view message_, file_;
  std::size_t offset_ = 0, at_ = 0;
};

}  // namespace assay
