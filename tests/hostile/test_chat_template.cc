// Templates that try to hang, to fill memory or the stack: each ends with an error.
#include <nlohmann/json.hpp>

#include "reference/text/chat_template.h"
#include "tests/catch.h"

namespace assay {
namespace {

std::string repeated(const std::string& text, std::size_t n) {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) out += text;
  return out;
}

void check_ends(const std::string& text) {
  const auto chat = ChatTemplate::parse(text, "t");
  const auto out = chat.ok() ? chat->render(Json::object(), {.now = "2025-01-01"}) : Result<std::string>(chat.error());
  INFO(text.substr(0, 100));
  REQUIRE_FALSE(out.ok());
  CHECK(out.error().code == Code::template_error);
}

TEST_CASE("a template cannot hang or fill memory") {
  const std::string many = "{% for a in range(99999) %}{% for b in range(99999) %}";
  check_ends(many + "{{ a }}{% endfor %}{% endfor %}");
  check_ends("{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}");
  check_ends("{{ 'x' * 99999999999 }}");
  check_ends("{{ [1] * 99999999999 }}");
  check_ends("{{ ('x' * 100000).replace('x', 'y' * 100000) }}");
  check_ends("{{ 'x'.ljust(99999999999) }}");
  check_ends("{{ 'a' | indent(99999999) }}");
  check_ends("{{ 9223372036854775807 + 1 }}");
  check_ends("{{ 1" + repeated("0", 5000) + " }}");
  check_ends("{{ 2 ** 64 }}");
}

// What is small as a value and endless as a text, or quadratic to look through.
TEST_CASE("a template cannot use more work than its budget") {
  const std::string doubled = "{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}";
  for (const char* use : {"{{ ns.x }}", "{{ ns.x | tojson }}", "{{ ns.x | string | length }}", "{{ ns.x == [ns.x[0], ns.x[1], 1] or ns.x | tojson(indent=4) }}", "{{ [ns.x] | sort | join }}"}) check_ends(doubled + use);
  check_ends("{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}");
  check_ends("{% set ns = namespace(x=(1,)) %}{% for i in range(90) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}{{ {ns.x: 1} }}");
  check_ends("{% set l = range(99999) | list %}{% for i in range(99999) %}{{ -1 in l }}{% endfor %}");
  check_ends("{% set s = 'a' * 4000000 %}{% for i in range(99999) %}{{ s | length }}{% endfor %}");
  check_ends("{% set s = 'a' * 4000000 %}{% for i in range(99999) %}{{ s == s ~ '' }}{% endfor %}");
  check_ends("{% set s = 'a' * 8000000 %}{% for i in range(999) %}{{ ('a' * 2000000 ~ 'b') in s }}{% endfor %}");
  check_ends("{% set s = 'a' * 8000000 %}{% for i in range(999) %}{{ s.replace('a' * 2000000 ~ 'b', '') | length }}{% endfor %}");
  check_ends("{% for i in range(99999) %}{{ ('a ' * 100000) | wordwrap(1) | length }}{{ ('a' * 1000000) | wordwrap(2) | length }}{% endfor %}");
  check_ends("{% for i in range(99999) %}{{ '%99999d' % 1 }}{% endfor %}");
  check_ends("{% for i in range(99999) %}{{ '{:99999}'.format(1) }}{% endfor %}");
  check_ends("{% for i in range(99999) %}{{ range(99999) | batch(2) | map('join') | list | length }}{% endfor %}");
  check_ends("{% for i in range(99999) %}{{ range(99999) | sort | unique | groupby(0) }}{% endfor %}");
  check_ends("{% macro m(n) %}{% for i in range(9) %}{{ m(n + 1) }}{% endfor %}{% endmacro %}{{ m(0) }}");
  check_ends("{% for x in range(9) recursive %}{{ loop(range(9)) }}{% endfor %}");
}

TEST_CASE("a template cannot make what is large in one step") {
  for (const char* text : {"{{ 'a' * 10**9 }}", "{{ 'abcd' * 10**8 }}", "{{ [0] * 10**9 }}", "{{ (0,) * 10**9 }}", "{{ range(10**9) }}", "{{ range(10**18) | list }}", "{{ 10 ** 10 ** 10 }}", "{{ 'a'.center(10**9) }}",
                           "{{ 'a'.zfill(10**9) }}", "{{ '\\t'.expandtabs(10**9) }}", "{{ '%1000000000d' % 1 }}", "{{ '%.1000000000f' % 1 }}", "{{ '%*d' % (10**9, 1) }}", "{{ '{:1000000000}'.format(1) }}", "{{ [1] | batch(10**9, 0) | list }}",
                           "{{ [1] | slice(10**9) | list }}", "{{ {} | tojson(indent=10**9) }}", "{{ 'a' | indent(10**9) }}", "{{ 'a' | center(10**9) }}", "{{ ('a' * 10**6).replace('a', 'b' * 10**6) }}", "{{ ('a' * 10**6).translate({97: 'b' * 10**6}) }}",
                           "{{ (['a' * 10**6] * 1000) | join }}", "{{ ('a' * 10**6).join('b' * 10**6) }}", "{{ strftime_now('%c' * 10**6) }}", "{{ 1 | round(10**18) | int | string * 10**9 }}", "{{ dict.fromkeys(range(10**9)) }}"}) {
    check_ends(text);
  }
}

TEST_CASE("a template cannot reach Python's internals") {
  for (const char* text : {"{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ cycler.__init__.__globals__.os }}", "{{ [].append(1) }}", "{{ {}.update({}) }}", "{{ {'a': 1}.pop('a') }}", "{{ range.__globals__['x'] }}",
                           "{{ ('a' | attr('__class__')).mro() }}", "{{ '{0.__class__.__mro__}'.format(1) }}", "{{ raise_exception.__globals__.sys }}", "{{ namespace().__init__() }}", "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
                           "{{ namespace(__class__=1) }}", "{{ self._TemplateReference__context }}", "{{ lipsum.__globals__.os }}", "{{ dict.__base__.x }}", "{{ ['__class__'] | map('attr', '__init__') | map('call') | list }}"}) {
    check_ends(text);
  }
  const auto hidden = ChatTemplate::parse("[{{ ''.__class__ }}{{ [] | attr('__len__') }}{{ {}['__init__'] }}{{ 1 is defined and 'x'.__doc__ is defined }}]", "t");
  REQUIRE(hidden.ok());
  CHECK(*hidden->render(Json::object()) == "[False]");  // as the sandbox: an attribute that is hidden is undefined
}

// Long chains of things that hold each other: taking them down must not recurse.
TEST_CASE("chains of values are taken down without recursion") {
  const char* const chains[] = {"{% set ns.x = [ns.x] %}", "{% set ns.x = ns.x | map('upper') %}", "{% set ns.x = ns.x | batch(1) %}", "{% set ns.x = [ns.x].index %}", "{% set ns.x = cycler(ns.x) %}", "{% set ns.x = namespace(y=ns.x) %}",
                                "{% for y in [ns.x] %}{% set ns.x = [loop] %}{% endfor %}", "{% for y in [ns.x] %}{% set ns.x = loop %}{% endfor %}", "{% set prev = ns.x %}{% macro m() %}{{ prev }}{% endmacro %}{% set ns.x = m %}", "{% set ns.x = {'a': ns.x}.items() %}"};
  for (const char* chain : chains) {
    const std::string text = std::string("{% set ns = namespace(x='') %}{% for i in range(60000) %}") + chain + "{% endfor %}{% set ns.x = none %}done";
    INFO(chain);
    const auto chat = ChatTemplate::parse(text, "t");
    REQUIRE(chat.ok());
    const auto out = chat->render(Json::object());
    CHECK((out.ok() ? *out == "done" : out.error().code == Code::template_error));
  }
}

TEST_CASE("a template cannot exhaust the stack") {
  check_ends("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}");
  check_ends("{{ " + repeated("(", 100000) + "1" + repeated(")", 100000) + " }}");
  check_ends("{{ " + repeated("-", 100000) + "1 }}");
  check_ends("{{ " + repeated("not ", 100000) + "1 }}");
  check_ends("{{ 1" + repeated("+1", 100000) + " }}");
  check_ends("{{ a" + repeated(".b", 100000) + " }}");
  check_ends("{{ a" + repeated("|e", 100000) + " }}");
  check_ends(repeated("{% if 1 %}", 10000) + repeated("{% endif %}", 10000));
  check_ends("{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}");
  check_ends("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}");
}

TEST_CASE("broken text and contexts are refused") {
  check_ends(std::string("{{ 'a' }}\xff"));
  check_ends("{{ '\\ud800' }}");
  check_ends(repeated("a", 2 << 20));
  const auto chat = ChatTemplate::parse("x", "t");
  REQUIRE(chat.ok());
  CHECK(chat->render(Json::array()).error().code == Code::bad_value);
  CHECK(chat->render(Json::object(), {.now = "tomorrow"}).error().field == "now");
  CHECK(chat->render(Json::object(), {.now = "2025-02-30"}).error().code == Code::bad_value);
  CHECK(ChatTemplate::load("/nonexistent/x.jinja").error().code == Code::not_found);
}

}  // namespace
}  // namespace assay
