// A small database with a row of every kind that the queries, exporters and plots show, and a folder that
// cleans up after itself.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "reports/database.h"

namespace assay::test {

// A fresh folder under the system's temporary one, removed at the end.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "assay-test-XXXXXX").string();
    ASSAY_CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::size_t n_files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::filesystem::path path_;
};

// Two models, a multiple-choice and a text suite of four items, three runs (one random-sampled), a decided
// and an open claim, a comparison, similarities, a bill, a kernel measurement. Machine facts (times, threads,
// kernel set) are parameters, so that the canonical export can be held against itself.
struct Machine {
  std::string kernel_set = "scalar", time = "2026-11-23T21:00:00Z", device = "Test CPU";
  int threads = 1;
  double seconds = 2.5;
  int first_id = 0;  // shifts row ids, as another order of work does
};

inline std::string sample_rows(const Machine& m) {
  const auto id = [&m](int n) { return std::to_string(m.first_id + n); };
  const std::string machine =
      "'" + m.time + "', " + std::to_string(m.seconds) + ", " + id(1) + ", " + std::to_string(m.threads);
  // What later migrations added to tables whose rows are written whole here.
  static const std::map<std::string, std::string> kLater = {{"protocol", ", NULL"},
                                                            {"run", ", 0, NULL, NULL"},
                                                            {"item_result", ", NULL, NULL"},
                                                            {"sample", ", NULL, NULL, NULL"},
                                                            {"continuation", ", NULL"},
                                                            {"model", ", NULL"},
                                                            {"verdict", ", NULL, NULL, NULL, NULL, NULL, NULL"}};
  std::string sql;
  const auto row = [&sql](const std::string& table, const std::string& values) {
    const auto later = kLater.find(table);
    sql += "INSERT INTO " + table + " VALUES (" + values + (later == kLater.end() ? "" : later->second) + ");\n";
  };
  row("artifact", id(1) + ", 'weights', 'model', 'aa11', 1000");
  row("artifact", id(2) + ", 'tokenizer', 'tokenizer.json', 'bb22', 100");
  row("model", id(1) + ", 'model', 'deepseek_v3', 'DeepseekV3ForCausalLM', " + id(1) + ", NULL, " + id(2) +
                   ", NULL, 2888128, 2029188, 1199748, 1024, '{}', 'identity-a'");
  row("model (id, name, identity)", id(2) + ", 'model-fp8', 'identity-b'");
  row("device", id(1) + ", '" + m.device + "', 'cpu', 2, 8000000000, '" + m.kernel_set + "'");
  row("price", id(1) + ", 'cpu', 0.1, 'machine-hour', '2026-11-01', 'a citation'");
  row("suite", id(1) + ", 'world-mc', 'World', 'made here', 'Apache-2.0', 'cc33', 4");
  row("suite", id(2) + ", 'tales-bpb', 'Tales', 'made here', 'Apache-2.0', 'dd44', 2");
  row("protocol", id(1) + ", " + id(1) + ", 'text-0shot', '{}', 'ee55', 'accuracy'");
  row("protocol",
      id(2) + ", " + id(2) + ", 'bos-micro', '{\"aggregation\": \"micro\"}', 'ff66', 'bits_per_byte'");
  for (int i = 0; i < 4; ++i) {
    const std::string n = std::to_string(i);
    row("item", id(1 + i) + ", " + id(1) + ", 'w" + n + "', " + n + ", '" + (i < 2 ? "fact" : "story") +
                    "', '" + (i < 2 ? "stem" : "") + "', 'Question " + n + "?', '1', 'i" + n + "'");
  }
  for (int i = 0; i < 2; ++i) {
    const std::string n = std::to_string(i);
    row("item", id(5 + i) + ", " + id(2) + ", 't" + n + "', " + n + ", 'tale', '', 'Text " + n + "', '', 't" +
                    n + "'");
  }
  const std::string audit = "1, 0, 0, 0, 0, 0";
  const auto run = [&](int n, const std::string& kind, int model, int suite, const std::string& sampling,
                       int items) {
    row("run", id(n) + ", '" + kind + "', " + id(model) + ", " + id(suite) + ", " + id(suite) +
                   ", NULL, 'run-" + std::to_string(n) + "', 'dequant-f32', '" + m.kernel_set + "', 'cpu', " +
                   sampling + ", 1, NULL, 'complete', '" + m.time + "', " +
                   machine.substr(0, machine.find(',')) + ", " + std::to_string(m.seconds) +
                   ", 100, 80, 0, " + id(1) + ", " + std::to_string(m.threads) + ", " + id(1) + ", " +
                   std::to_string(m.seconds / 3600 * 0.1) + ", " + std::to_string(items) + ", " +
                   std::to_string(items) + ", 0, 0, 0, 1, 0, 'a/model', ''");
  };
  run(1, "run", 1, 1, "NULL", 4);
  run(2, "run", 1, 2, "NULL", 2);
  run(3, "replay", 2, 1, "'{\"temperature\": 0.7}'", 4);
  // Run 1: right, right, wrong, not judged.
  const char* correct[] = {"1, 1.0, '1', 'choice', 'the largest'", "1, 1.0, '1', 'choice', 'the largest'",
                           "0, 0.0, '0', 'choice', 'another was larger'",
                           "NULL, NULL, NULL, NULL, 'nothing found'"};
  for (int i = 0; i < 4; ++i) {
    row("item_result", id(1 + i) + ", " + id(1) + ", " + id(1 + i) + ", " + correct[i] +
                           ", 1, 'pd', 'id', 'The prompt', 0.25, " + (i == 2 ? "3" : "0"));
  }
  for (int o = 0; o < 2; ++o) {
    row("continuation", id(1 + o) + ", " + id(1) + ", " + std::to_string(o) + ", ' option" +
                            std::to_string(o) + "', " + std::to_string(-2 - o) + ".5, " +
                            std::to_string(1 - o) + ", 2, 8, 8, 0");
  }
  row("token_logprob", id(1) + ", 0, 17, ' op', -1.5");
  row("token_logprob", id(1) + ", 1, 18, 'tion0', -1.0");
  // Run 2: 10 and 30 nats over 10 and 20 bytes.
  for (int i = 0; i < 2; ++i) {
    row("item_result", id(5 + i) + ", " + id(2) + ", " + id(5 + i) + ", NULL, " +
                           (i == 0 ? "1.4427" : "2.1640") +
                           ", NULL, NULL, 'a text', NULL, 'pd', 'id', NULL, NULL, 0");
    row("continuation", id(3 + i) + ", " + id(5 + i) + ", 0, 'Text', " + (i == 0 ? "-10.0" : "-30.0") +
                            ", 0, 5, 10, " + (i == 0 ? "10" : "20") + ", 0");
  }
  // Run 3: two samples of each item.
  for (int i = 0; i < 4; ++i) {
    row("item_result", id(7 + i) + ", " + id(3) + ", " + id(1 + i) +
                           ", 1, 0.5, 'x', 'regex', 'half', NULL, NULL, NULL, NULL, NULL, NULL");
    for (int s = 0; s < 2; ++s) {
      row("sample", id(1 + 2 * i + s) + ", " + id(7 + i) + ", " + std::to_string(s) + ", 'Output <b>" +
                        std::to_string(s) + "</b>', 'stop', 5, " + std::to_string(s) + ", 'x'");
    }
  }
  row("claim (id, key, text, claimant, model_name, suite_name, protocol_name, metric, relation, published, "
      "value, scale, "
      "expected_verdict, definition_json)",
      id(1) +
          ", 'demo-a', 'about two thirds <script>alert(1)</script>', 'authors', 'model', 'world-mc', "
          "'text-0shot', "
          "'accuracy', 'equals', '66.7', 66.7, 100, 'reproduced', '{}'");
  row("claim (id, key, text, model_name, relation, published, value, scale, definition_json)",
      id(2) + ", 'demo-open', 'not decided', 'model', 'at-least', '3', 3, 1, '{}'");
  for (int v = 0; v < 2; ++v) {  // the second is the newer one
    row("verdict", id(1 + v) + ", " + id(1) + ", '" + (v == 0 ? "undecided" : "reproduced") + "', " + id(1) +
                       ", NULL, NULL, 66.7, 66.66666666666667, 3, 'binomial-exact', 1.0, NULL, 0.05, "
                       "'rounding', 0.95, 66.65, "
                       "66.75, 20.8, 93.9, 'population', 'The measured score rounds to the figure.', "
                       "'nothing', NULL, '" +
                       m.time + "'");
  }
  row("comparison",
      id(1) + ", " + id(1) + ", " + id(3) + ", 4, -0.1, 1, 2, 'mcnemar-exact', 1.0, -0.5, 0.3, 0.95");
  row("similarity", id(1) +
                        ", 'outputs', 'model-a', 'model-b', 'shared-errors', 0.4, 0.1, 0.0, 0.2, 0.03, 0.09, "
                        "0.01, 100, 'panel', "
                        "'SIMILAR', 'who copied from whom'");
  row("similarity",
      id(2) +
          ", 'weights', 'model', 'model-fp8', 'cosine', 0.9, NULL, NULL, NULL, NULL, NULL, NULL, 2, NULL, "
          "'INCONCLUSIVE', 'training'");
  row("tensor_similarity", id(2) + ", 'a.weight', 'requantised', 0.02, 0.9998, 0.01");
  row("kernel_measurement (id, device_id, kernel, shape, isa, what_for, threads, seconds_p50, spread, repetitions, "
      "flops, bytes, fraction_of_limit, limit_name, measured_at_utc)",
      id(1) + ", " + id(1) +
          ", 'matmul-bf16', '64x160x160', 'avx2', 'model', 2, 0.001, 0.05, 20, 3276800, "
          "100000, 0.5, 'fma', '" +
          m.time + "'");
  row("cost_estimate", id(1) +
                           ", 'DeepSeek-V3', 'total', 2788000, 5576000, 4700000, 8200000, 'arithmetic', " +
                           id(1) + ", 0, 'consistent', 'the lines add up'");
  row("cost_line", id(1) + ", 0, 'pre-training', 2664000, 'H800-hours', 'arXiv 2412.19437 Table 1'");
  row("cost_line", id(1) + ", 1, 'context extension', 119000, 'H800-hours', 'arXiv 2412.19437 Table 1'");
  row("cost_estimate (id, subject, stage, hours, level, uses_measurements)",
      id(2) + ", 'model', 'evaluation', " + std::to_string(m.seconds / 3600) + ", 'measured-kernels', 1");
  row("event", id(1) + ", '" + m.time + "', " + id(1) + ", 'complete', 'all items'");
  return sql;
}

inline void make_sample_database(const std::string& path, const Machine& machine = {}) {
  Result<Database> database = Database::create(path);
  ASSAY_CHECK(database.ok());
  const Status status = database->run(sample_rows(machine));
  if (!status.ok()) throw std::runtime_error(status.error().text());
}

}  // namespace assay::test
