#!/bin/bash
# notify 8.2.1 (inotify) goes deaf without a word when the folder it watches is made anew, or is a link that is put
# on another folder.
#
# A good memory says: I watch a path, so I hear what happens at that path. Here: what is watched is the folder
# that the path led to. Removed and made anew (`git checkout`, `rsync --delete`) it is another one, and a link
# that is swapped (releases, mounted configuration) says nothing at all; no error comes, ever.
#
# Needs: cargo, Linux. Prints what was found, and `AS FOUND` if it is still so.
set -euo pipefail
DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT
mkdir "$DIR/src"
cat > "$DIR/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"
[dependencies]
notify = "=8.2.1"
[workspace]
TOML
cat > "$DIR/src/main.rs" <<'RUST'
use std::{fs, os::unix::fs::symlink, path::Path, sync::mpsc, time::Duration};

use notify::{RecursiveMode, Watcher};

/// What is heard of a write in the folder after `change`: nothing is there for two seconds otherwise.
fn heard(base: &Path, change: impl Fn()) -> &'static str {
    let (send, events) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        send.send(event.is_err()).unwrap();
    })
    .unwrap();
    watcher.watch(&base.join("now"), RecursiveMode::NonRecursive).unwrap();
    change();
    while events.recv_timeout(Duration::from_secs(2)).is_ok() {}
    fs::write(base.join("now/a.yaml"), "later").unwrap();
    match events.recv_timeout(Duration::from_secs(2)) {
        Ok(false) => "heard",
        Ok(true) => "an error",
        Err(_) => "nothing",
    }
}

fn main() {
    let base = std::env::current_dir().unwrap().join("base");
    for folder in ["1", "2"] {
        fs::create_dir_all(base.join(folder)).unwrap();
    }
    symlink("1", base.join("now")).unwrap();
    println!("nothing changed: {}", heard(&base, || ()));
    println!("made anew: {}", heard(&base, || {
        fs::remove_dir_all(base.join("1")).unwrap();
        fs::create_dir(base.join("1")).unwrap();
    }));
    println!("link swapped: {}", heard(&base, || {
        symlink("2", base.join("next")).unwrap();
        fs::rename(base.join("next"), base.join("now")).unwrap();
    }));
}
RUST
FOUND=$(cd "$DIR" && cargo run -q 2>&1)
echo "$FOUND"
WANTED='nothing changed: heard
made anew: nothing
link swapped: nothing'
[ "$FOUND" = "$WANTED" ] && echo "AS FOUND" || { echo "OTHERWISE: it was"; echo "$WANTED"; exit 1; }
