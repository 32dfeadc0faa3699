#include "suites/suite.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "suites/definition.h"
#include "suites/draws.h"
#include "suites/locate.h"
#include "suites/render.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".suite.json";

bool is_definition_path(const std::string& name) { return name.ends_with(".json"); }

Result<std::string> definition_path(const std::string& name) {
  if (is_definition_path(name)) return name;
  ASSAY_TRY(std::string path, data_path(fmt::format("{}{}", name, kSuffix)));
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) return path;
  ASSAY_TRY(const auto names, bundled_suite_names());
  return Error{.code = Code::not_found,
               .message = "no such suite",
               .expected = fmt::format("one of {}, or a definition file", fmt::join(names, ", ")),
               .got = name};
}

// A solved example shows its extra fields too: the worked solution.
void add_example(Sha256& sha, const Item& shown) {
  sha.add_field(shown.digest());
  for (const auto& [key, value] : shown.extra) sha.add_field(key).add_field(value);
}

const std::vector<Item>& pool_of(const Suite& suite, const std::string& split) {
  if (split == "items") return suite.items;
  for (const auto& [name, items] : suite.splits) {
    if (name == split) return items;
  }
  return suite.fewshot;
}

// Examples that are or may be shown are fixed here, so they belong to the identity of the protocol.
std::string protocol_digest(const Suite& suite, const Protocol& protocol) {
  Sha256 sha;
  sha.add_field(protocol.definition_json);
  const std::vector<Item>& pool = pool_of(suite, protocol.shots.split);
  if (protocol.shots.n_drawn > 0) {
    for (const Item& shown : pool) add_example(sha, shown);
  }
  for (const int index : protocol.shots.indices) {
    if (protocol.shots.of_subset) {
      for (const Item& shown : pool) add_example(sha, shown);
    } else if (index < static_cast<int>(pool.size())) {
      add_example(sha, pool[static_cast<std::size_t>(index)]);
    }
  }
  return sha.hex();
}

std::string template_digest(const Protocol& p) {
  Sha256 sha;
  for (const std::string* text : {&p.system, &p.preamble, &p.block, &p.answer, &p.example, &p.continuation, &p.option_line, &p.separator,
                                  &p.gen_prefix, &p.primer, &p.chat_options_json}) {
    sha.add_field(*text);
  }
  if (p.unconditional) sha.add_field(*p.unconditional);
  return sha.hex();
}

void number_items(Suite& suite) {
  std::map<std::string_view, std::int64_t> in_subset;
  for (std::size_t i = 0; i < suite.items.size(); ++i) {
    Item& item = suite.items[i];
    item.ordinal = static_cast<std::int64_t>(i);
    item.ordinal_in_subset = in_subset[item.subset]++;
  }
}

std::string whence(const ItemsSource& source) {
  return source.from.empty() ? source.file : fmt::format("{} (from {})", source.file, source.from);
}

Result<const ItemsSource*> choose_source(const Definition& definition, const std::string& folder) {
  std::vector<std::string> wanted;
  for (const ItemsSource& source : definition.items) {
    if (source_is_there(source, folder)) return &source;
    wanted.push_back(whence(source));
  }
  return Error{.code = Code::not_found,
               .message = "the data folder does not hold the items of this suite",
               .file = fmt::format("{}/{}", folder, definition.items.front().file),
               .field = definition.suite.name,
               .expected = fmt::format("{}", fmt::join(wanted, ", or "))};
}

Status load_contents(Definition& definition, const std::string& folder) {
  Suite& suite = definition.suite;
  SourceFacts facts, unused;
  ASSAY_TRY(const ItemsSource* source, choose_source(definition, folder));
  ASSAY_TRY(suite.items, read_items(*source, folder, facts));
  suite.items_digest = facts.sha256;
  suite.n_items = facts.count;
  suite.items_loaded = true;
  number_items(suite);
  const bool others_data = definition.fewshot && source->origin == Origin::data;
  if (others_data && !source_is_there(*definition.fewshot, folder)) {
    suite.missing.emplace_back("", whence(*definition.fewshot));  // protocols without examples can be asked
  } else if (definition.fewshot) {
    ASSAY_TRY(suite.fewshot, read_items(*definition.fewshot, folder, unused));
  }
  for (const ItemsSource& split : definition.splits) {
    if (!source_is_there(split, folder)) {
      suite.missing.emplace_back(split.name, whence(split));
      continue;
    }
    ASSAY_TRY(std::vector<Item> items, read_items(split, folder, unused));
    suite.splits.emplace_back(split.name, std::move(items));
  }
  return {};
}

bool is_missing(const Suite& suite, const std::string& split) {
  return std::ranges::any_of(suite.missing, [&](const auto& one) { return one.first == split; });
}

// Every split that a protocol shows examples of is one of the definition's.
Status check_splits(const Definition& definition, std::string_view file) {
  for (const auto& protocol : definition.suite.protocols) {
    const std::string& split = protocol.shots.split;
    const bool known = split.empty() || split == "items" || std::ranges::any_of(definition.splits, [&](const auto& s) { return s.name == split; });
    if (known) continue;
    return Error{.code = Code::not_found, .message = "a protocol shows examples of a split that the suite does not have",
                 .file = std::string(file), .field = protocol.name, .got = split};
  }
  return {};
}

Status check_shots(const Suite& suite, std::string_view file) {
  if (suite.items.empty()) return {};
  for (const auto& protocol : suite.protocols) {
    if (is_missing(suite, protocol.shots.split)) continue;
    auto shown = shown_examples(suite, protocol, suite.items.front());
    if (shown.ok()) continue;
    Error error = std::move(shown).error();
    error.file = file;
    return error;
  }
  return {};
}

// What a protocol's `answer` and `example` speak of: an example that is shown, an item where none is; null: they are not here.
const Item* solved_sample(const Suite& suite, const Protocol& protocol) {
  if (protocol.shots.size() == 0) return &suite.items.front();
  const auto shown = shown_examples(suite, protocol, suite.items.front());
  return shown.ok() && !shown->empty() ? shown->front() : nullptr;
}

// Every template is filled in once with the first item, so that a wrong one is refused before a run.
Status check_templates(const Suite& suite, std::string_view file) {
  if (suite.items.empty()) return {};
  const Item& sample = suite.items.front();
  for (const auto& p : suite.protocols) {
    for (const std::string* text : {&p.preamble, &p.system, &p.gen_prefix}) ASSAY_OK(check_template(*text, sample, false, file));
    if (p.unconditional) ASSAY_OK(check_template(*p.unconditional, sample, false, file));
    ASSAY_OK(check_template(p.block, sample, p.partial, file));
    ASSAY_OK(check_template(p.continuation, sample, true, file));
    ASSAY_OK(check_template(p.option_line, sample, true, file));
    ASSAY_OK(check_template(p.tests, sample, false, file));
    const Item* example = solved_sample(suite, p);
    if (example == nullptr) continue;
    ASSAY_OK(check_template(p.answer, *example, true, file));
    ASSAY_OK(check_template(p.example, *example, true, file));
  }
  return {};
}

}  // namespace

std::optional<std::string_view> Item::field(std::string_view name) const {
  if (name == "question") return question;
  if (name == "passage") return passage;
  if (name == "gold") return gold;
  if (name == "text") return text;
  if (name == "subset") return subset;
  if (name == "id") return id;
  for (const auto& [key, value] : extra) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string Item::digest() const {
  Sha256 sha;
  sha.add_field(subset).add_field(question).add_field(passage).add_field(gold).add_field(text);
  for (const auto& option : options) sha.add_field(option);
  for (const auto& also : golds) sha.add_field("also").add_field(also);
  return sha.hex();
}

const Protocol* Suite::find_protocol(std::string_view protocol_name) const {
  const auto at = std::find_if(protocols.begin(), protocols.end(),
                               [&](const Protocol& p) { return p.name == protocol_name; });
  return at == protocols.end() ? nullptr : &*at;
}

const Protocol& Suite::main_protocol() const {
  const auto at = std::find_if(protocols.begin(), protocols.end(), [](const Protocol& p) { return p.main; });
  ASSAY_CHECK(at != protocols.end());
  return *at;
}

const Item* Suite::find_item(std::string_view id) const {
  const auto at = std::find_if(items.begin(), items.end(), [&](const Item& item) { return item.id == id; });
  return at == items.end() ? nullptr : &*at;
}

Result<LoadedDefinition> load_definition(const std::string& name) {
  ASSAY_TRY(std::string path, definition_path(name));
  ASSAY_TRY(const Json document, read_json_file(path));
  ASSAY_TRY(Definition definition, parse_definition(document, path));
  ASSAY_OK(check_splits(definition, path));
  std::string folder = fs::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  return LoadedDefinition{.definition = std::move(definition), .path = std::move(path), .folder = std::move(folder)};
}

Result<Suite> load_suite(const std::string& name, const std::string& data_dir) {
  ASSAY_TRY(LoadedDefinition loaded, load_definition(name));
  Definition& definition = loaded.definition;
  const std::string& path = loaded.path;
  const Origin origin = definition.items.front().origin;
  if (origin == Origin::bundled) {
    ASSAY_OK(load_contents(definition, loaded.folder));
  } else if (origin == Origin::data && !data_dir.empty()) {
    ASSAY_OK(load_contents(definition, data_dir));
  }
  Suite& suite = definition.suite;
  if (suite.items_loaded) {
    ASSAY_OK(draw_in_sequence(suite));
    ASSAY_OK(check_shots(suite, path));
    ASSAY_OK(check_templates(suite, path));
  }
  for (auto& protocol : suite.protocols) {
    protocol.digest = protocol_digest(suite, protocol);
    protocol.template_digest = template_digest(protocol);
  }
  return std::move(suite);
}

Result<std::vector<std::string>> bundled_suite_names() {
  ASSAY_TRY(const std::string folder, data_folder());
  std::vector<std::string> names;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    const std::string file = entry.path().filename().string();
    if (file.ends_with(kSuffix)) names.push_back(file.substr(0, file.size() - kSuffix.size()));
  }
  if (failed) return Error{.code = Code::io, .message = "cannot list the bundled suites", .file = folder};
  std::sort(names.begin(), names.end());
  return names;
}

Result<const Protocol*> choose_protocol(const Suite& suite, std::string_view protocol_name) {
  if (protocol_name.empty()) return &suite.main_protocol();
  if (const Protocol* found = suite.find_protocol(protocol_name)) return found;
  std::vector<std::string_view> names;
  for (const auto& protocol : suite.protocols) names.push_back(protocol.name);
  return Error{.code = Code::not_found,
               .message = fmt::format("suite {} has no such protocol", suite.name),
               .expected = fmt::format("one of {}", fmt::join(names, ", ")),
               .got = std::string(protocol_name)};
}

std::string_view name_of(ProtocolKind kind) {
  switch (kind) {
    case ProtocolKind::choice:
      return "choice";
    case ProtocolKind::generate:
      return "generate";
    case ProtocolKind::rolling:
      return "rolling";
  }
  return "";
}

std::string_view name_of(Normalisation normalisation) {
  switch (normalisation) {
    case Normalisation::none:
      return "none";
    case Normalisation::chars:
      return "chars";
    case Normalisation::bytes:
      return "bytes";
    case Normalisation::tokens:
      return "tokens";
    case Normalisation::uncond:
      return "uncond";
  }
  return "";
}

std::string_view name_of(Aggregation aggregation) {
  switch (aggregation) {
    case Aggregation::mean:
      return "mean";
    case Aggregation::micro:
      return "micro";
    case Aggregation::macro:
      return "macro";
  }
  return "";
}

std::string_view name_of(BosPolicy bos) {
  switch (bos) {
    case BosPolicy::one:
      return "one";
    case BosPolicy::none:
      return "none";
    case BosPolicy::tokenizer:
      return "tokenizer";
  }
  return "";
}

std::string_view name_of(InputCut cut) {
  switch (cut) {
    case InputCut::left:
      return "left";
    case InputCut::right:
      return "right";
    case InputCut::refuse:
      return "refuse";
  }
  return "";
}

std::string_view name_of(Unusable unusable) {
  switch (unusable) {
    case Unusable::as_is:
      return "as-is";
    case Unusable::wrong:
      return "wrong";
    case Unusable::unjudged:
      return "unjudged";
  }
  return "";
}

}  // namespace assay
