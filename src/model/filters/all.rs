//! All filters and tests by their names, and the tables of them.

use std::fmt::Write as _;

use crate::model::filters::behind::BEHIND;
use crate::model::filters::codes::CODES;
use crate::model::filters::format::FORMATS;
use crate::model::filters::lists::LISTS;
use crate::model::filters::maps::MAPS;
use crate::model::filters::methods::METHODS;
use crate::model::filters::numbers::NUMBERS;
use crate::model::filters::patterns::PATTERNS;
use crate::model::filters::spec::FilterSpec;
use crate::model::filters::tests::TESTS;
use crate::model::filters::texts::TEXTS;

/// Every filter, those that only methods reach among them.
pub(crate) fn every() -> impl Iterator<Item = &'static FilterSpec> {
    let values = TEXTS.iter().chain(&FORMATS).chain(&NUMBERS).chain(&LISTS).chain(&MAPS);
    values.chain(&CODES).chain(&PATTERNS).chain(&BEHIND)
}

/// The filters that can be written.
pub fn filters() -> impl Iterator<Item = &'static FilterSpec> {
    every().filter(|it| !it.about.is_empty())
}

/// The tests.
pub fn tests() -> impl Iterator<Item = &'static FilterSpec> {
    TESTS.iter()
}

/// The filter of that name, or that only a method reaches.
pub(crate) fn filter(name: &str) -> Option<&'static FilterSpec> {
    every().find(|it| it.is(name))
}

/// The test of that name.
pub(crate) fn test(name: &str) -> Option<&'static FilterSpec> {
    tests().find(|it| it.is(name))
}

/// The filters as a table of the manual, in the order of their names.
pub fn filters_table() -> String {
    table(filters().collect(), "filter")
}

/// The tests as one.
pub fn tests_table() -> String {
    table(tests().collect(), "test")
}

/// The methods, in a sentence.
pub fn methods_list() -> String {
    let names: Vec<String> = METHODS.iter().map(|it| format!("`.{}()`", it.name)).collect();
    format!("{}\n", names.join(", "))
}

fn table(mut rows: Vec<&FilterSpec>, what: &str) -> String {
    rows.sort_by_key(|it| it.name);
    let mut text = format!("| {what} | is | example |\n|---|---|---|\n");
    for spec in rows {
        let takes = spec.takes.replace("; ", ", ").trim_start_matches(", ").replace('|', "\\|");
        let takes = if takes.is_empty() { String::new() } else { format!("({takes})") };
        let also = spec.also.iter().fold(String::new(), |made, it| made + ", `" + it + "`");
        let (written, gives) = spec.example;
        let name = format!("`{}{takes}`{also}", spec.name);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | `{}` → `{}` |",
            name.replace('|', "\\|"),
            spec.about,
            written.replace('|', "\\|"),
            gives.replace('|', "\\|")
        );
    }
    text
}
