#!/bin/bash
# handlebars.js 4.7.10 with `noEscape` adds numbers that stand side by side: `{{a}}{{b}}` of 3 and 2 is `5`.
#
# What one expects: a template makes text, so `32`. What happens: without escaping nothing makes a string of the
# two values, and the compiled template joins its pieces with JavaScript's `+`. With any text between or before
# them, or with escaping, the answer is `32`.
# Seen with node and `npm install handlebars@4.7.10`. Beltline writes `32`.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init -y >/dev/null
npm install --silent handlebars@4.7.10 >/dev/null 2>&1
got=$(node -e '
const H = require("handlebars");
const fill = (text, options) => H.compile(text, options)({a: 3, b: 2});
console.log([fill("{{a}}{{b}}", {noEscape: true}), fill("{{a}}{{b}}", {}), fill("-{{a}}{{b}}", {noEscape: true})].join(" "));
')
echo "noEscape, escaped, with a text before: $got"
[ "$got" = "5 32 -32" ]
