#!/bin/bash
# regex 1.13.1 (Rust): a clone of a `Regex` begins with empty caches, and filling them costs what the expression is large.
#
# What one expects: `Regex` is an `Arc` within, so a clone is free and as warm as the first. What happens: each clone
# has a pool of its own, and the first search of each makes a cache anew. Who keeps compiled expressions in a map and
# hands out clones pays for it at every search: with `(\w{1,8}|x){1,3}$` on five thousand texts of four letters a
# test of Beltline took 29 s, and 0.16 s with an `Arc<Regex>`.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export CARGO_TARGET_DIR="$work/target"
cargo init --quiet --name finding .
cargo add --quiet regex@=1.13.1
cat > src/main.rs <<'R'
use std::time::Instant;
use regex::RegexBuilder;
fn main() {
    let regex = RegexBuilder::new(r"(\w{1,8}|x){1,3}$").size_limit(4 << 20).build().unwrap();
    let start = Instant::now();
    (0..300).for_each(|_| assert!(regex.is_match("abcd")));
    let shared = start.elapsed();
    let start = Instant::now();
    (0..300).for_each(|_| assert!(regex.clone().is_match("abcd")));
    let cloned = start.elapsed();
    println!("shared {shared:?}, cloned {cloned:?}");
    assert!(cloned > shared * 5);
}
R
cargo run --quiet --release
