#!/bin/bash
# jiff 0.2.43 with `tzdb-bundle-always` reads the machine's time zones all the same, also if its own are newer.
#
# A good memory says: the table that is built in is there to be used. Here: `TimeZone::get` asks
# `/usr/share/zoneinfo` first and the built-in table only for what is not there. A machine with tables of 2025b
# has Vancouver at -08:00 in December 2026, and the binary that carries 2026e says so too. A folder as `TZDIR`
# shows it without waiting for such a machine: its Vancouver never changes its clocks.
#
# Needs: cargo, python3. Prints what was found, and `AS FOUND` if it is still so.
set -euo pipefail
DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT
mkdir -p "$DIR/src" "$DIR/zones/America"
python3 - "$DIR/zones/America/Vancouver" <<'PY'
import struct, sys
head = lambda: b"TZif2" + bytes(15) + struct.pack(">6I", 0, 0, 0, 0, 1, 4)
kind = struct.pack(">i", -12 * 3600) + bytes([0, 0]) + b"OLD\0"
open(sys.argv[1], "wb").write(head() + kind + head() + kind + b"\nOLD12\n")
PY
cat > "$DIR/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"
[dependencies]
jiff = { version = "=0.2.43", features = ["tzdb-bundle-always"] }
[workspace]
TOML
cat > "$DIR/src/main.rs" <<'RUST'
use jiff::{Timestamp, tz::{TimeZone, TimeZoneDatabase}};

fn main() {
    let december: Timestamp = "2026-12-01T12:00Z".parse().unwrap();
    let told = |zone: TimeZone| zone.to_offset(december).to_string();
    println!("TimeZone::get: {}", told(TimeZone::get("America/Vancouver").unwrap()));
    println!("bundled: {}", told(TimeZoneDatabase::bundled().get("America/Vancouver").unwrap()));
}
RUST
(cd "$DIR" && cargo build -q 2>&1)
FOUND=$(TZDIR="$DIR/zones" "$DIR/target/debug/finding")
echo "$FOUND"
case "$FOUND" in
    "TimeZone::get: -12"*"bundled: -0"*) echo "AS FOUND" ;;
    *) echo "OTHERWISE: TimeZone::get had -12, of the machine's table"; exit 1 ;;
esac
