#!/bin/bash
# ruamel.yaml 0.18.16 as YAML 1.2: `1_000` is 1000, `0b101` is 5 and `-0x1F` is -31.
#
# What one expects: three texts. In YAML 1.2's core schema a number has no `_`, there is no base 2, and one of base
# 16 has no sign; YAML 1.1 had all of it. What happens: `yes` and `010` are read as 1.2 reads them, and these three
# as 1.1 did.
# Beltline takes the second and the third for texts, and refuses the first: people mean a number with it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet ruamel.yaml==0.18.16
got=$(venv/bin/python -c 'from ruamel.yaml import YAML
print(YAML(typ="safe", pure=True).load("[1_000, 0b101, -0x1F, yes, 010]"))')
echo "$got"
[ "$got" = "[1000, 5, -31, 'yes', 10]" ]
