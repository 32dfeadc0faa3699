// Cost bills and kernel measurements as rows.
#include "reports/query_rows.h"

namespace assay::shown {
namespace {

CostRow read_cost(Columns& in) {
  CostRow row;
  row.id = in.integer();
  row.subject = in.text();
  row.stage = in.text();
  row.hours = in.maybe_real();
  row.cost_usd = in.maybe_real();
  row.low_usd = in.maybe_real();
  row.high_usd = in.maybe_real();
  row.level = in.text();
  row.uses_measurements = in.flag();
  row.verdict = in.text();
  row.reason = in.text();
  row.price_device = in.text();
  row.price_unit = in.text();
  row.price_as_of = in.text();
  row.price_source = in.text();
  row.usd_per_hour = in.maybe_real();
  return row;
}

Result<std::vector<CostLine>> cost_lines(const Database& database, Id estimate_id) {
  ASSAY_TRY(Statement statement, database.prepare(R"(
    SELECT ordinal, step, value, unit, source FROM main.cost_line WHERE cost_estimate_id = ? ORDER BY ordinal)"));
  statement.bind(1, estimate_id);
  return collect<CostLine>(statement, [](Columns& in) {
    CostLine line;
    line.ordinal = in.integer();
    line.step = in.text();
    line.value = in.maybe_real();
    line.unit = in.text();
    line.source = in.text();
    return line;
  });
}

KernelRow read_kernel(Columns& in) {
  KernelRow row;
  row.id = in.integer();
  row.device = in.text();
  row.kernel = in.text();
  row.shape = in.text();
  row.isa = in.text();
  row.what_for = in.text();
  row.threads = in.integer();
  row.seconds_p50 = in.real();
  row.spread = in.real();
  row.repetitions = in.integer();
  row.flops = in.integer();
  row.bytes = in.integer();
  row.fraction_of_limit = in.maybe_real();
  row.limit_name = in.text();
  row.measured_at_utc = in.text();
  if (row.seconds_p50 > 0) {
    row.flops_per_s = static_cast<double>(row.flops) / row.seconds_p50;
    row.bytes_per_s = static_cast<double>(row.bytes) / row.seconds_p50;
  }
  if (row.bytes > 0)
    row.intensity_flops_per_byte = static_cast<double>(row.flops) / static_cast<double>(row.bytes);
  return row;
}

}  // namespace

Result<std::vector<CostRow>> cost_rows(const Database& database) {
  constexpr std::string_view kSql = R"(
    SELECT e.id, e.subject, e.stage, e.hours, e.cost_usd, e.low_usd, e.high_usd, e.level, e.uses_measurements, e.verdict,
           e.reason, p.device, p.unit, p.as_of, p.source, p.usd_per_hour
    FROM main.cost_estimate e LEFT JOIN main.price p ON p.id = e.price_id ORDER BY e.id)";
  ASSAY_TRY(std::vector<CostRow> rows, collect<CostRow>(database, kSql, read_cost));
  for (CostRow& row : rows) {
    ASSAY_TRY(row.lines, cost_lines(database, row.id));
  }
  return rows;
}

Result<std::vector<KernelRow>> kernel_rows(const Database& database) {
  constexpr std::string_view kSql = R"(
    SELECT k.id, d.name, k.kernel, k.shape, k.isa, k.what_for, k.threads, k.seconds_p50, k.spread, k.repetitions, k.flops,
           k.bytes, k.fraction_of_limit, k.limit_name, k.measured_at_utc
    FROM main.kernel_measurement k LEFT JOIN main.device d ON d.id = k.device_id ORDER BY k.id)";
  return collect<KernelRow>(database, kSql, read_kernel);
}

}  // namespace assay::shown
