"""Writes text/jinja.json: what Jinja2 3.1.6, set up as transformers sets it up, makes of short
templates, each of which uses what a chat template may use of Python and Jinja2.

Run from anywhere: python3 make_templates.py. Deterministic; no test runs it.
"""

import json
from pathlib import Path

from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MESSAGES = [{"role": "user", "content": "What is this?"}]

TEMPLATES = r"""
{{ 'a,b,c'.rsplit(',', 1)[0] }}
{{ 'a,b,c'.rsplit(',') | join('-') }}
{{ ' a b  c '.rsplit(None, 1) | join('|') }}
{{ ' a b  c '.split(None, 1) | join('|') }}
{{ 'a b  c'.split() | join('|') }}
{{ 'a,b,c'.split(',', maxsplit=1) | join('|') }}
{{ 'a,b,c'.rsplit(sep=',', maxsplit=1)[1] }}
{{ 'a,b,c'.split(',', -1) | length }}
{{ 'x</think>y</think>z'.split('</think>')[-1] }}
{{ 'one two-three it\'s' | wordcount }}
{{ messages[0].content | wordcount }}
{{ '%s: %d' % ('a', 3) }}
{{ '%s' % messages[0].content }}
{{ '%05.2f|%x|%-4s|%4s|%%' % (3.14159, 255, 'a', 'b') }}
{{ '%s and %s' | format('a', 'b') }}
{{ 7 % 4 }}{{ -7 % 4 }}{{ 7.5 % 2 }}{{ 2 * 7 % 4 }}{{ 1 + 7 % 4 * 2 }}
{% for m in messages %}{% if loop.index0 % 2 == 0 and m.role != 'user' %}x{% else %}{{ 'T%02d' % loop.index }}{% endif %}{% endfor %}
{{ '%s' % (messages|length) }}
{{ '%(a)s-%(b)d' % {'a': 'x', 'b': 2} }}
{{ ('%s-' % 'a') ~ 'b' % () }}
{{ '%r' % 'a' }}{{ '%s=%r, %5r|%%' % ('a', 'b', 1) }}{{ '%(k)s' % {'k': 'r'} }}{{ '%a' % 'x' }}
{{ {'b': 1, 'a': [1, {'d': None, 'c': true}]} | tojson(sort_keys=true) }}
{{ {'b': 1, 'a': [1, {}, []]} | tojson(indent=2, sort_keys=true) }}
{{ {'b': 1, 'a': 'é😀\u007f\n'} | tojson(separators=(',', ':')) }}
{{ {'b': 1, 'a': 'é😀"\\'} | tojson(ensure_ascii=true) }}
{{ [1, 2.0, 1e20, 0.00001, 1.5] | tojson(indent=0) }}
{{ {'a': [1, 2]} | tojson(indent='\t', separators=(',', ': ')) }}
{{ [true, none, 'a'] | tojson }}
{{ {'a': {'b': []}} | tojson(indent=4) }}
{{ {'a': 1} | tojson(false, 1) }}
{{ 'abc'.center(8, '*') }}|{{ 'abc'.center(9) }}|{{ 'abcd'.center(9, '-') }}|{{ 'ab' | center(7) }}|
{{ '7'.zfill(3) }}|{{ '-7'.zfill(4) }}|{{ 'a'.ljust(3) }}|{{ 'a'.rjust(3, '.') }}
{{ 'a=b=c'.partition('=') | join('|') }}|{{ 'a=b=c'.rpartition('=') | join('|') }}|{{ 'abc'.partition('=') | join('|') }}|{{ 'abc'.rpartition('=') | join('|') }}
{{ 'prefix-x'.removeprefix('prefix-') }}|{{ 'x.py'.removesuffix('.py') }}|{{ 'x'.removesuffix('y') }}
{{ 'hello'.index('l') }}{{ 'hello'.rindex('l') }}{{ 'héllo'.find('l') }}{{ 'hello'.find('z') }}{{ 'hello'.rfind('l') }}
{{ 'aBc'.swapcase() }}{{ 'ABC'.casefold() }}{{ '12'.isdecimal() }}{{ 'Ab Cd'.istitle() }}{{ 'aB'.capitalize() }}{{ 'they\'re bill'.title() }}
{{ [1, 2, 3].index(2) }}{{ {'a': 1}.copy()['a'] }}{{ [1,2,2].count(2) }}
{{ 'Hello World, this is long' | truncate(12) }}|{{ 'Hello World' | truncate(8, true, '') }}
{{ 'Hello World, this is long' | truncate(length=12, killwords=True) }}
{{ '<b>x</b> &amp; y' | striptags }}
{{ 1234567 | filesizeformat }}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}
{% set j = joiner(', ') %}{{ j() }}a{{ j() }}b
{{ "a" "b" }}
{{ 1 < 2 < 3 }}{{ 3 > 2 > 2 }}
{{ messages[::-1][0].role }}{{ 'abcdef'[1:-1:2] }}{{ 'abc'[-1] }}
{{ (1, 2)[0] }}{{ [1] + [2] }}{{ 'ab' * 2 }}
{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}{{ v }}{% endfor %}
{% for x in [1,2,3,4] %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}
{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list | first }}
{{ messages | rejectattr('role', 'in', ['user']) | list | length }}
{% set ns = namespace(x=0, y='') %}{% for m in messages %}{% set ns.x = ns.x + 1 %}{% endfor %}{{ ns.x }}
{{ messages[0].get('tool_calls') is none }}{{ messages[0].tool_calls is defined }}{{ 'content' in messages[0] }}
{{ 'x' if false }}|{{ none }}|{{ true }}|{{ 1.0 }}|{{ [1, 'a', none] }}|{{ {'a': 'b'} }}
{{ 'a\nb' | indent(2) }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\nb' | indent(width=2, first=True) }}
{{ '  x '.strip() }}|{{ '##x#'.strip('#') }}|{{ ' x ' | trim }}|{{ 'xxaxx' | trim('x') }}
{{ 'abc'.startswith(('a', 'b')) }}{{ 'abc'.endswith('c') }}{{ 'abc'.replace('b', 'x', 1) }}
{{ 'a' ~ 1 ~ none ~ true }}
{% macro f(a, b='z') %}{{ a }}{{ b }}{{ caller() if caller else '' }}{% endmacro %}{{ f('x') }}{{ f('x', b='y') }}{% call f('q') %}!{% endcall %}
{% set x %}block {{ 1 }}{% endset %}{{ x }}
{% filter upper %}abc{% endfilter %}
{{ messages | length > 0 and messages[0]['role'] == 'user' }}
{{ '{:>5}|{:<5}|{:^5}|{:.2f}|{}'.format('a', 'b', 'c', 1.234, 'd') }}
{{ range(0, 6, 2) | list }}{{ 7 // 2 }}{{ 7 / 2 }}{{ 2 ** 3 }}
{{ [3, 1, 2] | sort | join(',') }}{{ [1, 1, 2] | unique | list }}{{ [1, 2, 3] | sum }}{{ [1,2,3] | max }}
{{ 'abc' | list }}{{ 'a,b' | replace(',', ';') }}{{ 3.7 | int }}{{ '3' | int + 1 }}{{ 3.456 | round(2) }}
{{ 'A b' | lower }}{{ 'a b' | title }}{{ 'a' | upper }}{{ '<a>' | e }}{{ '<a>' | escape }}
{{ 'Hello'[::-1] }}{{ 'a-b_c'.split('-')[1].split('_')[0] }}
{{ messages[-1].content[:4] }}
{{ loop is defined }}{{ 'a' not in 'b' }}{{ not 'a' in 'abc' }}
{{ ['a', 'b'] | join(', ', attribute=none) }}
{{ [1,2,3,4,5] | batch(2) | list }}{{ [1,2,3] | slice(2) | list }}
{{ [{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'x'}] | groupby('b') | list | length }}
{{ 'a\\b' }}{{ 'tab\there' }}
{{ 'x'.isspace() }}{{ ' '.isspace() }}{{ 'x1'.isalnum() }}{{ 'x'.isalpha() }}{{ '1'.isdigit() }}{{ 'x'.isupper() }}
{{ "%s" % none }}{{ "%s" % true }}{{ '%d%%' % 50 }}{{ '%s' % [1, 2] }}
{{ messages[0].content | string | length }}{{ messages[0]|tojson|length }}
{{ messages[0].items() | list | length }}{{ messages[0].keys() | list }}{{ messages[0].values() | list }}
{{ 'abc' | first }}{{ 'abc' | last }}{{ '' | default('d', true) }}{{ x | default('u') }}{{ x | d('u') }}
{{ (messages | map('tojson') | join('\n')) }}
{{ messages | map(attribute='role') | unique | list | join }}
{{ 'a' if messages else 'b' }}{{ messages and 'c' }}{{ none or 'd' }}
{%- if messages[0]['content'] is string %}S{% elif true %}T{% endif -%}
{% for m in messages if m.role == 'user' %}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{{ loop.changed(m.role) }}{{ loop.cycle('a','b') }}{% endfor %}
{% with a = 1 %}{{ a }}{% endwith %}
{{ '1,234'.replace(',', '') | int }}{{ '0x1f' | int(base=16) }}{{ 'z' | int(7) }}{{ '2.5' | float }}
{{ 5 | string ~ 'a' }}{{ 5 ~ 'a' }}{{ [5] | string }}
{{ {'x': 'y'}['x'] }}{{ {'x': 'y'}.x }}{{ ({'x': 1} | tojson) }}
{{ "a'b" }}{{ 'a"b' }}{{ ['a\'b', "c"] }}
{{ 1 if 2 == 2.0 else 3 }}{{ '1' == 1 }}{{ [1] == [1] }}
{{ -5 | abs }}{{ 10 | round }}{{ 2.5 | round }}{{ 7.0 / 2 }}
{{ 'a' < 'b' }}{{ messages[0] != messages }}{{ 'is' in messages[0].content }}
{{ messages | list | tojson }}
{{ 'x' | pprint }}
{{ ['b','a'] | sort(reverse=true) | list }}{{ [{'n': 2}, {'n': 1}] | sort(attribute='n') | map(attribute='n') | list }}
{{ [0, 1, none] | select | list }}{{ [1,2,3] | select('odd') | list }}{{ [1, 2] | map('string') | list }}
{{ 'a b'.split(' ', 1)[1] }}{{ 'ab'.join(['x', 'y']) }}{{ 'aXbX'.count('X') }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set _ = [] %}{{ _ | length }}
{{ 'a%sb' | replace('%s', 'X') }}
{{ namespace(a=1).a }}
{{ [1, 2, 3][1:] }}{{ [1,2,3] | reverse | list }}{{ 'abc' | reverse }}
{{ "\u00e9" }}{{ '\x41' }}
{{ 'a'|upper~'b'|upper }}
{{ '%s, %s' % ('a',) if false else 'ok' }}
{{ {'a': 1} | items | list | length }}{{ {'b': 1, 'a': 2} | dictsort | map('first') | join }}
{%- for m in messages -%} {{ '%-8s|' % m.role }}{{ '%3d%%' % (loop.index * 10) }} {%- endfor -%}
{{ '%s %s' % (messages[0].role, messages[0].content.split(' ', 1)[0]) }}
{{ '%i|%5.1f|%+d|%o|%X|%e|%c' % (3, 2.25, 4, 8, 255, 12345.678, 'z') }}
{% set p = '%s=%s' %}{% for k, v in {'a': 1, 'b': 2}.items() %}{{ p % (k, v) }};{% endfor %}
{{ ('a%s' % 'b') | upper }}{{ 'x%sy' % ('b' | upper) }}{{ '%s' % 'a'.upper() }}{{ '%s' % {'k': 'v'}['k'] }}
{{ 10 % 3 * 2 }}{{ 2 * 10 % 3 }}{{ (1 + 9) % 4 }}{{ 10 % (1 + 2) }}{{ -3 % 2 }}{{ 9 % -4 }}
{% if not messages | length % 2 %}even{% else %}odd{% endif %}
{{ messages | length % 2 == 1 and 'odd' }}{{ [1 % 2, 3 % 2] }}{{ {'a': 5 % 3}['a'] }}
{{ 'a.b.c'.rsplit('.', maxsplit=1)[-1] }}{{ 'a  b'.rsplit() | join('|') }}{{ 'abc'.rsplit('x') }}
{{ 'a\nb\n'.splitlines(true) | length }}{{ 'aXbX'.rsplit('X', 1) | length }}
{{ 'é日_x1 y' | wordcount }}{{ '' | wordcount }}
""".strip("\n").split("\n")


def raise_exception(message):
    raise TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def main():
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    rows = []
    for source in TEMPLATES:
        rendered = environment.from_string(source).render(messages=MESSAGES)
        rows.append([source, rendered])
    text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path = Path(__file__).parent / "text" / "jinja.json"
    path.write_text(f"[\n{text}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
