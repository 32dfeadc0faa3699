// Attention: bit for bit as defined, near the f64 value, and indifferent to batch, page sharing and what lies in unused slots.
#include <cmath>
#include <limits>

#include "tests/unit/kernel_fixture.h"

namespace assay::test {
namespace {

// One sequence: keys (n, n_kv_heads, qk_dim), values (n, n_kv_heads, v_dim) and the same in pages.
struct Sequence {
  AttentionShape shape;
  std::int64_t n = 0;
  std::vector<float> k, v, memory;
  std::vector<const float*> pages;
};

Sequence make_sequence(const AttentionShape& shape, std::int64_t n, bool hard) {
  Sequence s{shape, n, {}, {}, {}, {}};
  const auto k_size = static_cast<std::size_t>(n * shape.n_kv_heads * shape.qk_dim),
             v_size = static_cast<std::size_t>(n * shape.n_kv_heads * shape.v_dim);
  s.k = normals(k_size, 1);
  s.v = hard ? linspace(v_size) : normals(v_size, 2);
  const std::size_t page = page_floats(shape),
                    n_pages = static_cast<std::size_t>((n + kPageKeys - 1) / kPageKeys);
  s.memory.assign(page * n_pages,
                  std::numeric_limits<float>::quiet_NaN());  // an unused slot must not be read into a result
  for (std::size_t i = 0; i < n_pages; ++i) s.pages.push_back(s.memory.data() + i * page);
  for (std::int64_t t = 0; t < n; ++t) {
    store_key_value(shape, s.k.data() + t * shape.n_kv_heads * shape.qk_dim, shape.qk_dim,
                    s.v.data() + t * shape.n_kv_heads * shape.v_dim, shape.v_dim,
                    s.memory.data() + static_cast<std::size_t>(t / kPageKeys) * page, t % kPageKeys);
  }
  return s;
}

float defined_score(const float* q, const float* k, std::int64_t n, float scale) {
  float sum = 0;
  for (std::int64_t d0 = 0; d0 < n; d0 += kBlockK) {
    float block = 0;
    for (std::int64_t d = d0; d < std::min(d0 + kBlockK, n); ++d) block = std::fma(q[d], k[d], block);
    sum = d0 == 0 ? block : sum + block;
  }
  return sum * scale;
}

// One head of one query by the words of kernels/contract.h.
std::vector<float> defined_head(const Compute& c, const Sequence& s, const float* q, std::int64_t head,
                                std::int64_t first, std::int64_t end) {
  const AttentionShape& h = s.shape;
  const std::int64_t kv_head = head / (h.n_heads / h.n_kv_heads);
  std::vector<float> p(static_cast<std::size_t>(end), -std::numeric_limits<float>::infinity());
  float m = -std::numeric_limits<float>::infinity();
  for (std::int64_t t = first; t < end; ++t) {
    float& score = p[static_cast<std::size_t>(t)];
    score = defined_score(q, s.k.data() + (t * h.n_kv_heads + kv_head) * h.qk_dim, h.qk_dim, h.scale);
    m = std::max(m, score);
  }
  if (h.sinks != nullptr) m = std::max(m, h.sinks[head]);
  for (float& x : p) x -= m;
  apply(c, Function::exp, p.data(), end, p.data());
  float total = 0;
  std::vector<float> out(static_cast<std::size_t>(h.v_dim));
  for (std::int64_t page = first / kPageKeys; page * kPageKeys < end; ++page) {
    const std::int64_t from = std::max(first, page * kPageKeys), to = std::min(end, (page + 1) * kPageKeys);
    float a[16] = {};
    std::vector<float> value(out.size());
    for (std::int64_t t = from; t < to; ++t) {
      a[t % 16] += p[static_cast<std::size_t>(t)];
      for (std::int64_t d = 0; d < h.v_dim; ++d) {
        float& acc = value[static_cast<std::size_t>(d)];
        acc = std::fma(p[static_cast<std::size_t>(t)],
                       s.v[static_cast<std::size_t>((t * h.n_kv_heads + kv_head) * h.v_dim + d)], acc);
      }
    }
    for (int width = 8; width > 0; width /= 2) {
      for (int i = 0; i < width; ++i) a[i] += a[i + width];
    }
    const bool start = page == first / kPageKeys;
    total = start ? a[0] : total + a[0];
    for (std::size_t d = 0; d < out.size(); ++d) out[d] = start ? value[d] : out[d] + value[d];
  }
  if (h.sinks != nullptr) {
    float e = h.sinks[head] - m;
    apply(c, Function::exp, &e, 1, &e);
    total += e;
  }
  for (float& x : out) x /= total;
  return out;
}

std::vector<double> exact_head(const Sequence& s, const float* q, std::int64_t head, std::int64_t first,
                               std::int64_t end) {
  const AttentionShape& h = s.shape;
  const std::int64_t kv_head = head / (h.n_heads / h.n_kv_heads);
  std::vector<double> score, out(static_cast<std::size_t>(h.v_dim));
  for (std::int64_t t = first; t < end; ++t) {
    double dot = 0;
    for (std::int64_t d = 0; d < h.qk_dim; ++d)
      dot +=
          double{q[d]} * double{s.k[static_cast<std::size_t>((t * h.n_kv_heads + kv_head) * h.qk_dim + d)]};
    score.push_back(dot * double{h.scale});
  }
  double m = *std::max_element(score.begin(), score.end());
  if (h.sinks != nullptr) m = std::max(m, double{h.sinks[head]});
  double total = h.sinks != nullptr ? std::exp(double{h.sinks[head]} - m) : 0;
  for (std::int64_t t = first; t < end; ++t) {
    const double p = std::exp(score[static_cast<std::size_t>(t - first)] - m);
    total += p;
    for (std::int64_t d = 0; d < h.v_dim; ++d)
      out[static_cast<std::size_t>(d)] +=
          p * double{s.v[static_cast<std::size_t>((t * h.n_kv_heads + kv_head) * h.v_dim + d)]};
  }
  for (double& x : out) x /= total;
  return out;
}

const float kSinks[] = {1.5f, -40.0f, 9.0f, 0.0f};  // below, far below and above the scores
const AttentionShape kShapes[] = {{1, 1, 8, 8, 0.35f},       {4, 2, 24, 16, 0.2f},
                                  {2, 2, 192, 128, 0.0722f}, {3, 1, 600, 20, 0.04f},
                                  {2, 2, 17, 131, 0.24f},    {4, 2, 18, 18, 0.24f, kSinks}};

TEST_CASE("kernels: attention is the defined one, bit for bit, and near the f64 value") {
  for (const AttentionShape& shape : kShapes) {
    for (const bool hard : {false, true}) {
      const std::int64_t n = 150;
      const auto s = make_sequence(shape, n, hard);
      const auto q = normals(static_cast<std::size_t>(n * shape.n_heads * shape.qk_dim), 3);
      std::vector<float> expected;
      each_compute([&](const Compute& c) {
        INFO("qk " << shape.qk_dim << " v " << shape.v_dim << " hard " << hard);
        std::vector<float> out(static_cast<std::size_t>(n * shape.n_heads * shape.v_dim), 7.0f);
        std::vector<AttentionQuery> queries;
        for (std::int64_t t = 0; t < n; ++t) {  // every third one with a window of 70 keys
          queries.push_back({q.data() + t * shape.n_heads * shape.qk_dim,
                             out.data() + t * shape.n_heads * shape.v_dim, s.pages.data(),
                             t % 3 == 0 ? std::max<std::int64_t>(0, t - 69) : 0, t + 1});
        }
        attention(c, shape, queries.data(), n);
        if (expected.empty()) {
          for (std::int64_t t = 0; t < n; ++t) {
            for (std::int64_t head = 0; head < shape.n_heads; ++head) {
              const auto& query = queries[static_cast<std::size_t>(t)];
              const auto one =
                  defined_head(c, s, query.q + head * shape.qk_dim, head, query.first_key, query.end_key);
              const auto exact =
                  exact_head(s, query.q + head * shape.qk_dim, head, query.first_key, query.end_key);
              const double bound =
                  (hard ? 100.0 : 5.0) * 400 * 0x1p-24;  // |v| times the steps of scores, sums and joins
              for (std::size_t d = 0; d < one.size(); ++d)
                REQUIRE(std::abs(double{one[d]} - exact[d]) < bound);
              expected.insert(expected.end(), one.begin(), one.end());
            }
          }
        }
        CHECK(same_bits(out, expected));
      });
    }
  }
}

TEST_CASE("kernels: a sink that cannot be reached changes no bit, one far above takes everything") {
  AttentionShape shape{1, 1, 16, 16, 0.25f};
  const auto s = make_sequence(shape, 70, false);
  const auto q = normals(16, 6);
  each_compute([&](const Compute& c) {
    const auto read = [&](const float* sink) {
      shape.sinks = sink;
      std::vector<float> out(16);
      const AttentionQuery query{q.data(), out.data(), s.pages.data(), 0, 70};
      attention(c, shape, &query, 1);
      return out;
    };
    const float none = -std::numeric_limits<float>::infinity(), far = 1000.0f,
                broken = std::numeric_limits<float>::quiet_NaN();
    const auto plain = read(nullptr);
    CHECK(same_bits(read(&none), plain));
    for (const float x : read(&far)) CHECK(x == 0.0f);
    for (const float x : read(&broken)) CHECK(std::isnan(x));
  });
}

TEST_CASE("kernels: a query alone, in a batch, or over copied pages gives the same bits") {
  const AttentionShape shape{2, 1, 40, 48, 0.15f};
  const auto s = make_sequence(shape, 200, true);
  const auto q = normals(static_cast<std::size_t>(200 * 2 * 40), 4);
  each_compute([&](const Compute& c) {
    std::vector<float> batch(200 * 2 * 48), alone(2 * 48);
    std::vector<AttentionQuery> queries;
    for (std::int64_t t = 0; t < 200; ++t)
      queries.push_back({q.data() + t * 80, batch.data() + t * 96, s.pages.data(), 0, t + 1});
    attention(c, shape, queries.data(), 200);
    for (const std::int64_t t : {0, 1, 63, 64, 127, 199}) {
      auto memory = s.memory;  // another sequence with the same prefix
      std::vector<const float*> pages;
      for (std::size_t i = 0; i <= static_cast<std::size_t>(t / kPageKeys); ++i)
        pages.push_back(i == 0 ? s.pages[0] : memory.data() + i * page_floats(shape));
      const AttentionQuery one{q.data() + t * 80, alone.data(), pages.data(), 0, t + 1};
      attention(c, shape, &one, 1);
      CHECK(std::memcmp(alone.data(), batch.data() + t * 96, alone.size() * sizeof(float)) == 0);
    }
  });
}

TEST_CASE("kernels: a tile of queries that crosses a page gives each of them its own keys") {
  const AttentionShape shape{2, 2, 24, 20, 0.2f};
  const auto s = make_sequence(shape, 140, true);
  const auto q = normals(static_cast<std::size_t>(6 * 2 * 24), 6);
  // Queries 61 .. 66 and 125 .. 130: the first four of each are a tile that ends in the next page; the fourth one of
  // the second lot has a window that begins a page before the others'.
  for (const std::int64_t first : {61, 125}) {
    each_compute([&](const Compute& c) {
      std::vector<float> batch(6 * 2 * 20), alone(2 * 20);
      std::vector<AttentionQuery> queries;
      for (std::int64_t i = 0; i < 6; ++i) {
        const std::int64_t begin = first == 61 ? 0 : i == 3 ? 60 : 70;
        queries.push_back({q.data() + i * 48, batch.data() + i * 40, s.pages.data(), begin, first + i + 1});
      }
      attention(c, shape, queries.data(), 6);
      for (std::int64_t i = 0; i < 6; ++i) {
        AttentionQuery one = queries[static_cast<std::size_t>(i)];
        one.out = alone.data();
        attention(c, shape, &one, 1);
        CHECK(std::memcmp(alone.data(), batch.data() + i * 40, alone.size() * sizeof(float)) == 0);
      }
    });
  }
}

TEST_CASE("kernels: attention shows a NaN key that is visible and no other") {
  const AttentionShape shape{1, 1, 16, 16, 0.25f};
  auto s = make_sequence(shape, 70, false);
  s.memory[5] = std::numeric_limits<float>::quiet_NaN();  // key 5, input 0
  const auto q = normals(16, 5);
  each_compute([&](const Compute& c) {
    std::vector<float> before(16), after(16);
    const AttentionQuery queries[] = {{q.data(), before.data(), s.pages.data(), 0, 5},
                                      {q.data(), after.data(), s.pages.data(), 0, 6}};
    attention(c, shape, queries, 2);
    for (std::size_t d = 0; d < 16; ++d) {
      CHECK(std::isfinite(before[d]));
      CHECK(std::isnan(after[d]));
    }
  });
}

TEST_CASE("kernels: what a page holds beyond a query's keys does not reach it, alone or in a tile of four") {
  const AttentionShape shape{1, 1, 16, 80, 0.25f};
  auto s = make_sequence(shape, 70, false);
  const auto q = normals(4 * 16, 5);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (std::int64_t slot = 6; slot < kPageKeys; ++slot) {  // keys from 6 on: not written yet, or another's
    for (std::int64_t d = 0; d < 16; ++d) s.memory[static_cast<std::size_t>(d * kPageKeys + slot)] = nan;
    for (std::int64_t d = 0; d < 80; ++d)
      s.memory[static_cast<std::size_t>(16 * kPageKeys + slot * 80 + d)] = nan;
  }
  each_compute([&](const Compute& c) {
    std::vector<float> out(5 * 80);
    std::vector<AttentionQuery> queries;
    for (std::int64_t i = 0; i < 5; ++i)
      queries.push_back(
          {q.data() + (i % 4) * 16, out.data() + i * 80, s.pages.data(), i == 1 ? 2 : 0, i == 4 ? 7 : 3 + i});
    attention(c, shape, queries.data(), 5);
    for (std::size_t i = 0; i < 4 * 80; ++i) REQUIRE(std::isfinite(out[i]));
    for (std::size_t i = 4 * 80; i < 5 * 80; ++i) REQUIRE(std::isnan(out[i]));
  });
}

}  // namespace
}  // namespace assay::test
