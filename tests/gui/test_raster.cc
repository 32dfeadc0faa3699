// The picture that the processor draws: exact pixels of simple figures, shared edges, clipping, and the same
// bytes every time.
#include <imgui.h>

#include <zlib.h>

#include "gui/headless.h"
#include "gui/raster.h"
#include "tests/catch.h"

namespace {

using assay::gui::FontChoice;
using assay::gui::Headless;
using assay::gui::Image;

struct Rgb {
  int r, g, b;
  bool operator==(const Rgb&) const = default;
};
std::ostream& operator<<(std::ostream& out, Rgb c) { return out << c.r << "," << c.g << "," << c.b; }

Rgb at(const Image& image, int x, int y) {
  const std::uint8_t* p = image.pixel(x, y);
  return {p[0], p[1], p[2]};
}

// Draws with a full-screen draw list and gives the picture.
Image paint(int width, int height, const std::function<void(ImDrawList&)>& draw) {
  Headless screen(width, height, FontChoice::built_in);
  screen.frame([&] { draw(*ImGui::GetForegroundDrawList()); });
  return screen.picture();
}

constexpr Rgb kGround{17, 20, 26};

TEST_CASE("raster: a filled rectangle covers exactly its pixels") {
  const Image image = paint(16, 12, [](ImDrawList& list) {
    list.AddRectFilled({3, 2}, {9, 7}, IM_COL32(200, 100, 50, 255));
  });
  for (int y = 0; y < 12; ++y) {
    for (int x = 0; x < 16; ++x) {
      const bool inside = x >= 3 && x < 9 && y >= 2 && y < 7;
      INFO(x << "," << y);
      CHECK(at(image, x, y) == (inside ? Rgb{200, 100, 50} : kGround));
    }
  }
}

TEST_CASE("raster: triangles that share edges draw every pixel once") {
  // A fan of half-transparent triangles around one point: a pixel drawn twice or never has another colour
  // than its neighbours.
  const Image image = paint(64, 64, [](ImDrawList& list) {
    list.Flags = 0;  // no anti-aliased fringe
    const ImVec2 centre{31.3F, 30.7F};
    const ImVec2 ring[] = {{2, 2},   {20.5F, 2},   {61, 2}, {61, 33.25F},
                           {61, 61}, {17.75F, 61}, {2, 61}, {2, 22.5F}};
    for (int i = 0; i < 8; ++i)
      list.AddTriangleFilled(centre, ring[i], ring[(i + 1) % 8], IM_COL32(255, 255, 255, 128));
  });
  const Rgb inside = at(image, 10, 30);
  CHECK(inside == Rgb{136, 138, 141});  // half of white, half of the ground, rounded to nearest
  for (int y = 2; y < 61; ++y) {
    for (int x = 2; x < 61; ++x) {
      INFO(x << "," << y);
      REQUIRE(at(image, x, y) == inside);
    }
  }
  CHECK(at(image, 1, 30) == kGround);
  CHECK(at(image, 61, 30) == kGround);
}

TEST_CASE("raster: clip rectangles cut") {
  const Image image = paint(20, 20, [](ImDrawList& list) {
    list.PushClipRect({5, 5}, {10, 15});
    list.AddRectFilled({0, 0}, {20, 20}, IM_COL32(255, 0, 0, 255));
    list.PopClipRect();
  });
  CHECK(at(image, 5, 5) == Rgb{255, 0, 0});
  CHECK(at(image, 9, 14) == Rgb{255, 0, 0});
  CHECK(at(image, 4, 5) == kGround);
  CHECK(at(image, 10, 14) == kGround);
  CHECK(at(image, 9, 15) == kGround);
}

TEST_CASE("raster: transparency blends over what is there, rounded to nearest") {
  const Image image = paint(8, 8, [](ImDrawList& list) {
    list.AddRectFilled({0, 0}, {8, 8}, IM_COL32(0, 0, 0, 255));
    list.AddRectFilled({0, 0}, {4, 8}, IM_COL32(255, 255, 255, 51));  // a fifth
    list.AddRectFilled({0, 0}, {2, 8}, IM_COL32(255, 0, 0, 0));       // nothing
  });
  CHECK(at(image, 0, 0) == Rgb{51, 51, 51});
  CHECK(at(image, 3, 7) == Rgb{51, 51, 51});
  CHECK(at(image, 4, 0) == Rgb{0, 0, 0});
}

TEST_CASE("raster: colours of corners are interpolated") {
  const Image image = paint(256, 4, [](ImDrawList& list) {
    const ImU32 black = IM_COL32(0, 0, 0, 255), white = IM_COL32(255, 255, 255, 255);
    list.AddRectFilledMultiColor({0, 0}, {256, 4}, black, white, white, black);
  });
  for (int x = 1; x < 256; ++x) {
    const int step = at(image, x, 1).r - at(image, x - 1, 1).r;
    CHECK((step == 0 || step == 1 || step == 2));
  }
  CHECK(at(image, 0, 1).r <= 1);
  CHECK(at(image, 255, 1).r >= 254);
}

TEST_CASE("raster: figures far outside and degenerate ones draw nothing and harm nothing") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Image image = paint(8, 8, [&](ImDrawList& list) {
    list.Flags = 0;
    list.AddTriangleFilled({1e30F, 0}, {1e30F, 1}, {1e31F, 5}, IM_COL32(255, 0, 0, 255));
    list.AddTriangleFilled({1, 1}, {5, 5}, {3, 3}, IM_COL32(255, 0, 0, 255));
    list.AddTriangleFilled({nan, nan}, {nan, nan}, {nan, nan}, IM_COL32(255, 0, 0, 255));
  });
  for (int i = 0; i < 64; ++i) CHECK(at(image, i % 8, i / 8) == kGround);
}

TEST_CASE("raster: text leaves ink, and the same text the same bytes") {
  const auto draw = [](ImDrawList& list) { list.AddText({2, 2}, IM_COL32_WHITE, "assay 76.4 %"); };
  const Image first = paint(120, 20, draw);
  const Image second = paint(120, 20, draw);
  CHECK(first.digest() == second.digest());
  int ink = 0;
  for (int i = 0; i < 120 * 20; ++i) ink += at(first, i % 120, i / 120) == kGround ? 0 : 1;
  CHECK(ink > 100);
  CHECK(ink < 1200);
  const Image other = paint(120, 20, [](ImDrawList& list) {
    list.AddText({2, 2}, IM_COL32_WHITE, "assay 76.5 %");
  });
  CHECK(first.digest() != other.digest());
}

// Reads back what encode_png wrote: 8-bit RGB, filters undone (PNG specification, section 9).
std::vector<std::uint8_t> decode_rgb(const std::string& png, int width, int height) {
  const auto u32 = [&](std::size_t i) {
    std::uint32_t v = 0;
    for (std::size_t k = 0; k < 4; ++k) v = v << 8 | static_cast<std::uint8_t>(png[i + k]);
    return v;
  };
  std::string packed;
  for (std::size_t i = 8; i + 12 <= png.size(); i += 12 + u32(i)) {
    if (png.compare(i + 4, 4, "IDAT") == 0) packed += png.substr(i + 8, u32(i));
  }
  const std::size_t stride = static_cast<std::size_t>(width) * 3;
  std::vector<std::uint8_t> raw((stride + 1) * static_cast<std::size_t>(height));
  uLongf size = raw.size();
  REQUIRE(uncompress(raw.data(), &size, reinterpret_cast<const Bytef*>(packed.data()), packed.size()) ==
          Z_OK);
  REQUIRE(size == raw.size());
  std::vector<std::uint8_t> rgb(stride * static_cast<std::size_t>(height));
  for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y) {
    const int filter = raw[y * (stride + 1)];
    for (std::size_t x = 0; x < stride; ++x) {
      const int left = x >= 3 ? rgb[y * stride + x - 3] : 0;
      const int up = y > 0 ? rgb[(y - 1) * stride + x] : 0;
      const int corner = x >= 3 && y > 0 ? rgb[(y - 1) * stride + x - 3] : 0;
      const int p = left + up - corner;
      const int dl = std::abs(p - left), du = std::abs(p - up), dc = std::abs(p - corner);
      const int paeth = dl <= du && dl <= dc ? left : du <= dc ? up : corner;
      const int guess[] = {0, left, up, (left + up) / 2, paeth};
      REQUIRE(filter < 5);
      rgb[y * stride + x] = static_cast<std::uint8_t>(raw[y * (stride + 1) + 1 + x] + guess[filter]);
    }
  }
  return rgb;
}

TEST_CASE("raster: a PNG holds the pixels") {
  const Image image = paint(40, 30, [](ImDrawList& list) {
    list.AddCircleFilled({20, 15}, 11, IM_COL32(90, 160, 240, 255));
    list.AddText({4, 4}, IM_COL32_WHITE, "ok");
  });
  const auto png = assay::gui::encode_png(image);
  REQUIRE(png.ok());
  CHECK(png->substr(1, 3) == "PNG");
  const auto rgb = decode_rgb(*png, 40, 30);
  for (std::size_t i = 0; i < 40 * 30; ++i) {
    for (std::size_t k = 0; k < 3; ++k) REQUIRE(rgb[i * 3 + k] == image.rgba[i * 4 + k]);
  }
}

TEST_CASE("raster: an empty picture is refused as PNG") {
  const auto png = assay::gui::encode_png(Image());
  REQUIRE_FALSE(png.ok());
  CHECK(png.error().code == assay::Code::bad_value);
}

}  // namespace
