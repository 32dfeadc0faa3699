// Files for people and programs, made from a database and nothing else. The same database gives the same bytes.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "reports/document.h"

namespace assay {

struct ReportFile {
  std::string name;  // "report.html"
  std::string bytes;
};

// html: one self-contained page without scripts. md: one page. csv: one file a table. json: one document. junit: one file, a test case
// a claim. Another format is Code::usage.
Result<std::vector<ReportFile>> render_report(const Database& database, std::string_view format);

std::string to_html(const ReportDocument& document);
std::string to_markdown(const ReportDocument& document);
std::string to_csv(const Table& table);
std::string to_json_text(const ReportDocument& document);
std::string to_junit(const std::vector<ClaimRow>& claims);

// What must not depend on machine, threads or kernels, as JSON lines in a fixed order: artifacts, items, item results, token
// log-probabilities, samples, verdicts, comparisons, similarities and bills that use prices and no measurements. Row ids give way to
// natural keys. `write` receives whole lines.
Status export_canonical(const Database& database, const std::function<Status(std::string_view)>& write);

}  // namespace assay
