// The report as one HTML page: no scripts, nothing loaded, light and dark, readable on a phone and on paper.
#include <fmt/format.h>

#include "reports/export.h"
#include "reports/plot/svg.h"
#include "reports/text.h"

namespace assay {
namespace {

constexpr std::size_t kLongText = 18;  // bytes; such cells are kept wide enough to read

constexpr std::string_view kStyle = R"css(
*{box-sizing:border-box}
body{margin:0;background:var(--ink-paper);color:var(--ink-text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main,header,nav{max-width:1180px;margin:0 auto;padding:0 20px}
header{padding-top:28px}
h1{font-size:1.7rem;margin:0}
h2{font-size:1.3rem;margin:2.2em 0 .5em;padding-top:.4em;border-top:1px solid var(--ink-grid)}
h3{font-size:1rem;margin:1.6em 0 .3em}
.sub{color:var(--ink-faint);margin:.2em 0 1em}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;padding-top:6px;padding-bottom:6px}
a{color:var(--ink-series-a)}
.counts{display:flex;flex-wrap:wrap;gap:10px;margin:14px 0 4px}
.count{border:1px solid var(--ink-grid);border-left:6px solid var(--c);border-radius:6px;padding:6px 14px;min-width:112px}
.count b{display:block;font-size:1.5rem;line-height:1.2}
.badge{display:inline-block;white-space:nowrap;border:1.5px solid var(--c);color:var(--c);border-radius:5px;padding:0 7px;font-weight:600;font-size:.86em}
.badge i{font-style:normal;background:var(--c);color:var(--ink-paper);border-radius:3px;padding:0 5px;margin:0 6px 0 -4px}
.claim{border:1px solid var(--ink-grid);border-left:6px solid var(--c);border-radius:6px;padding:10px 14px;margin:10px 0}
.claim p{margin:.35em 0}
.claim .key{color:var(--ink-faint);font-size:.86em;margin-left:8px}
dl{display:flex;flex-wrap:wrap;gap:4px 22px;margin:.5em 0 0}
dl div{display:flex;gap:6px}
dt{color:var(--ink-faint)}
dd{margin:0;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto;margin:.4em 0 1em;border:1px solid var(--ink-grid);border-radius:6px}
table{border-collapse:collapse;width:100%;font-size:.86rem}
th,td{padding:5px 10px;text-align:left;vertical-align:top;border-bottom:1px solid var(--ink-grid);max-width:34em;overflow-wrap:break-word}
th{font-weight:600;color:var(--ink-faint);white-space:nowrap}
tr:last-child td{border-bottom:0}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.t{min-width:15em}
td.d{font-family:ui-monospace,monospace;font-size:.78rem;white-space:nowrap}
.note{color:var(--ink-faint);font-size:.86rem;margin:.2em 0 .5em}
figure{margin:1em 0;overflow-x:auto}
svg{display:block;max-width:none}
@media print{.wide,figure{overflow:visible}nav{display:none}}
)css";

std::string color_of(plot::Ink ink) { return fmt::format("--c:var(--ink-{})", plot::name_of(ink)); }

std::string letter_of(const Cell& cell) { return std::string(1, verdict_letter(cell.shown)); }

std::string badge(const Cell& cell) {
  return fmt::format("<span class=\"badge\" style=\"{}\"><i>{}</i>{}</span>", color_of(cell.ink),
                     letter_of(cell), escape_xml(cell.shown));
}

bool is_digest(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// Digests are shown short; the whole one is in the tip and in every other format.
std::string html_cell(const Cell& cell, const Column& column) {
  if (cell.is_verdict) return "<td>" + badge(cell) + "</td>";
  if (is_digest(cell.shown)) {
    return fmt::format("<td class=\"d\" title=\"{}\">{}…</td>", escape_xml(cell.shown),
                       escape_xml(cell.shown.substr(0, 12)));
  }
  const bool long_text = cell.shown.size() > kLongText;
  const char* kind = column.numeric ? " class=\"n\"" : long_text ? " class=\"t\"" : "";
  return fmt::format("<td{}>{}</td>", kind, escape_xml(cell.shown));
}

std::string html_table(const Table& table) {
  std::string out = fmt::format("<h3 id=\"{}\">{}</h3>\n", escape_xml(table.key), escape_xml(table.title));
  if (!table.note.empty()) out += fmt::format("<p class=\"note\">{}</p>\n", escape_xml(table.note));
  out += "<div class=\"wide\"><table>\n<thead><tr>";
  for (const Column& column : table.columns) {
    out += fmt::format("<th{}>{}</th>", column.numeric ? " class=\"n\"" : "", escape_xml(column.title));
  }
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    ASSAY_CHECK(row.size() == table.columns.size());
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) out += html_cell(row[i], table.columns[i]);
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

const Cell& cell_of(const Table& table, const std::vector<Cell>& row, std::string_view key) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (table.columns[i].key == key) return row[i];
  }
  ASSAY_CHECK(false);
  return row.front();
}

// A claim as a card: its nineteen columns would be a table that nobody reads on a phone.
std::string claim_card(const Table& table, const std::vector<Cell>& row) {
  const Cell& verdict = cell_of(table, row, "verdict");
  std::string out =
      fmt::format("<div class=\"claim\" style=\"{}\">{}<span class=\"key\">{}</span>\n<p><b>{}</b></p>\n",
                  color_of(verdict.ink), badge(verdict), escape_xml(cell_of(table, row, "claim").shown),
                  escape_xml(cell_of(table, row, "text").shown));
  if (const Cell& reason = cell_of(table, row, "reason"); !reason.shown.empty())
    out += "<p>" + escape_xml(reason.shown) + "</p>\n";
  out += "<dl>";
  for (std::size_t i = 4; i < row.size(); ++i) {
    if (row[i].shown.empty() || row[i].shown == "-") continue;
    out += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", escape_xml(table.columns[i].title),
                       escape_xml(row[i].shown));
  }
  return out + "</dl></div>\n";
}

std::string html_claims(const Table& table) {
  std::string out = fmt::format("<h3 id=\"{}\">{}</h3>\n<p class=\"note\">{}</p>\n", escape_xml(table.key),
                                escape_xml(table.title), escape_xml(table.note));
  for (const auto& row : table.rows) out += claim_card(table, row);
  return out;
}

std::string html_section(const Section& section) {
  std::string out = fmt::format("<section>\n<h2 id=\"section-{}\">{}</h2>\n", escape_xml(section.key),
                                escape_xml(section.title));
  const bool list = section.key == "limits";
  if (list) out += "<ul>\n";
  for (const std::string& paragraph : section.paragraphs) {
    out += fmt::format("<{0}>{1}</{0}>\n", list ? "li" : "p", escape_xml(paragraph));
  }
  if (list) out += "</ul>\n";
  for (const plot::PlotScene& scene : section.plots) {
    out += fmt::format("<h3>{}</h3>\n<figure>\n{}</figure>\n", escape_xml(scene.title), plot::to_svg(scene));
  }
  for (const Table& table : section.tables)
    out += table.key == "claims" ? html_claims(table) : html_table(table);
  return out + "</section>\n";
}

std::string html_counts(const ReportDocument& document) {
  std::string out = "<div class=\"counts\">\n";
  for (const auto& [verdict, n] : document.verdict_counts) {
    if (n == 0) continue;
    out += fmt::format("<div class=\"count\" style=\"{}\"><b>{}</b>{}</div>\n",
                       color_of(plot::ink_of_verdict(verdict)), n, escape_xml(verdict));
  }
  return out + "</div>\n";
}

}  // namespace

std::string to_html(const ReportDocument& document) {
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, "
      "initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
      "&#39;none&#39;; style-src "
      "&#39;unsafe-inline&#39;\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n",
      escape_xml(document.title));
  out += fmt::format("<style>{}\n@media (prefers-color-scheme: dark){{{}}}{}</style>\n</head>\n<body>\n",
                     plot::css_variables(false), plot::css_variables(true), kStyle);
  out += fmt::format("<header><h1>{}</h1>\n<p class=\"sub\">{}</p>\n{}</header>\n<nav>",
                     escape_xml(document.title), escape_xml(document.subtitle), html_counts(document));
  for (const Section& section : document.sections) {
    out +=
        fmt::format("<a href=\"#section-{}\">{}</a>\n", escape_xml(section.key), escape_xml(section.title));
  }
  out += "</nav>\n<main>\n";
  for (const Section& section : document.sections) out += html_section(section);
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace assay
