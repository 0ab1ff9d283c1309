//! Bad input: our own, and what others wrote where there is a folder of it (`BELTLINE_CORPORA`). JSON is
//! YAML, so a suite of JSON texts is a suite for our reader too.

use std::path::PathBuf;

use beltline::process::parse::parse;
use beltline::process::problem::render;
use beltline::process::yaml;

/// Our own, each on a line of a JSON list.
const NAUGHTY: &str = include_str!("naughty.json");

/// JSON texts of our own: those whose names begin with `y_` are good.
const JSON: [(&str, &str); 40] = [
    ("y_empty_map", "{}"),
    ("y_empty_list", "[]"),
    ("y_null", "null"),
    ("y_bools", "[true, false]"),
    ("y_numbers", "[0, -1, 12, 0.5, -2.25, 1.0e3, 1E+2, 5e-1]"),
    ("y_largest_whole", "[9223372036854775807, -9223372036854775808, 18446744073709551615]"),
    ("y_text", "\"a\""),
    ("y_text_of_a_number", "[\"1\", \"007\", \"null\", \"true\", \"\"]"),
    ("y_escapes", r#"["\"\\\/\b\f\n\r\t"]"#),
    ("y_unicode_escape", r#"["\u00e4\u20ac"]"#),
    ("y_surrogate_pair", r#"["\ud83d\ude00"]"#),
    ("y_plain_unicode", "[\"ä界🇱🇻\"]"),
    ("y_deep", "[[[[[[[[[[1]]]]]]]]]]"),
    ("y_map_in_map", r#"{"a": {"b": {"c": [1, {"d": null}]}}}"#),
    ("y_signs_in_keys", r##"{"a: b": 1, "#": 2, "- c": 3, "{{x}}": 4, "": 5}"##),
    ("y_spaces", " [ 1 , 2 ] "),
    ("y_lines", "{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}\n"),
    ("n_open_list", "[1, 2"),
    ("n_open_map", "{\"a\": 1"),
    ("n_open_text", "[\"a"),
    ("n_closed_twice", "[1]]"),
    ("n_wrong_end", "[1}"),
    ("n_lone_quote", "\""),
    ("n_bad_escape", r#"["\x"]"#),
    ("n_half_escape", r#"["\u00"]"#),
    ("n_lone_surrogate", r#"["\ud800"]"#),
    ("n_zero_byte", "[\"a\0b\"]"),
    ("n_control", "[\"a\u{1}b\"]"),
    ("n_two", "1 2"),
    ("n_commas", "[,]"),
    ("n_comma_first", "[,1]"),
    ("n_colon", "{:}"),
    ("n_key_twice", r#"{"a": 1, "a": 2}"#),
    ("n_tag", "!!x [1]"),
    ("n_alias", "[*a]"),
    ("n_anchors", "[&a [1], *a]"),
    ("n_many_documents", "--- 1\n--- 2"),
    ("n_byte_order", "\u{feff}[1]"),
    ("n_nothing", ""),
    ("n_tabs", "\t{\t\"a\"\t:\t1}"),
];

/// Texts that break programs.
pub(crate) fn naughty_strings() -> Vec<String> {
    let outside = texts("naughty-strings").into_iter().filter(|(name, _)| name == "blns.json");
    let lists = std::iter::once(NAUGHTY.to_owned()).chain(outside.map(|(_, text)| text));
    lists.flat_map(|it| serde_json::from_str::<Vec<String>>(&it).expect("the list is JSON")).collect()
}

/// The texts of a folder of the corpora, with their names; none if they are not there.
fn texts(folder: &str) -> Vec<(String, String)> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let root = std::env::var_os("BELTLINE_CORPORA").map_or_else(beside, PathBuf::from);
    let Ok(files) = std::fs::read_dir(root.join(folder)) else { return Vec::new() };
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
    // noncharacters, a zero below zero, what may be an id and no number (`20e1`).
    let refused =
        ["duplicated_key", "nonchar", "null_escape", "escaped_null", "_del", "minus_zero", "negative_zero"];
    let refused = [&refused[..], &["y_number.json", "_0e1", "int_with_exp", "real_exponent"]].concat();
    let own = JSON.map(|(name, text)| (name.to_owned(), text.to_owned()));
    for (name, text) in own.into_iter().chain(texts("json-test-suite/test_parsing")) {
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
    for string in naughty_strings() {
        let quoted = serde_json::to_string(&string).expect("a string is JSON");
        let source = format!("process: p\nabout: {quoted}\nnodes: {{a: {quoted}}}\n");
        let about = yaml::read(&source).0.and_then(|tree| Some(tree.get("about")?.to_value()));
        if let Some(about) = about.filter(|_| yaml::read(&source).1.is_empty()) {
            assert_eq!(about, serde_json::Value::String(string));
        }
        render(&parse(&source).expect_err("`a` is no node"), &source, true);
    }
}
