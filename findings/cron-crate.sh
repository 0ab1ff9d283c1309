#!/bin/bash
# cron 0.15.0 (Rust) refuses the five fields of crontab, takes weekday 1 for Sunday, and skips a day in spring and runs twice
# in an autumn night.
#
# A good memory says: a crate called `cron` reads what stands in a crontab, where 1 is Monday, and a daily run is daily.
# Here: five fields are an error, `1` is Sunday, and `30 3` in Riga has no run on the day whose clocks leave it out, and two
# on the day that has it twice.
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
cron = "=0.15.0"
chrono = "=0.4.45"
chrono-tz = "=0.10.4"
[workspace]
TOML
cat > "$DIR/src/main.rs" <<'RUST'
use std::str::FromStr;

use chrono::TimeZone;
use chrono_tz::Europe::Riga;
use cron::Schedule;

fn runs(cron: &str, (year, month, day, hour): (i32, u32, u32, u32), many: usize) -> String {
    let schedule = Schedule::from_str(cron).unwrap();
    let from = Riga.with_ymd_and_hms(year, month, day, hour, 0, 0).unwrap();
    let runs = schedule.after(&from).take(many);
    runs.map(|at| at.format("%a %d %H:%M%:z").to_string()).collect::<Vec<_>>().join(", ")
}

fn main() {
    println!("five fields: {}", Schedule::from_str("0 9 * * 1").map_or("refused", |_| "read"));
    println!("weekday 1: {}", runs("0 0 9 * * 1", (2026, 11, 23, 0), 1));
    println!("spring: {}", runs("0 30 3 * * *", (2026, 3, 28, 12), 2));
    println!("autumn: {}", runs("0 30 3 * * *", (2026, 10, 24, 12), 3));
}
RUST
FOUND=$(cd "$DIR" && cargo run -q 2>&1)
echo "$FOUND"
WANTED='five fields: refused
weekday 1: Sun 29 09:00+02:00
spring: Mon 30 03:30+03:00, Tue 31 03:30+03:00
autumn: Sun 25 03:30+03:00, Sun 25 03:30+02:00, Mon 26 03:30+02:00'
[ "$FOUND" = "$WANTED" ] && echo "AS FOUND" || { echo "OTHERWISE: it was"; echo "$WANTED"; exit 1; }
