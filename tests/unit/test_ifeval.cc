// Every instruction of IFEval and M-IFEval with responses that follow it and that do not, the loose readings, and what is refused.
#include "suites/ifeval/ifeval.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <set>

#include "suites/score.h"
#include "tests/catch.h"

namespace {

using namespace assay;

std::string document(const std::string& id, const std::string& kwargs) {
  return fmt::format(R"({{"instruction_id_list":["{}"],"kwargs":[{}]}})", id, kwargs);
}

Instruction instruction(const std::string& id, const std::string& kwargs) {
  auto parsed = parse_instructions(document(id, kwargs));
  INFO(id << " " << kwargs << " " << (parsed.ok() ? std::string() : parsed.error().text()));
  REQUIRE(parsed.ok());
  return parsed->front();
}

struct ConstraintCase {
  const char *id, *kwargs, *response;
  bool follows;
};

const ConstraintCase kCases[] = {
    {"change_case:capital_word_frequency", R"({"capital_frequency":3,"capital_relation":"at least"})", "DON'T go to ROME", true},
    {"change_case:capital_word_frequency", R"({"capital_frequency":3,"capital_relation":"at least"})", "GO to A-B", false},
    {"change_case:capital_word_frequency", R"({"capital_frequency":2,"capital_relation":"less than"})", "One WORD, a2 and B2b", true},
    {"es:change_case:capital_word_frequency", R"({"capital_frequency":2,"capital_relation":"como máximo"})", "ESTO ES demasiado. SÍ", false},
    {"change_case:english_capital", "{}", "THE CAT SAT ON THE MAT AND IT WAS GLAD OF THE SUN.", true},
    {"change_case:english_capital", "{}", "THE CAT SAT ON THE MAt.", false},
    {"change_case:english_capital", "{}", "LE CHAT EST SUR LA TABLE ET LES SOURIS SONT DANS LA MAISON.", false},
    {"change_case:english_lowercase", "{}", "the cat sat on the mat and it was 7 o'clock.", true},
    {"change_case:english_lowercase", "{}", "the cat sat on the mat, and I left.", false},
    {"change_case:english_lowercase", "{}", "123", false},
    {"fr:change_case:french_capital", "{}", "LE CHAT EST SUR LA TABLE ET LES SOURIS SONT DANS LA MAISON.", true},
    {"fr:change_case:french_lowercase", "{}", "le chat est sur la table et les souris sont dans la maison.", true},
    {"fr:change_case:french_lowercase", "{}", "el gato está en la mesa y los ratones están en la casa.", false},
    {"es:change_case:spanish_capital", "{}", "EL GATO ESTÁ EN LA MESA Y LOS RATONES ESTÁN EN LA CASA.", true},
    {"es:change_case:spanish_lowercase", "{}", "el gato está en la mesa y los ratones están en la casa.", true},
    {"es:change_case:spanish_lowercase", "{}", "El gato está en la mesa.", false},
    {"combination:repeat_prompt", R"({"prompt_to_repeat":"Write a Poem. "})", "\n  write a poem. Here it is", true},
    {"combination:repeat_prompt", R"({"prompt_to_repeat":"Write a poem."})", "Sure. Write a poem.", false},
    {"combination:two_responses", "{}", "one\n******\ntwo", true},
    {"combination:two_responses", "{}", "******\none ****** two\n******", true},
    {"combination:two_responses", "{}", "one ****** one", false},
    {"combination:two_responses", "{}", "one ****** ****** two", false},
    {"combination:two_responses", "{}", "one two", false},
    {"detectable_content:number_placeholders", R"({"num_placeholders":2})", "[name] and [place]", true},
    {"detectable_content:number_placeholders", R"({"num_placeholders":2})", "[[name]] and [pla\nce]", false},
    {"es:detectable_content:number_placeholders", R"({"num_placeholders":1,"relation":"al menos"})", "[]", true},
    {"detectable_content:postscript", R"({"postscript_marker":"P.S."})", "Bye.\nP. S. more", true},
    {"detectable_content:postscript", R"({"postscript_marker":"P.S."})", "Bye.\nPS more", false},
    {"detectable_content:postscript", R"({"postscript_marker":"P.P.S"})", "p.p. s", true},
    {"fr:detectable_content:postscript", R"({"postscript_marker":"P.-S."})", "À bientôt\np.-s. oui", true},
    {"fr:detectable_content:postscript", R"({"postscript_marker":"PS"})", "À bientôt\nP.S. oui", false},
    {"es:detectable_content:postscript", R"({"postscript_marker":"P.D."})", "Adiós. p.d. algo", true},
    {"es:detectable_content:postscript", R"({"postscript_marker":"Nota"})", "Adiós. Algo", false},
    {"detectable_format:constrained_response", "{}", "Well: My answer is maybe.", true},
    {"detectable_format:constrained_response", "{}", "My answer is Maybe.", false},
    {"fr:detectable_format:constrained_response", "{}", "Peut-être.", true},
    {"es:detectable_format:constrained_response", "{}", "Sí, claro", false},
    {"detectable_format:json_format", "{}", "```json\n{\"a\": [1, NaN, \"Infinity\"]}\n```", true},
    {"detectable_format:json_format", "{}", "Here: {\"a\": 1}", false},
    {"detectable_format:json_format", "{}", "{\"a\": 1,}", false},
    {"detectable_format:multiple_sections", R"({"section_spliter":"Section","num_sections":2})", "Section 1\na\nSection 2\nb", true},
    {"detectable_format:multiple_sections", R"({"section_spliter":"SECTION","num_sections":2})", "Section 1\na\nSECTION 2\nb", false},
    {"detectable_format:number_bullet_lists", R"({"num_bullets":3})", "* a\n  - b\n- c\n**bold** no", true},
    {"detectable_format:number_bullet_lists", R"({"num_bullets":2})", "* a\n* b\n* c", false},
    {"detectable_format:number_bullet_lists", R"({"num_bullets":1})", "*\n* a", true},  // the star's one character is the line's end
    {"es:detectable_format:number_bullet_lists", R"({"num_bullets":1})", "* a\n- b", true},
    {"detectable_format:number_highlighted_sections", R"({"num_highlights":2})", "*a* and **b**", true},
    {"detectable_format:number_highlighted_sections", R"({"num_highlights":1})", "** ** and *a\nb*", false},
    {"detectable_format:title", "{}", "text\n<<A title>>", true},
    {"detectable_format:title", "{}", "<<>> and << a\nb>>", false},
    {"fr:detectable_format:title", "{}", "##Un titre##", true},
    {"fr:detectable_format:title", "{}", "<<Un titre>>\n## seul", false},
    {"keywords:existence", R"({"keywords":["Cat","dog"]})", "DOGS like cats", true},
    {"keywords:existence", R"({"keywords":["cat","dog"]})", "cats only", false},
    {"keywords:forbidden_words", R"({"forbidden_words":["cat"]})", "concatenate", true},
    {"keywords:forbidden_words", R"({"forbidden_words":["cat","dog"]})", "A Cat.", false},
    {"fr:keywords:forbidden_words", R"({"forbidden_words":["été"]})", "L'Été revient", false},
    {"fr:keywords:forbidden_words", R"({"forbidden_words":["été"]})", "étéx", true},
    {"keywords:frequency", R"({"keyword":" cat ","frequency":2,"relation":"at least"})", "cat concat", true},
    {"keywords:frequency", R"({"keyword":"cat","frequency":2,"relation":"less than"})", "cat CAT", false},
    {"keywords:letter_frequency", R"({"letter":"E","let_frequency":2,"let_relation":"at least"})", "Eel", true},
    {"keywords:letter_frequency", R"({"letter":"e","let_frequency":2,"let_relation":"less than"})", "eel", false},
    {"keywords:letter_frequency", R"({"letter":"#","let_frequency":2,"let_relation":"at least"})", "# #", true},
    {"language:response_language", R"({"language":"de"})", "Das ist ein Satz, und er ist nicht auf Englisch.", true},
    {"language:response_language", R"({"language":"de"})", "This is a sentence and it is in English.", false},
    {"language:response_language", R"({"language":"de"})", "12 34", true},  // nothing can be said
    {"fr:language:response_language", R"({"language":"zh"})", "这是一个句子。", false},
    {"length_constraints:nth_paragraph_first_word", R"({"num_paragraphs":2,"nth_paragraph":2,"first_word":"Two"})", "One.\n\n\"two, then", true},
    {"length_constraints:nth_paragraph_first_word", R"({"num_paragraphs":2,"nth_paragraph":2,"first_word":"two"})", "One.\n\nTwo\n\nthree", false},
    {"length_constraints:nth_paragraph_first_word", R"({"num_paragraphs":2,"nth_paragraph":2,"first_word":"two"})", "One.\n\n\n\nTwo", false},
    {"es:length_constraints:nth_paragraph_first_word", R"({"num_paragraphs":2,"nth_paragraph":2,"first_word":"En mi opinión"})", "Uno\n\nEn *mi* opinión, sí", true},
    {"es:length_constraints:nth_paragraph_first_word", R"({"num_paragraphs":1,"nth_paragraph":1,"first_word":"En mi opinión"})", "En mi", false},
    {"length_constraints:number_paragraphs", R"({"num_paragraphs":2})", "***\na\n***\nb", true},
    {"length_constraints:number_paragraphs", R"({"num_paragraphs":2})", "a *** *** b", false},
    {"length_constraints:number_sentences", R"({"num_sentences":2,"relation":"at least"})", "One is here. Two is there.", true},
    {"length_constraints:number_sentences", R"({"num_sentences":2,"relation":"less than"})", "One is here. Two is there.", false},
    {"es:length_constraints:number_sentences", R"({"num_sentences":2,"relation":"como máximo"})", "Lista\n1. Uno.", true},
    {"length_constraints:number_words", R"({"num_words":3,"relation":"less than"})", "it's", true},
    {"length_constraints:number_words", R"({"num_words":3,"relation":"at least"})", "it's", false},
    {"punctuation:no_comma", "{}", "no comma; none", true},
    {"punctuation:no_comma", "{}", "a, b", false},
    {"startend:end_checker", R"({"end_phrase":"The end. "})", "All. \"THE END.\"", true},
    {"startend:end_checker", R"({"end_phrase":"The end"})", "The end.", false},
    {"es:startend:end_checker", R"({"end_phrase":"Un saludo"})", "Adiós. Un saludo.", true},
    {"startend:quotation", "{}", " \"all of it\"\n", true},
    {"startend:quotation", "{}", "\"", false},
    {"startend:quotation", "{}", "«non»", false},
    {"fr:startend:quotation", "{}", "« oui »", true},
    {"fr:detectable_content:informal_address", "{}", "Je t'aime.", true},
    {"fr:detectable_content:informal_address", "{}", "Vous têtu êtes.", false},
    {"fr:detectable_content:no_digits", "{}", "Trois.", true},
    {"fr:detectable_content:no_digits", "{}", "En ٣ jours", false},
    {"fr:special_character:accents", R"({"word_to_accentuate":{"lecons":"leçons"}})", "Les Leçons.", true},
    {"fr:special_character:accents", R"({"word_to_accentuate":{"lecons":"leçons"}})", "Les lecons.", false},
    {"fr:special_character:ethel_or_cedilla", R"({"forbidden_char":"œ"})", "le coeur", true},
    {"fr:special_character:ethel_or_cedilla", R"({"forbidden_char":"ç"})", "ÇA VA", false},
    {"fr:special_character:no_accents", "{}", "sans marque", true},
    {"fr:special_character:no_accents", "{}", "été", false},
    {"es:special_character:dieresis", R"({"let_frequency":1})", "pingüino", true},
    {"es:special_character:dieresis", R"({"let_frequency":1})", "pinguino", false},
    {"es:special_character:enie", R"({"let_frequency":2})", "Niño, AÑO", true},
    {"es:special_character:enie", R"({"let_frequency":2})", "niñoñ", false},
    {"es:special_character:tildes", R"({"num_words":1,"relation":"como máximo"})", "así será", false},
    {"es:special_character:tildes", R"({"num_words":2,"relation":"al menos"})", "así será", true},
    {"es:punctuation:question_marks", "{}", "¿Qué\ntal?", true},
    {"es:punctuation:question_marks", "{}", "Qué tal? ¿?", false},
    {"es:punctuation:exclamation_marks", "{}", "¡Hola!", true},
    {"es:punctuation:exclamation_marks", "{}", "Hola! ¡ !", false},
};

TEST_CASE("ifeval: each instruction is followed and not followed") {
  std::set<std::string> right, wrong;
  for (const ConstraintCase& one : kCases) {
    INFO(one.id << " " << one.kwargs << ": " << one.response);
    const Instruction parsed = instruction(one.id, one.kwargs);
    CHECK(follows(parsed, one.response) == one.follows);
    (one.follows ? right : wrong).emplace(parsed.kind->name);
  }
  for (const InstructionKind& kind : instruction_kinds()) {
    INFO(kind.name);
    const std::string name(kind.name);
    CHECK((right.contains(name) || wrong.contains(name)));
    if (name != "change_case:french_capital" && name != "change_case:spanish_capital") CHECK((right.contains(name) && wrong.contains(name)));
  }
}

TEST_CASE("ifeval: there are 25 instructions in English, 30 in French, 30 in Spanish") {
  std::map<std::string, int> n;
  for (const InstructionKind& kind : instruction_kinds()) {
    for (const char* language : {"en", "fr", "es"}) n[language] += kind.languages.find(language) != std::string_view::npos;
  }
  CHECK(n == std::map<std::string, int>{{"en", 25}, {"fr", 30}, {"es", 30}});
}

TEST_CASE("ifeval: an empty response follows nothing") {
  const Instruction no_comma = instruction("punctuation:no_comma", "{}");
  for (const char* blank : {"", " \n\t", "\u00a0"}) CHECK_FALSE(follows(no_comma, blank));
}

struct LooseCase {
  const char *id, *kwargs, *response;
  bool strict, loose;
};

TEST_CASE("ifeval: the loose reading takes off stars, the first line and the last") {
  const LooseCase cases[] = {
      {"startend:quotation", "{}", "**\"all\"**", false, true},
      {"startend:quotation", "{}", "Sure!\n\"all\"", false, true},
      {"startend:quotation", "{}", "\"all\"\nDone.", false, true},
      {"startend:quotation", "{}", "Sure!\n*\"all\"*\nDone.", false, true},
      {"startend:quotation", "{}", "Sure!\n\"all\"\nDone.\nReally.", false, false},
      {"punctuation:no_comma", "{}", "Well, yes", false, false},
      {"punctuation:no_comma", "{}", "Well, yes\n ", false, false},  // what is left is blank
      {"length_constraints:number_paragraphs", R"({"num_paragraphs":2})", "a *** b", true, true},
      {"keywords:existence", R"({"keywords":["c"]})", "a\nb", false, false},
  };
  for (const LooseCase& one : cases) {
    INFO(one.id << ": " << one.response);
    const auto followed = check_instructions({instruction(one.id, one.kwargs)}, one.response);
    REQUIRE(followed.size() == 1);
    CHECK(followed[0].strict == one.strict);
    CHECK(followed[0].loose == one.loose);
  }
}

TEST_CASE("ifeval: what cannot be read is refused") {
  const std::pair<std::string, Code> cases[] = {
      {"{", Code::bad_json},
      {"[]", Code::bad_value},
      {R"({"instruction_id_list":[],"kwargs":[]})", Code::bad_value},
      {R"({"instruction_id_list":["punctuation:no_comma"],"kwargs":[]})", Code::bad_value},
      {R"({"instruction_id_list":[7],"kwargs":[{}]})", Code::bad_value},
      {document("punctuation:no_such", "{}"), Code::unsupported},
      {document("ja:punctuation:no_comma", "{}"), Code::unsupported},
      {document("en:special_character:enie", R"({"let_frequency":1})"), Code::unsupported},
      {document("punctuation:no_comma", "[]"), Code::missing_field},
      {document("punctuation:no_comma", R"({"commas":1})"), Code::bad_value},
      {document("keywords:existence", "{}"), Code::missing_field},
      {document("keywords:existence", R"({"keywords":[]})"), Code::bad_value},
      {document("keywords:existence", R"({"keywords":["(a"]})"), Code::bad_value},
      {document("keywords:existence", R"({"keywords":[1]})"), Code::bad_value},
      {document("keywords:frequency", R"({"keyword":" ","frequency":1,"relation":"at least"})"), Code::bad_value},
      {document("keywords:frequency", R"({"keyword":"a","frequency":1,"relation":"around"})"), Code::bad_value},
      {document("keywords:frequency", R"({"keyword":"a","frequency":-1,"relation":"at least"})"), Code::bad_value},
      {document("keywords:frequency", R"({"keyword":"a","frequency":1.5,"relation":"at least"})"), Code::bad_value},
      {document("keywords:frequency", R"({"keyword":"a","relation":"at least"})"), Code::missing_field},
      {document("length_constraints:nth_paragraph_first_word", R"({"num_paragraphs":2,"nth_paragraph":3,"first_word":"a"})"), Code::bad_value},
      {document("fr:special_character:accents", R"({"word_to_accentuate":["a"]})"), Code::bad_value},
  };
  for (const auto& [text, code] : cases) {
    INFO(text);
    const auto parsed = parse_instructions(text, "f");
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().code == code);
    CHECK_FALSE(parsed.error().message.empty());
  }
}

TEST_CASE("ifeval: arguments that are null count as absent and whole fractions as integers") {
  const Instruction words = instruction("length_constraints:number_words", R"({"num_words":30.0,"relation":"at least","keywords":null,"language":null})");
  CHECK(words.number == 30);
  CHECK(words.relation == CountRelation::at_least);
  CHECK(words.language == TextLanguage::english);
  CHECK(instruction("en:punctuation:no_comma", "{}").kind == instruction("punctuation:no_comma", R"({"num_words":null})").kind);
}

Item two_instructions() {
  Item item;
  item.id = "a";
  item.gold = R"({"instruction_id_list":["punctuation:no_comma","startend:quotation"],"kwargs":[{},{}]})";
  return item;
}

Protocol ifeval_protocol() {
  Protocol protocol;
  protocol.kind = ProtocolKind::generate;
  protocol.equality = "instructions";
  protocol.metrics = {"strict_prompt", "strict_instruction", "loose_prompt", "loose_instruction"};
  return protocol;
}

TEST_CASE("ifeval: a prompt counts once, its instructions each") {
  const Protocol protocol = ifeval_protocol();
  const Item item = two_instructions();
  Item one = item;
  one.gold = R"({"instruction_id_list":["punctuation:no_comma"],"kwargs":[{}]})";
  const std::vector<ScoredItem> items = {{&item, score_output(protocol, item, "\"both\"")},
                                         {&item, score_output(protocol, item, "Sure\n\"yes\"")},
                                         {&one, score_output(protocol, one, "a, b")}};
  CHECK(items[1].score.correct == false);
  CHECK(items[1].score.extracted == R"({"strict":[true,false],"loose":[true,true]})");
  CHECK(items[1].score.why == "follows 1 of 2 instructions, not startend:quotation");
  const auto metrics = aggregate(protocol, items);
  REQUIRE(metrics.size() == 4);
  const double expected[] = {1.0 / 3, 3.0 / 5, 2.0 / 3, 4.0 / 5};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(metrics[i].name == protocol.metrics[i]);
    CHECK(metrics[i].value == Approx(expected[i]));
    CHECK(metrics[i].se_population.has_value());
    CHECK(metrics[i].n == 3);
  }
  // The ratio estimator by hand: residuals hits - 0.6 of, over mean of = 5/3; (0.8, -0.2, -0.6).
  CHECK(*metrics[1].se_population == Approx(std::sqrt((0.64 + 0.04 + 0.36) / 2 / 3) / (5.0 / 3)));
}

TEST_CASE("ifeval: without instructions nothing is judged, without a response everything is wrong") {
  const Protocol protocol = ifeval_protocol();
  const Item unknown;
  const ItemScore score = score_output(protocol, unknown, "text");
  CHECK_FALSE(score.correct.has_value());
  CHECK(score.shares.empty());
  const ItemScore empty = score_output(protocol, two_instructions(), " \n");
  CHECK(empty.correct == false);
  CHECK_FALSE(empty.extracted.has_value());
  REQUIRE(empty.shares.size() == 2);
  CHECK(empty.shares[0].of == 2);
  CHECK(empty.shares[1].hits == 0);
}

// Repetitions on which a search that starts again at every mark would take 10^10 steps; the test's time limit is its measure.
TEST_CASE("ifeval: long runs of marks are judged in one pass") {
  const std::string marks[] = {"*", "[", "<<", "##", "\n", "¿", ". ", "* \n"};
  for (const std::string& mark : marks) {
    std::string text;
    while (text.size() < 100'000) text += mark;
    INFO(mark);
    CHECK_FALSE(follows(instruction("detectable_format:title", "{}"), text));
    CHECK_FALSE(follows(instruction("detectable_content:number_placeholders", R"({"num_placeholders":1})"), text));
    CHECK_FALSE(follows(instruction("detectable_format:number_highlighted_sections", R"({"num_highlights":1})"), text));
    CHECK_FALSE(follows(instruction("es:punctuation:question_marks", "{}"), text));
    CHECK(follows(instruction("length_constraints:number_sentences", R"({"num_sentences":100001,"relation":"less than"})"), text) != (mark == "\n"));
    CHECK(follows(instruction("detectable_format:number_bullet_lists", R"({"num_bullets":0})"), text) == (mark != "* \n" && mark != "\n"));
  }
}

}  // namespace
