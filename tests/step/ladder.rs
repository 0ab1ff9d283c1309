//! What is wrong with a ladder is said all at once, each with a hint.

use beltline::model::task::Alarm;
use beltline::model::time::Timestamp;
use beltline::process::parse::parse;
use serde_json::json;

/// What is said of an escalation with these fields.
fn said(fields: &str) -> String {
    let text = format!(
        "process: p\nnodes:\n  start: {{kind: input, next: tell}}\n  \
         tell: {{kind: escalation, message: help, {fields}, next: done}}\n  done: {{kind: end}}\n"
    );
    let problems = parse(&text).err().unwrap_or_default();
    let whole = |it: &beltline::process::problem::FileProblem| {
        format!("{}; hint: {}", it.message, it.hint.clone().unwrap_or_default())
    };
    problems.iter().map(whole).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_ladder_says_all_that_is_wrong_with_it() {
    let bad = said(
        "ladder: [{after: 1m, notify: [a]}, {notify: [b]}, {notify: [c]}], mode: all, link: true, \
         wait: {for: 1h}",
    );
    for part in [
        "the first rung is told at once",
        "rung 2 of the `ladder` has no `after`",
        "rung 3 of the `ladder` has no `after`",
        "`mode` belongs to a rung",
        "`wait` has both `for` and `next_on_timeout`",
        "hint: ",
    ] {
        assert!(bad.contains(part), "{part}: {bad}");
    }
    assert!(said("ladder: []").contains("the `ladder` has no rungs"));
    assert!(
        said("once_per: x").contains("nobody is told; hint: `notify: [author]`"),
        "{}",
        said("once_per: x")
    );
    assert!(said("notify: [a], ladder: [{notify: [b]}]").contains("make `notify` the first rung"));
    let slip = said("ladder: [{notifi: [a]}]");
    assert!(slip.contains("notifi") && slip.contains("notify"), "{slip}");
    assert_eq!(said("ladder: [{notify: [a]}, {after: 15m, notify: {call: p}}]"), "");
}

#[test]
fn an_alarm_from_before_there_were_ladders_is_on_its_first_rung() {
    let old = json!({"node": "tell", "once": "x", "since": 1, "told": 5, "by": ["a"], "text": "t",
                     "trouble": null});
    let alarm: Alarm = serde_json::from_value(old).unwrap();
    assert_eq!((alarm.rung, alarm.level_notified(), alarm.climbing), (0, Some(Timestamp(5)), None));
    assert!(alarm.acknowledged.is_none() && alarm.reached.is_empty());
}
