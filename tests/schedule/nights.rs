//! What nights do that change the clocks, against a table of planned times that our code did not write.

use std::collections::BTreeSet;

use beltline::model::calendar::cron::Cron;
use beltline::model::calendar::zone;
use beltline::model::time::Timestamp;

const TABLE: &str = include_str!("cron_nights.txt");
const PAGE: &str = include_str!("../../src/manual/schedules.md");

fn rows() -> Vec<[&'static str; 6]> {
    let lines = TABLE.lines().filter(|it| !it.starts_with('#'));
    let row = |line: &'static str| line.split(" | ").collect::<Vec<_>>().try_into();
    lines
        .map(|line| row(line).unwrap_or_else(|_| panic!("a row of the table has six parts: {line}")))
        .collect()
}

/// A planned time as the table has it: `29 04:00+03`.
fn told(at: Timestamp, zone: &jiff::tz::TimeZone) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap().to_zoned(zone.clone());
    let told = at.strftime("%d %H:%M%z").to_string();
    told.strip_suffix("00").map_or(told.clone(), str::to_owned)
}

#[test]
fn the_nights_that_change_clocks_have_the_runs_of_the_table() {
    let rows = rows();
    assert!(rows.len() >= 300, "{}", rows.len());
    let mut wrong = Vec::new();
    for [name, from, to, expression, planned, _] in &rows {
        let zone = zone::get(name).unwrap();
        let cron: Cron = expression.parse().unwrap();
        let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let (from, to) = (at(from), at(to));
        let forth = std::iter::successors(cron.next(&zone, from), |it| cron.next(&zone, *it));
        let forth: Vec<Timestamp> = forth.take_while(|it| *it <= to).collect();
        let before = |it: Timestamp| cron.previous(&zone, Timestamp(it.0 - 1));
        let back = std::iter::successors(cron.previous(&zone, to), |it| before(*it));
        let mut back: Vec<Timestamp> = back.take_while(|it| *it > from).collect();
        back.reverse();
        let ours: Vec<String> = forth.iter().map(|it| told(*it, &zone)).collect();
        let ours = if ours.is_empty() { "-".to_owned() } else { ours.join(", ") };
        if ours != *planned || back != forth {
            wrong.push(format!("{name} `{expression}` from {from}: {ours}, and should be {planned}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// Each way in which another library plans otherwise stands in the manual with the reason, and no other does.
#[test]
fn every_difference_to_other_libraries_has_its_reason() {
    let differ = rows().into_iter().flat_map(|row| row[5].split(' ').collect::<Vec<_>>());
    let ways = differ.filter(|it| *it != "-").map(|it| it.split_once(':').unwrap());
    let (libraries, ways): (BTreeSet<&str>, BTreeSet<&str>) = ways.unzip();
    let table = PAGE.split("| what they do | who |").nth(1).unwrap().split("\n\n").next().unwrap();
    let explained: BTreeSet<&str> =
        table.lines().skip(2).map(|line| line.trim_start_matches("| `").split('`').next().unwrap()).collect();
    assert_eq!(explained, ways);
    for library in libraries {
        let name = if library == "croner-js" || library == "cron-npm" { "of npm" } else { library };
        assert!(table.to_lowercase().contains(name), "{library}");
    }
}
