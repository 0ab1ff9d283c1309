#!/bin/sh
# Jinja2 3.1.6: `"12abc"|int` is 0, `"1_000"|int` is 1000, `"٣"|int` is 3, and `"1e400"|int` is 0.
#
# What one expects: an error for what is no number, or at least for a price that was read wrongly. What happens:
# `int` and `float` have the default 0, so an answer that changed its form becomes nothing in silence, also under
# StrictUndefined; and what Python's `int` takes is more than what JSON and people write.
# Beltline: without a default what is no number is a fault that names the text; `|int(0)` is the old way.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" -q install jinja2==3.1.6
got=$("$work/v/bin/python" - <<'P'
from jinja2 import Environment, StrictUndefined
env = Environment(undefined=StrictUndefined)
print(*[env.compile_expression(text)() for text in ('"12abc"|int', '"1_000"|int', '"\u0663"|int', '"1e400"|int', '"1,5"|float')])
P
)
echo "12abc, 1_000, an Arabic three, 1e400, 1,5: $got"
[ "$got" = "0 1000 3 0 0.0" ]
