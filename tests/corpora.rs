//! Bad input that no one here wrote: JSON is YAML, so a suite of JSON texts is a suite for our reader too.

use std::path::PathBuf;

use beltline::process::parse::parse;
use beltline::process::problem::render;
use beltline::process::yaml;

/// The texts of a folder of the corpora, with their names; none, and a loud word, if they are not there.
pub(crate) fn texts(folder: &str) -> Vec<(String, String)> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let root = std::env::var_os("BELTLINE_CORPORA").map_or_else(beside, PathBuf::from);
    let Ok(files) = std::fs::read_dir(root.join(folder)) else {
        eprintln!("SKIPPED: no corpora at {}; set BELTLINE_CORPORA", root.display());
        return Vec::new();
    };
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).expect("a file that was listed can be read");
        (
            path.file_name().unwrap_or_default().display().to_string(),
            String::from_utf8_lossy(&bytes).into_owned(),
        )
    };
    files.filter_map(|file| Some(read(file.ok()?.path()))).collect()
}

#[test]
fn json_is_read_as_it_is_and_never_panics() {
    // JSON, and still not what may stand in a file or be meant in one: a key twice, control characters and
    // noncharacters, a zero below zero.
    let refused =
        ["duplicated_key", "nonchar", "null_escape", "escaped_null", "_del", "minus_zero", "negative_zero"];
    for (name, text) in texts("json-test-suite/test_parsing") {
        let (tree, problems) = yaml::read(&text);
        render(&problems, &text, true);
        let good = name.starts_with("y_") && !refused.iter().any(|it| name.to_lowercase().contains(it));
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(value) if good => {
                assert!(problems.is_empty(), "{name}: {problems:?}");
                assert_eq!(tree.map(|it| it.to_value()), Some(value), "{name}");
            }
            _ => {}
        }
        for text in [text.clone(), format!("process: p\nnodes:\n  a: {text}\n"), format!("process: {text}")] {
            let problems = parse(&text).expect_err("no corpus holds a process");
            assert!(!problems.is_empty(), "{name}");
            render(&problems, &text, false);
        }
    }
}

#[test]
fn naughty_strings_are_kept_as_they_are() {
    for (_, text) in texts("naughty-strings").into_iter().filter(|(name, _)| name == "blns.json") {
        let strings: Vec<String> = serde_json::from_str(&text).expect("the list is JSON");
        for string in strings {
            let quoted = serde_json::to_string(&string).expect("a string is JSON");
            let source = format!("process: p\nabout: {quoted}\nnodes: {{a: {quoted}}}\n");
            let about = yaml::read(&source).0.and_then(|tree| Some(tree.get("about")?.to_value()));
            if let Some(about) = about.filter(|_| yaml::read(&source).1.is_empty()) {
                assert_eq!(about, serde_json::Value::String(string));
            }
            render(&parse(&source).expect_err("`a` is no node"), &source, true);
        }
    }
}
