// The fields of a protocol that people argue about: what they make of a prompt and of an output, and what is refused.
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/sha256.h"
#include "suites/draws.h"
#include "suites/policy.h"
#include "suites/protocol_diff.h"
#include "suites/python_random.h"
#include "suites/render.h"
#include "suites/score.h"
#include "suites/suite.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace {

using namespace assay;

const std::string kItems =
    R"({"id":"a","q":"one?","o":["x","y","z"],"a":1,"s":"u"}
{"id":"b","q":"two?","o":["x","y","z"],"a":0,"s":"v"}
{"id":"c","q":"three?","o":["p","q","r"],"a":2,"s":"u"}
{"id":"d","q":"four?","o":["p","q","r"],"a":2,"s":"v"}
)";
const std::string kShots =
    R"({"id":"t0","q":"t0?","o":["x","y"],"a":0,"s":"u"}
{"id":"t1","q":"t1?","o":["x","y"],"a":1,"s":"v"}
{"id":"t2","q":"t2?","o":["x","y"],"a":0,"s":"u"}
{"id":"t3","q":"t3?","o":["x","y"],"a":1,"s":"v"}
)";

Json choice() {
  return Json::parse(R"({"name":"p","main":true,"kind":"choice","block":"{question}\n{options}Answer:","option_line":"{letter}. {option}\n",
    "answer":" {letter}","continuation":" {letter}","metrics":["acc"]})");
}

Json generation() {
  return Json::parse(R"({"name":"p","main":true,"kind":"generate","block":"{question}","answer":" {letter}","max_tokens":64,
    "extractors":[{"function":"all"}],"equality":"text","metrics":["accuracy"]})");
}

Result<Suite> load_with(const Json& protocol, const Json& more = Json::object()) {
  const Scratch scratch;
  scratch.write("items.jsonl", kItems);
  scratch.write("train.jsonl", kShots);
  Json definition = Json::parse(R"({"name":"tiny","title":"t","source":"here","licence":"Apache-2.0"})");
  definition["items"] = {{"file", "items.jsonl"}, {"sha256", sha256_hex(kItems)}, {"count", 4}, {"gold", "index"},
                         {"fields", {{"id", "id"}, {"question", "q"}, {"options", "o"}, {"gold", "a"}, {"subset", "s"}}}};
  definition["splits"]["train"] = {{"file", "train.jsonl"}, {"sha256", sha256_hex(kShots)}, {"count", 4}};
  definition["protocols"] = Json::array({protocol});
  definition.update(more);
  return load_suite(scratch.write("tiny.suite.json", definition.dump()));
}

Suite loaded(const Json& protocol) {
  auto suite = load_with(protocol);
  INFO((suite.ok() ? "" : suite.error().text()));
  REQUIRE(suite.ok());
  return std::move(suite).value();
}

RenderedRequest asked(const Suite& suite, std::size_t item, const ChatRenderer& chat = {}) {
  auto request = render_request(suite, suite.protocols[0], suite.items[item], chat);
  INFO((request.ok() ? "" : request.error().text()));
  REQUIRE(request.ok());
  return std::move(request).value();
}

Result<std::string> plain_chat(const std::vector<ChatTurn>& turns, const std::string& options) {
  std::string text = options;
  for (const ChatTurn& turn : turns) text += "[" + turn.role + "|" + turn.content + "]";
  return text + "[assistant|";
}

}  // namespace

TEST_CASE("protocols: examples come from a named split, whole, by sub-task, by list") {
  Json p = choice();
  p["fewshot"] = {{"n", 2}, {"split", "train"}};
  CHECK(asked(loaded(p), 0).shown == std::vector<std::string>{"train-0", "train-1"});
  p["fewshot"]["of_subset"] = true;
  CHECK(asked(loaded(p), 1).shown == std::vector<std::string>{"train-1", "train-3"});
  p["fewshot"] = {{"indices", {3, 0}}, {"split", "train"}};
  const auto request = asked(loaded(p), 0);
  CHECK(request.shown == std::vector<std::string>{"train-3", "train-0"});
  CHECK(request.prompt == "t3?\nA. x\nB. y\nAnswer: B\n\nt0?\nA. x\nB. y\nAnswer: A\n\none?\nA. x\nB. y\nC. z\nAnswer:");
}

TEST_CASE("protocols: a seeded draw depends on seed and item alone, and never shows the item itself") {
  Json p = choice();
  p["fewshot"] = {{"n", 3}, {"draw", "seeded"}, {"seed", 7}, {"split", "items"}};
  const Suite suite = loaded(p);
  bool differ = false;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto shown = asked(suite, i).shown;
    CHECK(shown.size() == 3);
    CHECK(std::find(shown.begin(), shown.end(), suite.items[i].id) == shown.end());
    differ = differ || shown != asked(suite, (i + 1) % 4).shown;
  }
  CHECK(differ);
  CHECK(asked(loaded(p), 2).shown == asked(suite, 2).shown);
  p["fewshot"]["seed"] = 8;
  const Suite other = loaded(p);
  CHECK(other.protocols[0].digest != suite.protocols[0].digest);
  CHECK((asked(other, 0).shown != asked(suite, 0).shown || asked(other, 1).shown != asked(suite, 1).shown));
}

// Drawn by lighteval 0.6.2's own FewShotSampler (tests/oracle/make_lighteval_shots.py) from twelve documents with these answers.
TEST_CASE("protocols: balanced draws are lighteval's, place by place") {
  const std::string answers = "abcabdababcd";
  const std::pair<std::uint64_t, std::vector<int>> drawn[] = {{0, {0, 7, 10, 11, 6, 4}}, {1, {7, 0, 11, 10, 4, 8}}, {2, {1, 6, 5, 10, 7, 8}}, {4, {1, 8, 10, 5, 4, 0}}};
  for (const auto& [seed, places] : drawn) {
    INFO(seed);
    Suite suite;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      Item item;
      item.id = std::to_string(i);
      item.question = "question " + item.id;
      item.gold = std::string(1, answers[i]);
      suite.items.push_back(item);
    }
    suite.splits.emplace_back("train", suite.items);
    Protocol protocol;
    protocol.name = "p";
    protocol.shots = {.split = "train", .n_drawn = 6, .rule = DrawRule::balanced, .seed = seed};
    suite.protocols.push_back(protocol);
    REQUIRE(draw_in_sequence(suite).ok());
    REQUIRE(suite.protocols[0].drawn_shots.size() == 12);
    CHECK(suite.protocols[0].drawn_shots[0] == places);
    CHECK(suite.protocols[0].drawn_shots[11] == places);
  }
}

TEST_CASE("protocols: spare draws take the place of examples that ask what the item asks") {
  Json p = choice();
  p["fewshot"] = {{"n", 2}, {"draw", "python"}, {"seed", 1}, {"spare", 2}, {"split", "train"}};
  const Suite suite = loaded(p);
  PythonRandom python(1);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto drawn = python.sample(4, 4);
    const auto shown = asked(suite, i).shown;
    REQUIRE(shown.size() == 2);
    for (std::size_t k = 0; k < 2; ++k) CHECK(shown[k] == "train-" + std::to_string(drawn[k]));
  }
  Suite twin = loaded(p);
  const int first = twin.protocols[0].drawn_shots[0][0];
  Item& same = twin.splits[0].second[static_cast<std::size_t>(first)];
  const std::string id = same.id;
  same = twin.items[0];
  same.id = id;
  const auto shown = asked(twin, 0).shown;
  CHECK(shown.size() == 2);
  CHECK(shown[0] == "train-" + std::to_string(twin.protocols[0].drawn_shots[0][1]));
  for (Item& one : twin.splits[0].second) one = twin.items[0];
  CHECK(render_request(twin, twin.protocols[0], twin.items[0]).error().code == Code::out_of_range);
}

// CPython 3.11: r = random.Random(seed); r.sample(range(n), k), twice.
TEST_CASE("protocols: CPython's generator and sample, number by number") {
  PythonRandom r(1234);
  CHECK(r.sample(40, 5) == std::vector<int>{28, 7, 0, 5, 37});
  CHECK(r.sample(40, 5) == std::vector<int>{2, 5, 6, 22, 15});
  PythonRandom zero(0);
  CHECK(zero.sample(4, 4) == std::vector<int>{3, 1, 0, 2});
  CHECK(zero.sample(4, 4) == std::vector<int>{3, 1, 2, 0});
  PythonRandom large(std::uint64_t{1} << 40);
  CHECK(large.sample(1000, 3) == std::vector<int>{106, 361, 686});
  CHECK(PythonRandom(42).sample(100000, 8) == std::vector<int>{83810, 14592, 3278, 97196, 36048, 32098, 29256, 18289});
  CHECK(PythonRandom(5).sample(3, 0).empty());
}

TEST_CASE("protocols: options in a permuted order keep their continuations and their letter follows the place") {
  Json p = choice();
  p["option_order"] = {{"seed", 3}};
  const Suite suite = loaded(p);
  bool permuted = false;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto request = asked(suite, i);
    const Item& item = suite.items[i];
    std::string lines;
    for (std::size_t place = 0; place < 3; ++place) {
      const auto option = static_cast<std::size_t>(request.option_order[place]);
      lines += std::string(1, static_cast<char>('A' + place)) + ". " + item.options[option] + "\n";
      CHECK(request.continuations[option] == std::string(" ") + static_cast<char>('A' + place));
    }
    CHECK(request.prompt == item.question + "\n" + lines + "Answer:");
    permuted = permuted || !std::is_sorted(request.option_order.begin(), request.option_order.end());
  }
  CHECK(permuted);
  Json g = generation();
  g["option_order"] = {{"seed", 0}, {"rule", "python"}};
  g["equality"] = "letter";
  const Suite drawn = loaded(g);
  PythonRandom python(0);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto order = python.sample(3, 3);
    CHECK(option_order(drawn.protocols[0], drawn.items[i]) == order);
    const auto place = std::find(order.begin(), order.end(), drawn.items[i].gold_index) - order.begin();
    const std::string letter(1, static_cast<char>('A' + place));
    CHECK(expected_answer(drawn.protocols[0], drawn.items[i]) == letter);
    CHECK(score_output(drawn.protocols[0], drawn.items[i], "(" + letter + ").").correct == std::optional(true));
    CHECK(score_output(drawn.protocols[0], drawn.items[i], letter == "A" ? "B" : "A").correct == std::optional(false));
  }
  Item stranger = drawn.items[0];
  stranger.ordinal = -1;
  CHECK(render_request(drawn, drawn.protocols[0], stranger).error().code == Code::missing_field);
}

TEST_CASE("protocols: system turn, examples as turns, prefix of the answer and template options") {
  Json p = generation();
  p.update(Json::parse(R"({"chat":true,"system":"Be {subset}.","preamble":"Rules.\n","fewshot":{"n":1,"split":"train"},"gen_prefix":"So {id}","primer":" is",
    "chat_options":{"enable_thinking":false}})"));
  const auto text = asked(loaded(p), 0, plain_chat);
  CHECK(text.prompt == "{\"enable_thinking\":false}[system|Be u.][user|Rules.\nt0? A\n\none?][assistant|So a is");
  CHECK(text.prefill == "So a is");
  CHECK(text.prompt_has_bos);
  p["fewshot_as"] = "turns";
  p["preamble_as"] = "system";
  const auto turns = asked(loaded(p), 0, plain_chat);
  CHECK(turns.prompt == "{\"enable_thinking\":false}[system|Be u.Rules.\n][user|t0?][assistant|A][user|one?][assistant|So a is");
  REQUIRE(turns.turns.size() == 4);
  CHECK(turns.turns[2].role == "assistant");
  p["preamble_as"] = "text";
  CHECK(asked(loaded(p), 0, plain_chat).prompt.find("[user|Rules.\nt0?][assistant|A][user|one?]") != std::string::npos);
}

TEST_CASE("protocols: partial evaluation asks one context an option and scores what they share") {
  Json p = choice();
  p.update(Json::parse(R"({"partial":true,"block":"{question} {option}","answer":" ends","continuation":" ends","fewshot":{"n":1,"split":"train"}})"));
  const auto request = asked(loaded(p), 0);
  REQUIRE(request.contexts.size() == 3);
  CHECK(request.context_of(1) == "t0? x ends\n\none? y");
  CHECK(request.continuations == std::vector<std::string>{" ends", " ends", " ends"});
  CHECK(request.prompt == request.contexts[0]);
}

TEST_CASE("protocols: the unconditional likelihood is taken off") {
  Json p = choice();
  p["unconditional"] = "Answer:";
  p["normalisation"] = "uncond";
  p["metrics"] = {"acc_uncond", "acc"};
  const Suite suite = loaded(p);
  CHECK(asked(suite, 0).unconditional == std::optional<std::string>("Answer:"));
  const std::vector<OptionScore> options = {{-1.0, 1, -0.5}, {-2.0, 1, -4.0}, {-3.0, 1, -3.5}};
  const ItemScore score = score_choice(suite.protocols[0], suite.items[0], options);  // gold: y
  CHECK(score.chosen == 1);
  CHECK(score.correct == std::optional(true));
  CHECK(score.margin == std::optional(1.5));
  const auto value = [&](std::string_view name) {
    const auto at = std::find_if(score.values.begin(), score.values.end(), [&](const auto& v) { return v.first == name; });
    return at == score.values.end() ? -1 : at->second;
  };
  CHECK(value("acc_uncond") == 1);
  CHECK(value("acc") == 0);
}

TEST_CASE("protocols: thinking is cut before extraction") {
  Protocol p;
  p.kind = ProtocolKind::generate;
  CHECK(answer_part(p, "a</think> b") == std::optional<std::string_view>("a</think> b"));
  p.thinking.end = "</think>";
  CHECK(answer_part(p, "a</think>\n x</think>\n\n b ") == std::optional<std::string_view>("b "));
  CHECK(answer_part(p, "still going") == std::optional<std::string_view>("still going"));
  CHECK(answer_part(p, "a</think>") == std::optional<std::string_view>(""));
  p.thinking.needs_end = true;
  CHECK_FALSE(answer_part(p, "still going").has_value());
}

TEST_CASE("protocols: what truncated and empty outputs count as") {
  struct Case {
    const char *truncated, *empty, *output;
    bool cut;
    std::optional<bool> correct;
  };
  const Case cases[] = {
      {"as-is", "wrong", "1", true, true},      {"wrong", "wrong", "1", true, false},      {"unjudged", "wrong", "1", true, std::nullopt},
      {"wrong", "wrong", "1", false, true},     {"as-is", "wrong", " \n", false, false},   {"as-is", "unjudged", "", false, std::nullopt},
      {"as-is", "as-is", "", false, false},     {"unjudged", "wrong", "", true, false},    {"as-is", "unjudged", "1", false, true},
  };
  for (const Case& one : cases) {
    Json p = generation();
    p["truncated"] = one.truncated;
    p["empty"] = one.empty;
    const Suite suite = loaded(p);
    INFO(one.truncated << " " << one.empty << " " << one.output << " " << one.cut);
    CHECK(score_output(suite.protocols[0], suite.items[0], one.output, {}, one.cut).correct == one.correct);
  }
  Json p = generation();
  p["thinking"] = {{"end", "</t>"}, {"without_end", "no-answer"}};
  const Suite suite = loaded(p);
  CHECK(score_output(suite.protocols[0], suite.items[0], "1").why == "the thinking does not end");
  CHECK(score_output(suite.protocols[0], suite.items[0], "2</t>1").correct == std::optional(true));
}

TEST_CASE("protocols: macro beside micro") {
  Protocol p;
  p.metrics = {"accuracy"};
  p.aggregation = Aggregation::micro;
  p.beside = Aggregation::macro;
  Item a, b;
  a.subset = "a";
  b.subset = "b";
  const auto scored = [](const Item& item, double value) {
    ItemScore score;
    score.values = {{"accuracy", value}};
    return ScoredItem{&item, score};
  };
  const std::vector<ScoredItem> items = {scored(a, 1), scored(a, 1), scored(a, 1), scored(b, 0)};
  const auto metrics = aggregate(p, items);
  REQUIRE(metrics.size() == 2);
  CHECK(metrics[0].name == "accuracy");
  CHECK(metrics[0].value == 0.75);
  CHECK(metrics[1].name == "accuracy_macro");
  CHECK(metrics[1].value == 0.5);
}

TEST_CASE("protocols: what the fields may not say") {
  struct Case {
    const char *change, *field;
    bool choice;
  };
  const Case cases[] = {
      {R"({"system":"s"})", "p", false},
      {R"({"fewshot_as":"turns"})", "p", false},
      {R"({"chat":true,"chat_options":{"messages":[]}})", "chat_options", false},
      {R"({"chat":true,"chat_options":[1]})", "chat_options", false},
      {R"({"sampling":{"temperature":-1}})", "temperature", false},
      {R"({"sampling":{"temperature":"hot"}})", "temperature", false},
      {R"({"sampling":{"top_p":1.5}})", "top_p", false},
      {R"({"sampling":{"samples":0}})", "samples", false},
      {R"({"sampling":{"samples":4}})", "p", false},
      {R"({"sampling":{"heat":1}})", "heat", false},
      {R"({"sampling":{"temperature":1,"seed_rule":"dice"}})", "seed_rule", false},
      {R"({"thinking":{"end":""}})", "end", false},
      {R"({"thinking":{"end":"x","max_tokens":64}})", "p", false},
      {R"({"truncated":"ignored"})", "truncated", false},
      {R"({"input_cut":"middle"})", "input_cut", false},
      {R"({"fewshot":{"n":0}})", "n", false},
      {R"({"fewshot":{"n":101}})", "n", false},
      {R"({"fewshot":{"n":2,"draw":"python"}})", "seed", false},
      {R"({"fewshot":{"n":2,"split":"nowhere"}})", "p", false},
      {R"({"fewshot":[-1]})", "fewshot", false},
      {R"({"fewshot":{"n":5,"split":"train"}})", "u", false},
      {R"({"fewshot":{"n":5,"draw":"python","seed":1,"split":"train"}})", "u", false},
      {R"({"option_order":{"rule":"python"}})", "seed", false},
      {R"({"option_order":"sorted"})", "option_order", false},
      {R"({"beside":"macro"})", "p", false},
      {R"({"aggregation":"macro","beside":"macro"})", "p", false},
      {R"({"partial":true})", "p", true},
      {R"({"partial":true,"block":"{option}"})", "p", false},
      {R"({"normalisation":"uncond"})", "p", true},
      {R"({"sampling":{"temperature":1}})", "p", true},
      {R"({"unconditional":"{nothing}"})", "nothing", true},
      {R"({"block":"{question:stripe}"})", "question:stripe", true},
  };
  for (const Case& one : cases) {
    Json p = one.choice ? choice() : generation();
    p.update(Json::parse(one.change));
    const auto suite = load_with(p);
    INFO(one.change << (suite.ok() ? "" : suite.error().text()));
    REQUIRE_FALSE(suite.ok());
    CHECK(suite.error().field == one.field);
  }
}

TEST_CASE("protocols: source and note change no digest, everything else does") {
  Json p = generation();
  const std::string digest = loaded(p).protocols[0].digest;
  p["source"] = "somewhere";
  p["note"] = "differs";
  const Suite same = loaded(p);
  CHECK(same.protocols[0].digest == digest);
  CHECK(same.protocols[0].source == "somewhere");
  for (const char* change : {R"({"max_tokens":65})", R"({"truncated":"wrong"})", R"({"sampling":{"temperature":0.5}})", R"({"chat":true})"}) {
    Json q = p;
    q.update(Json::parse(change));
    CHECK(loaded(q).protocols[0].digest != digest);
  }
  Json q = p;
  q["truncated"] = "wrong";
  CHECK(loaded(q).protocols[0].template_digest == same.protocols[0].template_digest);
  q["gen_prefix"] = "x";
  CHECK(loaded(q).protocols[0].template_digest != same.protocols[0].template_digest);
}

TEST_CASE("protocols: a difference is told field by field and on the first item where it shows") {
  Json a = generation(), b = generation();
  b["stops"] = {"\n"};
  b["sampling"] = {{"temperature", 0.5}};
  b["block"] = "{question:strip}\n\xC3\xA9 {subset}";
  a["block"] = "{question:strip}\n\xC3\xA8 {subset}";
  const Suite one = loaded(a), other = loaded(b);
  const auto difference = compare_protocols(one, one.protocols[0], other, other.protocols[0]);
  REQUIRE(difference.ok());
  REQUIRE(difference->fields.size() == 3);
  CHECK(difference->fields[0].field == "block");
  CHECK(difference->fields[1].field == "sampling.temperature");
  CHECK(difference->fields[1].a.empty());
  CHECK(difference->fields[1].b == "0.5");
  CHECK(difference->items_compared == 4);
  CHECK(difference->items_differing == 4);
  REQUIRE(difference->first.has_value());
  CHECK(difference->first->item == "a");
  CHECK(difference->first->part == "prompt");
  CHECK(difference->first->texts.offset == 5);  // the two bytes of the letter stay together
  CHECK(difference->first->texts.b == "one?\n\xC3\xA9 u");
  const auto none = compare_protocols(one, one.protocols[0], one, one.protocols[0]);
  REQUIRE(none.ok());
  CHECK(none->fields.empty());
  CHECK(none->items_differing == 0);
  CHECK_FALSE(none->first.has_value());
}

TEST_CASE("protocols: only some items may differ, and it is the continuation that does") {
  Json a = choice(), b = choice();
  b["continuation"] = "{letter}";
  const Suite one = loaded(a), other = loaded(b);
  const auto difference = compare_protocols(one, one.protocols[0], other, other.protocols[0]);
  REQUIRE(difference.ok());
  REQUIRE(difference->first.has_value());
  CHECK(difference->first->part == "continuation 0");
  CHECK(difference->first->texts.a == " A");
  CHECK(text_difference("ab", "abc")->offset == 2);
  CHECK_FALSE(text_difference("", "").has_value());
}
