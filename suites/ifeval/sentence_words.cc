#include "suites/ifeval/sentence_words.h"

#include <algorithm>
#include <set>

namespace assay {
namespace {

using Words = std::set<std::string_view>;

const Words kEnglishAbbreviations = {
    "mr",   "mrs",  "ms",   "dr",   "prof", "rev",  "hon",  "st",   "sr",   "jr",   "gen",  "col",  "maj",  "capt", "lt",   "sgt", "gov",
    "sen",  "rep",  "pres", "inc",  "ltd",  "co",   "corp", "bros", "vs",   "u.s",  "u.k",  "u.n",  "u.s.a", "d.c", "a.m", "p.m", "e.g",
    "i.e",  "ph.d", "m.d",  "b.c",  "a.d",  "jan",  "feb",  "mar",  "apr",  "aug",  "sep",  "sept", "oct",  "nov",  "dec",  "mt",  "ft",
    "ave",  "blvd", "calif", "fla", "mass", "conn", "wash", "tenn", "va",   "ore",  "ariz", "colo", "ill",  "mich", "minn", "penn"};

const Words kFrenchAbbreviations = {
    "m",    "mm",   "mr",  "mme",  "mmes", "mlle", "dr",   "drs",  "pr",   "prof", "me",   "st",   "ste",  "cap",  "lt",  "etc", "cf",
    "ex",   "p.ex", "vs",  "env",  "av",   "apr",  "j.-c", "j.c",  "janv", "fév",  "févr", "mar",  "avr",  "juil", "sept", "oct", "nov",
    "déc",  "tél",  "tel", "svp",  "p",    "pp",   "vol",  "v",    "nb",   "n.b",  "p.s",  "p.p.s", "p.-s", "p-s", "ps",  "adj", "rép",
    "i.e",  "e.g",  "c.-à-d", "e.-u", "s.a", "resp", "éd", "inc",  "p.v",  "a.d",  "q.v"};

const Words kSpanishAbbreviations = {"sr",  "sra", "srta", "dr",   "dra",  "d",   "dña", "prof", "etc", "ej",  "p.ej", "pág", "págs",
                                     "núm", "art", "av",   "avda", "tel",  "ud",  "uds", "vs",   "ee",  "uu",  "ee.uu", "s.a", "s.l",
                                     "a.c", "d.c", "p.d",  "aprox", "min", "máx", "ing", "lic",  "gral"};

const Words kEnglishCommon = {"the",   "a",    "an",     "this",     "that",  "these",   "those",     "it",       "he",       "she",   "they",  "we",
                              "you",   "i",    "his",    "her",      "their", "our",     "its",       "my",       "your",     "there", "here",  "in",
                              "on",    "at",   "for",    "with",     "by",    "from",    "to",        "as",       "if",       "when",  "while", "but",
                              "and",   "or",   "so",     "yet",      "after", "before",  "since",     "although", "because",  "however", "also", "then",
                              "now",   "what", "why",    "how",      "who",   "where",   "which",     "some",     "many",     "most",  "all",   "both",
                              "each",  "every", "no",    "not",      "yes",   "please",  "let",       "once",     "during",   "despite", "according",
                              "moreover", "furthermore", "therefore", "indeed", "additionally", "finally", "first", "second", "nevertheless"};

const Words kFrenchCommon = {"le",    "la",   "les",  "l",     "un",     "une",   "des",   "de",    "du",       "d",        "ce",   "cet",   "cette",
                             "ces",   "c",    "il",   "elle",  "ils",    "elles", "on",    "je",    "j",        "tu",       "nous", "vous",  "son",
                             "sa",    "ses",  "leur", "leurs", "mon",    "ma",    "mes",   "notre", "votre",    "et",       "ou",   "mais",  "donc",
                             "car",   "or",   "ni",   "si",    "quand",  "lorsque", "comme", "dans", "en",      "sur",      "pour", "par",   "avec",
                             "sans",  "sous", "à",    "au",    "aux",    "après", "avant", "depuis", "pendant", "puis",     "ensuite", "enfin", "ainsi",
                             "alors", "aussi", "cependant", "pourtant", "cela", "ceci", "qui", "que", "quoi",   "où",       "pourquoi", "comment", "tout",
                             "toute", "tous", "toutes", "chaque", "plusieurs", "certains", "voici", "voilà", "ne", "n",     "non",  "oui",   "quelle", "quel"};

const Words kSpanishCommon = {"el",   "la",   "los",  "las",   "lo",    "un",    "una",   "unos",  "unas",  "de",    "del",   "al",    "a",     "en",
                              "con",  "sin",  "por",  "para",  "sobre", "entre", "desde", "hasta", "y",     "e",     "o",     "u",     "pero",  "sino",
                              "si",   "que",  "como", "cuando", "donde", "este", "esta",  "estos", "estas", "ese",   "esa",   "eso",   "esto",  "él",
                              "ella", "ellos", "ellas", "yo",  "tú",    "nosotros", "su", "sus",   "mi",    "mis",   "tu",    "tus",   "se",    "no",
                              "sí",   "también", "además", "así", "entonces", "luego", "después", "antes", "durante", "mientras", "aunque", "porque"};

const Words& choose(TextLanguage language, const Words& english, const Words& french, const Words& spanish) {
  switch (language) {
    case TextLanguage::english:
      return english;
    case TextLanguage::french:
      return french;
    case TextLanguage::spanish:
      return spanish;
  }
  return english;
}

}  // namespace

bool is_abbreviation(std::string_view word, TextLanguage language) {
  return choose(language, kEnglishAbbreviations, kFrenchAbbreviations, kSpanishAbbreviations).contains(word);
}

bool is_common_word(std::string_view word, TextLanguage language) {
  return choose(language, kEnglishCommon, kFrenchCommon, kSpanishCommon).contains(word);
}

}  // namespace assay
