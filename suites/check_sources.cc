#include "suites/check_sources.h"

#include "suites/definition.h"

namespace assay {
namespace {

std::string shown_file(const ItemsSource& source) {
  return source.member.empty() ? source.file : source.file + ":" + source.member;
}

Result<SourceCheck> check_source(const ItemsSource& source, const std::string& name, const std::string& folder) {
  SourceCheck check{.name = name, .file = shown_file(source), .from = source.from, .pinned = !source.sha256.empty()};
  check.sha256 = source.sha256;
  check.count = source.count;
  if (folder.empty() || source.file.empty() || !source_is_there(source, folder)) return check;
  SourceFacts facts;
  ASSAY_TRY(const std::vector<Item> items, read_items(source, folder, facts));
  ASSAY_CHECK(static_cast<std::int64_t>(items.size()) == facts.count);
  check.is_there = true;
  check.sha256 = std::move(facts.sha256);
  check.count = facts.count;
  return check;
}

}  // namespace

Result<SuiteCheck> check_sources(const std::string& name, const std::string& data_dir) {
  ASSAY_TRY(const LoadedDefinition loaded, load_definition(name));
  const Definition& definition = loaded.definition;
  const bool bundled = definition.items.front().origin == Origin::bundled;
  const std::string& folder = bundled ? loaded.folder : data_dir;
  SuiteCheck out{.suite = definition.suite.name, .sources = {}};
  for (const ItemsSource& source : definition.items) {
    // One that fits is enough: what stands behind it is read only where it is missing.
    ASSAY_TRY(SourceCheck check, check_source(source, "items", out.has_items ? std::string() : folder));
    out.has_items = out.has_items || check.is_there;
    out.sources.push_back(std::move(check));
  }
  if (definition.fewshot) {
    ASSAY_TRY(SourceCheck check, check_source(*definition.fewshot, "examples", folder));
    out.sources.push_back(std::move(check));
  }
  for (const ItemsSource& split : definition.splits) {
    ASSAY_TRY(SourceCheck check, check_source(split, split.name, folder));
    out.sources.push_back(std::move(check));
  }
  return out;
}

}  // namespace assay
