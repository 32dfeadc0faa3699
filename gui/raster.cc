#include "gui/raster.h"

#include <imgui.h>
#include <stb/stb_image_write.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/sha256.h"

namespace assay::gui {
namespace {

constexpr std::int64_t kSub = 256;  // sub-pixel steps a pixel

struct Point {
  std::int64_t x, y;  // 1/256 pixel
};

// Half-open rectangle of whole pixels.
struct Box {
  int x0, y0, x1, y1;
};

struct Colour {
  std::array<std::uint32_t, 4> c;  // red, green, blue, alpha in 0 … 255
};

Colour unpack(std::uint32_t packed) {
  return {{packed & 255u, (packed >> 8) & 255u, (packed >> 16) & 255u, packed >> 24}};
}

// Positions far outside every image are clamped: products of two differences then stay below 2^56.
std::int64_t to_sub(float v) {
  const double limit = 4.0 * kMaxImageSide;
  const double clamped = v > -limit ? (v < limit ? static_cast<double>(v) : limit) : -limit;
  return static_cast<std::int64_t>(std::llround(clamped * static_cast<double>(kSub)));
}

std::int64_t edge(Point a, Point b, Point p) { return (b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x); }

// Pixels whose centre lies exactly on an edge belong to the triangle on its left or below its top edge, so
// that two triangles that share an edge never draw a pixel twice.
bool owns_edge(Point a, Point b) { return a.y > b.y || (a.y == b.y && a.x < b.x); }

std::uint32_t divide_255(std::uint32_t v) { return (v + 128 + ((v + 128) >> 8)) >> 8; }

void blend(std::uint8_t* to, const Colour& source) {
  const std::uint32_t alpha = source.c[3];
  if (alpha == 0) return;
  for (int i = 0; i < 3; ++i) {
    const std::uint32_t mixed = source.c[static_cast<std::size_t>(i)] * alpha + to[i] * (255 - alpha);
    to[i] = static_cast<std::uint8_t>(divide_255(mixed));
  }
}

// Linear filtering of the atlas's alpha; coordinates in texels, clamped at the border.
std::uint32_t sample_alpha(const Image& atlas, double u, double v) {
  const double x = std::clamp(u * atlas.width - 0.5, 0.0, static_cast<double>(atlas.width - 1));
  const double y = std::clamp(v * atlas.height - 0.5, 0.0, static_cast<double>(atlas.height - 1));
  const int x0 = static_cast<int>(x), y0 = static_cast<int>(y);
  const int x1 = std::min(x0 + 1, atlas.width - 1), y1 = std::min(y0 + 1, atlas.height - 1);
  const double fx = x - x0, fy = y - y0;
  const double top = atlas.pixel(x0, y0)[3] * (1 - fx) + atlas.pixel(x1, y0)[3] * fx;
  const double low = atlas.pixel(x0, y1)[3] * (1 - fx) + atlas.pixel(x1, y1)[3] * fx;
  return static_cast<std::uint32_t>(top * (1 - fy) + low * fy + 0.5);
}

// A triangle with a consistent winding, ready to be asked per pixel.
struct Triangle {
  const ImDrawVert* v[3];
  Point p[3];
  std::int64_t area;     // twice the area, > 0
  std::int64_t bias[3];  // 0 where the edge owns its pixels, -1 elsewhere
  bool flat_colour, flat_uv;
  std::uint32_t flat_alpha;  // of the texture, where flat_uv
};

bool prepare(Triangle& t, const Image& atlas) {
  for (int i = 0; i < 3; ++i) t.p[i] = {to_sub(t.v[i]->pos.x), to_sub(t.v[i]->pos.y)};
  t.area = edge(t.p[0], t.p[1], t.p[2]);
  if (t.area == 0) return false;
  if (t.area < 0) {
    std::swap(t.v[1], t.v[2]);
    std::swap(t.p[1], t.p[2]);
    t.area = -t.area;
  }
  for (int i = 0; i < 3; ++i) t.bias[i] = owns_edge(t.p[(i + 1) % 3], t.p[(i + 2) % 3]) ? 0 : -1;
  t.flat_colour = t.v[0]->col == t.v[1]->col && t.v[1]->col == t.v[2]->col;
  const auto same_uv = [](const ImVec2& a, const ImVec2& b) { return a.x == b.x && a.y == b.y; };
  t.flat_uv = same_uv(t.v[0]->uv, t.v[1]->uv) && same_uv(t.v[1]->uv, t.v[2]->uv);
  t.flat_alpha = t.flat_uv ? sample_alpha(atlas, t.v[0]->uv.x, t.v[0]->uv.y) : 255;
  return true;
}

Colour shade(const Triangle& t, const std::int64_t (&w)[3], const Image& atlas) {
  double part[3];
  for (int i = 0; i < 3; ++i) part[i] = static_cast<double>(w[i]) / static_cast<double>(t.area);
  Colour colour = unpack(t.v[0]->col);
  if (!t.flat_colour) {
    const Colour corner[3] = {unpack(t.v[0]->col), unpack(t.v[1]->col), unpack(t.v[2]->col)};
    for (std::size_t k = 0; k < 4; ++k) {
      const double mixed = corner[0].c[k] * part[0] + corner[1].c[k] * part[1] + corner[2].c[k] * part[2];
      colour.c[k] = static_cast<std::uint32_t>(mixed + 0.5);
    }
  }
  std::uint32_t alpha = t.flat_alpha;
  if (!t.flat_uv) {
    const double u = t.v[0]->uv.x * part[0] + t.v[1]->uv.x * part[1] + t.v[2]->uv.x * part[2];
    const double v = t.v[0]->uv.y * part[0] + t.v[1]->uv.y * part[1] + t.v[2]->uv.y * part[2];
    alpha = sample_alpha(atlas, u, v);
  }
  colour.c[3] = divide_255(colour.c[3] * alpha);
  return colour;
}

// First and one-past-last pixel whose centre may lie in [low, high] (1/256 pixel), cut to [from, to).
std::pair<int, int> pixel_range(std::int64_t low, std::int64_t high, int from, int to) {
  const std::int64_t first = std::max<std::int64_t>(from, low / kSub - 1);
  const std::int64_t last = std::min<std::int64_t>(to, high / kSub + 2);
  return {static_cast<int>(std::min<std::int64_t>(first, to)),
          static_cast<int>(std::max<std::int64_t>(last, from))};
}

void draw_triangle(Image& image, Triangle t, const Box& clip, const Image& atlas) {
  if (!prepare(t, atlas)) return;
  const auto [x_low, x_high] = std::minmax({t.p[0].x, t.p[1].x, t.p[2].x});
  const auto [y_low, y_high] = std::minmax({t.p[0].y, t.p[1].y, t.p[2].y});
  const auto [x0, x1] = pixel_range(x_low, x_high, clip.x0, clip.x1);
  const auto [y0, y1] = pixel_range(y_low, y_high, clip.y0, clip.y1);
  const bool constant = t.flat_colour && t.flat_uv;
  const std::int64_t whole[3] = {t.area, 0, 0};
  const Colour flat = shade(t, whole, atlas);
  // The edge functions are linear: a pixel to the right adds a constant.
  std::int64_t step[3];
  for (int i = 0; i < 3; ++i) step[i] = -(t.p[(i + 2) % 3].y - t.p[(i + 1) % 3].y) * kSub;
  for (int y = y0; y < y1; ++y) {
    const Point p{x0 * kSub + kSub / 2, y * kSub + kSub / 2};
    std::int64_t w[3] = {edge(t.p[1], t.p[2], p), edge(t.p[2], t.p[0], p), edge(t.p[0], t.p[1], p)};
    std::uint8_t* to = image.rgba.data() + (static_cast<std::size_t>(y) * image.width + x0) * 4;
    for (int x = x0; x < x1; ++x, to += 4) {
      if (w[0] + t.bias[0] >= 0 && w[1] + t.bias[1] >= 0 && w[2] + t.bias[2] >= 0) {
        blend(to, constant ? flat : shade(t, w, atlas));
      }
      for (int i = 0; i < 3; ++i) w[i] += step[i];
    }
  }
}

int clamp_side(float v, int limit) {
  return std::clamp(static_cast<int>(std::clamp(v, -1e6F, 1e6F)), 0, limit);
}

void draw_list(Image& image, const ImDrawData& data, const ImDrawList& list, const Image& atlas) {
  for (const ImDrawCmd& cmd : list.CmdBuffer) {
    if (cmd.UserCallback != nullptr) continue;
    const Box clip{clamp_side(cmd.ClipRect.x - data.DisplayPos.x, image.width),
                   clamp_side(cmd.ClipRect.y - data.DisplayPos.y, image.height),
                   clamp_side(cmd.ClipRect.z - data.DisplayPos.x, image.width),
                   clamp_side(cmd.ClipRect.w - data.DisplayPos.y, image.height)};
    ASSAY_CHECK(cmd.IdxOffset + cmd.ElemCount <= static_cast<unsigned>(list.IdxBuffer.Size));
    for (unsigned i = 0; i + 2 < cmd.ElemCount; i += 3) {
      Triangle t{};
      for (unsigned k = 0; k < 3; ++k) {
        const unsigned vertex = list.IdxBuffer.Data[cmd.IdxOffset + i + k] + cmd.VtxOffset;
        ASSAY_CHECK(vertex < static_cast<unsigned>(list.VtxBuffer.Size));
        t.v[k] = &list.VtxBuffer.Data[vertex];
      }
      draw_triangle(image, t, clip, atlas);
    }
  }
}

}  // namespace

Image::Image(int w, int h) : width(w), height(h) {
  ASSAY_CHECK(w >= 0 && w <= kMaxImageSide && h >= 0 && h <= kMaxImageSide);
  rgba.assign(static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * 4, 0);
}

const std::uint8_t* Image::pixel(int x, int y) const {
  return rgba.data() +
         (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)) * 4;
}

std::string Image::digest() const {
  const std::int32_t size[2] = {width, height};
  return Sha256().add(size, sizeof size).add(rgba.data(), rgba.size()).hex();
}

Image font_atlas() {
  unsigned char* pixels = nullptr;
  int width = 0, height = 0;
  ImGui::GetIO().Fonts->GetTexDataAsRGBA32(&pixels, &width, &height);
  ASSAY_CHECK(pixels != nullptr);
  Image atlas(width, height);
  atlas.rgba.assign(pixels, pixels + atlas.rgba.size());
  return atlas;
}

Image rasterise(const ImDrawData& data, const Image& font_atlas, std::uint32_t background) {
  ASSAY_CHECK(data.Valid);
  ASSAY_CHECK(font_atlas.width > 0 && font_atlas.height > 0);
  Image image(static_cast<int>(data.DisplaySize.x), static_cast<int>(data.DisplaySize.y));
  const Colour back = unpack(background);
  for (std::size_t i = 0; i < image.rgba.size(); i += 4) {
    for (std::size_t k = 0; k < 3; ++k) image.rgba[i + k] = static_cast<std::uint8_t>(back.c[k]);
    image.rgba[i + 3] = 255;
  }
  for (int i = 0; i < data.CmdListsCount; ++i) draw_list(image, data, *data.CmdLists[i], font_atlas);
  return image;
}

Result<std::string> encode_png(const Image& image) {
  if (image.width <= 0 || image.height <= 0) {
    return Error{.code = Code::bad_value, .message = "an empty picture cannot be written as PNG"};
  }
  std::vector<std::uint8_t> rgb;  // (height, width, 3)
  rgb.reserve(image.rgba.size() / 4 * 3);
  for (std::size_t i = 0; i < image.rgba.size(); i += 4)
    rgb.insert(rgb.end(), &image.rgba[i], &image.rgba[i] + 3);
  std::string bytes;
  const auto append = [](void* to, void* data, int size) {
    static_cast<std::string*>(to)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
  };
  if (stbi_write_png_to_func(append, &bytes, image.width, image.height, 3, rgb.data(), image.width * 3) ==
      0) {
    return Error{.code = Code::io, .message = "libstb could not encode the picture"};
  }
  return bytes;
}

}  // namespace assay::gui
