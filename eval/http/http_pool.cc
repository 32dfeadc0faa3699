#include "eval/http/http_pool.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <ctime>
#include <deque>
#include <map>
#include <queue>
#include <tuple>

#include "base/check.h"
#include "base/progress.h"
#include "base/rng.h"
#include "eval/serve/serve_http.h"

namespace assay {
namespace {

using PoolClock = std::chrono::steady_clock;

constexpr std::size_t kMaxHeaders = 32, kMaxHeaderBytes = 256;
constexpr int kPollMs = 100;  // how soon a stop request is seen
constexpr double kShrink = 0.7;
constexpr std::array<int, 7> kRepeated = {408, 425, 429, 500, 502, 503, 504};

void start_curl_once() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  ASSAY_CHECK(started == CURLE_OK);
}

bool is_busy(int status) { return status == 429 || status == 503; }
bool is_repeated(int status) { return std::ranges::find(kRepeated, status) != kRepeated.end(); }
bool is_success(int status) { return status >= 200 && status < 300; }

std::string lower_ascii(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view bare_value(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r' || text.back() == '\n')) text.remove_suffix(1);
  return text;
}

// The host of http://host:port/..., brackets of an IPv6 address taken off.
std::string host_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (const auto at = url.rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
  if (url.starts_with('[')) return std::string(url.substr(1, url.find(']') - 1));
  return std::string(url.substr(0, url.find(':')));
}

// What is wrong with a server is told with the address, never with what stands before an @ in it.
std::string shown_url(const std::string& url) {
  const auto scheme = url.find("://"), at = url.find('@');
  if (scheme == std::string::npos || at == std::string::npos || at > url.find('/', scheme + 3)) return url;
  return url.substr(0, scheme + 3) + url.substr(at + 1);
}

// One attempt on its way.
struct Transfer {
  CURL* easy = nullptr;
  std::size_t call = 0;
  HttpOutcome outcome;
  std::size_t max_body = 0;
  bool too_large = false;
};

std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  if (size * count > transfer.max_body - transfer.outcome.body.size()) {
    transfer.too_large = true;
    return 0;  // ends the transfer
  }
  transfer.outcome.body.append(bytes, size * count);
  return size * count;
}

std::size_t take_header(char* bytes, std::size_t size, std::size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(bytes, size * count);
  if (line.starts_with("HTTP/")) transfer.outcome.headers.clear();  // of a 100 Continue before
  const auto colon = line.find(':');
  if (colon != std::string_view::npos && transfer.outcome.headers.size() < kMaxHeaders) {
    const std::string_view value = bare_value(line.substr(colon + 1)).substr(0, kMaxHeaderBytes);
    transfer.outcome.headers.emplace_back(lower_ascii(line.substr(0, std::min(colon, kMaxHeaderBytes))), value);
  }
  return size * count;
}

struct Due {
  PoolClock::time_point at;
  std::size_t call;
  bool operator>(const Due& other) const { return std::tie(at, call) > std::tie(other.at, other.call); }
};

struct Tries {
  int attempts = 0, unusable = 0;
};

}  // namespace

struct HttpPool::State {
  HttpPoolOptions options;
  HttpPoolCounts counts;
  CURLM* multi = nullptr;
  curl_slist *headers = nullptr, *get_headers = nullptr;
  double window = 1;  // calls in flight at present
  std::map<CURL*, std::unique_ptr<Transfer>> active;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    drop_all();
    if (multi != nullptr) curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    curl_slist_free_all(get_headers);
  }

  void drop_all() {
    for (const auto& [easy, transfer] : active) {
      curl_multi_remove_handle(multi, easy);
      curl_easy_cleanup(easy);
    }
    active.clear();
  }

  void set_options(Transfer& transfer, const HttpCall& call) const {
    CURL* easy = transfer.easy;
    const auto set = [&](CURLoption option, auto value) { ASSAY_CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK); };
    set(CURLOPT_URL, call.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(options.connect_timeout_s));
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.silence_s));
    set(CURLOPT_HTTPHEADER, call.body.empty() ? get_headers : headers);
    set(CURLOPT_WRITEFUNCTION, take_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
    set(CURLOPT_HEADERFUNCTION, take_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(&transfer));
    if (is_loopback(host_of(call.url))) set(CURLOPT_PROXY, "");
    if (call.body.empty()) return;
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
    set(CURLOPT_POSTFIELDS, call.body.c_str());  // not copied: the calls outlive the transfer
  }

  void start(std::size_t index, const HttpCall& call) {
    auto transfer = std::make_unique<Transfer>();
    transfer->easy = curl_easy_init();
    ASSAY_CHECK(transfer->easy != nullptr);
    transfer->call = index;
    transfer->max_body = options.max_body_bytes;
    set_options(*transfer, call);
    ASSAY_CHECK(curl_multi_add_handle(multi, transfer->easy) == CURLM_OK);
    ++counts.attempts;
    CURL* const key = transfer->easy;
    active.emplace(key, std::move(transfer));
  }
};

namespace {

Error used_up(const HttpCall& call, int attempts, const std::string& last) {
  return Error{.code = Code::io, .message = fmt::format("the server did not answer in {} attempts", attempts), .file = shown_url(call.url), .got = last};
}

Error body_too_large(const HttpCall& call, std::size_t limit) {
  return Error{.code = Code::too_large, .message = "the server's answer is larger than any that is taken", .file = shown_url(call.url),
               .expected = fmt::format("at most {} bytes", limit)};
}

Error pool_stopped() { return Error{.code = Code::interrupted, .message = "stopped on request"}; }

std::string what_failed(CURLcode code, int status) {
  return code == CURLE_OK ? fmt::format("status {}", status) : std::string(curl_easy_strerror(code));
}

// Faults that no second attempt mends.
bool is_hopeless(CURLcode code) {
  return code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_OUT_OF_MEMORY;
}

bool is_key(std::string_view key) {
  return std::ranges::all_of(key, [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

// All calls of one send().
class Sending {
 public:
  using Done = std::function<Status(std::size_t, const HttpOutcome&)>;
  Sending(HttpPoolOptions& options, HttpPoolCounts& counts, double& window, std::span<const HttpCall> calls, const Done& done)
      : options_(options), counts_(counts), window_(window), calls_(calls), done_(done), tries_(calls.size()), left_(calls.size()) {
    for (std::size_t i = 0; i < calls.size(); ++i) ready_.push_back(i);
  }

  bool finished() const { return left_ == 0; }

  // The next call to start while `n_active` are on their way.
  std::optional<std::size_t> next(std::size_t n_active, PoolClock::time_point now) {
    while (!due_.empty() && due_.top().at <= now) {
      ready_.push_front(due_.top().call);
      due_.pop();
    }
    if (ready_.empty() || n_active >= static_cast<std::size_t>(window_)) return std::nullopt;
    const std::size_t call = ready_.front();
    ready_.pop_front();
    ++tries_[call].attempts;
    return call;
  }

  int wait_ms(PoolClock::time_point now) const {
    if (due_.empty()) return kPollMs;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(due_.top().at - now).count();
    return static_cast<int>(std::clamp<std::int64_t>(left + 1, 1, kPollMs));
  }

  Status ended(const Transfer& transfer, CURLcode code) {
    const std::size_t call = transfer.call;
    const int status = transfer.outcome.status;
    ASSAY_CHECK(call < calls_.size() && tries_[call].attempts > 0);
    if (transfer.too_large) return body_too_large(calls_[call], transfer.max_body);
    if (is_hopeless(code)) return used_up(calls_[call], 1, what_failed(code, status));
    if (code != CURLE_OK || is_repeated(status)) {
      (code != CURLE_OK ? counts_.dropped : is_busy(status) ? counts_.busy : counts_.failed) += 1;
      if (code == CURLE_OK && is_busy(status)) window_ = std::max(1.0, window_ * kShrink);
      return again(transfer, what_failed(code, status));
    }
    window_ = std::min<double>(options_.parallel, window_ + 1 / window_);
    const Status taken = done_(call, transfer.outcome);
    if (taken.ok()) return --left_, Status();
    if (!is_success(status) || taken.error().code == Code::interrupted) return taken;
    ++counts_.unusable;
    if (++tries_[call].unusable >= options_.max_unusable) return taken;
    return again(transfer, "an unusable answer");
  }

 private:
  Status again(const Transfer& transfer, const std::string& why) {
    const std::size_t call = transfer.call;
    if (tries_[call].attempts >= options_.max_attempts) return used_up(calls_[call], tries_[call].attempts, why);
    std::optional<double> asked;
    if (const auto header = transfer.outcome.header("retry-after")) asked = retry_after_seconds(*header, static_cast<std::int64_t>(std::time(nullptr)));
    const double seconds = retry_delay(options_, call, tries_[call].attempts, asked);
    due_.push({PoolClock::now() + std::chrono::duration_cast<PoolClock::duration>(std::chrono::duration<double>(seconds)), call});
    return {};
  }

  HttpPoolOptions& options_;
  HttpPoolCounts& counts_;
  double& window_;
  std::span<const HttpCall> calls_;
  const Done& done_;
  std::vector<Tries> tries_;
  std::size_t left_;
  std::deque<std::size_t> ready_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
};

std::optional<std::string_view> HttpOutcome::header(std::string_view name) const {
  const auto found = std::ranges::find(headers, name, [](const auto& header) -> std::string_view { return header.first; });
  if (found == headers.end()) return std::nullopt;
  return found->second;
}

HttpPool::HttpPool(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpPool::~HttpPool() = default;
const HttpPoolCounts& HttpPool::counts() const { return state_->counts; }

Result<std::unique_ptr<HttpPool>> HttpPool::open(HttpPoolOptions options) {
  if (options.parallel < 1 || options.parallel > kMaxParallelCalls) {
    return Error{.code = Code::usage, .message = "that many requests in flight are not possible", .field = "--http-parallel",
                 .expected = fmt::format("1 to {}", kMaxParallelCalls), .got = std::to_string(options.parallel)};
  }
  if (!is_key(options.api_key)) return Error{.code = Code::bad_value, .message = "the API key holds characters that no header may have", .field = "ASSAY_API_KEY"};
  ASSAY_CHECK(options.max_attempts >= 1 && options.max_unusable >= 1 && options.first_delay_s >= 0 && options.max_body_bytes > 0);
  start_curl_once();
  auto state = std::make_unique<State>();
  state->multi = curl_multi_init();
  ASSAY_CHECK(state->multi != nullptr);
  ASSAY_CHECK(curl_multi_setopt(state->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(options.parallel)) == CURLM_OK);
  const auto add = [](curl_slist*& list, const std::string& line) {
    curl_slist* const longer = curl_slist_append(list, line.c_str());
    ASSAY_CHECK(longer != nullptr);
    list = longer;
  };
  for (curl_slist** list : {&state->headers, &state->get_headers}) {
    add(*list, "Accept: application/json");
    add(*list, "User-Agent: assay");
    if (!options.api_key.empty()) add(*list, "Authorization: Bearer " + options.api_key);
  }
  add(state->headers, "Content-Type: application/json");
  add(state->headers, "Expect:");  // no round trip before the body
  state->window = options.parallel;
  state->options = std::move(options);
  return std::unique_ptr<HttpPool>(new HttpPool(std::move(state)));
}

Status HttpPool::send(std::span<const HttpCall> calls, const std::function<Status(std::size_t, const HttpOutcome&)>& done) {
  State& state = *state_;
  ASSAY_CHECK(state.active.empty());
  state.counts.calls += calls.size();
  Sending sending(state.options, state.counts, state.window, calls, done);
  const auto end = [&](Status status) {
    state.drop_all();
    return status;
  };
  while (!sending.finished()) {
    if (stop_requested()) return end(pool_stopped());
    while (const auto call = sending.next(state.active.size(), PoolClock::now())) state.start(*call, calls[*call]);
    int running = 0;
    ASSAY_CHECK(curl_multi_perform(state.multi, &running) == CURLM_OK);
    int left = 0;
    bool any = false;
    while (const CURLMsg* message = curl_multi_info_read(state.multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      any = true;
      const CURLcode code = message->data.result;
      auto node = state.active.extract(message->easy_handle);
      ASSAY_CHECK(!node.empty());
      Transfer& transfer = *node.mapped();
      long status = 0;
      curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
      transfer.outcome.status = static_cast<int>(status);
      curl_multi_remove_handle(state.multi, transfer.easy);
      curl_easy_cleanup(transfer.easy);
      if (Status taken = sending.ended(transfer, code); !taken.ok()) return end(std::move(taken));
    }
    if (!any && !sending.finished()) curl_multi_poll(state.multi, nullptr, 0, sending.wait_ms(PoolClock::now()), nullptr);
  }
  return end({});
}

Result<HttpOutcome> HttpPool::get(const std::string& url) { return post(url, ""); }

Result<HttpOutcome> HttpPool::post(const std::string& url, std::string body) {
  const HttpCall call{.url = url, .body = std::move(body)};
  HttpOutcome out;
  ASSAY_OK(send(std::span(&call, 1), [&](std::size_t, const HttpOutcome& outcome) -> Status { return out = outcome, Status(); }));
  return out;
}

std::optional<double> retry_after_seconds(std::string_view value, std::int64_t now_unix_s) {
  value = bare_value(value);
  double seconds = 0;
  const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (failed == std::errc{} && end == value.data() + value.size()) return std::isfinite(seconds) ? std::optional(std::max(0.0, seconds)) : std::nullopt;
  const std::time_t at = curl_getdate(std::string(value).c_str(), nullptr);
  if (at < 0) return std::nullopt;
  return std::max(0.0, static_cast<double>(at) - static_cast<double>(now_unix_s));
}

double retry_delay(const HttpPoolOptions& options, std::uint64_t call, int attempt, std::optional<double> retry_after_s) {
  ASSAY_CHECK(attempt >= 1);
  const double base = std::min(options.max_delay_s, options.first_delay_s * std::exp2(std::min(attempt - 1, 30)));
  const double own = base * (0.5 + 0.5 * Stream(options.seed, call, static_cast<std::uint32_t>(attempt)).uniform());
  return std::max(own, std::min(retry_after_s.value_or(0), options.max_retry_after_s));
}

}  // namespace assay
