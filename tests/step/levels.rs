//! What is wrong with levels is said all at once, each with a hint.

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
fn levels_say_all_that_is_wrong_with_them() {
    let bad = said(
        "levels: [{after: 1m, notify: [a]}, {notify: [b]}, {notify: [c]}], mode: all, link: true, \
         wait: {for: 1h}",
    );
    for part in [
        "the first level is told at once",
        "level 2 of `levels` has no `after`",
        "level 3 of `levels` has no `after`",
        "`mode` belongs to a level",
        "`wait` has both `for` and `next_on_timeout`",
        "hint: ",
    ] {
        assert!(bad.contains(part), "{part}: {bad}");
    }
    assert!(said("levels: []").contains("`levels` is empty"));
    assert!(
        said("once_per: x").contains("nobody is told; hint: `notify: [author]`"),
        "{}",
        said("once_per: x")
    );
    assert!(said("notify: [a], levels: [{notify: [b]}]").contains("make `notify` the first level"));
    let slip = said("levels: [{notifi: [a]}]");
    assert!(slip.contains("notifi") && slip.contains("notify"), "{slip}");
    assert_eq!(said("levels: [{notify: [a]}, {after: 15m, notify: {call: p}}]"), "");
}

#[test]
fn an_alarm_from_before_there_were_levels_is_on_its_first_level() {
    let old = json!({"node": "tell", "once": "x", "since": 1, "notified_at": 5, "by": ["a"], "text": "t",
                     "problem": null});
    let alarm: Alarm = serde_json::from_value(old).unwrap();
    assert_eq!((alarm.level, alarm.level_notified(), alarm.next_level), (0, Some(Timestamp(5)), None));
    assert!(alarm.acknowledged.is_none() && alarm.reached.is_empty());
}
