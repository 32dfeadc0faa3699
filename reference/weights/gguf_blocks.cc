#include "reference/weights/gguf_blocks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "reference/weights/dequant.h"

namespace assay {
namespace {

constexpr int kMaxBlock = 256;  // QK_K
using Values = std::array<float, kMaxBlock>;

unsigned byte_at(const std::byte* p, int i) { return std::to_integer<unsigned>(p[i]); }

float half_at(const std::byte* p, int i) {
  return widen_f16(static_cast<std::uint16_t>(byte_at(p, i) | byte_at(p, i + 1) << 8));
}

// A group of elements as all formats but MXFP4 have it: value = code * scale + offset.
struct Group {
  float scale = 0, offset = 0;
};

// Nibble j of 16 bytes: the low ones are elements 0 to 15, the high ones 16 to 31.
int split_nibble(const std::byte* p, int j) {
  return static_cast<int>(j < 16 ? byte_at(p, j) & 15U : byte_at(p, j - 16) >> 4);
}

int high_bit(const std::byte* p, int j) { return static_cast<int>(byte_at(p, j / 8) >> (j % 8) & 1U); }

// Six-bit scales and minima of Q4_K and Q5_K, eight of each in 12 bytes: 4 + 4 whole ones, then the low nibbles of the others,
// whose high bits lie above the first.
struct ScaleMin {
  unsigned scale, min;
};
ScaleMin scale_min(const std::byte* p, int i) {
  if (i < 4) return {byte_at(p, i) & 63U, byte_at(p, i + 4) & 63U};
  return {(byte_at(p, i + 4) & 15U) | byte_at(p, i - 4) >> 6 << 4,
          byte_at(p, i + 4) >> 4 | byte_at(p, i) >> 6 << 4};
}

// Six-bit scales of Q3_K, 16 in 12 bytes: low nibbles in the first 8 bytes, two high bits each in the last 4; minus 32.
int q3_scale(const std::byte* p, int i) {
  const unsigned low = i < 8 ? byte_at(p, i) & 15U : byte_at(p, i - 8) >> 4;
  const unsigned high = byte_at(p, 8 + i % 4) >> (2 * (i / 4)) & 3U;
  return static_cast<int>(low | high << 4) - 32;
}

// Two-bit codes of Q2_K and Q3_K: in each half of 128 elements, 32 bytes hold four rows of 32 elements from low bits to high.
int two_bits(const std::byte* p, int j) {
  return static_cast<int>(byte_at(p, j / 128 * 32 + j % 32) >> (2 * (j % 128 / 32)) & 3U);
}

// Four-bit codes of Q4_K and Q5_K: 32 bytes hold two rows of 32 elements.
int four_bits(const std::byte* p, int j) {
  return static_cast<int>(byte_at(p, j / 64 * 32 + j % 32) >> (4 * (j % 64 / 32)) & 15U);
}

int q6_code(const std::byte* b, int j) {
  const int half = j / 128, row = j % 128 / 32, column = j % 32;
  const unsigned low = byte_at(b, half * 64 + row % 2 * 32 + column) >> (row / 2 * 4) & 15U;
  const unsigned high = byte_at(b, 128 + half * 32 + column) >> (2 * row) & 3U;
  return static_cast<int>(low | high << 4) - 32;
}

// Scale and offset of the group that element j belongs to.
Group group_of(Format format, const std::byte* b, int j) {
  const auto product = [](float d, int s) { return d * static_cast<float>(s); };
  switch (format) {
    case Format::Q4_0:
    case Format::Q5_0:
    case Format::Q8_0:
      return {half_at(b, 0), 0};
    case Format::Q4_1:
    case Format::Q5_1:
      return {half_at(b, 0), half_at(b, 2)};
    case Format::Q2_K: {
      const unsigned s = byte_at(b, j / 16);
      return {product(half_at(b, 80), static_cast<int>(s & 15U)),
              -product(half_at(b, 82), static_cast<int>(s >> 4))};
    }
    case Format::Q3_K:
      return {product(half_at(b, 108), q3_scale(b + 96, j / 16)), 0};
    case Format::Q4_K:
    case Format::Q5_K: {
      const ScaleMin s = scale_min(b + 4, j / 32);
      return {product(half_at(b, 0), static_cast<int>(s.scale)),
              -product(half_at(b, 2), static_cast<int>(s.min))};
    }
    case Format::Q6_K:
      return {product(half_at(b, 208), static_cast<std::int8_t>(byte_at(b, 192 + j / 16))), 0};
    default:
      ASSAY_CHECK(false);
  }
}

// e2m1 codes doubled, and half of 2^(e - 127), as ggml stores and multiplies them (ggml_e8m0_to_fp32_half).
float mxfp4_scale(unsigned e) {
  return std::bit_cast<float>(e < 2 ? std::uint32_t{0x00200000} << e : std::uint32_t{e - 1} << 23);
}
void widen_mxfp4(const std::byte* b, Values& out) {
  static constexpr std::array<int, 16> kDoubled = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  const float scale = mxfp4_scale(byte_at(b, 0));
  for (int j = 0; j < 32; ++j) {
    const int code = kDoubled[static_cast<std::size_t>(split_nibble(b + 1, j))];
    out[static_cast<std::size_t>(j)] = scale * static_cast<float>(code);
  }
}

void widen_one(Format format, const std::byte* b, Values& out) {
  // One group for `width` elements, looked up once.
  const auto widen = [&](int n, int width, bool offset, auto code) {
    for (int begin = 0; begin < n; begin += width) {
      const Group g = group_of(format, b, begin);
      for (int j = begin; j < begin + width; ++j) {
        const float product = static_cast<float>(code(j)) * g.scale;
        out[static_cast<std::size_t>(j)] = offset ? product + g.offset : product;
      }
    }
  };
  switch (format) {
    case Format::Q4_0:
      return widen(32, 32, false, [&](int j) { return split_nibble(b + 2, j) - 8; });
    case Format::Q4_1:
      return widen(32, 32, true, [&](int j) { return split_nibble(b + 4, j); });
    case Format::Q5_0:
      return widen(32, 32, false,
                   [&](int j) { return (split_nibble(b + 6, j) | high_bit(b + 2, j) << 4) - 16; });
    case Format::Q5_1:
      return widen(32, 32, true, [&](int j) { return split_nibble(b + 8, j) | high_bit(b + 4, j) << 4; });
    case Format::Q8_0:
      return widen(32, 32, false, [&](int j) { return static_cast<std::int8_t>(byte_at(b, 2 + j)); });
    case Format::Q2_K:
      return widen(256, 16, true, [&](int j) { return two_bits(b + 16, j); });
    case Format::Q3_K:
      return widen(256, 16, false, [&](int j) {
        const unsigned high = byte_at(b, j % 32) >> (j / 32) & 1U;
        return two_bits(b + 32, j) - (high != 0 ? 0 : 4);
      });
    case Format::Q4_K:
      return widen(256, 32, true, [&](int j) { return four_bits(b + 16, j); });
    case Format::Q5_K:
      return widen(256, 32, true, [&](int j) {
        const unsigned high = byte_at(b, 16 + j % 32) >> (j / 32) & 1U;
        return four_bits(b + 48, j) + (high != 0 ? 16 : 0);
      });
    case Format::Q6_K:
      return widen(256, 16, false, [&](int j) { return q6_code(b, j); });
    case Format::MXFP4:
      return widen_mxfp4(b, out);
    default:
      ASSAY_CHECK(false);
  }
}

void steps_of_one(Format format, const std::byte* b, Values& out) {
  const int n = block_shape(format).elements;
  for (int j = 0; j < n; ++j) {
    // e2m1 has steps of 0.5 to 2; the widest bounds them all.
    const float step =
        format == Format::MXFP4 ? 4 * mxfp4_scale(byte_at(b, 0)) : std::abs(group_of(format, b, j).scale);
    out[static_cast<std::size_t>(j)] = step;
  }
}

template <class One>
void each_block(Format format, const std::byte* blocks, std::int64_t first, std::span<float> out, One one) {
  ASSAY_CHECK(is_gguf_block(format) && first >= 0);
  const BlockShape shape = block_shape(format);
  const auto end = first + static_cast<std::int64_t>(out.size());
  Values values;
  for (std::int64_t at = first; at < end;) {
    const std::int64_t block = at / shape.elements, begin = at - block * shape.elements;
    const std::int64_t n = std::min<std::int64_t>(shape.elements - begin, end - at);
    one(format, blocks + block * shape.bytes, values);
    std::copy_n(values.begin() + begin, n, out.begin() + (at - first));
    at += n;
  }
}

}  // namespace

void widen_gguf_blocks(Format format, const std::byte* blocks, std::int64_t first, std::span<float> out) {
  each_block(format, blocks, first, out, widen_one);
}

void gguf_block_steps(Format format, const std::byte* blocks, std::int64_t first, std::span<float> out) {
  each_block(format, blocks, first, out, steps_of_one);
}

}  // namespace assay
