// lm-evaluation-harness `--log_samples` (lm_eval/loggers/evaluation_tracker.py, save_results_samples): one line a document and filter.
// `resps` has one list a request, one response a repeat; numbers inside are texts since 0.4.3 and were numbers before. A request of a multiple
// choice is (context, delimiter + option); acc_mutual_info adds as many with an empty context. Several filters of one document hold the
// same responses: they are merged into one output that keeps what each filter scored.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "eval/replay/stored_parts.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxStoredRequests = 256;  // 26 options, each asked twice, leave room
constexpr std::size_t kMaxRepeats = 4096;

// lm_eval/api/metrics.py -> INTERFACE.
constexpr std::pair<std::string_view, std::string_view> kLmEvalMetrics[] = {
    {"acc", "acc"},                     {"acc_norm", "acc_char"},     {"acc_bytes", "acc_byte"},
    {"acc_mutual_info", "acc_uncond"},  {"exact_match", "exact_match"}, {"bits_per_byte", "bits_per_byte"},
    {"f1", "f1"},                       {"em", "exact_match"},
};

std::string_view metric_name(std::string_view theirs) {
  for (const auto& [name, ours] : kLmEvalMetrics) {
    if (name == theirs) return ours;
  }
  return {};
}

// "none" is what the harness calls a task without filters.
std::string labelled(std::string_view metric, std::string_view filter) {
  return filter.empty() || filter == "none" ? std::string(metric) : fmt::format("{},{}", metric, filter);
}

// A number, or the text of one: "-12.5", "-inf", "nan".
std::optional<double> stored_number(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  double number = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), number);
  return bad == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

struct Request {
  std::string context;
  std::optional<std::string> continuation;  // none: generation, or a whole text
  bool generation = false;
};

// "gen_args_0": {"arg_0": ..., "arg_1": ...}; before 0.4.3 lists of lists.
Request stored_request(const Json& arguments) {
  const Json* first = record_at(arguments, arguments.is_array() ? "0" : "arg_0");
  const Json* second = record_at(arguments, arguments.is_array() ? "1" : "arg_1");
  Request request;
  if (first != nullptr && first->is_string()) request.context = first->get<std::string>();
  if (second != nullptr && second->is_string()) request.continuation = second->get<std::string>();
  request.generation = second != nullptr && second->is_object();
  return request;
}

std::vector<Request> stored_requests(const Json& record) {
  std::vector<Request> requests;
  const auto at = record.find("arguments");
  if (at == record.end()) return requests;
  for (const auto& entry : *at) {
    if (requests.size() < kMaxStoredRequests) requests.push_back(stored_request(entry));
  }
  return requests;
}

// The delimiter before an option is no part of it: blanks that all of them begin with.
std::vector<std::string> options_of(const std::vector<Request>& requests, std::size_t n) {
  std::vector<std::string> options;
  for (std::size_t i = 0; i < n && i < requests.size(); ++i) options.push_back(requests[i].continuation.value_or(""));
  const auto blank = [](char c) { return c == ' ' || c == '\n' || c == '\t'; };
  const bool delimited = std::all_of(options.begin(), options.end(),
                                     [&](const std::string& o) { return o.size() > 1 && blank(o[0]) && o[0] == options[0][0]; });
  if (delimited) {
    for (auto& option : options) option.erase(0, 1);
  }
  return options;
}

// The index of the right option: as `target` has it, else where the option's text stands.
int gold_index_of(const Json& record, const std::vector<std::string>& options) {
  const auto target = record_text(record, "target");
  if (!target) return -1;
  const auto found = std::find(options.begin(), options.end(), *target);
  int index = -1;
  const auto [end, bad] = std::from_chars(target->data(), target->data() + target->size(), index);
  const bool whole = bad == std::errc{} && end == target->data() + target->size();
  if (whole && index >= 0 && index < static_cast<int>(options.size())) return index;
  return found == options.end() ? -1 : static_cast<int>(found - options.begin());
}

// What the harness itself scored: a number, or for bits_per_byte (log-likelihood, bytes).
void add_lm_eval_values(const Json& record, StoredOutput& out) {
  const std::string filter = record_text(record, "filter").value_or("");
  for (const auto& [theirs, ours] : kLmEvalMetrics) {
    const auto at = record.find(theirs);
    if (at == record.end()) continue;
    if (const auto value = stored_number(*at)) out.values.emplace_back(labelled(ours, filter), *value);
    const auto ratio = at->is_array() && at->size() == 2 ? std::optional(*at) : std::nullopt;
    if (!ratio || theirs != "bits_per_byte") continue;
    const auto nats = stored_number((*ratio)[0]), bytes = stored_number((*ratio)[1]);
    if (nats && bytes && *bytes > 0) out.values.emplace_back(std::string(ours), -*nats / *bytes / std::log(2.0));
  }
}

// The first member of the document that asks something, for people and to know the item again.
void set_document(const Json& record, StoredOutput& out) {
  out.id = record_text(record, "doc_id").value_or("");
  if (const auto id = record.find("doc_id"); id != record.end() && id->is_number_integer()) out.ordinal = id->get<std::int64_t>();
  const auto doc = record.find("doc");
  if (doc == record.end() || !doc->is_object()) return;
  if (auto id = record_text(*doc, {"id", "ID", "question_id", "task_id", "key"})) out.id = *id;
  out.subset = record_text(*doc, {"subset", "subject", "category"}).value_or("");
  out.question = record_text(*doc, {"question", "query", "problem", "prompt", "goal", "sentence", "ctx", "input", "text"}).value_or("");
}

// (log-likelihood, is greedy) a request.
bool set_choice(const Json& record, const Json& resps, const std::vector<Request>& requests, StoredOutput& out) {
  std::size_t n = resps.size();
  const bool twice = n % 2 == 0 && requests.size() == n && !requests[0].context.empty() &&
                     std::all_of(requests.begin() + static_cast<std::ptrdiff_t>(n / 2), requests.end(),
                                 [](const Request& r) { return r.context.empty(); });
  if (twice) n /= 2;
  for (std::size_t i = 0; i < resps.size(); ++i) {
    const Json* pair = record_at(resps[i], "0");
    if (pair == nullptr || !pair->is_array() || pair->empty()) return false;
    const auto value = stored_number(pair->front());
    if (!value || std::isnan(*value)) return false;
    (i < n ? out.log_likelihoods : out.unconditional).push_back(*value);
  }
  out.options = options_of(requests, n);
  out.gold_index = gold_index_of(record, out.options);
  return true;
}

class LmEvalReader : public PartReader {
 public:
  Cut cut(std::string_view) const override { return Cut::records; }
  explicit LmEvalReader(const std::string& path) : path_(path) { read_results(); }

  Result<Used> add(const PartPlace&, const Json& record, const StoredSink&) override {
    if (!record.is_object() || !add_record(record)) return Used::malformed;
    return Used::record;
  }

  Status end(const StoredSink& sink) override {
    for (auto& output : outputs_) ASSAY_OK(sink(std::move(output)));
    for (auto& figure : figures_) sink.figure(std::move(figure));
    outputs_.clear();
    first_.clear();
    figures_.clear();
    return {};
  }

 private:
  bool add_record(const Json& record) {
    const auto resps = record.find("resps");
    if (resps == record.end() || !resps->is_array() || resps->empty() || resps->size() > kMaxStoredRequests) return false;
    StoredOutput out;
    out.model = model_;
    set_document(record, out);
    if (out.id.empty()) return false;
    add_lm_eval_values(record, out);
    const std::vector<Request> requests = stored_requests(record);
    if (!requests.empty()) out.prompt = requests[0].context;
    out.gold = record_text(record, "target");
    const Json* first = record_at(*resps, "0.0");
    if (first == nullptr) return false;
    if (first->is_array()) {
      if (!set_choice(record, *resps, requests, out)) return false;
      return put(std::move(out), record, 0);
    }
    if (!requests.empty() && !requests[0].generation && !requests[0].continuation) return put_text(*first, record, out);
    return put_generations(resps->front(), record, out);
  }

  // A whole text that was scored: its log-likelihood.
  bool put_text(const Json& value, const Json& record, StoredOutput& out) {
    const auto number = stored_number(value);
    if (!number || std::isnan(*number)) return false;
    out.log_likelihoods = {*number};
    return put(std::move(out), record, 0);
  }

  bool put_generations(const Json& texts, const Json& record, const StoredOutput& whole) {
    if (!texts.is_array() || texts.size() > kMaxRepeats) return false;
    bool any = false;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (!texts[i].is_string()) continue;
      StoredOutput out = whole;
      out.sample = static_cast<std::int64_t>(i);
      out.output = texts[i].get<std::string>();
      if (texts.size() > 1) out.values.clear();  // they speak of all repeats together
      any = put(std::move(out), record, i) || any;
    }
    return any;
  }

  // A record of another filter is the same output; one of the same filter is a further one, which the replay counts.
  bool put(StoredOutput out, const Json& record, std::size_t sample) {
    const std::string filter = record_text(record, "filter").value_or("");
    const std::string key = fmt::format("{}\n{}\n{}", out.id, out.ordinal.value_or(-1), sample);
    const auto [at, fresh] = first_.try_emplace(key, First{outputs_.size(), {}});
    auto& filters = at->second.filters;
    const bool known = std::find(filters.begin(), filters.end(), filter) != filters.end();
    filters.push_back(filter);
    StoredOutput& before = fresh || known ? outputs_.emplace_back(std::move(out)) : outputs_[at->second.place];
    if (fresh || known) return true;
    if (before.output != out.output || before.log_likelihoods != out.log_likelihoods) return false;
    before.values.insert(before.values.end(), out.values.begin(), out.values.end());
    return true;
  }

  // samples_TASK_DATE.jsonl lies beside results_DATE.json, in a folder named after the model.
  void read_results() {
    const std::string name = fs::path(path_).filename().string();
    const auto date = name.rfind('_'), end = name.find(".json");
    const bool named = name.starts_with("samples_") && date != std::string::npos && end != std::string::npos && date > 8 && end > date;
    if (!named) return;
    model_ = folder_of_file(path_);
    const std::string task = name.substr(8, date - 8);
    const std::string file = fmt::format("results{}.json", name.substr(date, end - date));
    const auto results = read_json_file((fs::path(path_).parent_path() / file).string());
    if (!results.ok() || !results->is_object()) return;
    if (const Json* model = record_at(*results, "model_name"); model != nullptr && model->is_string() && !model->get<std::string>().empty())
      model_ = model->get<std::string>();
    const Json* all = record_at(*results, "results");
    const Json* own = all == nullptr ? nullptr : record_at(*all, task);
    if (own != nullptr) add_reported(*own, file + ": results." + task);
  }

  void add_reported(const Json& values, const std::string& source) {
    if (!values.is_object()) return;
    for (const auto& [key, value] : values.items()) {
      const auto comma = key.find(',');
      const auto metric = metric_name(std::string_view(key).substr(0, comma));
      if (comma == std::string::npos || metric.empty() || !value.is_number()) continue;
      StoredFigure figure{.metric = std::string(metric), .printed = value.dump(), .scale = 1, .filter = key.substr(comma + 1), .source = source};
      if (figure.filter == "none") figure.filter.clear();
      figures_.push_back(std::move(figure));
    }
  }

  struct First {
    std::size_t place = 0;
    std::vector<std::string> filters;
  };
  std::string path_, model_;
  std::vector<StoredOutput> outputs_;
  std::unordered_map<std::string, First> first_;
  std::vector<StoredFigure> figures_;
};

}  // namespace

std::unique_ptr<PartReader> read_lm_eval_parts(const StoredFile& file) { return std::make_unique<LmEvalReader>(file.path); }

}  // namespace assay
