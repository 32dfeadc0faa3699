#include "eval/runs/score_lines.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/replay/stored.h"
#include "eval/runs/judge_programs.h"
#include "suites/score.h"

namespace assay {
namespace {

Item item_of_line(const Suite& suite, const Json& record, const std::string& id) {
  Item item;
  if (const Item* known = suite.find_item(id)) item = *known;
  item.id = id;
  if (const auto gold = record.find("gold"); gold != record.end() && gold->is_object()) item.gold = dump_json(*gold);
  else if (const auto text = record_text(record, "gold")) item.gold = *text;
  return item;
}

// A line before its program, if it is one, was run.
struct ScoredLine {
  Json id;
  bool has_output = false;
  ItemScore score;
};

Result<ScoredLine> score_line(const Suite& suite, const Protocol& protocol, std::string_view text, std::int64_t line, std::string_view file) {
  auto record = parse_json(text, file);
  if (!record.ok() || !record->is_object()) {
    return Error{.code = Code::bad_json,
                 .message = fmt::format("line {} is no JSON object with id, output and gold", line),
                 .file = std::string(file),
                 .got = std::string(text.substr(0, 60))};
  }
  const auto id = record->find("id");
  const auto output = record_text(*record, "output");
  const Item item = item_of_line(suite, *record, record_text(*record, "id").value_or(""));
  return ScoredLine{id == record->end() ? Json(nullptr) : *id, output.has_value(), score_output(protocol, item, output.value_or(""))};
}

Json line_json(const ScoredLine& line) {
  const ItemScore& score = line.score;
  Json out = {{"id", line.id}};
  out["extracted"] = score.extracted ? Json(*score.extracted) : Json(nullptr);
  out["correct"] = score.correct ? Json(*score.correct) : Json(nullptr);
  out["by"] = score.extractor.empty() ? Json(nullptr) : Json(score.extractor);
  out["why"] = line.has_output ? score.why : "there is no output";
  return out;
}

}  // namespace

Result<std::string> score_lines(const Suite& suite, const Protocol& protocol, std::string_view text,
                                std::string_view file, int threads) {
  if (protocol.kind != ProtocolKind::generate) {
    return Error{.code = Code::unsupported,
                 .message =
                     "score judges generated text; this protocol judges log-likelihoods, choose another with "
                     "--protocol",
                 .field = protocol.name};
  }
  std::vector<ScoredLine> lines;
  std::int64_t line = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view row = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line;
    if (row.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    ASSAY_TRY(ScoredLine scored, score_line(suite, protocol, row, line, file));
    lines.push_back(std::move(scored));
  }
  std::vector<ItemScore*> scores;
  for (ScoredLine& scored : lines) scores.push_back(&scored.score);
  judge_programs(scores, threads);
  std::string out;
  for (const ScoredLine& scored : lines) out += dump_json(line_json(scored)) + "\n";
  return out;
}

}  // namespace assay
