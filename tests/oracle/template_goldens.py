"""Writes tests/golden/data/templates.jsonl: small templates of our own and the bundled one, with what transformers'
Jinja2 environment renders, or null where it raises. Run from the tree's root:
    /path/to/python tests/oracle/template_goldens.py > tests/golden/data/templates.jsonl"""

import copy
import datetime
import json

import transformers.utils.chat_template_utils as utils

NOW = "2025-07-10T12:34:56"


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromisoformat(NOW)


utils.datetime = FixedTime
CONTEXT = {"a": [3, 1, 2], "d": {"k": "v", "n": None, "x y": [1, {"z": True}]}, "s": "  Hello <World> ", "f": 1.5, "i": 7, "u": "h\u00e9\u00df\u4f60\U0001F600",
           "rows": [{"role": "user", "n": 2}, {"role": "tool", "n": 1}, {"role": "user", "n": 0}]}
TEMPLATES = [
    "{{ a }} {{ d }} {{ f }} {{ i }} {{ none }} {{ true }} [{{ missing }}]",
    "{{ a | tojson }} {{ d | tojson(indent=2) }} {{ u | tojson }} {{ u | tojson(ensure_ascii=true) }}",
    "  {% if i > 3 %}\n  yes\n  {% else %}\n  no\n  {% endif %}\n end\n",
    "x {%- if true -%}  y  {%- endif -%} z {#- c -#}  w",
    "{%+ if true %}\n a{% endif +%}\nb",
    "{% for x in a %}{{ loop.index }}/{{ loop.length }}:{{ x }}{% if not loop.last %}, {% endif %}{% else %}none{% endfor %}",
    "{% for x in a if x > 1 %}{{ loop.index0 }}{{ x }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}",
    "{% set x = 1 %}{% for y in a %}{{ x }}{% set x = 5 %}{% endfor %}{{ x }}",
    "{% set ns = namespace(n=0) %}{% for y in a %}{% set ns.n = ns.n + y %}{% endfor %}{{ ns.n }}",
    "{% macro m(p, q='z') %}{{ p }}-{{ q }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1) }}{{ m(1, 2, 3, k=4) }}",
    "{% macro m(p) %}[{{ caller(p) }}]{% endmacro %}{% call(v) m(3) %}got {{ v }}{% endcall %}",
    "{{ s.strip().upper() }}{{ s | trim | lower }}{{ s.split() }}{{ s.replace('l', 'L', 1) }}{{ u | length }}{{ u.upper() }}",
    "{{ a | sort }}{{ a | sort(reverse=true) | join('-') }}{{ a | max }}{{ a | sum }}{{ a | first }}{{ a | last }}{{ a | reverse | list }}",
    "{{ rows | selectattr('role', 'equalto', 'user') | map(attribute='n') | list }}{{ rows | rejectattr('n') | list | length }}",
    "{{ rows | sort(attribute='n') | map(attribute='role') | join(',') }}{{ rows | groupby('role') | length }}",
    "{{ d.k }}{{ d['k'] }}{{ d.get('q', 5) }}{{ d.missing is defined }}{{ 'k' in d }}{{ d.items() | list }}{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{{ a[0] }}{{ a[-1] }}{{ a[1:] }}{{ a[::-1] }}{{ s[2:7] }}{{ a[9] is undefined }}{{ u[1] }}",
    "{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 1e16 }} {{ 0.1 + 0.2 }} {{ 1 / 3 }} {{ 5 * 1.0 }}",
    "{{ 'a' ~ 1 ~ none ~ true }} {{ 'ab' * 3 }} {{ [1] + [2] }} {{ (1, 2) }} {{ (1,) }} {{ '%s-%05.1f-%d' % ('x', 2.25, 3) }}",
    "{{ 1 < 2 < 3 }} {{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ not 1 in a }} {{ 9 not in a }} {{ 1 if false }} {{ 'x' if i else 'y' }}",
    "{{ i is odd }} {{ i is divisibleby 7 }} {{ s is string }} {{ d is mapping }} {{ a is sequence }} {{ a is iterable }} {{ none is none }} {{ f is float }} {{ i is number }}",
    "{{ '<b>' | e }} {{ ('<b>' | safe) + '<i>' }} {{ '<b>' | e | e }} {{ 'it\\'s \"q\"' }} {{ ['it\\'s', \"q\"] }} {{ ['\\n\\u00e9'] }}",
    "{% set t %}block {{ i }}{% endset %}{{ t | upper }}{% filter upper %}text{% endfilter %}{% set v | replace('a', 'b') %}aa{% endset %}{{ v }}",
    "{% raw %}{{ not }} {% if %}{% endraw %}{% generation %}g{% endgeneration %}{% with q = 4 %}{{ q }}{% endwith %}{{ q }}",
    "{{ strftime_now('%Y-%m-%d %d %b %Y %H:%M %A %j') }}",
    "{% for x in [1, 2, 3, 4] %}{% if x == 2 %}{% continue %}{% elif x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in [[1, [2]], [3]] recursive %}{{ loop.depth }}{% if x is iterable and x is not string %}({{ loop(x) }}){% else %}{{ x }}{% endif %}{% endfor %}",
    "{{ 'a\\nb\\n\\nc' | indent(2) }}|{{ 'a\\nb' | indent(2, true) }}|{{ '3.7' | int }}|{{ 'x' | int(5) }}|{{ '2.5' | float }}|{{ 2.5 | round }}|{{ 2.675 | round(2) }}",
    "{{ range(5) | list }}{{ range(1, 10, 3) | list }}{{ dict(a=1, b=2) }}{{ 'foo bar' | title }}{{ 'foo BAR' | capitalize }}{{ [1, 1, 2] | unique | list }}{{ d | dictsort }}",
    "{{ missing or 'x' }}{{ missing | default('y') }}{{ '' | default('z', true) }}{{ missing == missing2 }}{{ missing | length }}",
    "{{ cycler('a', 'b').next() }}{% set j = joiner(', ') %}{{ j() }}1{{ j() }}2{{ [a, none, 'q'] | string }}{{ {'a': 1}.items() }}{{ a | batch(2) | list }}",
    # each of these raises
    "{{ missing.x }}", "{{ missing + 1 }}", "{{ 'a' + 1 }}", "{{ raise_exception('no') }}", "{{ a.append(1) }}", "{{ none | length }}", "{{ a | map('upper') | length }}",
    "{{ 1 / 0 }}", "{% for x in 5 %}{% endfor %}", "{% if %}", "{{ a | nofilter }}", "{{ a is notest }}", "{{ x", "{% endif %}", "{{ s.__class__.mro() }}", "{{ 'a' < 1 }}",
    "{{ range(1000000) }}", "{% include 'x' %}", "{% do 1 %}", "{% set ns = namespace() %}{% set ns._a = 1 %}", "{% set a.b = 1 %}", "{{ d | tojson(foo=1) }}", "{% break %}",
    "{{ namespace(a=1).b.c }}", "{{ 'x'.nomethod() }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{{ 08 }}", "{{ range | tojson }}",
]


def expected(template, context):
    try:
        # A copy: Jinja2's indent appends to a list that it is given, before it fails.
        return utils._cached_compile_jinja_template(template).render(**copy.deepcopy(context))
    except Exception:  # whatever it raises, we refuse
        return None


CHATS = [
    {"messages": [{"role": "user", "content": "Hi"}], "add_generation_prompt": True},
    {"messages": [{"role": "system", "content": "s\n"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "<|think|>t<|/think|>a"}, {"role": "user", "content": "r"}]},
    {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "<|think|>t<|/think|>a"}], "add_generation_prompt": True, "enable_thinking": True},
    {"messages": [{"role": "robot", "content": "q"}]}, {"messages": [{"role": "user", "content": None}]}, {},
]

if __name__ == "__main__":
    for template in TEMPLATES:
        print(json.dumps({"template": template, "context": CONTEXT, "expected": expected(template, CONTEXT)}))
    bundled = open("suites/data/demo/model/chat_template.jinja", encoding="utf-8").read()
    for chat in CHATS:
        context = {"bos_token": "<|bos|>", "eos_token": "<|eos|>", **chat}
        print(json.dumps({"template": bundled, "context": context, "expected": expected(bundled, context)}))
