//! What stood under other names in stores of form 3 and before: of tasks, signals, events and records as
//! JSON, and of processes as text. Pure: what is not found is left as it is.

use regex::{Captures, Regex};
use serde_json::{Map, Value};

/// A task. A task that runs a chunk of another's fan-out gets the name under which that one looks for it.
pub(super) fn task(task: &mut Value) {
    let Some(map) = task.as_object_mut() else { return };
    rename(map, "turn", "epoch");
    if fan_out(map)
        && let Some(Value::String(name)) = map.get_mut("reference")
        && let Some(rest) = name.strip_prefix("part-")
    {
        *name = format!("chunk-{rest}");
    }
    if let Some(Value::Object(effect)) = map.get_mut("state").and_then(|it| it.get_mut("doing")) {
        rename(effect, "ask", "request");
        if let Some(Value::Object(request)) = effect.get_mut("request") {
            rename(request, "tell", "notify");
        }
    }
    if let Some(Value::Object(alarm)) = map.get_mut("alarm") {
        for (old, new) in [
            ("told", "notified_at"),
            ("rung", "level"),
            ("rung_told", "level_notified_at"),
            ("climbing", "next_level"),
            ("trouble", "problem"),
        ] {
            rename(alarm, old, new);
        }
    }
}

/// A signal.
pub(super) fn signal(signal: &mut Value) {
    let Some(map) = signal.as_object_mut() else { return };
    rename(map, "word", "kind");
    let Some(Value::Object(kind)) = map.get_mut("kind") else { return };
    rename(kind, "part", "chunk");
    rename(kind, "order", "command");
    if let Some(Value::Object(chunk)) = kind.get_mut("chunk") {
        fan_out(chunk);
    }
    if let Some(Value::Object(command)) = kind.get_mut("command") {
        rename(command, "order", "command");
    }
}

/// The events of one commit.
pub(super) fn events(events: &mut Value) {
    for event in events.as_array_mut().into_iter().flatten() {
        if event["event"] == "letter" {
            event["event"] = "signal".into();
        }
        if let Some(Value::String(asked)) = event.get_mut("asked")
            && let Some(channels) = asked.strip_prefix("tell ")
        {
            *asked = format!("notify {channels}");
        }
    }
}

/// A record of the collection `watchdog`.
pub(super) fn notices(record: &mut Value) {
    let Some(map) = record.as_object_mut() else { return };
    rename(map, "told", "notices");
    if let Some(Value::Object(notices)) = map.get_mut("notices") {
        rename(notices, "dies_at", "expires_at");
        rename(notices, "told_at", "notified_at");
        rename(notices, "trouble", "problem");
    }
}

/// A record of the collection `process`; `version_of` gives the present name of a version.
pub(super) fn process(record: &mut Value, version_of: impl Fn(&str) -> Option<String>) {
    let Some(map) = record.as_object_mut() else { return };
    rename(map, "rouse", "wake_parked");
    for version in ["version", "file_version"] {
        if let Some(Value::String(text)) = map.get_mut(version)
            && let Some(new) = version_of(text)
        {
            *text = new;
        }
    }
}

/// The text of a process.
pub(super) fn text(text: &str) -> String {
    let text = regex(r"\bwake:( *)letter\b").replace_all(text, "wake:${1}signal");
    let text = regex(r"(?m)^(\s*|.*[{,]\s*)ladder:").replace_all(&text, "${1}levels:");
    in_blocks(&in_braces(&text))
}

/// The keys of a value's expiry that stood beside the others of its param, and what they are called in it.
const EXPIRY: [(&str, &str); 4] =
    [("dies_at", "at"), ("born_at", "issued"), ("warn", "warn"), ("warn_at", "warn_at")];

/// `{…, dies_at: a, born_at: b}`: in one pair of braces.
fn in_braces(text: &str) -> String {
    let braces = regex(r"\{[^{}]*\bdies_at:[^{}]*\}");
    let piece = regex(r",?\s*\b(dies_at|born_at|warn|warn_at):\s*([^\s,{}]+)");
    let moved = |found: &Captures| {
        let found = &found[0];
        let parts: Vec<(String, String)> =
            piece.captures_iter(found).map(|it| (it[1].to_owned(), it[2].to_owned())).collect();
        let rest =
            piece.replace_all(&found[1..found.len() - 1], "").trim().trim_start_matches(',').to_owned();
        let rest = rest.trim();
        let comma = if rest.is_empty() { "" } else { ", " };
        format!("{{{rest}{comma}{}}}", expiry(&parts))
    };
    braces.replace_all(text, moved).into_owned()
}

/// The same keys, each on a line of its own. They are moved to where `dies_at` stands.
fn in_blocks(text: &str) -> String {
    let line = regex(r"^(\s*)(dies_at|born_at|warn|warn_at):\s*([^\s#]+)\s*(?:#.*)?$");
    let lines: Vec<&str> = text.split('\n').collect();
    let indent = |it: &str| it.len() - it.trim_start().len();
    let mut made: Vec<Option<String>> = lines.iter().map(|it| Some((*it).to_owned())).collect();
    for (at, found) in lines.iter().enumerate() {
        let Some(found) = line.captures(found).filter(|it| &it[2] == "dies_at") else { continue };
        let deep = found[1].len();
        let inside = |it: &&usize| lines[**it].trim().is_empty() || indent(lines[**it]) >= deep;
        let (before, after): (Vec<usize>, Vec<usize>) =
            ((0..at).rev().collect(), (at..lines.len()).collect());
        let beside = before.iter().take_while(inside).chain(after.iter().take_while(inside));
        let mut parts = Vec::new();
        for place in beside {
            if let Some(key) = line.captures(lines[*place]).filter(|it| it[1].len() == deep) {
                parts.push((key[2].to_owned(), key[3].to_owned()));
                made[*place] = None;
            }
        }
        made[at] = Some(format!("{}{}", &found[1], expiry(&parts)));
    }
    made.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn expiry(parts: &[(String, String)]) -> String {
    let part = |(old, new): &(&str, &str)| {
        parts.iter().find(|(key, _)| key == old).map(|(_, value)| format!("{new}: {value}"))
    };
    format!("expiry: {{{}}}", EXPIRY.iter().filter_map(part).collect::<Vec<_>>().join(", "))
}

/// Renames what a task or a signal says of a fan-out; says whether it is a chunk.
fn fan_out(map: &mut Map<String, Value>) -> bool {
    rename(map, "round", "fan_out");
    let Some(Value::Object(fan_out)) = map.get_mut("fan_out") else { return false };
    rename(fan_out, "part", "chunk");
    fan_out.get("chunk") == Some(&Value::Bool(true))
}

fn rename(map: &mut Map<String, Value>, old: &str, new: &str) {
    if let Some(value) = map.remove(old) {
        map.insert(new.to_owned(), value);
    }
}

fn regex(text: &str) -> Regex {
    Regex::new(text).expect("it is written here")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_tasks_signals_events_and_records_hold_is_renamed() {
        let mut old = json!({
            "turn": 3, "reference": "part-1-2-0-0", "round": {"part": true, "of": 5},
            "state": {"doing": {"key": "k", "ask": {"tell": {"channels": ["author"]}}}},
            "alarm": {"told": 1, "rung": 2, "rung_told": 3, "climbing": 4, "trouble": "no channel",
                "once": ""},
        });
        task(&mut old);
        let new = json!({
            "epoch": 3, "reference": "chunk-1-2-0-0", "fan_out": {"chunk": true, "of": 5},
            "state": {"doing": {"key": "k", "request": {"notify": {"channels": ["author"]}}}},
            "alarm": {"notified_at": 1, "level": 2, "level_notified_at": 3, "next_level": 4,
                "problem": "no channel", "once": ""},
        });
        assert_eq!(old, new);

        let mut part = json!({"to": {"task": "1"}, "word": {"part": {"round": {"part": true}, "at": "all"}}});
        signal(&mut part);
        let chunk =
            json!({"to": {"task": "1"}, "kind": {"chunk": {"fan_out": {"chunk": true}, "at": "all"}}});
        assert_eq!(part, chunk);
        let mut order =
            json!({"word": {"order": {"order": {"modify": {"params": {"order": 1}}}, "by": "ann"}}});
        signal(&mut order);
        let command = json!({"command": {"modify": {"params": {"order": 1}}}, "by": "ann"});
        assert_eq!(order, json!({"kind": {"command": command}}));

        let mut hops = json!([{"event": "letter"}, {"event": "came", "asked": "tell author, boss"}]);
        events(&mut hops);
        assert_eq!(hops, json!([{"event": "signal"}, {"event": "came", "asked": "notify author, boss"}]));

        let mut told = json!({"task": "1", "told": {"dies_at": 1, "told_at": null, "trouble": null}});
        notices(&mut told);
        let known = json!({"expires_at": 1, "notified_at": null, "problem": null});
        assert_eq!(told, json!({"task": "1", "notices": known}));

        let mut kept = json!({"version": "a", "rouse": false});
        process(&mut kept, |old| (old == "a").then(|| "b".to_owned()));
        assert_eq!(kept, json!({"version": "b", "wake_parked": false}));
    }

    #[test]
    fn the_text_of_a_process_is_renamed_where_it_stands() {
        for (old, new) in [
            ("n: {kind: delay, for: 1h, wake: letter}", "n: {kind: delay, for: 1h, wake: signal}"),
            ("about: a letter, wake: no", "about: a letter, wake: no"),
            ("  ladder:\n    - {notify: [a]}", "  levels:\n    - {notify: [a]}"),
            ("{kind: escalation, ladder: [x]}", "{kind: escalation, levels: [x]}"),
            ("t: {secret: true, dies_at: e, warn: 1h}", "t: {secret: true, expiry: {at: e, warn: 1h}}"),
            ("t: {dies_at: e}", "t: {expiry: {at: e}}"),
            ("t: {born_at: b, dies_at: e, input: false}", "t: {input: false, expiry: {at: e, issued: b}}"),
            (
                "  t:\n    born_at: b\n    secret: true\n    dies_at: e # soon\n    about: x\n  warn: {}\n",
                "  t:\n    secret: true\n    expiry: {at: e, issued: b}\n    about: x\n  warn: {}\n",
            ),
        ] {
            assert_eq!(text(old), new);
        }
    }
}
