#!/bin/sh
# Jinja2 3.1.6: `d.items` of a map with a key `items` is a method of Python and not the value; `d["items"]` is the
# value, and `d|attr("items")` never is.
#
# What one expects: a map is data, so its key. What happens: a point asks for an attribute first and for a key
# second, and `attr` asks for attributes alone. Who renders an answer with a field `items`, `keys`, `values`,
# `get`, `copy`, `pop` or `update` gets a text such as `<built-in method items of dict …>`, and no error.
# Beltline, as minijinja, gives the key.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" -q install jinja2==3.1.6
got=$("$work/v/bin/python" - <<'P'
from jinja2 import Environment, StrictUndefined
env = Environment(undefined=StrictUndefined)
fill = lambda text: env.from_string(text).render(d={"items": [5], "a": 1})
print(fill("{{ d.items }}").startswith("<built-in method"), fill('{{ d["items"] }}'), fill('{{ (d|attr("a")) is defined }}'))
P
)
echo "a method, the key, whether attr finds a key: $got"
[ "$got" = "True [5] False" ]
