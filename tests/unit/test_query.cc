// Queries over the sample database of the fixture: every figure is recomputed here by hand from the rows that
// were stored.
#include "reports/query.h"

#include <cmath>

#include "reports/run_score.h"
#include "tests/catch.h"
#include "tests/report_fixture.h"

using namespace assay;

namespace {

struct QuerySample {
  test::Folder folder;
  Result<Database> database;
  QuerySample()
      : database((test::make_sample_database(folder.file("a.db")),
                  Database::open_read_only(folder.file("a.db")))) {
    REQUIRE(database.ok());
  }
  const Database& operator*() const { return *database; }
};

template <class T>
T value_of(Result<T> result) {
  if (!result.ok()) FAIL(result.error().text());
  return *std::move(result);
}

}  // namespace

TEST_CASE("query: a claim carries its newest verdict, an open one none") {
  const QuerySample sample;
  const auto claims = value_of(claim_rows(*sample));
  REQUIRE(claims.size() == 2);
  CHECK(claims[0].key == "demo-a");
  CHECK(claims[0].verdict == "reproduced");  // the older verdict said undecided
  CHECK(claims[0].measured == Approx(66.66666666666667));
  CHECK(claims[0].population_low == 20.8);
  CHECK(claims[0].speaks_of == "population");
  CHECK(claims[0].run_id == 1);
  CHECK_FALSE(claims[0].p_adjusted.has_value());
  CHECK(claims[1].verdict.empty());
  CHECK_FALSE(claims[1].verdict_id.has_value());
  CHECK(verdict_letter(claims[0].verdict) == 'R');
  CHECK(verdict_letter(claims[1].verdict) == '-');
  for (const auto& [verdict, letter] : {std::pair{"contradicted", 'C'},
                                        {"undecided", 'U'},
                                        {"protocol-mismatch", 'P'},
                                        {"impossible", 'I'}}) {
    CHECK(verdict_letter(verdict) == letter);
  }
}

TEST_CASE("query: the score of a run is recomputed from its items") {
  const QuerySample sample;
  const auto runs = value_of(run_rows(*sample));
  REQUIRE(runs.size() == 3);
  const RunRow& choice = runs[0];
  CHECK(choice.n == 3);
  CHECK(*choice.score == Approx(2.0 / 3).epsilon(1e-12));
  CHECK(choice.correct == 2);
  CHECK(choice.wrong == 1);
  CHECK(choice.unjudged == 1);
  CHECK(choice.router_ties == 3);
  CHECK(choice.se_fixed == 0.0);
  // Deviations 1/3, 1/3, -2/3; the first two share a stem: (6/9) / (3*2) + 2 * (1/9) / 9.
  CHECK(*choice.se_population == Approx(std::sqrt(6.0 / 9 / 6 + 2.0 / 81)).epsilon(1e-12));
  CHECK(choice.weights_digest == "aa11");
  CHECK(choice.tokenizer_digest == "bb22");
  CHECK(choice.device == "Test CPU");
  CHECK(choice.price_source == "a citation");
  CHECK(choice.seconds == 2.5);
  CHECK(choice.unextractable == 1);
}

TEST_CASE(
    "query: bits per byte is total bits over total bytes, or the mean where no log-probabilities are "
    "stored") {
  const QuerySample sample;
  const auto runs = value_of(run_rows(*sample));
  const double ratio = 40.0 / std::log(2.0) / 30;
  CHECK(*runs[1].score == Approx(ratio).epsilon(1e-12));
  // Residuals ±(10/ln2 - ratio*10) over a mean weight of 15; n = 2.
  const double residual = (10 / std::log(2.0) - ratio * 10) / 15;
  CHECK(*runs[1].se_population == Approx(std::sqrt(2 * residual * residual / 2)).epsilon(1e-12));
  CHECK(*runs[1].low < *runs[1].score);

  Result<Database> writer = Database::create(sample.folder.file("b.db"));
  REQUIRE(writer->run(test::sample_rows({})).ok());
  REQUIRE(writer->run("DELETE FROM continuation").ok());
  CHECK(*value_of(run_rows(*writer))[1].score == Approx((1.4427 + 2.1640) / 2));
}

TEST_CASE("query: several random samples give an error on these very items, one random sample does not") {
  const QuerySample sample;
  const auto runs = value_of(run_rows(*sample));
  // Four items of two samples, one right: variance of an item's mean 0.25 / 1; se = sqrt(4 * 0.25) / 4.
  CHECK(*runs[2].se_fixed == Approx(0.25));
  CHECK(runs[2].model == "model-fp8");
  Result<Database> writer = Database::create(sample.folder.file("b.db"));
  REQUIRE(writer->run(test::sample_rows({})).ok());
  REQUIRE(writer->run("DELETE FROM sample WHERE sample_index = 1").ok());
  CHECK_FALSE(value_of(run_rows(*writer))[2].se_fixed.has_value());
}

TEST_CASE("query: a score of plain proportions has Wilson's interval, and no items have no score") {
  std::vector<ItemValue> values(20);
  for (int i = 0; i < 5; ++i) values[static_cast<std::size_t>(i)].value = 1;
  const RunScore score = score_of_mean(values);
  CHECK(*score.low == Approx(0.1118617).epsilon(1e-5));  // Wilson, k = 5, n = 20, published tables
  CHECK(*score.high == Approx(0.4687009).epsilon(1e-5));
  CHECK(*score.se_population == Approx(std::sqrt(0.25 * 0.75 / 19)).epsilon(1e-12));
  CHECK_FALSE(score_of_mean({}).score.has_value());
  CHECK_FALSE(score_of_ratio({}).score.has_value());
  std::vector<ItemValue> parts(4);
  for (std::size_t i = 0; i < 3; ++i) parts[i].value = i == 0 ? 0 : 1, parts[i].subset = "a";
  parts[3].value = 0, parts[3].subset = "b";
  CHECK(*score_of_subset_means(parts).score == Approx(1.0 / 3));        // (2/3 + 0) / 2
  CHECK_FALSE(score_of_subset_means(parts).se_population.has_value());  // one item: its error is not known
  CHECK_FALSE(score_of_subset_means({}).score.has_value());
  const RunScore one = score_of_mean({ItemValue{.value = 1}});
  CHECK(*one.score == 1);
  CHECK_FALSE(one.se_population.has_value());
}

TEST_CASE("query: items come in pages by key, filtered and searched") {
  const QuerySample sample;
  ItemQuery query{
      .run_id = 1, .filter = ItemFilter::all, .subset = "", .contains = "", .after = -1, .limit = 3};
  const auto first = value_of(item_rows(*sample, query));
  REQUIRE(first.size() == 3);
  query.after = first.back().ordinal;
  const auto second = value_of(item_rows(*sample, query));
  REQUIRE(second.size() == 1);
  CHECK(second[0].key == "w3");
  CHECK_FALSE(second[0].correct.has_value());
  CHECK_FALSE(second[0].has_extracted);
  CHECK(value_of(count_items(*sample, query)) == 4);

  const auto count = [&](ItemFilter filter, const std::string& subset, const std::string& contains) {
    ItemQuery q;
    q.run_id = 1;
    q.filter = filter;
    q.subset = subset;
    q.contains = contains;
    const auto rows = value_of(item_rows(*sample, q));
    CHECK(value_of(count_items(*sample, q)) == static_cast<std::int64_t>(rows.size()));
    return rows.size();
  };
  CHECK(count(ItemFilter::right, "", "") == 2);
  CHECK(count(ItemFilter::wrong, "", "") == 1);
  CHECK(count(ItemFilter::unjudged, "", "") == 1);
  CHECK(count(ItemFilter::unextractable, "", "") == 1);
  CHECK(count(ItemFilter::router_ties, "", "") == 1);
  CHECK(count(ItemFilter::all, "fact", "") == 2);
  CHECK(count(ItemFilter::all, "", "QUESTION 2") == 1);
  CHECK(count(ItemFilter::all, "", "' OR 1 --") == 0);  // bound, not pasted
}

TEST_CASE("query: an item's detail has prompt, options with tokens, or samples") {
  const QuerySample sample;
  const ItemDetail choice = value_of(item_detail(*sample, 1));
  CHECK(choice.prompt == "The prompt");
  CHECK(choice.cluster == "stem");
  REQUIRE(choice.options.size() == 2);
  CHECK(choice.options[1].chosen);
  CHECK_FALSE(choice.options[0].chosen);
  CHECK(choice.options[0].logprob_nats == -2.5);
  const auto tokens = value_of(token_rows(*sample, choice.options[0].continuation_id));
  REQUIRE(tokens.size() == 2);
  CHECK(tokens[1].text == "tion0");
  CHECK(tokens[0].logprob_nats + tokens[1].logprob_nats == choice.options[0].logprob_nats);
  const ItemDetail generated = value_of(item_detail(*sample, 7));
  REQUIRE(generated.samples.size() == 2);
  CHECK(generated.samples[1].output == "Output <b>1</b>");
  CHECK(generated.samples[1].correct == true);
  const Result<ItemDetail> none = item_detail(*sample, 999);
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().code == Code::out_of_range);
}

TEST_CASE("query: subsets, comparisons, similarities, costs, kernels, models, artifacts, events") {
  const QuerySample sample;
  const auto subsets = value_of(subset_rows(*sample, 1));
  REQUIRE(subsets.size() == 2);
  CHECK(subsets[0].subset == "fact");
  CHECK(subsets[0].score == 1.0);
  CHECK(subsets[1].n == 1);
  const auto comparisons = value_of(comparison_rows(*sample));
  REQUIRE(comparisons.size() == 1);
  CHECK(comparisons[0].a == "model");
  CHECK(comparisons[0].b == "model-fp8");
  const auto similarities = value_of(similarity_rows(*sample));
  REQUIRE(similarities.size() == 2);
  CHECK(similarities[1].panel.empty());
  CHECK(value_of(tensor_similarity_rows(*sample, similarities[1].id))[0].status == "requantised");
  const auto costs = value_of(cost_rows(*sample));
  REQUIRE(costs.size() == 2);
  REQUIRE(costs[0].lines.size() == 2);
  CHECK(costs[0].lines[1].value == 119000);
  CHECK(costs[0].price_source == "a citation");
  CHECK(costs[1].uses_measurements);
  const auto kernels = value_of(kernel_rows(*sample));
  REQUIRE(kernels.size() == 1);
  CHECK(*kernels[0].flops_per_s == Approx(3276800 / 0.001));
  CHECK(*kernels[0].intensity_flops_per_byte == Approx(32.768));
  CHECK(value_of(model_rows(*sample))[0].params_active == 1199748);
  CHECK(value_of(artifact_rows(*sample)).size() == 2);
  CHECK(value_of(event_rows(*sample))[0].message == "all items");
}
