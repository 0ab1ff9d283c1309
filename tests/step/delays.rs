//! How long a `delay` rests: moments in several writings, lengths that no one lives to see, and calendars.

use std::collections::HashMap;

use beltline::process::parse::parse;
use serde_json::{Value, json};

use crate::step::bench::Bench;

/// The last line after the task came: where it stands, or the fault.
fn stands(fields: &str, given: &Value) -> String {
    let text = format!(
        "process: p\nnodes:\n  start: {{kind: input, next: nap}}\n  \
         nap: {{kind: delay, {fields}, next: done}}\n  done: {{kind: end}}\n"
    );
    Bench::new(&text, given.clone(), &HashMap::new()).happen("new").join("\n")
}

fn problem(fields: &str) -> String {
    let text = format!(
        "process: p\nnodes:\n  start: {{kind: input, next: nap}}\n  \
         nap: {{kind: delay, {fields}, next: done}}\n  done: {{kind: end}}\n"
    );
    parse(&text).err().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn milliseconds_are_a_fault_that_says_so_and_never_the_year_2970() {
    let second = 1_996_050_800_i64;
    for good in [json!(second), json!(second.to_string()), json!("2033-04-02T10:33:20Z")] {
        let told = stands("until: \"{{t}}\"", &json!({"t": good}));
        assert!(told.contains("waiting, due in") && !told.contains("fault"), "{good}: {told}");
        assert_eq!(told, stands("until: \"= t\"", &json!({"t": second})), "{good}");
    }
    let milliseconds = second * 1_000;
    for bad in [json!(milliseconds), json!(milliseconds.to_string())] {
        let told = stands("until: \"{{t}}\"", &json!({"t": bad}));
        assert!(told.contains("fault lasting bad_value"), "{told}");
        assert!(told.contains("is in milliseconds (2033-04-02T10:33:20Z)"), "{told}");
    }
    let told = stands("until: \"= now * 1000\"", &json!({}));
    assert!(told.contains("fault lasting bad_value") && told.contains("is in milliseconds"), "{told}");
    assert!(stands("until: \"{{t}}\"", &json!({"t": "soon"})).contains("is no moment"));
}

#[test]
fn no_delay_is_longer_than_a_hundred_years() {
    assert_eq!(problem("for: 36525d"), "");
    assert_eq!(problem("for: 100w"), "");
    for literal in ["36526d", "300000d"] {
        let told = problem(&format!("for: {literal}"));
        assert!(told.contains("is at most a hundred years (36525d)") && told.contains("hint: "), "{told}");
    }
    for (computed, fits) in [
        (json!(3_155_760_000_i64), true),
        (json!("36525d"), true),
        (json!(-5), true),
        (json!(3_155_760_001_i64), false),
        (json!("36526d"), false),
        // A moment, where a length belongs: in milliseconds.
        (json!(1_796_050_800_000_i64), false),
        (json!(1e300), false),
    ] {
        let told = stands("for: \"= t\"", &json!({"t": computed}));
        assert_eq!(!told.contains("fault lasting bad_value"), fits, "{computed}: {told}");
        assert!(fits || told.contains("a hundred years"), "{computed}: {told}");
    }
}

#[test]
fn a_delay_that_never_ends_is_told_at_check_as_a_schedule_is() {
    for (cron, says) in [
        ("0 0 30 2 *", "this never comes"),
        ("*/90 * * * *", "`*/90` never takes its step"),
        ("1,,2 * * * *", "`1,,2` has an empty piece"),
        ("0 0 0 1 1 * 2020", "this never comes"),
    ] {
        let told = problem(&format!("cron: \"{cron}\""));
        assert!(told.contains(says) && told.contains("hint: "), "{cron}: {told}");
    }
    assert!(problem("cron: \"0 9 * * *\", zone: Europe/Rigga").contains("no time zone `Europe/Rigga`"));
    assert_eq!(problem("cron: \"0 3,15 * * *\", zone: Europe/Riga"), "");
}
