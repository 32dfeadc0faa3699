#include "reference/text/trie.h"

#include <algorithm>

#include "base/check.h"

namespace assay {

// Breadth first over the sorted keys: a node is a range of keys that share their first `depth` bytes.
Trie::Trie(std::vector<std::pair<std::string, int>> keys) {
  std::erase_if(keys, [](const auto& k) { return k.first.empty(); });
  std::stable_sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  keys.erase(
      std::unique(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.first == b.first; }),
      keys.end());
  struct Range {
    std::size_t begin, end, depth;
  };
  std::vector<Range> ranges{{0, keys.size(), 0}};
  for (std::size_t node = 0; node < ranges.size(); ++node) {
    auto [begin, end, depth] = ranges[node];
    nodes_[node].edges = static_cast<std::uint32_t>(edges_.size());
    if (begin < end && depth > 0 && keys[begin].first.size() == depth) {
      ASSAY_CHECK(keys[begin].second >= 0);
      nodes_[node].value = keys[begin++].second;
    }
    while (begin < end) {
      const char byte = keys[begin].first[depth];
      std::size_t stop = begin + 1;
      while (stop < end && keys[stop].first[depth] == byte) ++stop;
      edges_.push_back({static_cast<std::uint32_t>(ranges.size()), static_cast<unsigned char>(byte)});
      ++nodes_[node].count;
      ranges.push_back({begin, stop, depth + 1});
      nodes_.emplace_back();
      begin = stop;
    }
  }
  for (std::uint32_t e = 0; e < nodes_[0].count; ++e) first_[edges_[e].byte] = edges_[e].node;
}

Trie::Hit Trie::longest(std::string_view text, std::size_t at) const {
  Hit hit;
  each(text, at, [&](int value, std::size_t bytes) { hit = {value, bytes}; });
  return hit;
}

}  // namespace assay
