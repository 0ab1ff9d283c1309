#!/bin/bash
# yaml 2.8.1 of npm: `!!float 1` is the text "1", with a warning and no error.
#
# What one expects: the number 1. YAML 1.2's core schema takes `1` for a float where the tag says so: its pattern
# needs neither a point nor an exponent. What happens: the tag is not resolved, and the value becomes a text.
# Beltline refuses a tag that does not fit how the value is written.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes > /dev/null
npm install --silent yaml@2.8.1 > /dev/null
got=$(node --no-warnings -e 'const it = require("yaml").parseDocument("[!!float 1, !!float 1.0, !!int 1]");
console.log(JSON.stringify(it.toJS()), it.errors.length)')
echo "$got"
[ "$got" = '["1",1,1] 0' ]
