// One request of `assay serve` on its way from the parsed call to the reply, whole or streamed. What differs between completions and chats is in
// serve_complete.cc and serve_chat.cc.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "eval/runs/eval_model.h"
#include "eval/serve/serve_call.h"
#include "eval/serve/serve_http.h"
#include "eval/serve/serve_queue.h"
#include "eval/serve/serve_text.h"

namespace assay {

// What all requests share.
struct Served {
  const EvalModel& model;
  ServeQueue& queue;
  std::string id;                         // what the API calls the model
  std::vector<std::int32_t> stop_ids;     // end of text
  std::uint64_t seed = 1;                 // of requests that name none: the same request is answered the same
  std::int64_t max_tokens = 0;            // most tokens that one choice may get
  std::int64_t created_s = 0;             // Unix time
  std::vector<std::string> other_names;   // that clients may use for the model: the MODEL argument, its absolute path
};

Status check_model(const Served& served, const std::string& name);  // Code::not_found

// Whole or as server-sent events; a refusal is a reply too.
HttpReply complete(const Served& served, const HttpRequest& request);
HttpReply chat(const Served& served, const HttpRequest& request);

// --- for the two ---

struct ExchangeNames {
  const char *id_prefix, *object, *chunk_object;
};

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(const Served& served, CallOptions options, ExchangeNames names);
  virtual ~Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Submits the work and answers. `prompts`: ids, checked; `scores`: what else is asked of the backend.
  Result<HttpReply> run(const HttpRequest& request);

 protected:
  // Ids of the prompts must fit the model and its context; fixes max_tokens.
  Status set_prompts(std::vector<std::vector<std::int32_t>> prompts, std::int64_t default_max_tokens, const char* param);

  virtual std::vector<ScoreRequest> scores() const { return {}; }
  virtual bool generates() const { return max_tokens_ > 0; }
  virtual void absorb(ServeAnswer& answer) { static_cast<void>(answer); }  // before the choices are made
  // All members of a choice but index and finish_reason.
  virtual Json choice(std::size_t prompt, const ServeSample& sample) const = 0;
  // The same of a part of a stream. `token`: the token that it tells, or null; `piece`: text that became certain.
  virtual Json first_part(std::size_t choice) const = 0;  // null: none
  virtual Json part(std::size_t choice, const std::string& piece, const ServeToken* token) = 0;

  bool is_stop_id(std::int32_t id) const;
  // Without the end-of-text token, special tokens and what stands from a stop string on.
  std::string text_of(const ServeSample& sample) const;
  ToldToken told(const ServeSample& sample, std::size_t i) const;
  std::vector<ToldToken> told(const ServeSample& sample) const;

  const Served& served_;
  CallOptions options_;
  std::vector<std::vector<std::int32_t>> prompts_;
  std::int64_t max_tokens_ = 0;
  std::vector<std::int32_t> stop_ids_;  // the model's, and stop strings that are one special token

 private:
  struct Streamed;
  ServeWork work() const;
  Json frame(const char* object) const;
  Json usage(const std::vector<ServeSample>& samples) const;
  std::vector<const ServeSample*> chosen(const std::vector<ServeSample>& samples, std::size_t prompt) const;
  Result<HttpReply> whole(ServeQueue::Ticket& ticket, const HttpRequest& request);
  bool live() const { return generates() && scores().empty(); }  // tokens are told as they are made; else once all is known
  void stream(ServeQueue::Ticket& ticket, const std::function<bool()>& connected, const HttpWrite& write);

  ExchangeNames names_;
  std::string id_;
};

HttpReply error_reply(const Error& error);

}  // namespace assay
