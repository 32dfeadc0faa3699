// Attention over latents: the bits of attention() with one head whose values are stored apart, which is tested against its definition.
#include <limits>

#include "tests/unit/kernel_fixture.h"

namespace assay::test {
namespace {

// Keys (n, qk_dim) of one sequence, in pages of both kinds; a slot without a key holds NaNs.
struct LatentKeys {
  AttentionShape apart;
  LatentShape shape;
  std::vector<float> apart_memory, memory;
  std::vector<const float*> apart_pages, pages;
};

LatentKeys latent_keys(const LatentShape& shape, std::int64_t n, const std::vector<float>& keys) {
  LatentKeys out{.apart = {1, 1, shape.qk_dim, shape.v_dim, shape.scale}, .shape = shape};
  const std::size_t n_pages = static_cast<std::size_t>((n + kPageKeys - 1) / kPageKeys),
                    apart_page = page_floats(out.apart), page = latent_page_floats(shape);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  out.apart_memory.assign(n_pages * apart_page, nan);
  out.memory.assign(n_pages * page, nan);
  for (std::size_t i = 0; i < n_pages; ++i) {
    out.apart_pages.push_back(out.apart_memory.data() + i * apart_page);
    out.pages.push_back(out.memory.data() + i * page);
  }
  for (std::int64_t t = 0; t < n; ++t) {
    const float* const key = keys.data() + t * shape.qk_dim;
    const auto at = static_cast<std::size_t>(t / kPageKeys);
    store_key_value(out.apart, key, shape.qk_dim, key, shape.qk_dim,
                    out.apart_memory.data() + at * apart_page, t % kPageKeys);
    std::copy_n(key, shape.qk_dim,
                out.memory.data() + at * page + static_cast<std::size_t>(t % kPageKeys * shape.qk_dim));
  }
  return out;
}

// first_key and end_key of each query.
using LatentSights = std::vector<std::pair<std::int64_t, std::int64_t>>;

void check_latent(const LatentKeys& keys, const std::vector<float>& q, const LatentSights& sights) {
  const std::size_t n = sights.size(), dv = static_cast<std::size_t>(keys.shape.v_dim),
                    dk = static_cast<std::size_t>(keys.shape.qk_dim);
  each_compute([&](const Compute& c) {
    std::vector<float> expected(n * dv), got(n * dv, 7.0f), alone(n * dv, 7.0f);
    std::vector<AttentionQuery> queries;
    const auto queries_to = [&](std::vector<float>& out, const std::vector<const float*>& pages) {
      queries.clear();
      for (std::size_t i = 0; i < n; ++i)
        queries.push_back(
            {q.data() + i * dk, out.data() + i * dv, pages.data(), sights[i].first, sights[i].second});
    };
    queries_to(expected, keys.apart_pages);
    attention(c, keys.apart, queries.data(), static_cast<std::int64_t>(n));
    queries_to(got, keys.pages);
    latent_attention(c, keys.shape, queries.data(), static_cast<std::int64_t>(n));
    CHECK(same_bits(got, expected));
    queries_to(alone, keys.pages);
    for (const AttentionQuery& one : queries) latent_attention(c, keys.shape, &one, 1);
    CHECK(same_bits(alone, expected));
  });
}

std::vector<float> shrunk(std::vector<float> values, float by) {
  for (float& x : values) x *= by;
  return values;
}

TEST_CASE("kernels: attention over latents has the bits of one head with its values apart") {
  const LatentShape shapes[] = {
      {576, 512, 0.0722f}, {18, 14, 0.3f}, {600, 20, 0.04f}, {40, 40, 0.2f}, {5, 1, 0.5f}};
  constexpr std::int64_t kKeys = 150;
  LatentSights sights;  // rows of three heads each; every fifth row with a window of 70 keys
  for (std::int64_t t = 0; t < kKeys; t += 1 + t / 20) {
    for (int head = 0; head < 3; ++head)
      sights.emplace_back(t % 5 == 0 ? std::max<std::int64_t>(0, t - 69) : 0, t + 1);
  }
  for (const LatentShape& shape : shapes) {
    const auto n = static_cast<std::size_t>(kKeys * shape.qk_dim);
    const auto q = normals(sights.size() * static_cast<std::size_t>(shape.qk_dim), 3);
    INFO("qk " << shape.qk_dim << " v " << shape.v_dim);
    check_latent(latent_keys(shape, kKeys, normals(n, 1)), q, sights);
    check_latent(latent_keys(shape, kKeys, linspace(n)), q, sights);
    check_latent(latent_keys(shape, kKeys, shrunk(normals(n, 2), 1e-43f)), q,
                 sights);  // products that vanish keep their sign
  }
}

TEST_CASE("kernels: a tile of queries over latents gives each of them its own keys") {
  const LatentShape shape{24, 20, 0.2f};
  const LatentKeys keys = latent_keys(shape, 200, linspace(200 * 24));
  // Of one page, of all, of the last key alone, in one tile and in the next; some of them end where others begin.
  const LatentSights sights = {{0, 1},     {0, 64},  {63, 65},   {64, 128}, {0, 200},   {199, 200},
                               {130, 140}, {1, 199}, {128, 129}, {5, 70},   {127, 128}, {60, 70},
                               {0, 3},     {2, 4},   {100, 200}, {64, 65},  {0, 65},    {199, 200},
                               {0, 200},   {63, 64}, {120, 130}, {0, 127}};
  check_latent(keys, normals(sights.size() * 24, 6), sights);
}

TEST_CASE("kernels: attention over latents shows a NaN key that is visible and no other") {
  const LatentShape shape{16, 12, 0.25f};
  auto values = normals(70 * 16, 1);
  values[5 * 16] = std::numeric_limits<float>::quiet_NaN();  // key 5
  const LatentKeys keys = latent_keys(shape, 70, values);
  const auto q = normals(2 * 16, 5);
  each_compute([&](const Compute& c) {
    std::vector<float> before(12), after(12);
    const AttentionQuery queries[] = {{q.data(), before.data(), keys.pages.data(), 0, 5},
                                      {q.data() + 16, after.data(), keys.pages.data(), 0, 6}};
    latent_attention(c, shape, queries, 2);
    for (std::size_t d = 0; d < 12; ++d) {
      CHECK(std::isfinite(before[d]));
      CHECK(std::isnan(after[d]));
    }
  });
}

TEST_CASE("kernels: a page of latents holds each number of a token once") {
  CHECK(latent_page_floats({576, 512, 0.1f}) == 576 * kPageKeys);
  CHECK(page_floats({1, 1, 576, 512, 0.1f}) == (576 + 512) * kPageKeys);
}

}  // namespace
}  // namespace assay::test
