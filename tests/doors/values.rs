//! The values that are handed in: whatever people, spreadsheets and programs make of texts and numbers.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::doors::raw::Raw;

/// Texts that are taken for something else by one reader or another.
const ODD: [&str; 44] = [
    "",
    " ",
    "null",
    "true",
    "yes",
    "No",
    "~",
    "3.10",
    "007",
    "1e5",
    "-0",
    "0x1F",
    "1_000",
    ".5",
    "NaN",
    "12:30",
    "2026-01-01",
    "=1+1",
    "-",
    "@file",
    "@",
    "{{v}}",
    "{% raw %}",
    "{{",
    "{#",
    "= v",
    " lead",
    "history ",
    "\ttab\t",
    "\n",
    "a\nb\n",
    "a\r\nb\r\n",
    "\ra\r",
    "\u{feff}mark",
    "in\u{feff}side",
    "a\u{85}b\u{2028}c\u{2029}",
    "\u{a0}x\u{3000}",
    "\u{7f}\u{1b}[0m",
    "a,b;\"c\"",
    "'",
    "\\u0041",
    "%41+%20&v=1",
    "<b>&amp;</b>",
    "👩‍👩‍👧 e\u{301}",
];
/// Names that other languages cannot keep.
const NAMES: [&str; 14] =
    ["", " ", "a", "b", "a.b", "a/b", "__proto__", "constructor", "0", "1", "ключ", "a\nb", "@n", "#text"];

fn texts() -> BoxedStrategy<String> {
    prop_oneof![
        4 => proptest::sample::select(&ODD[..]).prop_map(str::to_owned),
        3 => ".{0,20}",
        2 => "[\\x01-\\x1f\u{7f}-\u{9f} a\u{feff}\u{2028}]{1,8}",
        1 => "[ \ta-z]{0,3}[^\\p{C}]{1,40}[ \t]{0,2}",
    ]
    .boxed()
}

/// Texts, every one of them distinct enough to be one of its own.
pub(super) fn text_values(many: usize) -> Vec<String> {
    let mut all: Vec<String> = ODD.map(str::to_owned).into();
    all.extend(made(&texts(), many.saturating_sub(all.len() + 1)));
    all.push("long, ".repeat(12_000));
    all
}

pub(super) fn numbers() -> BoxedStrategy<String> {
    let edges = [
        "0",
        "-0",
        "1",
        "-1",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "-9223372036854775809",
        "0.1",
        "3.10",
        "1.0",
        "-0.0",
        "1e5",
        "1E+5",
        "1e-7",
        "1e400",
        "-1e400",
        "1e-400",
        "0.1234567890123456789",
        "1e21",
        "123456789012345680000",
        "5e-324",
        "1.7976931348623157e308",
        "52.520006599999997",
        "100.00",
    ];
    prop_oneof![
        3 => proptest::sample::select(edges.to_vec()).prop_map(str::to_owned),
        2 => "-?(0|[1-9][0-9]{0,30})",
        2 => "-?(0|[1-9][0-9]{0,9})\\.[0-9]{1,24}",
        1 => "-?[1-9](\\.[0-9]{1,17})?[eE][+-]?[0-9]{1,3}",
    ]
    .boxed()
}

fn values() -> BoxedStrategy<Raw> {
    let leaf = prop_oneof![
        1 => Just(Raw::Null),
        1 => any::<bool>().prop_map(Raw::Bool),
        5 => numbers().prop_map(Raw::Number),
        6 => texts().prop_map(Raw::Text),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let name =
            prop_oneof![4 => proptest::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => ".{0,6}"];
        prop_oneof![
            1 => vec(inner.clone(), 0..4).prop_map(Raw::List),
            2 => vec((name, inner), 0..4).prop_map(Raw::Map),
        ]
    })
    .boxed()
}

/// Values of every kind. In a few an object has one name twice.
pub(super) fn all_values(many: usize) -> Vec<Raw> {
    let mut all = made(&values(), many);
    all.push(Raw::Text("long, ".repeat(12_000)));
    all.push(Raw::Map(vec![("a".to_owned(), Raw::Null), ("a".to_owned(), Raw::Bool(true))]));
    all
}

/// The same ones in every run.
fn made<T: std::fmt::Debug>(strategy: &BoxedStrategy<T>, many: usize) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..many).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// Whether a door may refuse it: it names one thing twice, or holds what no text may.
pub(super) fn may_be_refused(it: &Raw) -> bool {
    let none = |it: char| it == '\0' || ('\u{fdd0}'..='\u{fdef}').contains(&it);
    it.has_twice() || it.any(&|text| text.contains(none))
}
