//! What is read of YAML, and what is told of it.

use crate::model::tree::{Branch, Spot, Tree};
use crate::process::problem::render;
use crate::process::yaml::{FILE_BYTES_MAX, read};

fn shown(source: &str) -> String {
    render(&read(source).1, source, false)
}

#[test]
fn every_part_knows_where_it_stood() {
    let source =
        "a: 1\nlist: [x, 'y z', \"w\"]\nempty:\nmap:\n  ключ: {b: ~}\n  block: |\n    two\n    lines\n";
    let tree = read(source).0.unwrap();
    let mut all = Vec::new();
    walk(&tree, source, &mut all);
    insta::assert_snapshot!(all.join("\n"));
}

fn walk(tree: &Tree, source: &str, all: &mut Vec<String>) {
    let Spot { line, column, start, end } = tree.spot;
    all.push(format!("{line}:{column} {:?} {}", &source[start..end], tree.to_value()));
    if let Branch::List(items) = &tree.branch {
        for item in items {
            walk(item, source, all);
        }
    }
    for (key, value) in tree.entries() {
        all.push(format!(
            "{}:{} key {:?}",
            key.spot.line,
            key.spot.column,
            &source[key.spot.start..key.spot.end]
        ));
        walk(value, source, all);
    }
}

#[test]
fn what_trips_people_is_told() {
    let texts = [
        "a: 1\nb: 2\na: 3\nb: {c: 1, c: 2}\n",
        "code: 007\nsize: 1_000\nphone: +37120000000\nlong: 123456789012345678901\nnot: .nan\n",
        "url: {{x}}\nnext: [{{ y }}, z]\n",
        "a: 1\nurl: {{host}}/path\nb: 2\n",
        "- {{a}} and {{b}}\n",
        "a:\n\tb: 1\n",
        "a: 1\n---\nb: 2\n",
        "true: 1\n~: 2\n[a]: 3\n31281: 4\n",
        "a: \u{0}\n",
        "a: \"\\0\"\n",
        "a: b: c\n",
        "a: 'x\nb: 1\n",
        "a: [1, 2\nb: 1\n",
        "a:\n    b: 1\n  c: 2\n",
        "a: *x\n",
        "a: !env HOME\n",
        "a: \"\\d+\"\n",
        "a: &x [*x]\n",
        "<<: 3\n",
        "a\nb: 1",
        "a: @home\n",
        "a: %x\n",
        "a: }\n",
    ];
    let all: Vec<String> = texts.iter().map(|text| shown(text)).collect();
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn what_is_odd_but_clear_is_read() {
    let read = |text: &str| {
        let (tree, problems) = read(text);
        assert_eq!(problems, [], "{text}");
        tree.map_or(serde_json::Value::Null, |tree| tree.to_value()).to_string()
    };
    assert_eq!(read("\u{FEFF}a: 1\r\nb: yes\r\n"), r#"{"a":1,"b":"yes"}"#);
    assert_eq!(
        read("base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\n"),
        r#"{"base":{"x":1,"y":2},"more":{"y":3,"x":1}}"#
    );
    assert_eq!(read("--- # one\na: !!str 12\n...\n"), r#"{"a":"12"}"#);
    assert_eq!(read("a:\tb\n12: \"007\"\n"), r#"{"a":"b","12":"007"}"#);
    assert_eq!(read("# nothing\n"), "null");
}

#[test]
fn no_bomb_goes_off() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for pair in "abcdefghij".as_bytes().windows(2) {
        let (old, new) = (char::from(pair[0]), char::from(pair[1]));
        let list = vec![format!("*{old}"); 10].join(", ");
        bomb = format!("{bomb}{new}: &{new} [{list}]\n");
    }
    for (what, text) in [
        ("aliases", bomb),
        ("depth", "[".repeat(100_000)),
        ("depth of maps", "{a: ".repeat(5_000)),
        ("depth of blocks", "- ".repeat(5_000)),
        ("size", "a".repeat(FILE_BYTES_MAX + 1)),
        ("placeholders", "{".repeat(10_000)),
    ] {
        let (_, problems) = read(&text);
        assert_eq!(problems.len(), 1, "{what}: {problems:?}");
    }
    let long = format!("[{}]", vec!["01"; 300_000].join(","));
    assert!(read(&long).1.len() > 10);
}

#[test]
fn no_text_makes_it_panic() {
    proptest::proptest!(|(text in "[ -~\n\t]{0,60}")| {
        let problems = read(&text).1;
        render(&problems, &text, true);
    });
    proptest::proptest!(|(text in "([a:\\[\\]{}&*!|>'\"#%@,\\-? \n\t\u{e9}\u{1F600}]|: |- ){0,40}")| {
        let problems = read(&text).1;
        render(&problems, &text, true);
    });
}
