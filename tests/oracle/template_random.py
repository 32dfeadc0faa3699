"""Random templates with what transformers' Jinja2 environment renders, or null where it raises: the differential test of the
interpreter. Run from the tree's root:
    /path/to/python tests/oracle/template_random.py 5000 --seed 1 > cases.jsonl
    ASSAY_TEMPLATE_CASES=cases.jsonl build/release/bin/test_golden "template differential: the file*"
With --keep N only N cases of distinct shape are written, about a third of them refusals (how tests/golden/data/templates_random.jsonl was made)."""

import argparse
import json
import random
import re

from template_goldens import expected

CONTEXT = {
    "a": [3, 1, 2], "e": [], "d": {"k": "v", "n": None, "x y": [1, {"z": True}], "items": "own", "b": 2}, "s": "  Hello <World> & co\n", "w": "the quick-brown fox, (jumps) over",
    "u": "h\u00e9\u00df\u4f60\U0001F600\u01c6 \u03a3\u03a3", "f": 1.5, "g": -0.125, "h": 1e22, "i": 7, "j": -3, "z": None, "t": True, "o": False, "m": {}, "q": "it's \"q\"", "l": "one\ntwo\r\n\nthree ",
    "rows": [{"role": "user", "n": 2, "c": {"d": "B"}}, {"role": "tool", "n": 1, "c": {"d": "a"}}, {"role": "user", "n": 0, "c": {"d": "b"}}, {"role": "assistant", "n": 3, "c": {}}],
    "nested": [[1, [2, 3]], [], [[4]]], "words": ["b", "A", "c", "a", "B"], "mixed": [1, "1", 1.0, True, None], "pairs": [["x", 1], ["y", 2]],
}
STRINGS = ["''", "'a'", "'ab'", "' '", "'l'", "'Hello'", "\"it's\"", "'\\n'", "'%s'", "'%d-%s'", "'\\u00e9'", "'a,b,,c'", "'-'", "'1'", "'12'", "' 7 '", "'3.7'", "'-2.5e3'", "'x1'", "'0x1f'", "'\\x41\\t\\\\'",
           "'user'", "'role'", "'n'", "'c.d'", "'k'", "'<b>&\\'\"'", "'inf'", "'\\d'", "'{} {}'", "'{0}{1}{0}'", "'{a}'", "'e\\u0301'", "'ǆ'", "'ΑΣ'", "'1_000'", "'true'", "'A b\\nC'", "'....'"]
NUMBERS = ["0", "1", "2", "3", "5", "7", "-1", "-2", "10", "100", "1_000", "0x1F", "0b101", "1.5", "0.1", "2.5", "-0.5", "1e3", "3.0", "1e16", "123456789012345678", "0.1e-5", "1.25", "2.675", "1e-7", "00", "1e308"]
NAMES = list(CONTEXT) + ["missing", "none", "true", "False", "nope"]
SMALL = ["0", "1", "2", "3", "-1", "-2", "5", "none", "i", "''", "true"]


class Maker:
    def __init__(self, rng):
        self.r = rng
        self.loops = 0
        self.locals = []

    def pick(self, *options):
        return self.r.choice(options)

    def of(self, options):
        return self.r.choice(options)

    def text(self):
        return self.pick(self.of(STRINGS), self.of(["s", "w", "u", "q", "l", "d.k", "words[0]", "rows[0].role"]))

    def number(self):
        return self.pick(self.of(NUMBERS), self.of(["i", "j", "f", "g", "h", "a[0]", "rows[1].n", "t"]))

    def seq(self):
        return self.pick("a", "e", "rows", "nested", "words", "mixed", "pairs", "(1, 2)", "[]", "[1, 'a']", "range(4)", "range(1, 8, 2)", "range(3, 0, -1)", "d", "s", "u", "d.items()", "d | items", "w.split()",
                         "'abc'", "words | map('upper')", "a | select('odd')", "(words | reverse)", "rows | map(attribute='n')", "{'a': 1, 'b': 2}.values()", "[3, 1.5, true]", "['b', 'a', 'C']", "[[2, 'x'], [1, 'y']]", "missing")

    def any(self):
        return self.pick(self.text, self.number, self.seq, lambda: self.of(NAMES), lambda: self.of(self.locals or NAMES))()

    def arguments(self, *kinds):
        return "(" + ", ".join(kinds) + ")" if kinds else ""

    def filter(self):
        p, text, number, small = self.pick, self.text, self.number, lambda: self.of(SMALL)
        one_test = p("'odd'", "'even'", "'string'", "'defined'", "'none'", "'number'", "'in', [1, 2, 'a']", "'equalto', 1", "'gt', 1", "'lt', 'b'", "'mapping'", "'divisibleby', 2", "'nosuch'", "'ge', missing")
        attr = p("'role'", "'n'", "'c'", "'c.d'", "'missing'", "'0'", "0", "'c.missing'", "'n,role'", "1")
        return p(
            "abs", "capitalize", f"center({small()})", "center", "count", f"default({text()})", f"d({text()}, true)", f"default({text()}, boolean={small()})", "dictsort", "dictsort(true)",
            f"dictsort(by={p(chr(39) + 'value' + chr(39), chr(39) + 'key' + chr(39), chr(39) + 'x' + chr(39))})", "dictsort(reverse=true)", "e", "escape", "forceescape", "first", "last", "float", f"float({small()})", f"float(default={text()})",
            f"format({self.any()})", f"format({self.any()}, {self.any()})", f"groupby({attr})", f"groupby({attr}, default={small()})", "groupby('role', case_sensitive=true)", f"indent({small()})", "indent(2, true)", "indent(first=true)",
            f"indent({text()}, blank=true)", "indent", "int", f"int({small()})", f"int(0, {p(2, 8, 10, 16, 36)})", "int(base=16)", "items", "join", f"join({text()})", f"join({text()}, {attr})", f"join({text()}, attribute={attr})", "length", "list", "lower",
            f"map({p(chr(39) + 'upper' + chr(39), chr(39) + 'length' + chr(39), chr(39) + 'string' + chr(39), chr(39) + 'int' + chr(39), chr(39) + 'abs' + chr(39))})", f"map(attribute={attr})", f"map(attribute={attr}, default={small()})",
            "map('replace', 'a', 'b')", "map('default', 'x')", "map('nosuch')", "map()", "max", "min", f"max(attribute={attr})", f"min(attribute={attr})", "max(case_sensitive=true)", f"reject({one_test})", f"select({one_test})", "select", "reject",
            f"selectattr({attr})", f"selectattr({attr}, {one_test})", f"rejectattr({attr}, {one_test})", f"rejectattr({attr})", f"replace({text()}, {text()})", f"replace({text()}, {text()}, {small()})", "reverse", "round", f"round({small()})",
            f"round({p(0, 1, 2, -1)}, {p(chr(39) + 'ceil' + chr(39), chr(39) + 'floor' + chr(39), chr(39) + 'common' + chr(39))})", "safe", f"slice({small()})", f"slice(2, {text()})", f"batch({small()})", f"batch(2, {text()})", "sort", "sort(true)",
            f"sort(attribute={attr})", "sort(case_sensitive=true)", "sort(reverse=true, case_sensitive=true)", "string", "striptags", "sum", f"sum(attribute={attr})", f"sum(start={number()})", f"sum({attr}, {number()})", "title", "tojson",
            f"tojson(indent={small()})", "tojson(ensure_ascii=true)", "tojson(sort_keys=true)", "tojson(separators=(',', ':'))", f"tojson(indent={text()})", "trim", f"trim({text()})", f"truncate({p(3, 5, 9, 12, 20)})", "truncate(9, true)",
            f"truncate(8, false, {text()}, {p(0, 1, 5)})", f"truncate(length={small()}, leeway=0)", "unique", "unique(true)", f"unique(attribute={attr})", "upper", "urlencode", "wordcount", f"wordwrap({p(3, 5, 10, 79)})", "wordwrap(5, false)",
            "wordwrap(8, true, '|')", "wordwrap(6, break_on_hyphens=false)", "xmlattr", "filesizeformat", "filesizeformat(true)", f"attr({text()})", "nosuch", "upper(1)", "join(sep='x')", "attr('role')", "attr('k')", "attr('upper')")

    def test(self):
        return self.pick("defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number", "string", "mapping", "sequence", "iterable", "callable", "odd", "even", f"divisibleby({self.of(SMALL)})", "divisibleby 2",
                         "lower", "upper", "escaped", f"sameas {self.of(['none', 'true', 'false', '1', 'a'])}", f"eq({self.any()})", f"ne {self.of(NAMES)}", f"lt({self.number()})", f"gt {self.number()}", f"in {self.seq().split('|')[0].split('(')[0].strip() or 'a'}",
                         f"in({self.seq()})", f"equalto({self.any()})", "filter", "test", "nosuch", f"ge({self.any()})", f"le({self.any()})", "not defined", "not none", "not string", "eq", "string(1)", "greaterthan(1)", "lessthan 2", "==(1)")

    def method(self):
        p, text, small = self.pick, self.text, lambda: self.of(SMALL)
        name = p(*(f"{n}()" for n in "upper lower title capitalize swapcase casefold strip lstrip rstrip split rsplit splitlines isdigit isdecimal isnumeric isalpha isalnum isspace isupper islower istitle isidentifier isascii isprintable keys values items copy expandtabs mro clear pop append is_integer bit_length conjugate".split()),
                 f"strip({text()})", f"lstrip({text()})", f"rstrip({text()})", f"split({text()})", f"split({text()}, {small()})", f"rsplit({text()}, {small()})", f"split(none, {small()})", f"rsplit(none, {small()})", "split(sep=',')", "split(maxsplit=1)", "splitlines(true)",
                 "splitlines(keepends=false)", f"replace({text()}, {text()})", f"replace({text()}, {text()}, {small()})", f"startswith({text()})", f"endswith({text()})", f"startswith(({text()}, {text()}))", f"startswith({text()}, {small()})",
                 f"endswith({text()}, {small()}, {small()})", f"find({text()})", f"rfind({text()})", f"find({text()}, {small()})", f"index({text()})", f"rindex({text()})", f"count({text()})", f"count({text()}, {small()})", f"count({self.any()})", f"index({self.any()})", f"join({self.seq()})",
                 f"join({self.seq()} | map('string'))", f"zfill({small()})", f"ljust({p(0, 3, 9)})", f"rjust(9, {text()})", f"center({p(4, 7, 10)})", "center(9, '*')", f"partition({text()})", f"rpartition({text()})", f"removeprefix({text()})", f"removesuffix({text()})",
                 f"get({text()})", f"get({text()}, {self.any()})", "get('k')", "get(missing, 1)", f"format({self.any()}, {self.any()})", f"format(a={self.any()})", f"get()", "expandtabs(4)", "nosuch()", "translate({97: 'b'})", "upper(1)", "items", "upper", "__class__", "__len__()", "_x", "format", "setdefault('a', 1)", "update({})")
        return name

    def expr(self, depth=2):
        r = self.r.random()
        if depth <= 0 or r < 0.08:
            return self.any()
        sub = lambda: self.expr(depth - 1)
        wrap = lambda: self.pick(self.any, lambda: "(" + sub() + ")")()
        if r < 0.40:
            return f"{wrap()} | {self.filter()}" + (f" | {self.filter()}" if self.r.random() < 0.4 else "") + self.pick("", "", " | list", " | string", " | tojson", " | join(',')")
        if r < 0.52:
            return f"{self.pick(self.text(), self.text(), wrap())}.{self.method()}"
        if r < 0.60:
            return f"{wrap()} is {self.pick('', '', 'not ')}{self.test()}"
        if r < 0.70:
            return f"{wrap()} {self.pick('+', '-', '*', '/', '//', '%', '**', '~', '+', '~')} {wrap()}" if self.r.random() < 0.8 else f"{self.pick('-', '+', 'not ')}{wrap()}"
        if r < 0.78:
            chain = f"{wrap()} {self.pick('==', '!=', '<', '<=', '>', '>=', 'in', 'not in')} {wrap()}"
            return chain if self.r.random() < 0.7 else f"{chain} {self.pick('<', '==', 'in', '>=')} {wrap()}"
        if r < 0.83:
            return f"{wrap()} {self.pick('and', 'or')} {self.pick('', 'not ')}{wrap()}"
        if r < 0.87:
            return f"{sub()} if {wrap()}" + self.pick("", f" else {sub()}")
        if r < 0.95:
            part = lambda: self.pick("", self.of(SMALL), self.number())
            index = self.pick(self.of(SMALL), self.text(), f"{part()}:{part()}", f"{part()}:{part()}:{part()}", "::-1", "1:", ":-1", "-1", "'k'", "'items'")
            return f"{self.pick(self.seq(), self.text(), wrap())}[{index}]" if self.r.random() < 0.6 else f"{wrap()}.{self.pick('k', 'n', 'x', 'role', '0', '1', 'items', 'missing.y', 'c.d')}"
        return self.pick(f"[{sub()}, {sub()}]", f"({sub()},)", f"{{{self.text()}: {sub()}, {self.any()}: 1}}", f"dict(a={sub()})", f"namespace(x={sub()}).x", f"range({self.of(SMALL)}) | list", f"cycler({sub()}, 2).next()", f"joiner({self.text()})()",
                         f"'%s %r' % ({sub()}, {sub()})", f"{self.pick(repr('%5.2f'), repr('%-6d|'), repr('%+d'), repr('%05d'), repr('%x %%'), repr('%g'), repr('%e'), repr('%10s|'), repr('%.2s'), repr('%c'), repr('%i'), repr('%#x'), repr('% d'), repr('%*d'), repr('%(k)s'))} % {self.any()}",
                         f"strftime_now({self.pick(repr('%Y'), repr('%d %B'), repr('%H:%M:%S %p %y'), repr('%-d'), repr('%% %j'), repr('%e %b'))})", f"raise_exception({self.text()})", f"missing.x.y", f"{sub()}, {sub()}", f"f(1)", f"dict({self.seq()})", "dict.fromkeys('ab', 1)",
                         "'a' 'b'", f"(({sub()}))", f"[{sub()},]", "{}", "()", "[1, 2,][0]", "loop", "range", "''.join", "namespace()", "1.real", "1 .real", "a .b", "a. b", "caller", "varargs", f"a | {self.filter()} is {self.test()}")

    # --- statements
    def signs(self, inner):
        return "{%" + self.pick("", "", "", "-", "+") + " " + inner + " " + self.pick("", "", "", "-", "+") + "%}"

    def space(self):
        return self.pick("", "", "\n", "  ", "\n  ", "x ", " y\n", "\t", "\n\n")

    def body(self, depth):
        return self.space() + "".join(self.stmt(depth - 1) + self.space() for _ in range(self.r.randint(0, 2)))

    def show(self):
        value = self.pick(self.expr(1), self.of(self.locals + ["x", "ns.v", "loop.index"]), self.of(self.locals + ["x"]))
        return "{{" + self.pick("", "", "-", "+") + " " + value + " " + self.pick("", "", "-") + "}}"

    def loop_value(self):
        return "{{ " + self.pick("loop.index", "loop.index0", "loop.revindex", "loop.revindex0", "loop.first", "loop.last", "loop.length", "loop.depth", "loop.depth0", "loop.previtem", "loop.nextitem", "loop.cycle('a', 'b', 'c')", "loop.changed(x)",
                                 "loop.changed(x is odd)", "loop.cycle()", "loop.nosuch", "loop.previtem is defined", "loop.nextitem | default('none')") + " }}"

    def stmt(self, depth=2):
        s, b = self.signs, lambda: self.body(depth)
        if depth <= 0:
            return self.show()
        kind = self.r.randint(0, 19)
        if kind < 3:
            return self.show()
        if kind == 3:
            name = self.pick("x", "y", "a", "s")
            self.locals.append(name)
            return s(f"set {name} = {self.expr(1)}")
        if kind == 4:
            return s(f"set {self.pick('x', 'y')}{self.pick('', '', ' | upper', ' | trim | length')}") + b() + s("endset")
        if kind == 5:
            return s("set x, y = " + self.pick("(1, 2)", "a", "1, 2", "'ab'", "pairs", "d.items() | first", "x, 1"))
        if kind in (6, 7):
            out = s(f"if {self.expr(1)}") + b()
            if self.r.random() < 0.3:
                out += s(f"elif {self.expr(1)}") + b()
            if self.r.random() < 0.5:
                out += s("else") + b()
            return out + s("endif")
        if kind in (8, 9, 10):
            target, over = self.pick(("x", self.seq()), ("x", "a"), ("x", "rows"), ("k, v", "d.items()"), ("k, v", "d | dictsort"), ("k, v", "pairs"), ("x, y", self.seq()), ("x", self.expr(1)))
            tail = self.pick("", "", "", " if x", " if x is odd", " if loop.index", " if x != 1", " recursive")
            self.loops += 1
            inner = self.space() + self.pick(self.loop_value(), self.show(), self.show(), "") + b()
            if self.r.random() < 0.25:
                inner += s(f"if {self.expr(1)}") + s(self.pick("break", "continue")) + s("endif") + self.show()
            self.loops -= 1
            if tail == " recursive" and self.r.random() < 0.5:
                target, over = "x", "nested"
                inner += "{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{{ loop.depth }}{% endif %}"
            otherwise = s("else") + b() if self.r.random() < 0.3 else ""
            return s(f"for {target} in {over}{tail}") + inner + otherwise + s("endfor")
        if kind == 11:
            args = self.pick("", "p", "p, q=2", "p='a', q=x", "p, q=p", "p, p2, q=none")
            inner = self.pick("{{ p }}{{ q }}", "{{ varargs }}{{ kwargs }}", "{{ caller() }}", "{{ caller('c', 1) }}", "{{ x }}", "{% set x = 9 %}{{ x }}", "{{ p | default('D') }}|{{ q }}", "{{ varargs | length }}") + b()
            call = self.pick("m()", "m(1)", "m(1, 2)", "m(1, 2, 3)", "m(q=5)", "m(p=1, q=2)", "m(*a)", "m(**{'p': 1})", "m(1, z=3)", "m(*[1], **{'q': 4})", "m.name", "m.arguments", "m(x)", "m() | upper", "m | string | length is odd", "m.catch_varargs", "m.caller", "m.defaults", "m(1, p=2)")
            return s(f"macro m({args})") + inner + s("endmacro") + "{{ " + call + " }}"
        if kind == 12:
            return "{% macro m(p=1) %}<{{ caller(" + self.pick("", "1", "1, 2", "p") + ") }}>{% endmacro %}" + s(self.pick("call m()", "call(v) m(2)", "call(v, w=3) m()", "call m(p=x)", "call a.nosuch()", "call(v='z') m()")) + self.pick("{{ v }}", "{{ w }}", "") + b() + s("endcall")
        if kind == 13:
            return s(f"with {self.pick('x = 1', 'x = 1, y = x', 'y = x', '', 'x = ' + self.expr(1))}") + "{{ x }}{{ y }}" + b() + s("endwith")
        if kind == 14:
            return s(f"filter {self.pick('upper', 'trim', 'replace(' + chr(39) + 'a' + chr(39) + ', x)', 'indent', 'upper | lower', 'length', 'nosuch', 'title')}") + b() + s("endfilter")
        if kind == 15:
            return self.pick("{% set ns = namespace(v=0) %}", "{% set ns = namespace() %}", "{% set ns = namespace({'v': 1}, w=2) %}") + "{% for x in a %}" + self.pick("{% set ns.v = ns.v + x %}", "{% set ns.w = x %}", "{% if x == 1 %}{% set ns.v = loop.index %}{% endif %}",
                             "{% set ns.v, y = x, 1 %}", "{% set ns.v %}b{{ x }}{% endset %}", "{% set x.v = 1 %}") + b() + "{% endfor %}{{ ns.v }}{{ ns.w }}"
        if kind == 16:
            return self.pick("{% raw %}{{ x }} {% if %}{% endraw %}", "{%- raw -%}  {{ {%- endraw -%}  z", "{#  comment {{ x }} #}", "{#- c -#}", "{# a\n#}\n", "a {#+ c #} b", "{% raw %}\n a {% endraw %}\n b", "{%+ raw %} x {%+ endraw %}", "{{ '{{' }}", "{{ '%}' }}", "{ { x", "{{ '#}' }}", "# for x in a", "## c\n", "{{ {'a': {'b': 1}} }}", "{{ {'a': {'b': 1}}}}", "a {{- 1 -}} b", "{{ 1 }}\n{{ 2 }}\n\n")
        if kind == 17:
            return s("generation") + b() + s("endgeneration")
        if kind == 18:
            return self.pick("{% print 1, x %}", "{% set x = x ~ 'n' %}{{ x }}", "{% if x is defined %}{% set x = 2 %}{% else %}{% set x = 3 %}{% endif %}{{ x }}", "{% if t %}{{ x }}{% set x = 5 %}{% endif %}{{ x }}", "{% if o %}{% set a = 5 %}{% endif %}{{ a }}",
                             "{% for q in a %}{{ a }}{% set a = 1 %}{% endfor %}{{ a }}", "{% if o %}{{ x | nosuch }}{% endif %}", "{{ 1 if true else (x | nosuch) }}", "{% for q in e %}{{ x | nosuch }}{% endfor %}", "{% if o %}{% for q in a %}{{ x is nosuch }}{% endfor %}{% endif %}",
                             "{% if t %}{{ s }}{% set s = 1 %}{% else %}{% set s = 2 %}{% endif %}{{ s }}", "{% macro k() %}{{ late }}{% endmacro %}{% set late = 1 %}{{ k() }}", "{{ k2() }}{% macro k2() %}m{% endmacro %}", "{% for x in a %}{% macro k3() %}{{ x }}{% endmacro %}{{ k3() }}{% endfor %}{{ k3 }}",
                             "{% set g = a | map('nosuch') %}ok", "{% set g = rows | selectattr('n', 'gt', 'x') %}{{ g is defined }}", "{{ [1, 'x'] | map('abs') | first }}", "{% set g = a | select %}{{ g | list }}{{ g | list }}", "{% for x in a %}{% for y in a %}{% if y == 1 %}{% break %}{% endif %}{{ y }}{% endfor %};{% endfor %}",
                             "{% set loop = 1 %}{{ loop }}", "{% for loop in a %}{% endfor %}", "{% for x in a %}{% set loop = x %}{{ loop }}{% endfor %}", "{% set ns = namespace(f=true) %}{% for x in a if ns.f %}{% set ns.f = false %}{{ x }}{% endfor %}", "{% set x %}{% for i in a %}{{ i }}{% break %}{% endfor %}{% endset %}{{ x }}",
                             "{% for x in a %}{% set y %}{{ x }}{% break %}{% endset %}{% endfor %}|{{ y }}", "{% set true = 1 %}", "{% block b %}{{ s }}{% endblock %}", "{% block b %}{% endblock %}{% block b %}{% endblock %}", "{% for k in d %}{{ k }}{{ d[k] }}{% endfor %}", "{% set a, a = 1, 2 %}{{ a }}", "{% macro m(a, a) %}{% endmacro %}",
                             "{% if x %}a{% elif %}{% endif %}", "{% else %}", "{% endfor %}", "{% for x in a %}", "{% set x 1 %}", "{{ }}", "{% %}", "{{ 1 + }}", "{{ 'abc }}", "{% if a %}", "{{ a b }}", "{{ a[ }}", "{{ a[] }}", "{% set x = %}", "{% for in a %}", "{{ a..b }}", "{{ a.1b }}", "{{ $ }}", "{{ a & b }}", "{{ 1if true else 2 }}", "{{ not }}", "{% extends 'x' %}", "{% import 'x' as y %}", "{% do x %}", "{% trans %}", "{% debug %}")
        return self.space() + self.show()

    def template(self):
        if self.r.random() < 0.6:
            return "{{ " + self.expr(self.pick(1, 1, 2, 3)) + " }}"
        return self.body(self.pick(2, 3, 3)) + self.show()


ADDRESS = re.compile(r" at 0x[0-9a-f]+|<function|<bound method|<built-in|<class |<jinja2|<transformers|lipsum|<Macro|dict_reverse|<itertools|cannot be|TemplateReference|<Cycler")

# Jinja2 folds constants when it compiles, and its folding forgives slices of what has none; a hidden attribute of undefined is its only one.
FOLDED = re.compile(r"(true|false|none|[0-9.]|'|\"|\]|\)|\.format|\.items|\.upper)\)*\[[^\]]*:", re.IGNORECASE)
DUNDER = re.compile(r"\)\.__class__|\w\.\w+\.\w*\.?__class__")
# A generator made text: Python shows an address, which later filters may hide.
LAZY_TEXT = re.compile(r"\b(select|reject|selectattr|rejectattr|map|slice|batch|unique|items|reverse)\b[^|{}]*(\| *(default|d)\b[^|]*)?[|~] *"
                       r"(string|upper|lower|title|trim|truncate|wordcount|center|striptags|replace|e|escape|forceescape|safe|capitalize|urlize|int|float|nope|u|s)\b")
HIDDEN_ADDRESS = re.compile("generatorobj|jborotareneg|reverseiterator|rotaretiesrever|builtinmethod|functionraise|macroobject")  # also folded, joined or reversed


def cases(n, seed):
    made, seen = 0, set()
    i = 0
    while made < n:
        template = Maker(random.Random(f"{seed}-{i}")).template()
        i += 1
        if template in seen or FOLDED.search(template) or DUNDER.search(template) or LAZY_TEXT.search(template):
            continue
        seen.add(template)
        target = expected(template, CONTEXT)
        if target is not None and (ADDRESS.search(target) or HIDDEN_ADDRESS.search(re.sub(r"[^a-z]", "", target.lower())) or len(target) > 20000):
            continue
        made += 1
        yield {"template": template, "context": {}, "expected": target}


def shape(case):
    words = re.sub(r"'[^']*'|\"[^\"]*\"|[0-9.]+", "", case["template"])
    return tuple(sorted(set(re.findall(r"[a-z_]+|[|%~*/<>+-]", words))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("n", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=int, default=0)
    args = parser.parse_args()
    print(json.dumps({"context": CONTEXT}))
    shapes, good, bad = set(), 0, 0
    for case in cases(args.n, args.seed):
        if args.keep:
            fine = case["expected"] is not None
            full = good >= args.keep * 2 // 3 if fine else bad >= args.keep // 3
            if full or shape(case) in shapes or len(case["template"]) + len(case["expected"] or "") > 400:
                continue
            shapes.add(shape(case))
            good, bad = good + fine, bad + (not fine)
        print(json.dumps(case))
