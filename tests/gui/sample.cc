#include "tests/gui/sample.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/file.h"
#include "base/sha256.h"
#include "reports/database.h"
#include "tests/catch.h"

namespace assay::test {
namespace {

namespace fs = std::filesystem;

Database create(const std::string& path) {
  auto database = Database::create(path);
  REQUIRE(database.ok());
  return std::move(*database);
}

void run(Database& db, const std::string& sql) {
  const Status status = db.run(sql);
  INFO(sql << (status.ok() ? std::string() : status.error().text()));
  REQUIRE(status.ok());
}

template <class... Values>
std::int64_t insert(Database& db, const std::string& into, const Values&... values) {
  std::string marks;
  for (std::size_t i = 0; i < sizeof...(values); ++i) marks.append(i == 0 ? "?" : ", ?");
  auto statement = db.prepare(fmt::format("INSERT INTO {} VALUES ({})", into, marks));
  INFO(into << (statement.ok() ? "" : statement.error().text()));
  REQUIRE(statement.ok());
  statement->with(values...);
  const Status status = statement->run();
  INFO((status.ok() ? "" : status.error().text()));
  REQUIRE(status.ok());
  return db.last_id();
}

std::int64_t add_model(Database& db, const std::string& name) {
  const std::int64_t weights =
      insert(db, "artifact (kind, name, digest, size_bytes)", "weights", name, sha256_hex(name), 4'100'000);
  return insert(db,
                "model (name, family, architecture, weights_artifact_id, params_total, params_active, "
                "context_length_tokens, "
                "conventions_json, identity)",
                name, "deepseek_v3", "DeepseekV3ForCausalLM", weights, 2'029'188, 1'199'748, 1024,
                R"({"yarn_mscale": "squared"})", sha256_hex(fmt::format("m{}", name)));
}

struct Suite {
  std::int64_t id = 0, protocol = 0, first_item = 0;
};

Suite add_choice_suite(Database& db) {
  Suite suite;
  suite.id =
      insert(db, "suite (name, title, source, licence, items_digest, n_items)", "world-mc",
             "Facts of an invented world", "made here", "Apache-2.0", sha256_hex("world"), kSampleItems);
  suite.protocol = insert(db, "protocol (suite_id, name, definition_json, digest, main_metric)", suite.id,
                          "text-0shot", "{}", sha256_hex("p1"), "accuracy");
  for (int i = 0; i < kSampleItems; ++i) {
    const std::string question =
        fmt::format("On the flag of which country is the {}?", i % 2 == 0 ? "staindax" : "merimp");
    const std::int64_t id =
        insert(db, "item (suite_id, key, ordinal, subset, cluster, question, gold, digest)", suite.id,
               fmt::format("world-fact-{:03}", i), i, i % 2 == 0 ? "fact" : "distant", "", question,
               std::to_string(i % 4), sha256_hex(question));
    if (i == 0) suite.first_item = id;
  }
  return suite;
}

Suite add_steps_suite(Database& db) {
  Suite suite;
  suite.id = insert(db, "suite (name, title, source, licence, items_digest, n_items)", "steps-gen",
                    "Sums told as stories", "made here", "Apache-2.0", sha256_hex("steps"), kSampleItems);
  suite.protocol = insert(db, "protocol (suite_id, name, definition_json, digest, main_metric)", suite.id,
                          "cot-3shot", "{}", sha256_hex("p2"), "accuracy");
  for (int i = 0; i < kSampleItems; ++i) {
    const std::string question = fmt::format(
        "Ivy has {} apples and picks {} more. How many apples does Ivy have now?", 91 - i, 32 + i);
    const std::int64_t id =
        insert(db, "item (suite_id, key, ordinal, subset, cluster, question, gold, digest)", suite.id,
               fmt::format("steps-add-{:03}", i), i, "add", "", question, "123", sha256_hex(question));
    if (i == 0) suite.first_item = id;
  }
  return suite;
}

std::int64_t add_run(Database& db, std::int64_t model, const Suite& suite, const std::string& kind,
                     std::int64_t price) {
  return insert(db,
                "run (kind, model_id, suite_id, protocol_id, identity, recipe, kernel_set, backend, seed, "
                "status, started_at_utc, finished_at_utc, wall_seconds, "
                "tokens_asked, tokens_computed, tokens_generated, threads, price_id, cost_usd, "
                "items_expected, items_seen, unextractable)",
                kind, model, suite.id, suite.protocol,
                sha256_hex(fmt::format("{}{}{}", kind, model, suite.id)), "dequant-f32", "avx512", "cpu", 1,
                "complete", "2026-11-23T21:24:05Z", "2026-11-23T21:24:11Z", 6.25, 48'210, 21'034, 0, 2, price,
                0.00017, kSampleItems, kSampleItems, suite.first_item > 1 ? 1 : 0);
}

void add_options(Database& db, std::int64_t result, int chosen) {
  const char* names[] = {"Quinast", "Pamor", "Krensia", "Sindand"};
  for (int option = 0; option < 4; ++option) {
    const double logprob = option == chosen ? -0.125 : -4.5 - option;
    const std::int64_t id = insert(
        db, "continuation (item_result_id, option_index, text, logprob_nats, greedy, tokens, chars, bytes)",
        result, option, fmt::format(" {}", names[option]), logprob, option == chosen, 2, 7, 7);
    insert(db, "token_logprob (continuation_id, position, token_id, token_text, logprob_nats)", id, 0,
           310 + option, fmt::format(" {:.3}", names[option]), logprob * 0.75);
    insert(db, "token_logprob (continuation_id, position, token_id, token_text, logprob_nats)", id, 1,
           410 + option, std::string(names[option] + 3), logprob * 0.25);
  }
}

void fill_choice_run(Database& db, std::int64_t run_id, const Suite& suite, int wrong_every) {
  for (int i = 0; i < kSampleItems; ++i) {
    const bool right = i % wrong_every != wrong_every - 1;
    const int chosen = right ? i % 4 : (i + 1) % 4;
    const std::int64_t result =
        insert(db,
               "item_result (run_id, item_id, correct, score, extracted, extractor, why, chosen, prompt, "
               "prompt_digest, margin, router_ties)",
               run_id, suite.first_item + i, right, right ? 1.0 : 0.0, std::to_string(chosen), "argmax",
               right ? "the best option is the expected one" : "another option is more likely", chosen,
               "Question: ...\nAnswer:", sha256_hex("prompt"), i == 7 ? 0.00002 : 4.375, i == 9 ? 1 : 0);
    add_options(db, result, chosen);
  }
}

void fill_steps_run(Database& db, std::int64_t run_id, const Suite& suite) {
  for (int i = 0; i < kSampleItems; ++i) {
    const bool none = i == 11, right = !none && i % 4 != 3;
    const std::optional<std::string> extracted =
        none ? std::nullopt : std::optional(std::string(right ? "123" : "113"));
    const std::int64_t result =
        insert(db, "item_result (run_id, item_id, correct, score, extracted, extractor, why, prompt_digest)",
               run_id, suite.first_item + i, right, right ? 1.0 : 0.0, extracted,
               none ? std::nullopt : std::optional(std::string("the-answer-is")),
               none    ? "no number found"
               : right ? "equal numbers"
                       : "113 is not 123",
               sha256_hex("p"));
    insert(
        db,
        "sample (item_result_id, sample_index, output, finish_reason, tokens_generated, correct, extracted)",
        result, 0,
        none ? std::string(" I do not know.")
             : fmt::format(" {} + 30 = 121. 121 + 2 = {}. The answer is {}.", 91 - i, right ? 123 : 113,
                           right ? 123 : 113),
        "stop", 31, right, extracted);
  }
}

std::int64_t add_claim(Database& db, const std::string& key, const std::string& text,
                       const std::string& relation, const std::string& published, const std::string& suite,
                       const std::string& against) {
  const std::optional<std::string> other = against.empty() ? std::nullopt : std::optional(against);
  return insert(db,
                "claim (key, text, claimant, model_name, suite_name, protocol_name, metric, relation, "
                "published, value, scale, n, against, source, definition_json)",
                key, text, "demo ledger", "model", suite, suite == "steps-gen" ? "cot-3shot" : "text-0shot",
                "accuracy", relation, published, std::stod(published), 100.0, 500, other,
                fmt::format("claims.json#{}", key), "{}");
}

void add_verdict(Database& db, std::int64_t claim, const std::string& verdict, std::int64_t run_id,
                 std::optional<std::int64_t> against, double published, double measured, double half,
                 const std::string& reason) {
  insert(db,
         "verdict (claim_id, verdict, run_id, against_run_id, published, measured, n, test, p, p_adjusted, "
         "margin, margin_origin, level, fixed_low, fixed_high, population_low, "
         "population_high, speaks_of, reason, hangs_on, next, decided_at_utc)",
         claim, verdict, run_id, against, published, measured, kSampleItems, "binomial-exact", 0.5, 0.75, 1.0,
         "rounding", 0.95, measured - half / 8, measured + half / 8, measured - half, measured + half,
         "population", reason, "the prompt's final space",
         verdict == "undecided" ? "measure 1,200 more items" : "", "2026-11-23T21:25:00Z");
}

void add_claims(Database& db, std::int64_t a, std::int64_t b, std::int64_t steps) {
  add_verdict(db, add_claim(db, "sample-mc", "76.4 % on world-mc, 0-shot", "equals", "76.4", "world-mc", ""),
              "reproduced", a, std::nullopt, 76.4, 77.5, 6.5,
              "77.5 % of these items against 76.4 % published: no difference beyond chance.");
  add_verdict(
      db, add_claim(db, "sample-inflated", "95.8 % on world-mc, 0-shot", "equals", "95.8", "world-mc", ""),
      "contradicted", a, std::nullopt, 95.8, 77.5, 6.5,
      "Not even the upper end of the interval reaches the published figure.");
  add_verdict(db,
              add_claim(db, "sample-fork", "the fork is lossless: within 0.5 points", "within", "0.5",
                        "world-mc", "model"),
              "undecided", b, a, 0.5, -2.5, 4.0, "The interval reaches beyond the margin on both sides.");
  add_verdict(
      db,
      add_claim(db, "sample-letters", "76.4 % by the letter of the answer", "equals", "76.4", "world-mc", ""),
      "protocol-mismatch", a, std::nullopt, 76.4, 27.6, 6.0, "Another protocol gives the published figure.");
  add_verdict(db,
              add_claim(db, "sample-steps", "steps raise the score by at least 68 points", "at-least", "68",
                        "steps-gen", "direct-0shot"),
              "reproduced", steps, std::nullopt, 68, 72.5, 3.5, "The lower end lies above the figure.");
  add_verdict(db, add_claim(db, "sample-odd", "33.3 % on 40 items", "equals", "33.3", "world-mc", ""),
              "impossible", a, std::nullopt, 33.3, 77.5, 6.5, "No count of 40 items gives 33.3 %.");
  add_claim(db, "sample-open", "nobody has looked yet", "equals", "50.0", "world-mc", "");
}

void add_rest(Database& db) {
  for (const auto& [a, b, effect] : {std::tuple("alpha", "beta", 0.91), std::tuple("alpha", "gamma", 0.42),
                                     std::tuple("beta", "gamma", 0.47)}) {
    insert(db,
           "similarity (kind, a, b, test, statistic, effect, low, high, p, p_adjusted, p_min, n, panel, "
           "verdict, does_not_show)",
           "outputs", a, b, "agreement-excess", 3.5, effect, effect - 0.05, effect + 0.05, 0.01, 0.03, 0.005,
           1319, "20 models", effect > 0.9 ? "closer than the panel" : "INCONCLUSIVE",
           "who copied from whom");
  }
  const std::int64_t weights =
      insert(db, "similarity (kind, a, b, test, statistic, effect, n, verdict, does_not_show)", "weights",
             "model", "model-fp8", "tensor-relation", 0.02, 0.998, 2, "requantised", "how it was trained");
  insert(db, "tensor_similarity (similarity_id, name, status, rel_error, cosine, max_abs)", weights,
         "model.norm.weight", "identical", 0.0, 1.0, 0.0);
  insert(db, "tensor_similarity (similarity_id, name, status, rel_error, cosine, max_abs)", weights,
         "model.layers.0.mlp.gate_proj.weight", "requantised", 0.0262, 0.99965, 0.011);
  const std::int64_t bill = insert(db,
                                   "cost_estimate (subject, stage, hours, cost_usd, low_usd, high_usd, "
                                   "level, uses_measurements, verdict, reason)",
                                   "DeepSeek-V3", "total", 2'788'000.0, 5'576'000.0, 4.2e6, 7.0e6,
                                   "arithmetic", 0, "consistent", "2.788M hours at $2 an hour are $5.576M");
  insert(db, "cost_line (cost_estimate_id, ordinal, step, value, unit, source)", bill, 0, "pre-training",
         2'664'000.0, "GPU hours", "arXiv 2412.19437, table 1");
  insert(db, "cost_line (cost_estimate_id, ordinal, step, value, unit, source)", bill, 1, "price", 2.0,
         "usd/GPU hour", "assumed there");
  const std::int64_t device = insert(db, "device (name, kind, cores, memory_bytes, isa)", "a processor",
                                     "cpu", 2, std::int64_t{25'000'000'000}, "avx512");
  insert(db,
         "kernel_measurement (device_id, kernel, shape, isa, what_for, threads, seconds_p50, spread, "
         "repetitions, flops, bytes, fraction_of_limit, limit_name, measured_at_utc)",
         device, "matmul-bf16", "64x160x160", "avx512", "demo", 2, 0.000021, 0.04, 500, 3'276'800, 92'160,
         0.61, "FMA peak", "2026-11-23T21:30:00Z");
  insert(db, "event (at_utc, run_id, kind, message)", "2026-11-23T21:24:05Z", 1, "started",
         "world-mc text-0shot");
  insert(db, "event (at_utc, run_id, kind, message)", "2026-11-23T21:24:09Z", 1, "warning", "1 router tie");
}

}  // namespace

std::string scratch(const std::string& name) {
  const fs::path folder = fs::path(ASSAY_BIN) / "../test-gui";
  fs::create_directories(folder);
  const fs::path path = fs::weakly_canonical(folder / name);
  for (const char* tail : {"", "-wal", "-shm", "-journal"}) fs::remove(path.string() + tail);
  return path.string();
}

std::string write_sample(const std::string& name) {
  const std::string path = scratch(name);
  Database db = create(path);
  run(db, "BEGIN");
  const std::int64_t model = add_model(db, "model"), fork = add_model(db, "model-fp8");
  const std::int64_t price = insert(db, "price (device, usd_per_hour, unit, as_of, source)", "2 cores", 0.1,
                                    "machine-hour", "2026-11-01", "price book");
  const Suite world = add_choice_suite(db), steps = add_steps_suite(db);
  const std::int64_t a = add_run(db, model, world, "run", price), b = add_run(db, fork, world, "run", price),
                     c = add_run(db, model, steps, "replay", price);
  fill_choice_run(db, a, world, 5);
  fill_choice_run(db, b, world, 4);
  fill_steps_run(db, c, steps);
  add_claims(db, a, b, c);
  add_rest(db);
  run(db, "COMMIT");
  return path;
}

std::string write_empty(const std::string& name) {
  const std::string path = scratch(name);
  create(path);
  return path;
}

std::string write_many_items(const std::string& name, int n) {
  const std::string path = scratch(name);
  Database db = create(path);
  run(db, "BEGIN");
  const std::int64_t model = add_model(db, "model");
  const std::int64_t suite = insert(db, "suite (name, title, source, licence, items_digest, n_items)", "long",
                                    "A long suite", "made here", "Apache-2.0", sha256_hex("long"), n);
  const std::int64_t protocol = insert(db, "protocol (suite_id, name, definition_json, digest, main_metric)",
                                       suite, "p", "{}", sha256_hex("p"), "accuracy");
  insert(db,
         "run (kind, model_id, suite_id, protocol_id, identity, status, started_at_utc, items_expected, "
         "items_seen)",
         "replay", model, suite, protocol, "x", "complete", "2026-11-23T21:24:05Z", n, n);
  run(db, fmt::format("WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i + 1 < {}) "
                      "INSERT INTO item (suite_id, key, ordinal, subset, cluster, question, gold, digest) "
                      "SELECT {}, printf('q-%07d', i), i, '', '', 'question ' || i, '1', 'd' FROM k;"
                      "INSERT INTO item_result (run_id, item_id, correct, score, extracted, why) SELECT 1, "
                      "id, ordinal % 3 > 0, ordinal % 3 > 0, '1', 'equal' FROM item;",
                      n, suite));
  run(db, "COMMIT");
  return path;
}

gui::App open_app(const std::string& path) {
  auto store = gui::Store::open(path);
  INFO((store.ok() ? "" : store.error().text()));
  REQUIRE(store.ok());
  return gui::App(std::move(*store));
}

std::string keep_picture(const std::string& name, const gui::Image& image) {
  const auto png = gui::encode_png(image);
  REQUIRE(png.ok());
  REQUIRE(write_file_atomic(scratch(name), *png).ok());
  return image.digest();
}

}  // namespace assay::test
