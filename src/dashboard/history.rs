//! The history of a task as a timeline: when, where, what happened in words, what was asked and how long the
//! answer took, what changed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::dashboard::picture::Walked;
use crate::dashboard::show::{self, When, pause, sentence, short};
use crate::dashboard::words::Words;
use crate::model::faults;
use crate::service::processes::ProcessView;
use crate::service::view::HistoryEventView;

/// A value that is no longer than this stands in its line; a longer one is folded, in characters.
const INLINE_CHARS_MAX: usize = 60;
/// How much of a folded value is shown, in characters.
const FOLDED_CHARS_MAX: usize = 600;
/// How much of all values a page shows, in characters: it stays light.
const PAGE_CHARS_MAX: usize = 30_000;

/// One event.
pub(super) struct HistoryRow {
    pub(super) at: When,
    /// The title of its node, and its name if that is another.
    pub(super) title: String,
    pub(super) node: Option<String>,
    pub(super) event: String,
    /// A moment that belongs to what happened.
    pub(super) until: Option<When>,
    /// How long the answer took.
    pub(super) took: Option<String>,
    pub(super) to: Option<String>,
    pub(super) attempt: u32,
    pub(super) asked: Option<String>,
    pub(super) set: Vec<SetRow>,
    pub(super) unset: String,
    pub(super) fault: Option<EventFault>,
}

/// A value that was written.
pub(super) struct SetRow {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) folded: bool,
}

/// What went wrong.
pub(super) struct EventFault {
    pub(super) code: String,
    pub(super) text: String,
    pub(super) hint: Option<String>,
    /// Where it is explained.
    pub(super) explained: Option<String>,
}

/// The rows of `shown`, which are some of `all`, the latest first.
pub(super) fn rows(
    all: &[HistoryEventView],
    shown: &[&HistoryEventView],
    process: &ProcessView,
    w: &'static Words,
) -> Vec<HistoryRow> {
    let nodes = process.nodes.iter().flatten();
    let titles: BTreeMap<&str, &str> = nodes.map(|it| (it.name.as_str(), it.title.as_str())).collect();
    let took = durations(all);
    let mut left = PAGE_CHARS_MAX;
    shown.iter().map(|it| row(it, &titles, took.get(&place(it)), &mut left, w)).collect()
}

fn row(
    it: &HistoryEventView,
    titles: &BTreeMap<&str, &str>,
    took: Option<&i64>,
    left: &mut usize,
    w: &'static Words,
) -> HistoryRow {
    let title = |name: &str| titles.get(name).map_or_else(|| name.to_owned(), |it| (*it).to_owned());
    let (event, until) = event(&it.event, w);
    let named = title(&it.node);
    HistoryRow {
        at: When(it.at.clone()),
        node: Some(it.node.clone()).filter(|it| *it != named),
        title: named,
        event,
        until,
        took: took.map(|it| pause(*it, w)),
        to: it.to.as_deref().map(title),
        attempt: it.attempt,
        asked: it.asked.clone(),
        set: it.set.map().iter().map(|(name, value)| set(name, value, left)).collect(),
        unset: it.unset.join(", "),
        fault: it.fault.as_ref().map(|it| {
            let (text, hint) = sentence(&it.message);
            EventFault { explained: explained(&it.code), code: it.code.clone(), text, hint }
        }),
    }
}

fn set(name: &str, value: &Value, left: &mut usize) -> SetRow {
    let text = show::text(value);
    let folded = text.chars().nth(INLINE_CHARS_MAX).is_some() || text.contains('\n');
    let (value, cut) = short(&text, FOLDED_CHARS_MAX.min(*left));
    *left = left.saturating_sub(value.chars().count());
    SetRow { name: name.to_owned(), value: if cut { format!("{value}…") } else { value }, folded }
}

/// The page about a fault that the engine itself makes.
pub(super) fn explained(code: &str) -> Option<String> {
    faults::find(code).map(|it| format!("/dashboard/faults/{}", it.code))
}

/// How long each answer took, by the place of its event, in milliseconds.
fn durations(all: &[HistoryEventView]) -> BTreeMap<(u64, &str, &str), i64> {
    let mut took = BTreeMap::new();
    let mut asked: Option<&HistoryEventView> = None;
    for it in all {
        let answer =
            ["answered", "no answer", "delivered", "lost"].iter().any(|word| it.event.starts_with(word));
        let began = asked.filter(|before| answer && before.node == it.node);
        if let Some((from, to)) = began.and_then(|before| Some((millis(&before.at)?, millis(&it.at)?))) {
            took.insert(place(it), to - from);
        }
        asked = if it.asked.is_some() { Some(it) } else { asked.filter(|_| !answer) };
    }
    took
}

fn place(it: &HistoryEventView) -> (u64, &str, &str) {
    (it.seq, &it.node, &it.event)
}

fn millis(at: &str) -> Option<i64> {
    at.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// What happened, in words, and a moment that belongs to it.
fn event(event: &str, w: &'static Words) -> (String, Option<When>) {
    if let Some((place, until)) =
        event.strip_prefix("waits for room at ").and_then(|it| it.rsplit_once(" until "))
    {
        return (format!("{} {place}", w.event_room), Some(When(until.to_owned())));
    }
    let plain = match event {
        "came" => w.event_came,
        "due" => w.event_due,
        "signal" => w.event_signal,
        "replied" => w.event_replied,
        "delivered" => w.event_delivered,
        "no answer" => w.event_silence,
        "asked again" => w.event_again,
        "lost" => w.event_lost,
        _ => "",
    };
    if !plain.is_empty() {
        return (plain.to_owned(), None);
    }
    if let Some(status) = event.strip_prefix("answered ") {
        return (format!("{} {status}", w.event_answered), None);
    }
    if let Some(span) = event.strip_prefix("stood here for ") {
        return (format!("{} {span}", w.event_stood), None);
    }
    let command = event.split_once(" by ").and_then(|(command, by)| {
        let word = match command {
            "modify" => w.event_modify,
            "wake" => w.event_wake,
            "retry" => w.event_retry,
            "move" => w.event_move,
            "cancel" => w.event_cancel,
            "ack" => w.event_ack,
            _ => return None,
        };
        Some(format!("{word}: {by}"))
    });
    (command.unwrap_or_else(|| event.to_owned()), None)
}

/// The ways it took.
pub(super) fn walked(all: &[HistoryEventView]) -> BTreeSet<Walked> {
    let way = |it: &HistoryEventView| {
        let class = match (&it.fault, it.event.starts_with("stood here for ")) {
            (Some(_), _) => "error",
            (None, true) => "limit",
            (None, false) => "plain",
        };
        Some(Walked { from: it.node.clone(), to: it.to.clone()?, class })
    };
    all.iter().filter_map(way).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::words::ENGLISH;

    #[test]
    fn what_happened_is_told_in_words() {
        for (said, words) in [
            ("answered 200", "answered 200"),
            ("wake by ann", "woken by: ann"),
            ("stood here for 5m", "stood here for 5m"),
            ("something new", "something new"),
        ] {
            assert_eq!(event(said, &ENGLISH).0, words);
        }
        let (words, until) =
            event("waits for room at `api.example.org` until 2026-11-05T03:04:05Z", &ENGLISH);
        assert_eq!(words, "waits for room at `api.example.org`");
        assert!(until.is_some());
    }
}
