// One item in the inspector: what was asked, what came out, what was found in it, and how sure the model was.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gui/format.h"
#include "gui/items.h"
#include "gui/widgets.h"

namespace assay::gui {
namespace {

// A token's text with line breaks made visible.
std::string visible(const std::string& token) {
  std::string shown;
  for (const char c : token)
    shown += c == '\n' ? std::string("\\n") : c == '\t' ? std::string("\\t") : std::string(1, c);
  return shown.empty() ? " " : shown;
}

void draw_strip(const std::vector<TokenRow>& tokens, const Fonts& fonts) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  ImGui::PushFont(fonts.mono);
  const ImVec2 start = ImGui::GetCursorScreenPos();
  const float right = start.x + ImGui::GetContentRegionAvail().x, pitch = ImGui::GetFontSize() + 8;
  ImVec2 at = start;
  for (const TokenRow& token : tokens) {
    const std::string text = visible(token.text);
    const float width = ImGui::CalcTextSize(text.data(), text.data() + text.size()).x + 4;
    if (at.x + width > right && at.x > start.x) at = {start.x, at.y + pitch};
    const ImVec2 end{at.x + width, at.y + pitch - 3};
    list.AddRectFilled(at, end, colour_of_logprob(token.logprob_nats), 2);
    list.AddText({at.x + 2, at.y + 2}, colour::kText, text.data(), text.data() + text.size());
    if (ImGui::IsWindowHovered() && ImGui::IsMouseHoveringRect(at, end)) {
      const std::string tip = fmt::format("token {}  '{}'\n{:.4f} nats, probability {:.3g}", token.token_id,
                                          text, token.logprob_nats, std::exp(token.logprob_nats));
      ImGui::SetTooltip("%s", tip.c_str());
    }
    at.x = end.x + 1;
  }
  ImGui::PopFont();
  ImGui::Dummy({right - start.x, at.y + pitch - start.y});
}

// A line for an option: letter, mark of choice and expectation, log-probability as number and bar.
void draw_option(const ItemDetail& detail, const OptionRow& option, double best, const Fonts& fonts) {
  const bool expected = std::to_string(option.index) == detail.row.gold;
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = ImGui::GetContentRegionAvail().x, em = ImGui::GetFontSize();
  const float share = static_cast<float>(std::exp(std::max(-20.0, option.logprob_nats - best)));
  list.AddRectFilled({at.x, at.y}, {at.x + width, at.y + em + 6}, colour::kRaised, 4);
  list.AddRectFilled({at.x, at.y}, {at.x + std::max(3.0F, width * share), at.y + em + 6},
                     with_alpha(option.chosen ? colour::kAccent : colour::kFaint, 70), 4);
  ImGui::SetCursorScreenPos({at.x + 8, at.y + 3});
  ImGui::PushFont(fonts.bold);
  ImGui::TextUnformatted(option_letter(option.index).c_str());
  ImGui::PopFont();
  ImGui::SameLine(0, 10);
  const std::string text = one_line(option.text, 60);
  ImGui::PushStyleColor(ImGuiCol_Text, expected ? colour::kGood : colour::kText);
  ImGui::TextUnformatted(text.data(), text.data() + text.size());
  ImGui::PopStyleColor();
  const std::string note = fmt::format("{}{}{:.3f}", option.chosen ? "chosen  " : "",
                                       expected ? "expected  " : "", option.logprob_nats);
  ImGui::SameLine();
  const float left = at.x + width - ImGui::CalcTextSize(note.c_str()).x - 8;
  ImGui::SetCursorScreenPos({std::max(left, ImGui::GetCursorScreenPos().x), at.y + 3});
  ImGui::PushStyleColor(ImGuiCol_Text, colour::kSoft);
  ImGui::TextUnformatted(note.c_str());
  ImGui::PopStyleColor();
  ImGui::SetCursorScreenPos({at.x, at.y + em + 9});
}

void draw_options(const ItemView& view, const ItemDetail& detail, const Fonts& fonts) {
  double best = -1e300;
  for (const OptionRow& option : detail.options) best = std::max(best, option.logprob_nats);
  if (detail.options.size() > 1) {
    for (const OptionRow& option : detail.options) draw_option(detail, option, best, fonts);
    draw_wrapped("log-probability in nats, summed over the option's tokens; bars: relative to the best",
                 colour::kFaint, fonts.text);
  }
  for (const OptionRow& option : detail.options) {
    const auto strip = view.tokens.find(option.continuation_id);
    if (strip == view.tokens.end() || strip->second.empty()) continue;
    const double per_token =
        option.logprob_nats / static_cast<double>(std::max<std::int64_t>(1, option.tokens));
    draw_wrapped(fmt::format("tokens of {}: {} nats a token",
                             detail.options.size() > 1 ? "option " + option_letter(option.index) : "the text",
                             number(per_token, 3)),
                 colour::kSoft, fonts.text);
    draw_strip(strip->second, fonts);
  }
}

void draw_side(const char* name, const ItemView& view, const ItemDetail& detail, const RunRow* run,
               ImU32 edge, const Fonts& fonts) {
  ImGui::PushID(name);
  heading(
      fmt::format("Run {}{}", name, run == nullptr ? "" : fmt::format(": {}, {}", run->model, run->protocol)),
      fonts);
  draw_cell(mark_cell(detail.row.correct), Column{}, fonts);
  ImGui::SameLine();
  draw_wrapped(detail.row.why, colour_of(mark_cell(detail.row.correct).tone), fonts.text);
  for (const SampleRow& sample : detail.samples) {
    const std::string id = fmt::format("sample {}", sample.index);
    draw_box(id.c_str(), sample.output, fonts, edge);
    std::string note =
        fmt::format("{} {}", sample.finish_reason.empty() ? "" : "ended by " + sample.finish_reason,
                    sample.tokens_generated ? fmt::format("after {} tokens", *sample.tokens_generated) : "");
    if (detail.samples.size() > 1) note = fmt::format("sample {}: {}", sample.index, note);
    if (note.size() > 1) draw_wrapped(note, colour::kFaint, fonts.text);
  }
  if (detail.row.has_extracted)
    fact("extracted", detail.row.extracted.empty() ? "(empty)" : detail.row.extracted, fonts);
  fact("by", detail.row.extractor, fonts, Tone::soft);
  if (!detail.row.correct && detail.row.score) fact("score", number(detail.row.score, 4), fonts);
  if (detail.row.margin)
    fact("margin", significant(detail.row.margin, 4) + (*detail.row.margin < kCloseMargin ? "  (close)" : ""),
         fonts);
  if (detail.row.router_ties.value_or(0) > 0)
    fact("router ties", count(detail.row.router_ties), fonts, Tone::open);
  draw_options(view, detail, fonts);
  ImGui::PopID();
}

}  // namespace

ImU32 colour_of_logprob(double nats) {
  const double p = nats < 0 ? std::exp(std::max(nats, -50.0)) : 1.0;
  const double surprise = 1 - p;
  const auto mix = [&](unsigned from, unsigned to) {
    return static_cast<unsigned>(from + (static_cast<double>(to) - from) * surprise + 0.5);
  };
  return IM_COL32(mix(38, 150), mix(48, 52), mix(60, 52), 255);
}

void draw_item(const Store&, const ItemView& view, const RunRow* run_a, const RunRow* run_b,
               const Fonts& fonts) {
  draw_wrapped(view.a.row.key, colour::kText, fonts.title);
  fact("subset", view.a.row.subset, fonts, Tone::soft);
  fact("expected", gold_text(view.a.row.gold, view.a.row.chosen.has_value()), fonts, Tone::good);
  heading("Question", fonts);
  draw_box("question", view.a.row.question, fonts, colour::kLine);
  draw_side("A", view, view.a, run_a, colour::kAccent, fonts);
  if (view.b) draw_side("B", view, *view.b, run_b, colour::kSecond, fonts);
  if (view.first_difference)
    draw_wrapped(fmt::format("The outputs part at byte {}.", *view.first_difference), colour::kOpen,
                 fonts.text);
  heading("Prompt as sent", fonts);
  if (view.a.prompt.empty()) {
    draw_wrapped("not stored; the digest stands for it", colour::kFaint, fonts.text);
  } else {
    draw_box("prompt", view.a.prompt, fonts, colour::kLine);
  }
  fact("digest", short_digest(view.a.prompt_digest), fonts, Tone::faint);
}

}  // namespace assay::gui
