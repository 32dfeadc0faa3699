// Draws what Dear ImGui wants drawn on the processor: pictures for the README and for tests, without display
// or GPU. Deterministic: vertices are rounded to 1/256 pixel, coverage is decided in integers, and nothing
// contracts
// (-ffp-contract=off), so that every compiler and instruction set gives the same bytes.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

struct ImDrawData;

namespace assay::gui {

inline constexpr int kMaxImageSide = 16384;  // pixels; a larger picture is a mistake in --size

// 8-bit RGBA, rows from the top, no padding; (height, width, 4).
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgba;

  Image() = default;
  Image(int w, int h);
  const std::uint8_t* pixel(int x, int y) const;
  std::string digest() const;  // SHA-256 over size and bytes
};

// The current context's font atlas as Dear ImGui built it.
Image font_atlas();

// Renders over an opaque background colour (0xAABBGGRR as IM_COL32 packs it). Textures: the font atlas, which
// is the only one this program uses; it is read as alpha with linear filtering, as OpenGL does.
Image rasterise(const ImDrawData& data, const Image& font_atlas, std::uint32_t background);

// PNG without alpha (pictures are opaque), through libstb.
Result<std::string> encode_png(const Image& image);

}  // namespace assay::gui
