//! What is planned when: daylight saving, missed times, limits.

use serde_json::json;

use crate::model::time::{Span, Timestamp};
use crate::process::parse::parse_with;
use crate::process::problem::render;
use crate::process::sample::KINDS;
use crate::process::schedule::{Due, RUNS_MAX, Schedule, ahead};

/// A process with that entry under `schedule`.
fn text(entry: &str) -> String {
    format!(
        "process: p\nschedule:\n  - {entry}\nnodes:\n  start: {{kind: input, next: done}}\n  \
         done: {{kind: end}}\n"
    )
}

fn schedule(entry: &str) -> Schedule {
    let text = text(entry);
    let process = parse_with(KINDS, &text).unwrap_or_else(|them| panic!("{}", render(&them, &text, false)));
    process.schedules.into_iter().next().unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn stamps(schedule: &Schedule, after: &str, many: usize) -> Vec<String> {
    schedule.upcoming(at(after), many).into_iter().map(|it| schedule.stamp(it)).collect()
}

#[test]
fn a_time_that_a_night_leaves_out_or_repeats_comes_once() {
    for (entry, after, wanted) in [
        // Riga goes from 03:00 to 04:00 on 2026-03-29, and back from 04:00 to 03:00 on 2026-10-25.
        (
            r#"{cron: "30 3 * * *", zone: Europe/Riga}"#,
            "2026-03-27T22:00:00Z",
            ["2026-03-28T03:30+02:00", "2026-03-29T04:00+03:00", "2026-03-30T03:30+03:00"],
        ),
        (
            r#"{cron: "30 3 * * *", zone: Europe/Riga}"#,
            "2026-10-23T22:00:00Z",
            ["2026-10-24T03:30+03:00", "2026-10-25T03:30+03:00", "2026-10-26T03:30+02:00"],
        ),
        (
            r#"{cron: "0 9 * * *", zone: Europe/Riga}"#,
            "2026-10-24T00:00:00Z",
            ["2026-10-24T09:00+03:00", "2026-10-25T09:00+02:00", "2026-10-26T09:00+02:00"],
        ),
        // What goes by intervals neither stops nor doubles.
        (
            r#"{cron: "*/30 * * * *", zone: Europe/Riga}"#,
            "2026-03-29T00:29:00Z",
            ["2026-03-29T02:30+02:00", "2026-03-29T04:00+03:00", "2026-03-29T04:30+03:00"],
        ),
        (
            r#"{cron: "0 * * * *", zone: Europe/Riga}"#,
            "2026-10-24T23:30:00Z",
            ["2026-10-25T03:00+03:00", "2026-10-25T03:00+02:00", "2026-10-25T04:00+02:00"],
        ),
        // New York goes from 02:00 to 03:00 on 2026-03-08; Lord Howe by half an hour on 2026-10-04.
        (
            r#"{cron: "15 2 * * *", zone: America/New_York}"#,
            "2026-03-07T12:00:00Z",
            ["2026-03-08T03:00-04:00", "2026-03-09T02:15-04:00", "2026-03-10T02:15-04:00"],
        ),
        (
            r#"{cron: "15 2 * * *", zone: Australia/Lord_Howe}"#,
            "2026-10-02T12:00:00Z",
            ["2026-10-03T02:15+10:30", "2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"],
        ),
        (
            r#"{cron: "0 9 * * MON-FRI"}"#,
            "2026-11-20T09:00:00Z",
            ["2026-11-23T09:00+00:00", "2026-11-24T09:00+00:00", "2026-11-25T09:00+00:00"],
        ),
        (
            "{every: 90m}",
            "2026-11-21T00:00:00Z",
            ["2026-11-21T01:30+00:00", "2026-11-21T03:00+00:00", "2026-11-21T04:30+00:00"],
        ),
        (
            "{every: 20s}",
            "2026-11-21T00:00:19.999Z",
            ["2026-11-21T00:00:20+00:00", "2026-11-21T00:00:40+00:00", "2026-11-21T00:01+00:00"],
        ),
    ] {
        assert_eq!(stamps(&schedule(entry), after, 3), wanted, "{entry} after {after}");
    }
}

#[test]
fn back_is_the_same_way_as_forth() {
    for entry in [
        r#"{cron: "30 3 * * *", zone: Europe/Riga}"#,
        r#"{cron: "*/20 * * * *", zone: Europe/Riga}"#,
        r#"{cron: "15 2 * * SUN", zone: America/New_York}"#,
        "{every: 7h}",
    ] {
        let schedule = schedule(entry);
        // The days around the nights that differ.
        for begin in ["2026-03-07T00:00:00Z", "2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z"] {
            let mut before = schedule.next(at(begin)).unwrap();
            let days = schedule.upcoming(before, 200).into_iter();
            for next in days.take_while(|it| *it < at(begin) + Span::days(3)) {
                assert!(next > before, "{entry}");
                assert_eq!(schedule.previous(next), Some(next), "{entry} at {next}");
                assert_eq!(schedule.previous(Timestamp(next.0 - 1)), Some(before), "{entry} before {next}");
                before = next;
            }
        }
    }
}

#[test]
fn what_is_due_depends_on_who_was_there() {
    let hourly = |policy: &str| schedule(&format!("{{every: 1h{policy}}}"));
    let (done, now) = (at("2026-11-21T00:00:00Z"), at("2026-11-21T05:00:01Z"));
    let hour = |hour: i64| Timestamp(done.0 + hour * 3_600_000);
    let due = |policy: &str, since: Timestamp| hourly(policy).due(done, since, now);
    let all =
        |runs: &[i64], left_out| Due { runs: runs.iter().map(|it| hour(*it)).collect(), left_out, upto: now };
    // Down from 0:30 to 4:30: the times from 1 to 4 were missed, and that of 5 was not.
    assert_eq!(due(", missed: none", hour(4) + Span::mins(30)), all(&[5], 4));
    assert_eq!(due(", missed: latest", hour(4) + Span::mins(30)), all(&[4, 5], 3));
    assert_eq!(due("", hour(4) + Span::mins(30)), all(&[4, 5], 3));
    assert_eq!(due(", missed: all", hour(4) + Span::mins(30)), all(&[1, 2, 3, 4, 5], 0));
    // Only so far back.
    assert_eq!(due(", missed: all, window: 2h30m", hour(4) + Span::mins(30)), all(&[3, 4, 5], 2));
    assert_eq!(due(", missed: latest, window: 30m", hour(4) + Span::mins(30)), all(&[5], 4));
    // Back since just before now: all were missed. A window of an hour reaches the last.
    assert_eq!(due(", missed: none", now), all(&[], 5));
    assert_eq!(due(", missed: latest, window: 1h", now), all(&[5], 4));
    // There all the time, but far too late: as if nobody had been there.
    assert_eq!(due(", missed: none", done), all(&[5], 4));
    // Nothing is due.
    assert_eq!(hourly("").due(hour(5), done, now), Due { runs: vec![], left_out: 0, upto: now });
    // A clock that was set back plans nothing twice.
    assert_eq!(hourly("").due(hour(9), done, now).runs, []);
    assert!(hourly("").due(hour(9), done, now).upto >= hour(9));
}

#[test]
fn many_missed_times_are_made_up_for_in_parts_and_none_is_lost() {
    let schedule = schedule("{every: 1m, missed: all}");
    let (mut done, now) = (at("2026-11-21T00:00:00Z"), at("2026-11-21T05:00:30Z"));
    let mut runs = Vec::new();
    while done < now {
        let due = schedule.due(done, now, now);
        assert!(due.runs.len() <= RUNS_MAX && due.upto > done);
        runs.extend(due.runs);
        done = due.upto;
    }
    assert_eq!(runs.len(), 300);
    assert!(runs.windows(2).all(|it| it[0] < it[1]));
}

#[test]
fn times_are_told_in_words() {
    let schedule = schedule(r#"{cron: "0 9 * * MON-FRI", zone: Europe/Riga}"#);
    let (now, next) = (at("2026-11-21T12:00:00Z"), schedule.next(at("2026-11-21T12:00:00Z")).unwrap());
    assert_eq!(
        format!("{}, {}", schedule.says(next), ahead(next, now)),
        "Mon 23 Nov 2026 09:00 Europe/Riga, in 1 d 19 h"
    );
    assert!(schedule.words().ends_with(", Europe/Riga"), "{}", schedule.words());
    for (millis, told) in [
        (0, "now"),
        (400, "in 1 s"),
        (59_000, "in 59 s"),
        (61_000, "in 1 min"),
        (7_200_000, "in 2 h"),
        (7_320_000, "in 2 h 2 min"),
        (172_800_000, "in 2 d"),
    ] {
        assert_eq!(ahead(Timestamp(millis), Timestamp(0)), told);
    }
}

#[test]
fn what_is_wrong_with_a_schedule_is_told() {
    let told = |entry: &str| {
        let text = text(entry);
        let problems = parse_with(KINDS, &text).err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let all: Vec<_> = [
        "{}",
        "{cron: \"0 9 * * *\", every: 1h}",
        "{cron: \"0 0 30 2 *\"}",
        "{cron: \"99 * * * *\"}",
        "{cron: \"0 9 * * *\", zone: Europe/Rigga}",
        "{every: 1h, zone: Europe/Riga}",
        "{every: 10ms}",
        "{every: 1h, overlap: sometimes}",
        "{every: 1h, missed: none, window: 1h}",
        "{every: 1h, windw: 1h}",
        "{every: 1h, ref: \"{{body.x}}\", params: {a: \"{{secret.x}}\"}}",
        "{every: 1h, name: \"a b\"}",
        "{every: 1h}\n  - {every: 2h, name: \"1\"}",
        "every",
    ]
    .into_iter()
    .map(|entry| json!({entry: told(entry)}))
    .collect();
    insta::assert_yaml_snapshot!(all);
}
