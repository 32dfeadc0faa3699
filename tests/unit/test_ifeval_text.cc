// What the IFEval checkers stand on: Python's text methods, sentences, capital words, languages.
#include <map>

#include "suites/ifeval/language.h"
#include "suites/ifeval/language_words.h"
#include "suites/ifeval/sentences.h"
#include "suites/python_text.h"
#include "suites/regex.h"
#include "tests/catch.h"

namespace {

using namespace assay;

TEST_CASE("python text: case of a whole text") {
  struct Case {
    const char* text;
    bool upper, lower;
  };
  const Case cases[] = {{"ABC 1!", true, false}, {"abc 1!", false, true}, {"aBC", false, false}, {"1!", false, false}, {"", false, false},
                        {"ÉTÉ", true, false},    {"été", false, true},    {"N.º", false, false}, {"ǅ", false, false}, {"Ⅷ", true, false},
                        {"ⅷ", false, true},      {"这", false, false},    {"A这", true, false},  {"ß", false, true},  {"A\xff", true, false}};
  for (const Case& one : cases) {
    INFO(one.text);
    CHECK(python::is_upper(std::string_view(one.text)) == one.upper);
    CHECK(python::is_lower(std::string_view(one.text)) == one.lower);
  }
}

TEST_CASE("python text: strip, split, words") {
  using Texts = std::vector<std::string_view>;
  CHECK(python::strip(" \u00a0\u2003a b\x1c\n") == "a b");
  CHECK(python::strip(" \n").empty());
  CHECK(python::strip("\"\"a\"", "\"") == "a");
  CHECK(python::strip("\"", "\"").empty());
  CHECK(python::split(" a\u00a0b\n") == Texts{"a", "b"});
  CHECK(python::split("").empty());
  CHECK(python::split("a--b--", "--") == Texts{"a", "b", ""});
  CHECK(python::split("", "--") == Texts{""});
  CHECK(python::word_runs("it's été_2 ½ x-y") == Texts{"it", "s", "été_2", "½", "x", "y"});
  // A vowel sign of Devanagari is a mark, and no part of Python's \w.
  CHECK(python::word_runs("हिन्दी").size() == 3);
  CHECK(python::lower("ÀB\xff") == "àb\uFFFD");
  CHECK(python::remove_all("*a**", '*') == "a");
  CHECK(python::is_blank(" \t\u3000"));
  CHECK_FALSE(python::is_blank("."));
}

TEST_CASE("regex: counts matches one after the other") {
  const std::pair<std::pair<const char*, const char*>, int> cases[] = {
      {{"a", "banana"}, 3}, {{"ana", "banana"}, 1}, {{"x", "banana"}, 0}, {{"(?i)A", "aA"}, 2}, {{"a*", "ba"}, 3}, {{"(*UCP)\\bé\\b", "é éa é"}, 2}};
  for (const auto& [input, expected] : cases) {
    INFO(input.first);
    CHECK(cached_regex(input.first)->count(input.second) == expected);
  }
}

struct SentenceCase {
  const char* text;
  int n;
};

TEST_CASE("sentences: English") {
  const SentenceCase cases[] = {{"", 0},
                                {"  \n", 0},
                                {"One", 1},
                                {"One. Two.", 2},
                                {"One? Two! Three", 3},
                                {"What?! Yes.", 2},
                                {"Dr. Smith went to Mr. Jones.", 1},
                                {"We met at 5 p.m. The room was full.", 2},
                                {"Bring fruit, e.g. apples, i.e. food.", 1},
                                {"J. S. Bach wrote it.", 1},
                                {"It costs 3.50 dollars.", 1},
                                {"1. First point\n2. second point", 2},  // a number's stop ends a sentence before a capital, not before a small letter
                                {"He said \"Go.\" She went.", 2},
                                {"(He left.) She stayed.", 2},
                                {"Wait... the end.", 1},
                                {"Wait... The end.", 2},
                                {"Visit example.com now.", 1},
                                {"* One.\n* Two.", 2},
                                {"Line one\nline two", 1},
                                {"End.", 1},
                                {"\"End.\"", 1},
                                {"A.B", 1}};
  for (const SentenceCase& one : cases) {
    INFO(one.text);
    CHECK(count_sentences(one.text, TextLanguage::english) == one.n);
  }
}

TEST_CASE("sentences: French and Spanish") {
  CHECK(count_sentences("M. Dupont habite ici. Il dort.", TextLanguage::french) == 2);
  CHECK(count_sentences("Il vient av. J.-C. et part.", TextLanguage::french) == 1);
  CHECK(count_sentences("Qui\u00a0? Lui\u00a0!", TextLanguage::french) == 2);
  CHECK(count_sentences("El Sr. García vive aquí. Duerme.", TextLanguage::spanish) == 2);
  CHECK(count_sentences("Lista:\n1. Uno\n- Dos\n\n• Tres", TextLanguage::spanish) == 4);
  CHECK(count_sentences("1.\n", TextLanguage::spanish) == 1);
}

TEST_CASE("sentences: words and capital words") {
  CHECK(count_words("it's a well-known fact_1 — no.") == 7);
  const std::pair<const char*, int> cases[] = {{"", 0},         {"NASA and ESA", 2}, {"DON'T", 2},     {"IT'S", 2},       {"CANNOT", 2},   {"A-B", 1},
                                               {"A/B", 1},      {"A,B", 2},          {"A,1", 1},       {"A:B", 2},        {"(A)[B]", 2},   {"A--B", 2},
                                               {"A...B", 2},    {"U.S. END.", 2},    {"**BOLD**", 1},  {"DON’T", 2},      {"I'm OK", 2},   {"É", 1},
                                               {"\"WE\"", 1},   {"ROCK 'N' ROLL", 3}, {"Abc", 0},      {"WE'VE", 2},      {"B2B", 1},      {"123", 0}};
  for (const auto& [text, n] : cases) {
    INFO(text);
    CHECK(count_capital_tokens(text) == n);
  }
}

// One sentence a language, written for this test; plain words that say the same in each.
const std::pair<const char*, const char*> kSentences[] = {
    {"en", "The children are playing in the garden because it is warm today."},
    {"af", "Die kinders speel in die tuin, want dit is nie vandag koud nie en ons het dit baie lief."},
    {"ca", "Els nens juguen al jardí perquè avui no fa fred i també hi ha sol amb una mica de vent."},
    {"cs", "Děti si hrají na zahradě, protože dnes je teplo a není vítr."},
    {"cy", "Mae'r plant yn chwarae yn yr ardd gan ei bod hi'n gynnes heddiw."},
    {"da", "Børnene leger i haven, fordi det ikke er koldt i dag, og solen er fremme."},
    {"de", "Die Kinder spielen im Garten, weil es heute nicht kalt ist."},
    {"es", "Los niños juegan en el jardín porque hoy no hace frío."},
    {"et", "Lapsed mängivad aias, sest täna ei ole külm ja see on hea."},
    {"fi", "Lapset leikkivät puutarhassa, koska tänään ei ole kylmä ja se on hyvä."},
    {"fr", "Les enfants jouent dans le jardin parce qu'il ne fait pas froid aujourd'hui."},
    {"hr", "Djeca se igraju u vrtu jer danas nije hladno i to je dobro što je tako."},
    {"hu", "A gyerekek a kertben játszanak, mert ma nincs hideg és ez nem baj."},
    {"id", "Anak-anak itu bermain di taman karena hari ini tidak dingin."},
    {"it", "I bambini giocano nel giardino perché oggi non è freddo e c'è anche il sole."},
    {"lt", "Vaikai žaidžia sode, nes šiandien nėra šalta ir tai yra gerai."},
    {"lv", "Bērni spēlējas dārzā, jo šodien nav auksti un tas ir labi."},
    {"nl", "De kinderen spelen in de tuin omdat het vandaag niet koud is."},
    {"no", "Barna leker i hagen fordi det ikke er kaldt nå, og noe mer skal vi ikke gjøre."},
    {"pl", "Dzieci bawią się w ogrodzie, ponieważ dzisiaj nie jest zimno."},
    {"pt", "As crianças brincam no jardim porque hoje não está frio."},
    {"ro", "Copiii se joacă în grădină pentru că astăzi nu este frig."},
    {"sk", "Deti sa hrajú v záhrade, pretože dnes nie je zima a to je veľmi dobre."},
    {"sl", "Otroci se igrajo na vrtu, ker danes ni mrzlo in je tudi sonce, ki so ga imeli radi."},
    {"so", "Carruurtu waxay ku ciyaarayaan beerta waayo maanta ma aha qabow oo waa wanaag."},
    {"sq", "Fëmijët po luajnë në kopsht sepse sot nuk është ftohtë dhe kjo është mirë."},
    {"sv", "Barnen leker i trädgården eftersom det inte är kallt i dag och solen skiner."},
    {"sw", "Watoto wanacheza katika bustani kwa sababu leo si baridi na ni nzuri sana."},
    {"tl", "Ang mga bata ay naglalaro sa hardin dahil hindi malamig ngayon."},
    {"tr", "Çocuklar bahçede oynuyor çünkü bugün hava soğuk değil ve bu çok iyi."},
    {"vi", "Những đứa trẻ đang chơi trong vườn vì hôm nay trời không lạnh."},
    {"ru", "Дети играют в саду, потому что сегодня не холодно и это хорошо."},
    {"bg", "Децата играят в градината, защото днес не е студено и това е добре."},
    {"mk", "Децата си играат во градината бидејќи денес не е студено и тоа е добро."},
    {"uk", "Діти грають у саду, тому що сьогодні не холодно і це добре."},
    {"ar", "الأطفال يلعبون في الحديقة لأن الجو ليس باردا اليوم."},
    {"fa", "بچه‌ها در باغ بازی می‌کنند چون امروز هوا سرد نیست و این خوب است."},
    {"ur", "بچے باغ میں کھیل رہے ہیں کیونکہ آج سردی نہیں ہے۔"},
    {"hi", "बच्चे बगीचे में खेल रहे हैं क्योंकि आज ठंड नहीं है।"},
    {"mr", "मुले बागेत खेळत आहेत कारण आज थंडी नाही आणि हे चांगले आहे."},
    {"ne", "बच्चाहरू बगैंचामा खेलिरहेका छन् किनभने आज जाडो छैन र यो राम्रो हो।"},
    {"bn", "শিশুরা বাগানে খেলছে।"},
    {"pa", "ਬੱਚੇ ਬਾਗ ਵਿੱਚ ਖੇਡ ਰਹੇ ਹਨ।"},
    {"gu", "બાળકો બગીચામાં રમે છે."},
    {"ta", "குழந்தைகள் தோட்டத்தில் விளையாடுகிறார்கள்."},
    {"te", "పిల్లలు తోటలో ఆడుకుంటున్నారు."},
    {"kn", "ಮಕ್ಕಳು ತೋಟದಲ್ಲಿ ಆಡುತ್ತಿದ್ದಾರೆ."},
    {"ml", "കുട്ടികൾ പൂന്തോട്ടത്തിൽ കളിക്കുന്നു."},
    {"th", "เด็ก ๆ กำลังเล่นอยู่ในสวน"},
    {"ko", "아이들이 정원에서 놀고 있습니다."},
    {"ja", "子供たちは庭で遊んでいます。"},
    {"zh-cn", "孩子们在花园里玩，因为今天这里不冷。"},
    {"zh-tw", "孩子們在花園裡玩，因為今天這裡不冷。"},
    {"el", "Τα παιδιά παίζουν στον κήπο."},
    {"he", "הילדים משחקים בגינה."},
};

TEST_CASE("language: a sentence of each of the 55 languages, small and in capitals") {
  std::map<std::string_view, int> covered;
  for (const auto& [code, text] : kSentences) {
    INFO(text);
    CHECK(detect_language(text) == code);
    ++covered[code];
  }
  for (const LanguageFacts& facts : language_facts()) {
    INFO(facts.code);
    CHECK(covered[facts.code] == 1);
    CHECK(is_language(facts.code));
  }
  CHECK(covered.size() == 55);
  CHECK(detect_language("THE CHILDREN ARE PLAYING IN THE GARDEN.") == "en");
  CHECK(detect_language("LES ENFANTS SONT DANS LE JARDIN.") == "fr");
}

TEST_CASE("language: mixed and empty texts") {
  CHECK(detect_language("").empty());
  CHECK(detect_language("12 + 3 = 15!").empty());
  CHECK(detect_language("ႠႡႢ").empty());  // Georgian is none of the 55
  CHECK(detect_language("Kannada: ಮಕ್ಕಳು ತೋಟದಲ್ಲಿ ಆಡುತ್ತಿದ್ದಾರೆ.") == "kn");
  CHECK(detect_language("The word ಮಕ್ಕಳು means the children in the language of the state.") == "en");
  CHECK(detect_language("xyzzy") == "en");  // nothing speaks for any: the first of the script
  CHECK_FALSE(is_language("zh"));
  // Precomposed and decomposed letters are the same letters.
  CHECK(detect_language("Ngu\u031bo\u031b\u0300i Vie\u0323\u0302t \u0111a\u0303 co\u0301") == "vi");
}

}  // namespace
