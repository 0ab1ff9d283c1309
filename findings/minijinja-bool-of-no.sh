#!/bin/bash
# minijinja 3.0.5: `"no"|bool` and `"false"|bool` are true; so is `none is iterable`, and `"x" is odd` is false.
#
# What one expects: Ansible's and Home Assistant's `bool`, in which `"no"` is false, and errors for the other two
# as Jinja2 has them. What happens: `bool` asks whether a value is empty, and the tests of numbers are false for
# what is none. It also writes true, false and none into a text as Python does (`True`, `False`, `None`), from
# version 3 on.
# Beltline has its own `bool`, `odd`, `even`, `iterable` and text of values.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export CARGO_TARGET_DIR="$work/target"
cargo init --quiet --name finding .
cargo add --quiet minijinja@=3.0.5
cat > src/main.rs <<'R'
use minijinja::Environment;
fn main() {
    let all = Environment::new();
    for text in ["'no'|bool", "'false'|bool", "none is iterable", "'x' is odd", "'a' ~ true ~ none"] {
        print!("{} ", all.compile_expression(text).unwrap().eval(()).unwrap());
    }
}
R
got=$(cargo run --quiet)
echo "$got"
[ "$got" = "True True True False aTrueNone " ]
