#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/compare/explain.h"
#include "reference/model/conventions.h"

namespace assay {
namespace {

constexpr std::size_t kShown = 12;  // attempts in words; --json has all

Json switches_json(const std::vector<std::string>& switches) {
  Json out = Json::object();
  for (const std::string& each : switches) {
    const std::size_t at = each.find('=');
    out[each.substr(0, at)] = each.substr(at + 1);
  }
  return out;
}

Json attempt_json(const Attempt& a) {
  const bool ran = a.refused.empty();
  return {{"conventions", switches_json(a.switches)},
          {"fits", a.fits},
          {"max_abs", ran ? finite_or_null(a.max_abs) : Json(nullptr)},
          {"rms", ran ? finite_or_null(a.rms) : Json(nullptr)},
          {"argmax_same", a.argmax_same},
          {"positions", a.positions},
          {"on", a.on_all ? "all" : "selection"},
          {"no_effect", a.no_effect},
          {"refused", ran ? Json(nullptr) : Json(a.refused)}};
}

std::string name_of_attempt(const Attempt& a) {
  return a.switches.empty() ? "as published" : fmt::format("{}", fmt::join(a.switches, " "));
}

std::string attempt_text(const Attempt& a) {
  if (!a.refused.empty()) return fmt::format("{}: {}", name_of_attempt(a), a.refused);
  return fmt::format("{}: largest difference {:.3g}, arg-max {} of {}{}{}", name_of_attempt(a), a.max_abs,
                     a.argmax_same, a.positions, a.no_effect ? ", no effect here" : "",
                     a.fits ? ", fits" : "");
}

std::string answer_text(const Explanation& e) {
  std::string out;
  if (!e.told()) {
    out = fmt::format("none of {} readings fits; closest is {}\n", e.tried.size(), attempt_text(*e.closest));
    if (e.stopped_early) out += "  more pairs remain; --max-tries lets them be tried\n";
    return out;
  }
  const Attempt& answer = e.fitting[0];
  out = answer.switches.empty() ? "the model as published gives these logits: "
                                : "another reading gives these logits: ";
  out += attempt_text(answer) + "\n";
  for (const std::string& each : answer.switches)
    out += fmt::format("  {}: {}\n", each, source_of_convention(each.substr(0, each.find('='))));
  for (std::size_t i = 1; i < e.fitting.size(); ++i)
    out += fmt::format("  also within the tolerance: {}\n", attempt_text(e.fitting[i]));
  return out;
}

}  // namespace

Json to_json(const Explanation& e) {
  Json tried = Json::array(), fitting = Json::array();
  for (const Attempt& each : e.tried) tried.push_back(attempt_json(each));
  for (const Attempt& each : e.fitting) fitting.push_back(attempt_json(each));
  return {{"model", e.model},
          {"other", e.other},
          {"backend", e.backend},
          {"format", e.format},
          {"prompts", e.prompts},
          {"positions", e.positions},
          {"largest_logit", finite_or_null(e.largest_logit)},
          {"tolerance", e.tolerance},
          {"told", e.told()},
          {"as_published", e.told() && e.fitting[0].switches.empty()},
          {"answer", e.told() ? switches_json(e.fitting[0].switches) : Json(nullptr)},
          {"fitting", fitting},
          {"closest", e.closest ? attempt_json(*e.closest) : Json(nullptr)},
          {"stopped_early", e.stopped_early},
          {"tried", tried}};
}

std::string to_text(const Explanation& e) {
  std::string out =
      fmt::format("{}: {} logits at {} positions of {} prompts, tolerance {:.3g}, tried with {}\n", e.other,
                  e.format, e.positions, e.prompts, e.tolerance, e.backend);
  out += answer_text(e);
  out += fmt::format("{}\n", attempt_text(e.tried[0]));
  std::vector<Attempt> rest(e.tried.begin() + 1, e.tried.end());
  std::stable_sort(rest.begin(), rest.end(), [](const Attempt& a, const Attempt& b) {
    return a.refused.empty() != b.refused.empty() ? a.refused.empty() : a.rms < b.rms;
  });
  for (std::size_t i = 0; i < std::min(kShown, rest.size()); ++i)
    out += fmt::format("  {}\n", attempt_text(rest[i]));
  if (rest.size() > kShown) out += fmt::format("  and {} more; --json lists all\n", rest.size() - kShown);
  out.pop_back();
  return out;
}

}  // namespace assay
