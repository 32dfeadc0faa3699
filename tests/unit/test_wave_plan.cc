// Waves, slabs and pages: every row finds the keys of its own sequence, nothing is computed twice, and what is in use stays bounded.
#include <algorithm>
#include <map>

#include "base/rng.h"
#include "reference/model/wave_plan.h"
#include "tests/catch.h"

using namespace assay;

namespace {

using Ids = std::vector<std::int32_t>;

// What stands for the key of a position: its token and all before it.
using Key = std::uint64_t;
std::vector<Key> keys_of(std::span<const std::int32_t> ids) {
  std::vector<Key> out;
  Key key = 1469598103934665603ULL;
  for (const std::int32_t id : ids) out.push_back(key = (key ^ static_cast<Key>(id + 1)) * 1099511628211ULL);
  return out;
}

// Sequences with beginnings in common, some twice, some empty.
std::vector<Ids> some_sequences(Stream& stream, std::size_t n) {
  std::vector<Ids> out;
  for (std::size_t i = 0; i < n; ++i) {
    Ids ids;
    if (!out.empty() && stream.below(4) != 0) {
      const Ids& other = out[stream.below(out.size())];
      ids.assign(other.begin(), other.begin() + static_cast<std::ptrdiff_t>(stream.below(other.size() + 1)));
    }
    for (std::uint64_t more = stream.below(stream.below(3) == 0 ? 150 : 8); more > 0; --more)
      ids.push_back(static_cast<std::int32_t>(stream.below(5)));
    out.push_back(ids);
  }
  return out;
}

// Lets slabs visit a layer whose keys are those of keys_of.
class Pages {
 public:
  void visit(const Slab& slab, const std::vector<Key>& key_of_row) {
    for (const Segment& s : slab.batch.segments) {
      for (std::int64_t i = 0; i < s.n_rows; ++i)
        put(s, s.position + i, key_of_row[static_cast<std::size_t>(slab.first_row + s.first_row + i)]);
    }
    for (const Segment& s : slab.batch.segments) {
      if (s.inherited_page < 0) continue;
      const std::vector<Key> from = page(s.inherited_page);
      for (std::int64_t slot = 0; slot < s.position % kPageKeys; ++slot)
        put(s, s.position / kPageKeys * kPageKeys + slot, from[static_cast<std::size_t>(slot)]);
    }
  }
  std::vector<Key> seen(const Segment& s, std::int64_t end) {
    std::vector<Key> out;
    for (std::int64_t p = 0; p < end; ++p)
      out.push_back(
          page(s.pages[static_cast<std::size_t>(p / kPageKeys)])[static_cast<std::size_t>(p % kPageKeys)]);
    return out;
  }

 private:
  std::vector<Key>& page(std::int32_t number) {
    auto& page = pages_[number];
    page.resize(kPageKeys, 0);
    return page;
  }
  void put(const Segment& s, std::int64_t position, Key key) {
    page(s.pages[static_cast<std::size_t>(position / kPageKeys)])[static_cast<std::size_t>(position %
                                                                                           kPageKeys)] = key;
  }

  std::map<std::int32_t, std::vector<Key>> pages_;
};

void check_wave(const Wave& wave, const std::vector<Ids>& sequences) {
  std::vector<Key> key_of_row(static_cast<std::size_t>(wave.n_rows), 0);
  for (std::size_t i = 0; i < wave.sequences.size(); ++i) {
    const std::vector<Key> keys = keys_of(sequences[wave.sequences[i]]);
    REQUIRE(wave.rows[i].size() == keys.size());
    for (std::size_t p = 0; p < keys.size(); ++p) {
      Key& key = key_of_row[static_cast<std::size_t>(wave.rows[i][p])];
      CHECK((key == 0 || key == keys[p]));
      key = keys[p];
    }
  }
  Pages pages;
  std::int64_t rows = 0;
  for (const Slab& slab : wave.slabs) {
    CHECK(slab.first_row == rows);
    rows += slab.batch.n_rows();
    pages.visit(slab, key_of_row);
    for (const Segment& s : slab.batch.segments) {
      for (std::int64_t i = 0; i < s.n_rows; ++i) {
        const auto seen = pages.seen(s, s.position + i + 1);
        CHECK(seen.back() == key_of_row[static_cast<std::size_t>(slab.first_row + s.first_row + i)]);
        Ids ids;  // found again through a sequence that the row serves
        for (std::size_t q = 0; q < wave.sequences.size() && ids.empty(); ++q) {
          const auto& own = wave.rows[q];
          const auto at = static_cast<std::size_t>(s.position + i);
          if (at < own.size() && own[at] == slab.first_row + s.first_row + i)
            ids = sequences[wave.sequences[q]];
        }
        ids.resize(static_cast<std::size_t>(s.position + i + 1));
        CHECK(seen == keys_of(ids));
      }
    }
  }
  CHECK(rows == wave.n_rows);
}

std::size_t distinct_prefixes(const std::vector<Ids>& sequences) {
  std::vector<Key> all;
  for (const Ids& ids : sequences) {
    for (const Key key : keys_of(ids)) all.push_back(key);
  }
  std::ranges::sort(all);
  return static_cast<std::size_t>(std::ranges::unique(all).begin() - all.begin());
}

}  // namespace

TEST_CASE("wave plan: every row of a slab finds the keys of its own sequence") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO(seed);
    Stream stream(seed);
    const std::vector<Ids> ids = some_sequences(stream, 1 + stream.below(40));
    std::vector<Sequence> sequences;
    for (const Ids& one : ids)
      sequences.push_back({.ids = one,
                           .unit = stream.below(3) == 0 ? -1 : static_cast<std::int64_t>(stream.below(12)),
                           .account = static_cast<std::int32_t>(stream.below(2))});
    const WaveLimits limits{.max_rows = static_cast<std::int64_t>(1 + stream.below(400)),
                            .slab_rows = static_cast<std::int64_t>(stream.below(4) * (1 + stream.below(90))),
                            .max_pages = static_cast<std::int64_t>(6 + stream.below(60)),
                            .chunk_rows = static_cast<std::int64_t>(stream.below(3) * stream.below(40)),
                            .reuse = stream.below(5) != 0};
    WavePlan plan(sequences, limits);
    const WaveCount count = plan.count();
    PageStore pages(1, 1);
    Wave wave;
    std::vector<int> times(ids.size(), 0);
    std::map<std::int64_t, std::vector<std::int64_t>> waves_of_unit;
    std::int64_t rows = 0, n_waves = 0, keys = 0;
    for (; plan.next(pages, wave); ++n_waves) {
      check_wave(wave, ids);
      std::vector<std::vector<std::int64_t>> users(
          wave.users.size(), std::vector<std::int64_t>(static_cast<std::size_t>(wave.n_rows), 0));
      for (std::size_t i = 0; i < wave.sequences.size(); ++i) {
        const Sequence& s = sequences[wave.sequences[i]];
        ++times[wave.sequences[i]];
        if (s.unit >= 0) waves_of_unit[s.unit].push_back(n_waves);
        for (const std::int32_t row : wave.rows[i])
          ++users[static_cast<std::size_t>(s.account)][static_cast<std::size_t>(row)];
      }
      CHECK(users == wave.users);
      rows += wave.n_rows;
      keys += wave.n_keys();
      for (const Slab& slab : wave.slabs)
        CHECK((limits.slab_rows == 0 || slab.batch.n_rows() <= limits.slab_rows));
    }
    CHECK(std::ranges::all_of(times, [](int n) { return n == 1; }));
    for (const auto& [unit, waves] : waves_of_unit) CHECK(waves.front() == waves.back());
    CHECK(count.n_waves == n_waves);
    CHECK(count.n_rows == rows);
    CHECK(count.keys == keys);
  }
}

TEST_CASE("wave plan: one wave computes every distinct beginning once") {
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    Stream stream(seed);
    const std::vector<Ids> ids = some_sequences(stream, 60);
    std::vector<Sequence> sequences;
    for (const Ids& one : ids) sequences.push_back({.ids = one});
    const WavePlan plan(sequences, {.max_rows = 1 << 20, .slab_rows = 64});
    CHECK(plan.count().n_waves == 1);
    CHECK(static_cast<std::size_t>(plan.count().n_rows) == distinct_prefixes(ids));
  }
}

TEST_CASE("wave plan: pages in use are those of a path and of a slab, however long a wave is") {
  std::vector<Ids> ids;
  for (std::int32_t i = 0; i < 400; ++i) {
    ids.emplace_back(100, 7);
    for (std::int32_t n = 0; n < 40; ++n) ids.back().push_back(i);
  }
  std::vector<Sequence> sequences;
  for (const Ids& one : ids) sequences.push_back({.ids = one});
  WavePlan plan(sequences, {.max_rows = 1 << 20, .slab_rows = 256, .max_pages = 24});
  PageStore pages(1, 1);
  Wave wave;
  REQUIRE(plan.next(pages, wave));
  CHECK(wave.n_rows == 100 + 400 * 40);
  CHECK(pages.bytes() / pages.bytes_per_page() <= 24);
  CHECK(pages.bytes() / pages.bytes_per_page() >= 6);
  check_wave(wave, ids);
}
