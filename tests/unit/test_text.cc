// Text of strangers made fit to be shown.
#include "reports/text.h"

#include <limits>

#include "tests/catch.h"

using namespace assay;

TEST_CASE("text: broken UTF-8, controls and bidirectional overrides become visible") {
  CHECK(display_text("plain ä € 𝄞\n\tx") == "plain ä € 𝄞\n\tx");
  CHECK(display_text("a\nb", 100, false) == "a b");
  CHECK(display_text(std::string("a\0b", 3)) == "a␀b");
  CHECK(display_text("\x1b[31m\x7f") == "␛[31m␡");
  CHECK(display_text("\xff\xc0\xaf") == "���");
  CHECK(display_text("\xed\xa0\x80") == "���");  // a surrogate
  CHECK(display_text("\xe2\x82") == "��");       // cut off
  CHECK(display_text("a\u202eb\u2066c\u200f") == "a�b�c�");
  CHECK(display_text("\u0085\ufffe") == "��");
}

TEST_CASE("text: what is long is cut and says so") {
  CHECK(display_text("ääääää", 4) == "ääää… (2 more characters)");
  CHECK(display_text(std::string(10'000'000, 'x')).size() < 5000);
  CHECK(short_text("abcdef", 6) == "abcdef");
  CHECK(short_text("abcdefg", 6) == "abcde…");
  CHECK(short_text("a\nb", 6) == "a b");
  CHECK(count_chars("ä€𝄞") == 3);
}

TEST_CASE("text: escapes for HTML, Markdown and CSV") {
  CHECK(escape_xml("<a href=\"x\" b='y'>&") == "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;");
  CHECK(escape_markdown("a|b\n`c` [d](e) <f> #") == "a\\|b \\`c\\` \\[d\\](e) &lt;f&gt; \\#");
  CHECK(escape_csv("plain") == "plain");
  CHECK(escape_csv("a,\"b\"\nc") == "\"a,\"\"b\"\"\nc\"");
  CHECK(escape_csv("=1+1") == "'=1+1");
  CHECK(escape_csv("@cmd,x") == "\"'@cmd,x\"");
}

TEST_CASE("text: figures") {
  CHECK(compact_number(2'788'000) == "2.788M");
  CHECK(compact_number(14.8e12) == "14.8T");
  CHECK(compact_number(0.00012) == "0.00012");
  CHECK(compact_number(-5000) == "-5000");
  CHECK(compact_number(std::numeric_limits<double>::quiet_NaN()) == "-");
  CHECK(percent_text(0.764) == "76.4 %");
  CHECK(percent_text(std::nullopt) == "-");
  CHECK(number_text(1.005, 1) == "1.0");
  CHECK(p_text(0.0004) == "< 0.001");
  CHECK(p_text(0.125) == "0.125");
}
