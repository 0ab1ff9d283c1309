#!/bin/bash
# croner 4.0.3 (Rust) takes cron expressions for something else than they say, tells some of them in words
# that are not true, and calls a time fixed only if minute and hour are single numbers.
#
# A good memory says: a parser refuses what it does not understand, and "fixed time" is what has no `*`.
# Here: an empty piece is left out, a step longer than its field is taken (and told as "every 90 minutes" while
# it runs hourly), names are put in for numbers in every field (`MON` is the minute 1), `LW` is told as `L`, and
# `0 3,15 * * *` in Riga loses three o'clock in spring and runs it twice in autumn.
#
# Needs: cargo. Prints what was found, and `AS FOUND` if it is still so.
set -euo pipefail
DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT
mkdir "$DIR/src"
cat > "$DIR/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"
[dependencies]
croner = { version = "=4.0.3", default-features = false, features = ["jiff"] }
jiff = "=0.2.43"
[workspace]
TOML
cat > "$DIR/src/main.rs" <<'RUST'
use croner::Cron;
use jiff::Zoned;

fn runs(cron: &str, from: &str, many: usize) -> String {
    let cron: Cron = cron.parse().unwrap();
    let at: Zoned = from.parse().unwrap();
    cron.iter_after(at).take(many).map(|it| it.strftime("%d %H:%M%:z").to_string()).collect::<Vec<_>>().join(", ")
}

fn main() {
    for text in ["1,,2 * * * *", "*/90 * * * *", "*/45 * * * *", "MON 9 * * *", "0 0 LW * *"] {
        match text.parse::<Cron>() {
            Ok(cron) => println!("`{text}`: {}", cron.describe()),
            Err(error) => println!("`{text}` is refused: {error}"),
        }
    }
    println!("spring: {}", runs("0 3,15 * * *", "2026-03-28T16:00[Europe/Riga]", 2));
    println!("autumn: {}", runs("0 3,15 * * *", "2026-10-24T16:00[Europe/Riga]", 3));
}
RUST
FOUND=$(cd "$DIR" && cargo run -q 2>&1)
echo "$FOUND"
WANTED='`1,,2 * * * *`: At minute 1 and 2 past every hour.
`*/90 * * * *`: At every 90 minutes.
`*/45 * * * *`: At every 45 minutes.
`MON 9 * * *`: At 09:01.
`0 0 LW * *`: At 00:00, on the last day of the month.
spring: 29 15:00+03:00, 30 03:00+03:00
autumn: 25 03:00+03:00, 25 03:00+02:00, 25 15:00+02:00'
[ "$FOUND" = "$WANTED" ] && echo "AS FOUND" || { echo "OTHERWISE: it was"; echo "$WANTED"; exit 1; }
