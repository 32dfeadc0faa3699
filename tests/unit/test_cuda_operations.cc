// Every other operation of a forward pass on the GPU: the bits of the CPU. Run on the host in the GPU's place, threads upwards and
// downwards, and on the device where there is one.
#include <cmath>
#include <limits>

#include "tests/unit/accelerator_fixture.h"

namespace assay::test {
namespace {

struct Cpu {
  ThreadPool pool{2};
  Compute c{kernels(), pool};
};

TEST_CASE("cuda: norms of rows and of heads have the CPU's bits") {
  Cpu cpu;
  each_accelerator([&](Accelerator& a) {
    for (const std::int64_t n : {1, 15, 16, 100, 515}) {
      const std::int64_t rows = 3, heads = 2, stride = heads * n + 3;
      auto x = normals(static_cast<std::size_t>(rows * stride), 1),
           flat = normals(static_cast<std::size_t>(rows * n), 2);
      const auto weight = normals(static_cast<std::size_t>(n), 3);
      const OnDevice<float> dx(a, x), dw(a, weight), dflat(a, flat), dy(a, flat.size());
      a.rms_norm({dx.get(), rows, stride, heads, n}, dw.get(), n, 1e-5f);
      a.rms_norm_to(dflat.get(), dw.get(), rows, n, 1e-6f, dy.get());
      for (std::int64_t i = 0; i < rows * heads; ++i) {
        float* const head = x.data() + i / heads * stride + i % heads * n;
        cpu.c.kernels.rms_norm(head, weight.data(), n, 1e-5f, head);
      }
      rms_norm(cpu.c, flat.data(), weight.data(), rows, n, 1e-6f, flat.data());
      CHECK(same_bits(dx.host(), x));
      CHECK(same_bits(dy.host(), flat));
    }
  });
}

TEST_CASE("cuda: gates have the CPU's bits") {
  Cpu cpu;
  each_accelerator([&](Accelerator& a) {
    const std::int64_t rows = 7, inner = 37;
    auto in = normals(static_cast<std::size_t>(rows * 2 * inner), 4, 8);
    in[3] = 95;
    in[40] = -120;
    std::vector<float> want(static_cast<std::size_t>(rows * inner));
    const OnDevice<float> din(a, in), dy(a, want.size());
    a.gate(din.get(), rows, inner, {}, dy.get());
    silu_mul_halves(cpu.c, in.data(), rows, inner, want.data());
    CHECK(same_bits(dy.host(), want));
    const SwigluClamp clamp{1.702f, 7.0f};
    a.gate(din.get(), rows, inner, clamp, dy.get());
    clamped_swiglu_halves(cpu.c, clamp, in.data(), rows, inner, want.data());
    CHECK(same_bits(dy.host(), want));
  });
}

TEST_CASE("cuda: sigmoid over the whole range has the CPU's bits") {
  Cpu cpu;
  std::vector<float> x;
  for (std::uint32_t bits = 0; bits < 0xff000000u; bits += 104729) {
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isnan(value)) x.push_back(value);
  }
  std::vector<float> want(x.size());
  apply(cpu.c, Function::sigmoid, x.data(), static_cast<std::int64_t>(x.size()), want.data());
  each_accelerator([&](Accelerator& a) {
    const OnDevice<float> dx(a, x);
    a.sigmoid(dx.get(), static_cast<std::int64_t>(x.size()));
    CHECK(same_bits(dx.host(), want));
  });
}

TEST_CASE("cuda: sums, mixtures, clips, roundings and gathers have the CPU's bits") {
  Cpu cpu;
  each_accelerator([&](Accelerator& a) {
    const std::int64_t rows = 5, n = 33, top_k = 3;
    const auto size = static_cast<std::size_t>(rows * n);
    const auto x = normals(size, 5), factors = normals(static_cast<std::size_t>(rows), 6),
               weights = normals(static_cast<std::size_t>(rows * top_k), 7);
    auto y = normals(size, 8), z = y;
    const OnDevice<float> dx(a, x), dy(a, y), dz(a, z), df(a, factors), dw(a, weights), dm(a, size),
        dq(a, size);
    a.add_scaled(0.22f, nullptr, dx.get(), rows, n, dy.get());
    add_scaled(cpu.c, 0.22f, x.data(), rows, n, y.data());
    CHECK(same_bits(dy.host(), y));
    a.add_scaled(0, df.get(), dx.get(), rows, n, dz.get());
    for (std::int64_t row = 0; row < rows; ++row)
      cpu.c.kernels.add_scaled(factors[static_cast<std::size_t>(row)], x.data() + row * n, n,
                               z.data() + row * n);
    CHECK(same_bits(dz.host(), z));
    const std::vector<std::int32_t> slots = {0, 3, 4, 1, -1, 2, 4, 4, 0, -1, -1, -1, 2, 1, 0};
    const OnDevice<std::int32_t> dslots(a, slots);
    std::vector<float> mixed(size);
    a.combine(dx.get(), dslots.get(), dw.get(), rows, top_k, n, dm.get());
    combine_experts(cpu.c, x.data(), slots.data(), weights.data(), rows, top_k, n, mixed.data());
    CHECK(same_bits(dm.host(), mixed));
    a.round_bf16(dx.get(), rows * n, dq.get());
    std::vector<float> rounded;
    for (const float value : x) rounded.push_back(bf16_to_f32(f32_to_bf16(value)));
    CHECK(same_bits(dq.host(), rounded));
    a.divide(dq.get(), rows * n, 6.0f);
    for (float& value : rounded) value /= 6.0f;
    CHECK(same_bits(dq.host(), rounded));
    a.clip(dz.get(), rows, n, 20, 0.5f);
    for (std::size_t i = 0; i < z.size(); ++i) {
      if (i % 33 < 20) z[i] = std::min(std::max(z[i], -0.5f), 0.5f);
    }
    CHECK(same_bits(dz.host(), z));
    const std::vector<std::int32_t> which = {4, 0};
    const OnDevice<std::int32_t> dwhich(a, which);
    const OnDevice<float> dg(a, static_cast<std::size_t>(2 * n));
    a.gather(dx.get(), dwhich.get(), 2, n, dg.get());
    std::vector<float> picked(x.begin() + 4 * n, x.end());
    picked.insert(picked.end(), x.begin(), x.begin() + n);
    CHECK(same_bits(dg.host(), picked));
  });
}

TEST_CASE("cuda: rotations have the CPU's bits") {
  Cpu cpu;
  each_accelerator([&](Accelerator& a) {
    for (const auto pairs : {RotaryPairs::interleaved, RotaryPairs::half_split}) {
      const std::int64_t tokens = 3, heads = 2, n_pairs = 19, head_stride = 45, stride = 99;
      auto x = normals(static_cast<std::size_t>(tokens * stride), 9);
      const auto cos = normals(static_cast<std::size_t>(tokens * n_pairs), 10),
                 sin = normals(static_cast<std::size_t>(tokens * n_pairs), 11);
      const OnDevice<float> dx(a, x), dcos(a, cos), dsin(a, sin);
      a.rotary({dx.get() + 2, tokens, stride, heads, head_stride}, n_pairs, pairs, dcos.get(), dsin.get());
      rotary(cpu.c, x.data() + 2, tokens, stride, heads, head_stride, n_pairs, pairs, cos.data(), sin.data());
      CHECK(same_bits(dx.host(), x));
    }
  });
}

void check_route(Accelerator& a, const Compute& c, const RouterSpec& spec, const std::vector<float>& bias,
                 const std::vector<float>& logits, bool forced) {
  const auto e = static_cast<std::size_t>(spec.n_experts), k = static_cast<std::size_t>(spec.top_k),
             n = logits.size() / e;
  std::vector<std::int32_t> experts(n * k);
  std::vector<float> weights(n * k), scores(n * e);
  std::vector<double> margins(n), groups(n), distances(n);
  const OnDevice<float> dbias(a, bias), dlogits(a, logits), dweights(a, weights.size()),
      dscores(a, scores.size());
  for (std::size_t i = 0; i < experts.size() && forced; ++i)
    experts[i] = static_cast<std::int32_t>(i % k + (i / k) % (e - k));
  const OnDevice<std::int32_t> dexperts(a, experts);
  const OnDevice<double> dmargins(a, n), dgroups(a, n), ddistances(a, n);
  RouterSpec there = spec;
  there.bias = spec.bias == nullptr ? nullptr : dbias.get();
  a.route(there, dlogits.get(), static_cast<std::int64_t>(n),
          {dexperts.get(), dweights.get(), dmargins.get(), dgroups.get(), ddistances.get(), dscores.get()},
          forced);
  const RouterChoice choice{experts.data(), weights.data(),   margins.data(),
                            groups.data(),  distances.data(), scores.data()};
  (forced ? route_forced : route)(c, spec, logits.data(), static_cast<std::int64_t>(n), choice);
  CHECK(dexperts.host() == experts);
  CHECK(same_bits(dweights.host(), weights));
  if (forced) return;
  CHECK(dmargins.host() == margins);
  CHECK(dgroups.host() == groups);
  CHECK(ddistances.host() == distances);
  CHECK(same_bits(dscores.host(), scores));
}

TEST_CASE("cuda: the router makes the CPU's choices, weights and margins under every rule") {
  Cpu cpu;
  const auto bias = normals(64, 3, 0.05);
  auto logits = normals(64 * 40, 4);
  for (std::size_t i = 0; i < 64 * 20; ++i) logits[i] = std::round(logits[i]);  // many ties
  each_accelerator([&](Accelerator& a) {
    for (const auto score : {RouterScore::softmax, RouterScore::sigmoid, RouterScore::softmax_of_chosen}) {
      for (const auto groups : {GroupRule::none, GroupRule::top2_sum, GroupRule::maximum}) {
        for (const int variant : {0, 1, 2}) {
          RouterSpec spec;
          spec.n_experts = 64;
          spec.top_k = 6;
          spec.n_groups = 8;
          spec.top_groups = 3;
          spec.groups = groups;
          spec.score = score;
          spec.bias = variant == 1 ? nullptr : bias.data();
          spec.normalise = variant != 1;
          spec.scale = 2.5f;
          spec.weights_are_biased = variant == 2;
          spec.masked_groups_are_zero = variant == 2;
          check_route(a, cpu.c, spec, bias, logits, false);
          check_route(a, cpu.c, spec, bias, logits, true);
        }
      }
    }
    RouterSpec all;  // everything is chosen: margins are infinite
    all.n_experts = all.top_k = 20;
    check_route(a, cpu.c, all, {}, normals(60, 5), false);
  });
}

struct AttentionCase {
  std::int64_t heads, kv_heads, qk_dim, v_dim, n, window;
  bool sinks, latent;
};

// Tensor cores: a score is off by at most d = scale * sum |q| |k| * (2 * 2^-8 + 2^-16 + qk_dim * 17 / 16 * 2^-23), a weight by the factor
// exp(d) and 2^-8, the sum of weights likewise, a value by 2^-8; what is left of 2^-6 covers sums and exp.
void check_rounded(const AttentionCase& t, const AttentionShape& shape, const std::vector<float>& q,
                   const std::vector<float>& rows, std::int64_t own, std::int64_t row,
                   const std::vector<float>& want, const std::vector<float>& got) {
  double worst = 0;
  for (std::int64_t i = 0; i < t.n; ++i) {
    for (std::int64_t h = 0; h < t.heads; ++h) {
      const std::int64_t kv = h / (t.heads / t.kv_heads),
                         first = t.window > 0 ? std::max<std::int64_t>(0, i + 1 - t.window) : 0;
      std::vector<double> scores;
      double off = 0, top = t.sinks ? double{shape.sinks[h]} : -1e300;
      for (std::int64_t key = first; key <= i; ++key) {
        double sum = 0, size = 0;
        for (std::int64_t d = 0; d < t.qk_dim; ++d) {
          const std::int64_t from =
              key * row + (d < own ? kv * (own + t.v_dim) + d : t.kv_heads * (own + t.v_dim) + d - own);
          const double term = double{q[static_cast<std::size_t>((i * t.heads + h) * t.qk_dim + d)]} *
                              double{rows[static_cast<std::size_t>(from)]};
          sum += term;
          size += std::fabs(term);
        }
        scores.push_back(sum * double{shape.scale});
        off = std::max(off, double{shape.scale} * size *
                                (0x1p-7 + 0x1p-16 + static_cast<double>(t.qk_dim) * 1.0625 * 0x1p-23));
        top = std::max(top, scores.back());
      }
      double total = t.sinks ? std::exp(double{shape.sinks[h]} - top) : 0;
      for (double& s : scores) total += s = std::exp(s - top);
      for (std::int64_t d = 0; d < t.v_dim; ++d) {
        double size = 0;
        for (std::int64_t key = first; key <= i; ++key)
          size +=
              scores[static_cast<std::size_t>(key - first)] / total *
              std::fabs(double{rows[static_cast<std::size_t>(key * row + kv * (own + t.v_dim) + own + d)]});
        const auto at = static_cast<std::size_t>((i * t.heads + h) * t.v_dim + d);
        const double error = std::fabs(double{got[at]} - double{want[at]});
        worst =
            std::max(worst, error == error ? error / (size * (std::exp(2 * off) * (1 + 0x1p-6) - 1)) : 1e9);
      }
    }
  }
  INFO("qk " << t.qk_dim << ", v " << t.v_dim << ": " << worst << " of the bound");
  CHECK(worst <= 1);
  CHECK(worst > 0.005);
}

TEST_CASE("cuda: keys are stored and attended to with the CPU's bits") {
  Cpu cpu;
  for (const AttentionCase& t : {AttentionCase{4, 2, 16, 16, 5, 0, false, false},
                                 {3, 3, 24, 20, 150, 0, false, true},
                                 {2, 1, 576, 300, 70, 0, false, false},
                                 {4, 1, 8, 8, 200, 66, true, false}}) {
    AttentionShape shape{t.heads, t.kv_heads, t.qk_dim, t.v_dim, 0.3f, nullptr};
    const auto sinks = normals(static_cast<std::size_t>(t.heads), 5);
    const std::int64_t own = t.latent ? t.qk_dim - 8 : t.qk_dim, row = t.kv_heads * (own + t.v_dim) + 8;
    const auto rows = normals(static_cast<std::size_t>(t.n * row), 6),
               q = normals(static_cast<std::size_t>(t.n * t.heads * t.qk_dim), 7);
    const std::int64_t n_pages = (t.n + kPageKeys - 1) / kPageKeys,
                       page = static_cast<std::int64_t>(page_floats(shape));
    // The CPU's pages, keys put together row by row.
    std::vector<float> memory(static_cast<std::size_t>(n_pages * page)),
        out(static_cast<std::size_t>(t.n * t.heads * t.v_dim));
    std::vector<const float*> pages;
    for (std::int64_t p = 0; p < n_pages; ++p) pages.push_back(memory.data() + p * page);
    std::vector<DeviceSlot> slots;
    std::vector<DeviceQuery> wanted;
    std::vector<AttentionQuery> queries;
    for (std::int64_t i = 0; i < t.n; ++i) {
      std::vector<float> k(static_cast<std::size_t>(t.kv_heads * t.qk_dim));
      for (std::int64_t h = 0; h < t.kv_heads; ++h) {
        for (std::int64_t d = 0; d < t.qk_dim; ++d) {
          const std::int64_t from =
              d < own ? i * row + h * (own + t.v_dim) + d : i * row + t.kv_heads * (own + t.v_dim) + d - own;
          k[static_cast<std::size_t>(h * t.qk_dim + d)] = rows[static_cast<std::size_t>(from)];
        }
      }
      store_key_value(shape, k.data(), t.qk_dim, rows.data() + i * row + own, own + t.v_dim,
                      memory.data() + i / kPageKeys * page, i % kPageKeys);
      slots.push_back({static_cast<std::int32_t>(i), static_cast<std::int32_t>(i / kPageKeys),
                       static_cast<std::int32_t>(i % kPageKeys)});
      const std::int64_t first = t.window > 0 ? std::max<std::int64_t>(0, i + 1 - t.window) : 0;
      wanted.push_back({static_cast<std::int32_t>(i), 0, static_cast<std::int32_t>(first),
                        static_cast<std::int32_t>(i + 1)});
      queries.push_back({q.data() + i * t.heads * t.qk_dim, out.data() + i * t.heads * t.v_dim, pages.data(),
                         first, i + 1});
    }
    if (t.sinks) shape.sinks = sinks.data();
    attention(cpu.c, shape, queries.data(), t.n);
    each_accelerator([&](Accelerator& a) {
      const OnDevice<float> drows(a, rows), dq(a, q), dsinks(a, sinks), dmemory(a, memory.size()),
          dout(a, out.size());
      a.zero(dmemory.get(), memory.size() * sizeof(float));  // as DevicePages does: whole pages are multiplied
      std::vector<float*> there;
      for (std::int64_t p = 0; p < n_pages; ++p) there.push_back(dmemory.get() + p * page);
      const OnDevice<float*> dpages(a, there);
      AttentionShape on = shape;
      on.sinks = t.sinks ? dsinks.get() : nullptr;
      a.store_keys({.shape = on,
                    .k = drows.get(),
                    .v = drows.get() + own,
                    .shared = drows.get() + t.kv_heads * (own + t.v_dim),
                    .own = own,
                    .k_stride = row,
                    .k_head = own + t.v_dim,
                    .v_stride = row,
                    .v_head = own + t.v_dim,
                    .shared_stride = row,
                    .pages = dpages.get(),
                    .slots = slots.data(),
                    .n_slots = t.n});
      a.attend({.shape = on,
                .q = dq.get(),
                .q_stride = t.heads * t.qk_dim,
                .out = dout.get(),
                .pages = dpages.get(),
                .queries = wanted.data(),
                .n_queries = t.n},
               GpuArithmetic::canonical);
      CHECK(same_bits(dout.host(), out));
      DeviceAttention rounded{.shape = on,
                              .q = dq.get(),
                              .q_stride = t.heads * t.qk_dim,
                              .out = dout.get(),
                              .pages = dpages.get(),
                              .queries = wanted.data(),
                              .n_queries = t.n};
      a.attend(rounded, GpuArithmetic::bf16);
      const auto all = dout.host();
      if (t.qk_dim > 256) {  // wider than the tensor cores' kernel holds
        CHECK(same_bits(all, out));
        return;
      }
      check_rounded(t, shape, q, rows, own, row, out, all);
      std::vector<DeviceQuery> some;  // other neighbours, the same bits
      for (std::size_t i = 1; i < wanted.size(); i += 3) some.push_back(wanted[i]);
      rounded.queries = some.data();
      rounded.n_queries = static_cast<std::int64_t>(some.size());
      a.zero(dout.get(), out.size() * sizeof(float));
      a.attend(rounded, GpuArithmetic::bf16);
      const auto part = dout.host();
      const auto width = static_cast<std::size_t>(t.heads * t.v_dim);
      for (const DeviceQuery& query : some) {
        const auto at = static_cast<std::size_t>(query.row) * width;
        CHECK(std::memcmp(part.data() + at, all.data() + at, width * sizeof(float)) == 0);
      }
    });
  }
}

TEST_CASE("cuda: what is kept of a row of logits gives the CPU's log-probabilities and arg-max") {
  Cpu cpu;
  each_accelerator([&](Accelerator& a) {
    for (const std::int64_t n : {1, 17, 512, 5000}) {
      auto logits = normals(static_cast<std::size_t>(3 * n), 12, 4);
      for (std::int64_t i = 0; i < n; ++i)
        logits[static_cast<std::size_t>(n + i)] = static_cast<float>(i % 7);  // ties
      const OnDevice<float> dlogits(a, logits);
      const OnDevice<HeadSummary> dout(a, 3);
      a.summarise(dlogits.get(), 3, n, dout.get());
      const auto got = dout.host();
      for (std::int64_t row = 0; row < 3; ++row) {
        const HeadSummary& s = got[static_cast<std::size_t>(row)];
        const float* const x = logits.data() + row * n;
        CHECK(head_log_sum(s) == log_sum_exp(cpu.c, x, n));
        CHECK(std::int64_t{s.top_token} == argmax(x, n));
        CHECK(s.top == x[argmax(x, n)]);
      }
    }
  });
}

}  // namespace
}  // namespace assay::test
