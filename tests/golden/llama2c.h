// Reads the files of karpathy/llama2.c (export.py, run.c, runq.c): a trained model of 260,000 parameters is published in them only.
//
//   version 0: seven int32 (dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len; a negative vocabulary means a head of its
//   own), then float32: embedding; of all layers wrms_att, wq, wk, wv, wo, wrms_ffn, w1, w2, w3; final norm; two rotary tables; the head
//   version 1: "ak42", 1, the seven, one byte (head shared), zeros up to byte 256; float32: all norms, then the matrices
//   version 2: the same with a group size behind that byte; norms in float32, each matrix as int8 and one float32 scale a group
//   tokenizer: int32 longest token, then per token float32 score, int32 length, bytes
#pragma once
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "reference/weights/writer.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace llama2c {

using namespace assay;

struct Model {
  std::int64_t dim = 0, hidden = 0, n_layers = 0, n_heads = 0, n_kv_heads = 0, vocab = 0, context = 0;
  std::map<std::string, std::vector<float>> tensors;  // under Hugging Face names
  std::map<std::string, float> half_step;             // of a quantised matrix: half its largest scale
};

class Reader {
 public:
  explicit Reader(const std::string& path) {
    auto bytes = read_file(path, std::size_t{64} << 20);
    REQUIRE(bytes.ok());
    bytes_ = std::move(*bytes);
  }
  template <class T>
  T value() {
    T out{};
    REQUIRE(at_ + sizeof(T) <= bytes_.size());
    std::memcpy(&out, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return out;
  }
  template <class T>
  std::vector<T> values(std::int64_t n) {
    std::vector<T> out(static_cast<std::size_t>(n));
    REQUIRE(out.size() * sizeof(T) <= bytes_.size() - at_);
    std::memcpy(out.data(), bytes_.data() + at_, out.size() * sizeof(T));
    at_ += out.size() * sizeof(T);
    return out;
  }
  std::string text(std::int64_t n) {
    const auto letters = values<char>(n);
    return {letters.begin(), letters.end()};
  }
  void seek(std::size_t at) { at_ = at; }
  bool at_end() const { return at_ == bytes_.size(); }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

inline void read_sizes(Reader& in, Model& m) {
  for (std::int64_t* each : {&m.dim, &m.hidden, &m.n_layers, &m.n_heads, &m.n_kv_heads, &m.vocab, &m.context})
    *each = in.value<std::int32_t>();
  REQUIRE(m.dim > 0);
  REQUIRE(m.vocab > 0);  // the head is shared
}

struct Slot {  // one kind of tensor, stored layer after layer
  const char* name;
  std::int64_t n_out, n_in;
};

inline std::vector<Slot> matrices_of(const Model& m) {
  const std::int64_t kv = m.dim / m.n_heads * m.n_kv_heads;
  return {{"self_attn.q_proj", m.dim, m.dim}, {"self_attn.k_proj", kv, m.dim},
          {"self_attn.v_proj", kv, m.dim},    {"self_attn.o_proj", m.dim, m.dim},
          {"mlp.gate_proj", m.hidden, m.dim}, {"mlp.down_proj", m.dim, m.hidden},
          {"mlp.up_proj", m.hidden, m.dim}};
}

inline std::string layer_name(std::int64_t layer, const std::string& name) {
  return "model.layers." + std::to_string(layer) + "." + name + ".weight";
}

// `read(n, name)` gives the next n values.
template <class Read>
void read_layers(Model& m, const std::string& name, std::int64_t n, const Read& read) {
  for (std::int64_t i = 0; i < m.n_layers; ++i) m.tensors[layer_name(i, name)] = read(n, layer_name(i, name));
}

inline Model read_version0(const std::string& path) {
  Reader in(path);
  Model m;
  read_sizes(in, m);
  const auto plain = [&](std::int64_t n, const std::string&) { return in.values<float>(n); };
  m.tensors["model.embed_tokens.weight"] = plain(m.vocab * m.dim, "");
  read_layers(m, "input_layernorm", m.dim, plain);
  const auto matrices = matrices_of(m);
  for (std::size_t i = 0; i < 4; ++i)
    read_layers(m, matrices[i].name, matrices[i].n_out * matrices[i].n_in, plain);
  read_layers(m, "post_attention_layernorm", m.dim, plain);
  for (std::size_t i = 4; i < 7; ++i)
    read_layers(m, matrices[i].name, matrices[i].n_out * matrices[i].n_in, plain);
  m.tensors["model.norm.weight"] = plain(m.dim, "");
  in.values<float>(m.context * (m.dim / m.n_heads));  // both rotary tables
  REQUIRE(in.at_end());
  return m;
}

// Versions 1 and 2.
inline Model read_headed(const std::string& path, std::int32_t version) {
  Reader in(path);
  Model m;
  REQUIRE(in.text(4) == "24ka");  // "ak42" as a little-endian number
  REQUIRE(in.value<std::int32_t>() == version);
  read_sizes(in, m);
  REQUIRE(in.value<std::uint8_t>() == 1);
  const std::int64_t group = version == 2 ? in.value<std::int32_t>() : 0;
  in.seek(256);
  const auto plain = [&](std::int64_t n, const std::string&) { return in.values<float>(n); };
  const auto matrix = [&](std::int64_t n, const std::string& name) {
    if (version == 1) return in.values<float>(n);
    const auto codes = in.values<std::int8_t>(n);
    const auto scales = in.values<float>(n / group);
    std::vector<float> out(codes.size());
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<float>(codes[i]) * scales[i / static_cast<std::size_t>(group)];
    m.half_step[name] = *std::max_element(scales.begin(), scales.end()) / 2;
    return out;
  };
  read_layers(m, "input_layernorm", m.dim, plain);
  read_layers(m, "post_attention_layernorm", m.dim, plain);
  m.tensors["model.norm.weight"] = plain(m.dim, "");
  m.tensors["model.embed_tokens.weight"] = matrix(m.vocab * m.dim, "model.embed_tokens.weight");
  for (const Slot& slot : matrices_of(m)) read_layers(m, slot.name, slot.n_out * slot.n_in, matrix);
  REQUIRE(in.at_end());
  return m;
}

inline std::vector<std::int64_t> shape_of(const Model& m, const std::string& name) {
  if (name == "model.embed_tokens.weight") return {m.vocab, m.dim};
  for (const Slot& slot : matrices_of(m)) {
    if (name.find(slot.name) != std::string::npos) return {slot.n_out, slot.n_in};
  }
  return {m.dim};
}

// The text of a token as SentencePiece wrote it: blanks are U+2581, bytes "<0x0A>".
inline Json tokenizer_json(const std::string& path, std::int64_t vocab) {
  Reader in(path);
  in.value<std::int32_t>();
  std::vector<std::pair<std::string, float>> pieces;
  for (std::int64_t i = 0; i < vocab; ++i) {
    const float score = in.value<float>();
    std::string text = in.text(in.value<std::int32_t>()), piece;
    for (const char c : text) piece += c == ' ' ? "\xE2\x96\x81" : std::string(1, c);
    pieces.emplace_back(i == 1 ? "<s>" : i == 2 ? "</s>" : piece, score);
  }
  REQUIRE(in.at_end());
  Json table = Json::object(), merges = Json::array();
  std::map<std::string, std::size_t> ids;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    table[pieces[i].first] = i;
    ids.emplace(pieces[i].first, i);
  }
  REQUIRE(ids.size() == pieces.size());
  std::vector<std::size_t> order;
  for (std::size_t i = 259; i < pieces.size(); ++i) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return pieces[a].second > pieces[b].second; });
  for (const std::size_t i : order) {
    const std::string& piece = pieces[i].first;
    for (std::size_t cut = 1; cut < piece.size(); ++cut) {
      const std::string left = piece.substr(0, cut), right = piece.substr(cut);
      if (ids.contains(left) && ids.contains(right)) merges.push_back({left, right});
    }
  }
  const auto special = [](int id, const char* text) {
    return Json{{"id", id},        {"content", text},     {"single_word", false}, {"lstrip", false},
                {"rstrip", false}, {"normalized", false}, {"special", true}};
  };
  const Json blank = {{"String", "\xE2\x96\x81"}}, space = {{"String", " "}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", {special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")}},
          {"normalizer",
           {{"type", "Sequence"},
            {"normalizers",
             {{{"type", "Prepend"}, {"prepend", "\xE2\x96\x81"}},
              {{"type", "Replace"}, {"pattern", space}, {"content", "\xE2\x96\x81"}}}}}},
          {"pre_tokenizer", nullptr},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single",
             {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
              {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
            {"pair",
             {{{"Sequence", {{"id", "A"}, {"type_id", 0}}}}, {{"Sequence", {{"id", "B"}, {"type_id", 0}}}}}},
            {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {1}}, {"tokens", {"<s>"}}}}}}}},
          {"decoder",
           {{"type", "Sequence"},
            {"decoders",
             {{{"type", "Replace"}, {"pattern", blank}, {"content", " "}},
              {{"type", "ByteFallback"}},
              {{"type", "Fuse"}},
              {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", "<unk>"},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", true},
            {"byte_fallback", true},
            {"ignore_merges", false},
            {"vocab", table},
            {"merges", merges}}}};
}

// A folder as the product reads it. llama2.c turns neighbouring elements: "rope-layout=pairs".
inline void write_folder(const Scratch& folder, const Model& m, const std::string& tokenizer) {
  const Json config = {{"model_type", "llama"},
                       {"vocab_size", m.vocab},
                       {"hidden_size", m.dim},
                       {"intermediate_size", m.hidden},
                       {"num_hidden_layers", m.n_layers},
                       {"num_attention_heads", m.n_heads},
                       {"num_key_value_heads", m.n_kv_heads},
                       {"max_position_embeddings", m.context},
                       {"rms_norm_eps", 1e-5},
                       {"tie_word_embeddings", true},
                       {"bos_token_id", 1},
                       {"eos_token_id", 2}};
  folder.write("config.json", config.dump());
  folder.write("tokenizer.json", tokenizer_json(tokenizer, m.vocab).dump());
  std::vector<TensorOut> out;
  for (const auto& [name, values] : m.tensors) out.push_back(tensor_out(name, shape_of(m, name), values));
  REQUIRE(write_safetensors(folder / "model.safetensors", out).ok());
}

}  // namespace llama2c
