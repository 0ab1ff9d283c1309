//! Expressions and texts against the engines they look like: `tests/language/` holds what Jinja2 3.1.6 and
//! handlebars.js 4.7.10 made of each, and what we make of it. Where the two differ, the row names a kind of
//! difference that the manual gives the reason of.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::model::example::view;
use crate::model::expr::Expr;
use crate::model::fault::Fault;
use crate::model::filters::all;
use crate::model::filters::spec::FilterSpec;
use crate::model::mistake::Mistake;
use crate::model::scope::EvalContext;
use crate::model::text::StringTemplate;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/language/");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/manual/differences.md");

fn made(done: Result<Result<Value, Fault>, Mistake>) -> Value {
    match done {
        Ok(Ok(value)) => json!({ "is": value }),
        Ok(Err(fault)) => json!({"fault": fault.code, "message": fault.message}),
        Err(mistake) => json!({ "problem": mistake.to_string() }),
    }
}

/// The kinds of difference that the manual has a reason for, in the table of that name.
fn reasons(table: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(PAGE).unwrap();
    let start = text.find(table).unwrap_or_else(|| panic!("the manual has no {table}"));
    let lines = text[start..].lines().skip_while(|it| !it.starts_with("|---"));
    let rows = lines.skip(1).take_while(|it| it.starts_with('|'));
    rows.map(|it| it.split('|').nth(1).unwrap().trim().to_owned()).collect()
}

/// Walks the rows of a file: each is worked out, and is as it is written there.
fn walk(file: &str, theirs: &str, reasons: &BTreeSet<String>, work: impl Fn(&str, &EvalContext) -> Value) {
    let path = format!("{FOLDER}{file}");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines = text.lines();
    let head: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    let view = view(head["params"].clone());
    let (mut wrong, mut kinds, mut written) = (Vec::new(), BTreeSet::new(), vec![head.to_string()]);
    for line in lines {
        let mut row: Map<String, Value> = serde_json::from_str(line).unwrap();
        let source = row["of"].as_str().unwrap().to_owned();
        let ours = work(&source, &view);
        if row.get("ours") != Some(&ours) {
            wrong.push(format!("{source}: {ours}, and not {}", row.get("ours").unwrap_or(&Value::Null)));
        }
        let is_same = match (ours.get("is"), row[theirs].get("is")) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, None) => true,
            _ => false,
        };
        match row.get("differs").and_then(Value::as_str) {
            None if is_same => {}
            Some(kind) if !is_same && reasons.contains(kind) => {
                kinds.insert(kind.to_owned());
            }
            kind => wrong.push(format!("{source}: is {is_same} the same, and the kind is {kind:?}")),
        }
        row.insert("ours".to_owned(), ours);
        written.push(Value::from(row).to_string());
    }
    wrong.extend(reasons.difference(&kinds).map(|it| format!("no row differs by `{it}`")));
    if std::env::var_os("BELTLINE_WRITE").is_some() {
        std::fs::write(&path, written.join("\n") + "\n").unwrap();
    }
    assert!(wrong.is_empty(), "{} of {file}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn expressions_are_jinjas_but_for_what_the_manual_says() {
    walk("expressions.jsonl", "jinja", &reasons("## Where expressions differ from Jinja2"), |text, view| {
        made(Expr::parse(text).map(|it| it.eval(view)))
    });
}

#[test]
fn texts_are_handlebars_but_for_what_the_manual_says() {
    walk(
        "templates.jsonl",
        "handlebars",
        &reasons("## Where texts differ from handlebars.js"),
        |text, view| made(StringTemplate::parse(text).map(|it| it.fill(view).map(Value::from))),
    );
}

#[test]
fn every_filter_and_test_gives_what_its_example_says() {
    let view = view(json!({"region": "eu"}));
    let both = all::filters().map(|it| (it, "|")).chain(all::tests().map(|it| (it, "is")));
    let rows: Vec<(&FilterSpec, &str)> = both.collect();
    assert!(rows.len() > 90, "{}", rows.len());
    for (spec, sign) in rows {
        let (text, gives) = spec.example;
        let is_there =
            text.contains(&format!("{sign} {}", spec.name)) || text.contains(&format!("|{}", spec.name));
        assert!(
            is_there || spec.also.iter().any(|it| text.contains(it)),
            "`{}` is not in `{text}`",
            spec.name
        );
        let value = Expr::parse(text).unwrap_or_else(|it| panic!("{text}: {it}")).eval(&view);
        let value = value.unwrap_or_else(|it| panic!("{text}: {}", it.message));
        assert_eq!(value, serde_json::from_str::<Value>(gives).unwrap(), "{text}");
        for name in spec.also.iter().filter(|it| it.chars().all(char::is_alphanumeric)) {
            let text = text.replace(&format!("{sign}{}", spec.name), &format!("{sign}{name}"));
            Expr::parse(&text).unwrap_or_else(|it| panic!("{text}: {it}"));
        }
    }
}

#[test]
fn a_name_stands_for_one_filter_and_one_test() {
    for specs in [all::every().collect::<Vec<&FilterSpec>>(), all::tests().collect()] {
        let mut names = BTreeSet::new();
        for name in specs.iter().flat_map(|it| std::iter::once(&it.name).chain(it.also)) {
            assert!(names.insert(*name), "`{name}` stands twice");
        }
    }
}
