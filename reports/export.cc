#include "reports/export.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "reports/text.h"

namespace assay {
namespace {

std::string raw_text(const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell.value)) return *text;
  if (const auto* integer = std::get_if<std::int64_t>(&cell.value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&cell.value)) return dump_json(finite_or_null(*real));
  return "";
}

Json raw_json(const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell.value)) return *text;
  if (const auto* integer = std::get_if<std::int64_t>(&cell.value)) return *integer;
  if (const auto* real = std::get_if<double>(&cell.value)) return finite_or_null(*real);
  return nullptr;
}

std::string markdown_table(const Table& table) {
  std::string out = fmt::format("### {}\n\n", escape_markdown(table.title));
  if (!table.note.empty()) out += escape_markdown(table.note) + "\n\n";
  std::string rule = "|";
  out += "|";
  for (const Column& column : table.columns) {
    out += fmt::format(" {} |", escape_markdown(column.title));
    rule += column.numeric ? "---:|" : "---|";
  }
  out += "\n" + rule + "\n";
  for (const auto& row : table.rows) {
    ASSAY_CHECK(row.size() == table.columns.size());
    out += "|";
    for (const Cell& cell : row) out += fmt::format(" {} |", escape_markdown(cell.shown));
    out += "\n";
  }
  return out + "\n";
}

std::vector<ReportFile> csv_files(const ReportDocument& document) {
  std::vector<ReportFile> files;
  for (const Section& section : document.sections) {
    for (const Table& table : section.tables) files.push_back({table.key + ".csv", to_csv(table)});
  }
  return files;
}

std::string junit_case(const ClaimRow& claim) {
  const std::string outcome = claim.verdict.empty() ? "not decided" : claim.verdict;
  const std::string words = escape_xml(fmt::format("{}: {}", outcome, claim.reason));
  std::string out =
      fmt::format("  <testcase classname=\"{}\" name=\"{}\">",
                  escape_xml(claim.suite.empty() ? "weights" : claim.suite), escape_xml(claim.key));
  if (claim.verdict == "contradicted" || claim.verdict == "impossible") {
    out += fmt::format("<failure type=\"{}\" message=\"{}\"/>", escape_xml(outcome), words);
  } else if (claim.verdict != "reproduced") {
    out += fmt::format("<skipped message=\"{}\"/>", words);
  }
  out += fmt::format(
      "<system-out>{}</system-out></testcase>\n",
      escape_xml(fmt::format("{}; published {}, measured {}, n {}, p {}", claim.text, claim.published,
                             maybe_text(claim.measured, 6), claim.n.value_or(0), p_text(claim.p))));
  return out;
}

}  // namespace

std::string to_markdown(const ReportDocument& document) {
  std::string out =
      fmt::format("# {}\n\n{}\n\n", escape_markdown(document.title), escape_markdown(document.subtitle));
  for (const auto& [verdict, n] : document.verdict_counts) {
    if (n > 0) out += fmt::format("- {} {}\n", n, escape_markdown(verdict));
  }
  for (const Section& section : document.sections) {
    out += fmt::format("\n## {}\n\n", escape_markdown(section.title));
    for (const std::string& paragraph : section.paragraphs) out += "- " + escape_markdown(paragraph) + "\n";
    if (!section.paragraphs.empty()) out += "\n";
    for (const Table& table : section.tables) out += markdown_table(table);
  }
  return out;
}

std::string to_csv(const Table& table) {
  std::vector<std::string> line;
  std::string out;
  for (const Column& column : table.columns) line.push_back(escape_csv(column.key));
  out += fmt::format("{}\n", fmt::join(line, ","));
  for (const auto& row : table.rows) {
    line.clear();
    for (const Cell& cell : row) {
      const bool text = std::holds_alternative<std::string>(cell.value);  // a negative number is no formula
      line.push_back(text ? escape_csv(raw_text(cell)) : raw_text(cell));
    }
    out += fmt::format("{}\n", fmt::join(line, ","));
  }
  return out;
}

std::string to_json_text(const ReportDocument& document) {
  Json root = {{"title", document.title},
               {"verdicts", Json::object()},
               {"tables", Json::object()},
               {"does_not_show", Json::array()}};
  for (const auto& [verdict, n] : document.verdict_counts) root["verdicts"][verdict] = n;
  for (const Section& section : document.sections) {
    for (const Table& table : section.tables) {
      Json rows = Json::array();
      for (const auto& row : table.rows) {
        Json object = Json::object();
        for (std::size_t i = 0; i < row.size(); ++i) object[table.columns[i].key] = raw_json(row[i]);
        rows.push_back(std::move(object));
      }
      root["tables"][table.key] = std::move(rows);
    }
    if (section.key != "limits") continue;
    for (const std::string& paragraph : section.paragraphs) root["does_not_show"].push_back(paragraph);
  }
  return dump_json(root, 1) + "\n";
}

std::string to_junit(const std::vector<ClaimRow>& claims) {
  std::size_t failures = 0, skipped = 0;
  std::string cases;
  for (const ClaimRow& claim : claims) {
    const bool failed = claim.verdict == "contradicted" || claim.verdict == "impossible";
    failures += failed ? 1 : 0;
    skipped += !failed && claim.verdict != "reproduced" ? 1 : 0;
    cases += junit_case(claim);
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n <testsuite name=\"assay claims\" "
      "tests=\"{}\" failures=\"{}\" "
      "errors=\"0\" skipped=\"{}\">\n{} </testsuite>\n</testsuites>\n",
      claims.size(), failures, skipped, cases);
}

Result<std::vector<ReportFile>> render_report(const Database& database, std::string_view format) {
  if (format == "junit") {
    ASSAY_TRY(const std::vector<ClaimRow> claims, claim_rows(database));
    return std::vector<ReportFile>{{"junit.xml", to_junit(claims)}};
  }
  const bool known = format == "html" || format == "md" || format == "csv" || format == "json";
  if (!known) {
    return Error{.code = Code::usage,
                 .message = "no such format",
                 .expected = "html, md, csv, json or junit",
                 .got = std::string(format)};
  }
  ASSAY_TRY(const ReportDocument document, report_document(database));
  if (format == "html") return std::vector<ReportFile>{{"report.html", to_html(document)}};
  if (format == "md") return std::vector<ReportFile>{{"report.md", to_markdown(document)}};
  if (format == "json") return std::vector<ReportFile>{{"report.json", to_json_text(document)}};
  return csv_files(document);
}

}  // namespace assay
