//! The switches that break promises are not in a release: each line that speaks of them stands under
//! `#[cfg(debug_assertions)]`.

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn a_release_has_no_switch_that_breaks_a_promise() {
    let mut all = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    let (mut uses, mut wrong, mut readers) = (0, Vec::new(), Vec::new());
    for path in all {
        let text = fs::read_to_string(&path).unwrap();
        if text.contains("BELTLINE_BREAK") {
            readers.push(path.clone());
        }
        // These are left out whole, by the lists of their folders.
        if path.ends_with("engine/broken.rs") || path.ends_with("store/broken.rs") {
            continue;
        }
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            if ["mod broken;", "::broken::", "is_broken("].iter().any(|it| line.contains(it)) {
                uses += 1;
                if number == 0 || lines[number - 1] != "#[cfg(debug_assertions)]" {
                    wrong.push(format!("{}:{}: {line}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(uses > 3, "only {uses} lines were found");
    assert!(wrong.is_empty(), "in a release too:\n{}", wrong.join("\n"));
    assert!(readers.len() == 1 && readers[0].ends_with("engine/broken.rs"), "read in {readers:?}");
}
