#!/bin/bash
# handlebars 6.4.4 (Rust) takes `{}` for false in `#if`; handlebars.js takes it for true.
#
# What one expects: the same. What happens: the Rust crate asks whether a value is empty, handlebars.js whether it
# is false, and of what is empty only a list and a text are so there. `#with {}` and `#with 0` differ as well: the
# crate takes the `else`, handlebars.js the block.
# Beltline gives `#if` true and false alone, so that `#if {}` is handlebars.js's; `#with` is the crate's.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export CARGO_TARGET_DIR="$work/target"
cargo init --quiet --name finding .
cargo add --quiet handlebars@=6.4.4 serde_json@=1.0.154
cat > src/main.rs <<'R'
use handlebars::Handlebars;
use serde_json::json;
fn main() {
    let all = Handlebars::new();
    let fill = |text: &str| all.render_template(text, &json!({"map": {}, "zero": 0})).unwrap();
    println!("{} {}", fill("{{#if map}}true{{else}}false{{/if}}"), fill("{{#with zero}}block{{else}}else{{/with}}"));
}
R
got=$(cargo run --quiet)
echo "#if {}, #with 0: $got"
[ "$got" = "false else" ]
