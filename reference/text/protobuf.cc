#include "reference/text/protobuf.h"

#include "base/check.h"

namespace assay {

Error WireReader::broken(std::string expected) const {
  return Error{.code = Code::bad_value,
               .message = "the file is no protocol buffer",
               .file = std::string(file_),
               .offset = static_cast<std::int64_t>(offset()),
               .expected = std::move(expected)};
}

Result<std::uint64_t> WireReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (at_ == message_.size()) return broken("a number that ends before the message does");
    const auto byte = static_cast<unsigned char>(message_[at_++]);
    if (shift == 63 && byte > 1) break;
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if (byte < 0x80) return value;
  }
  return broken("a number of at most 64 bits");
}

Result<std::uint64_t> WireReader::fixed(std::size_t bytes) {
  if (message_.size() - at_ < bytes) return broken("a number that ends before the message does");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(message_[at_ + i])) << (8 * i);
  at_ += bytes;
  return value;
}

Result<std::optional<WireField>> WireReader::next() {
  ASSAY_CHECK(at_ <= message_.size());
  if (at_ == message_.size()) return std::optional<WireField>();
  ASSAY_TRY(const std::uint64_t tag, varint());
  WireField field;
  field.number = static_cast<std::uint32_t>(tag >> 3U);
  if (tag >> 3U == 0 || tag >> 32U != 0) return broken("a field number from 1 to 2^29");
  field.type = static_cast<WireField::Type>(tag & 7U);
  switch (field.type) {
    case WireField::Type::kVarint: {
      ASSAY_TRY(field.value, varint());
      break;
    }
    case WireField::Type::kFixed64: {
      ASSAY_TRY(field.value, fixed(8));
      break;
    }
    case WireField::Type::kFixed32: {
      ASSAY_TRY(field.value, fixed(4));
      break;
    }
    case WireField::Type::kBytes: {
      ASSAY_TRY(const std::uint64_t length, varint());
      if (length > message_.size() - at_) return broken("a length within the message");
      field.bytes = message_.substr(at_, static_cast<std::size_t>(length));
      at_ += field.bytes.size();
      break;
    }
    default:
      return broken("a wire type of 0, 1, 2 or 5");
  }
  return std::optional<WireField>(field);
}

}  // namespace assay
