// A set of byte strings that is searched by prefix: user-defined symbols, Unigram pieces, WordPiece.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay {

class Trie {
 public:
  Trie() = default;
  // Values >= 0; of two equal keys the first counts. Empty keys are left out.
  explicit Trie(std::vector<std::pair<std::string, int>> keys);

  bool empty() const { return edges_.empty(); }
  // The longest key that `text` has at `at`: its value and length, or {-1, 0}.
  struct Hit {
    int value = -1;
    std::size_t bytes = 0;
  };
  Hit longest(std::string_view text, std::size_t at) const;
  // Calls visit(value, bytes) for every key that `text` has at `at`, short ones first.
  template <class Visit>
  void each(std::string_view text, std::size_t at, Visit visit) const {
    std::uint32_t node = 0;
    for (std::size_t i = at; i < text.size(); ++i) {
      node = child(node, static_cast<unsigned char>(text[i]));
      if (node == 0) return;
      if (nodes_[node].value >= 0) visit(nodes_[node].value, i + 1 - at);
    }
  }

 private:
  struct Node {
    std::uint32_t edges = 0;  // first of them in edges_
    std::int32_t value = -1;
    std::uint16_t count = 0;
  };
  struct Edge {
    std::uint32_t node = 0;
    unsigned char byte = 0;
  };
  std::uint32_t child(std::uint32_t node, unsigned char byte) const {
    if (node == 0) return first_[byte];
    const Node& n = nodes_[node];
    for (std::uint32_t e = n.edges; e < n.edges + n.count; ++e) {
      if (edges_[e].byte == byte) return edges_[e].node;
    }
    return 0;
  }

  std::vector<Node> nodes_{Node{}};
  std::vector<Edge> edges_;
  std::array<std::uint32_t, 256> first_{};  // children of the root
};

}  // namespace assay
