#include "eval/compare/compare_runs.h"

#include <map>

#include "base/stats/binomial.h"
#include "base/stats/paired.h"

namespace assay {
namespace {

struct Pair {
  std::string key;
  double a = 0, b = 0;
  bool judged = false;  // both are right or wrong
  std::int64_t cluster = 0;
};

Result<std::int64_t> suite_of(const Database& database, std::int64_t run) {
  ASSAY_TRY(Statement find, database.prepare("SELECT suite_id FROM main.run WHERE id = ?1"));
  find.with(run);
  ASSAY_TRY(const std::optional<std::int64_t> suite, database.find_integer(find));
  if (suite) return *suite;
  return Error{.code = Code::not_found, .message = "there is no run of that number", .file = database.path(), .field = "run", .got = std::to_string(run)};
}

Result<std::vector<Pair>> pairs_of(const Database& database, std::int64_t run_a, std::int64_t run_b) {
  ASSAY_TRY(Statement rows, database.prepare(R"sql(
    SELECT i.key, x.score, y.score, x.correct, y.correct, i.cluster FROM main.item_result x JOIN main.item_result y ON y.item_id = x.item_id
    JOIN main.item i ON i.id = x.item_id WHERE x.run_id = ?1 AND y.run_id = ?2 AND x.score IS NOT NULL AND y.score IS NOT NULL
    ORDER BY i.ordinal)sql"));
  rows.with(run_a, run_b);
  std::vector<Pair> pairs;
  std::map<std::string, std::int64_t> clusters;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) break;
    const std::string cluster = rows.text(5);  // "": the item stands alone
    const auto number = clusters.try_emplace(cluster.empty() ? "item " + rows.text(0) : "cluster " + cluster, std::ssize(clusters)).first->second;
    pairs.push_back({.key = rows.text(0), .a = rows.real(1), .b = rows.real(2), .judged = !rows.is_null(3) && !rows.is_null(4), .cluster = number});
  }
  return pairs;
}

void count_flips(const std::vector<Pair>& pairs, RunComparison& out) {
  std::int64_t gained = 0, lost = 0;
  for (const Pair& pair : pairs) {
    if (!pair.judged) return;  // real values do not flip
    gained += pair.b > pair.a ? 1 : 0;
    lost += pair.b < pair.a ? 1 : 0;
    if (pair.a != pair.b) out.flips.push_back(pair.key);
  }
  out.gained = gained;
  out.lost = lost;
}

}  // namespace

Result<RunComparison> compare_runs(const Database& database, std::int64_t run_a, std::int64_t run_b, std::uint64_t seed) {
  ASSAY_TRY(const std::int64_t suite_a, suite_of(database, run_a));
  ASSAY_TRY(const std::int64_t suite_b, suite_of(database, run_b));
  if (suite_a != suite_b) {
    return Error{.code = Code::bad_value, .message = "the two runs are of different suites; only runs on the same items can be compared", .file = database.path()};
  }
  ASSAY_TRY(const std::vector<Pair> pairs, pairs_of(database, run_a, run_b));
  if (pairs.empty()) return Error{.code = Code::bad_value, .message = "the two runs have no item in common", .file = database.path()};
  RunComparison out{.run_a = run_a, .run_b = run_b, .n = static_cast<std::int64_t>(pairs.size())};
  count_flips(pairs, out);
  std::vector<double> a, b;
  std::vector<std::int64_t> clusters;
  for (const Pair& pair : pairs) {
    a.push_back(pair.a);
    b.push_back(pair.b);
    clusters.push_back(pair.cluster);
    out.n_changed += pair.a != pair.b ? 1 : 0;
  }
  const stats::Paired paired = stats::paired_difference(a, b, clusters, out.level, seed);
  out.delta = paired.delta;
  out.se = paired.se;
  if (paired.se) out.low = paired.low, out.high = paired.high;
  out.test = out.gained ? "mcnemar-exact" : "sign-flip";
  out.p = out.gained ? stats::mcnemar_exact(*out.gained, *out.lost) : paired.p_sign_flip;
  return out;
}

Status record_comparison(Database& database, const RunComparison& c) {
  ASSAY_TRY(Transaction transaction, Transaction::begin(database));
  ASSAY_TRY(Statement remove, database.prepare("DELETE FROM comparison WHERE run_a_id = ? AND run_b_id = ?"));
  ASSAY_OK(remove.with(c.run_a, c.run_b).run());
  ASSAY_TRY(Statement insert, database.prepare("INSERT INTO comparison (run_a_id, run_b_id, n, delta, gained, lost, test, p, low, high, level) "
                                               "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  ASSAY_OK(insert.with(c.run_a, c.run_b, c.n, c.delta, c.gained, c.lost, c.test, c.p, c.low, c.high, c.level).run());
  return transaction.commit();
}

}  // namespace assay
