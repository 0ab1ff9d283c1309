//! A task and its history as a person reads them.

use serde_json::Value;

use crate::cli::moment::{far, local, of_day};
use crate::cli::out::{Look, Output, one_line, shown, text};
use crate::model::time::Timestamp;

/// Longer values are cut in a list; `get` gives them whole.
const VALUE_CHARS_MAX: usize = 100;

/// A task: where it stands, what is wrong with it, what it carries.
pub fn task(task: &Value, out: &Output, now: Timestamp) -> Vec<String> {
    let state = text(task, "state");
    let name = format!("{}/{}", text(task, "process"), one_line(text(task, "ref")));
    let mut lines = vec![format!(
        "{}  {} at {}",
        out.paint(Look::Bold, &name),
        out.paint(Look::of_state(state), state),
        node(task)
    )];
    let mut line = |label: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("{}  {text}", out.paint(Look::Dim, &format!("{label:>8}"))));
        }
    };
    line("id", format!("{}  revision {}", text(task, "id"), task["revision"]));
    line("created", format!("{}  ({})", local(task.get("created_at")), far(task.get("created_at"), now)));
    line("since", far(task.get("since"), now));
    let is_over = matches!(state, "done" | "failed" | "cancelled");
    line(if is_over { "kept" } else { "due" }, far(task.get("due"), now));
    line("each", each(task.get("each")));
    for expiry in task.get("expiries").and_then(Value::as_array).into_iter().flatten() {
        line("dies", dies(expiry, out, now));
    }
    line("waits", text(task, "waits_for").to_owned());
    line("fault", fault(task.get("fault")));
    line("alarm", alarm(task.get("alarm"), now));
    line("link", one_line(text(task, "link")));
    line("result", task.get("result").map(shown).unwrap_or_default());
    for (name, value) in task.get("params").and_then(Value::as_object).into_iter().flatten() {
        lines.push(format!("{:>8}  {} = {}", "", out.paint(Look::Dim, name), short(value)));
    }
    lines
}

/// When the value of a param dies: `access_token in 35m, at 12:00; wake a person by 11:50`.
fn dies(expiry: &Value, out: &Output, now: Timestamp) -> String {
    let (dead, urgent) = (expiry["dead"] == true, expiry["urgent"] == true);
    let look = if dead {
        Look::Bad
    } else if urgent {
        Look::Warn
    } else {
        Look::Good
    };
    let verb = if dead { "died " } else { "" };
    let far = out.paint(look, &format!("{verb}{}", far(expiry.get("expires_at"), now)));
    let (at, by) = (local(expiry.get("expires_at")), local(expiry.get("warn_at")));
    format!("{} {far}, at {at}; wake a person by {by}", text(expiry, "param"))
}

/// How far the calls of an `each` are.
fn each(each: Option<&Value>) -> String {
    let Some(each) = each.filter(|it| it.is_object()) else { return String::new() };
    let number = |name: &str| each.get(name).and_then(Value::as_u64).unwrap_or_default();
    let failed = match number("failed") {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    format!("{} of {} calls done{failed}", number("done"), number("of"))
}

fn node(task: &Value) -> String {
    let (node, title) = (text(task, "node"), text(task, "title"));
    if title.is_empty() || title == node { node.to_owned() } else { format!("{node} ({})", one_line(title)) }
}

/// One line of a history: when, where, what happened, where to, what changed.
pub fn event(event: &Value, out: &Output) -> String {
    event_at(event, &of_day(event.get("at")), out)
}

/// The same, with another word for when it was.
pub fn event_at(event: &Value, when: &str, out: &Output) -> String {
    let mut parts = vec![
        out.paint(Look::Dim, when),
        out.paint(Look::Bold, text(event, "node")),
        one_line(text(event, "event")),
    ];
    if let Some(attempt) = event.get("attempt").and_then(Value::as_u64).filter(|it| *it > 1) {
        parts.push(format!("(try {attempt})"));
    }
    let mut part = |it: &str, show: &dyn Fn(&str) -> String| {
        if !it.is_empty() {
            parts.push(show(&one_line(it)));
        }
    };
    part(text(event, "to"), &|to| format!("→ {to}"));
    part(text(event, "asked"), &|asked| out.paint(Look::Dim, asked));
    let set = event.get("set").and_then(Value::as_object).into_iter().flatten();
    for (name, value) in set {
        part(&format!("{name}={}", short(value)), &str::to_owned);
    }
    for name in event.get("unset").and_then(Value::as_array).into_iter().flatten() {
        part(&shown(name), &|name| format!("-{name}"));
    }
    part(&fault(event.get("fault")), &|fault| out.paint(Look::Bad, fault));
    parts.join("  ")
}

/// `code (class) at node: message`.
pub fn fault(fault: Option<&Value>) -> String {
    let Some(fault) = fault.filter(|it| it.is_object()) else { return String::new() };
    let at = match text(fault, "node") {
        "" => String::new(),
        node => format!(" at {node}"),
    };
    let (code, class) = (text(fault, "code"), text(fault, "class"));
    format!("{code} ({class}){at}: {}", one_line(text(fault, "message")))
}

/// Whom it was told to and what.
pub fn alarm(alarm: Option<&Value>, now: Timestamp) -> String {
    let Some(alarm) = alarm.filter(|it| it.is_object()) else { return String::new() };
    let by: Vec<String> =
        alarm.get("by").and_then(Value::as_array).into_iter().flatten().map(shown).collect();
    let told = if alarm.get("notified_at").is_some_and(|it| !it.is_null()) {
        format!("notified by {} {}", by.join(", "), far(alarm.get("notified_at"), now))
    } else {
        format!("told to no one ({})", one_line(text(alarm, "problem")))
    };
    let told = match alarm.get("acknowledged").filter(|it| it.is_object()) {
        Some(it) => format!("{told}, acknowledged by {} {}", text(it, "by"), far(it.get("at"), now)),
        None => told,
    };
    let first = text(alarm, "text").lines().next().unwrap_or_default();
    format!("since {}, {told}: {}", far(alarm.get("since"), now), one_line(first))
}

/// A value that fits a line.
pub fn short(value: &Value) -> String {
    let text = shown(value);
    if text.chars().count() > VALUE_CHARS_MAX {
        text.chars().take(VALUE_CHARS_MAX).chain(['…']).collect()
    } else {
        text
    }
}
