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
  check_ends("{{ 2 ** 64 }}");
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
