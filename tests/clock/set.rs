//! A wall clock that is set while the engine runs, or while it does not.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::place::{HELLO, Place, Served, until};

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

const NAPS: &str = "
process: naps
params: {time: {type: string, default: 1h}}
nodes:
  start: {kind: input, next: nap}
  nap: {kind: delay, for: \"{{time}}\", next: done}
  done: {kind: end}
";

const MOMENTS: &str = "
process: moments
nodes:
  start: {kind: input, next: nap}
  nap: {kind: delay, until: \"= now + 3600\", next: done}
  done: {kind: end}
";

/// Gives itself a new token once a day, and whenever it is woken.
const KEEPER: &str = r#"
process: keeper
params:
  token: {type: string, secret: true, expiry: {at: dies, issued: born, warn: 10m}}
  born: {type: integer}
  dies: {type: integer}
nodes:
  start: {kind: input, next: renew}
  nap: {kind: delay, for: 1d, next: renew}
  renew: {kind: set, set: {token: "token-{{task.visit}}", born: "= now", dies: "= now + 90000"}, next: nap}
"#;

const BEAT: &str = "
process: beat
schedule:
  - {name: second, every: 1s, overlap: all}
nodes:
  start: {kind: input, next: done}
  done: {kind: end}
";

/// A place whose wall clock can be set.
struct Town {
    place: Place,
}

impl Town {
    fn new() -> Town {
        let place = Place::new();
        let clock = place.path("clock").display().to_string();
        let town = Town { place: place.env("BELTLINE_TEST_CLOCK", &clock) };
        for (name, text) in [("hello", HELLO), ("naps", NAPS), ("moments", MOMENTS), ("keeper", KEEPER)] {
            town.place.write(&format!("processes/{name}.yaml"), text);
        }
        town.set(0);
        town
    }

    /// The wall clock is so far from the right time.
    fn set(&self, millis: i64) {
        self.place.write("clock", &millis.to_string());
    }

    fn serve(&self) -> Served {
        self.place.serve()
    }

    fn nap(&self, name: &str, time: &str) {
        self.place.ok(&["submit", "naps", "--ref", name, &format!("time={time}")]);
    }

    fn task(&self, process: &str, name: &str) -> Value {
        self.place.json(&["show", process, name])["task"].take()
    }

    fn is(&self, process: &str, name: &str, state: &str) -> bool {
        self.task(process, name)["state"] == state
    }

    fn done(&self, process: &str, name: &str) {
        until("a task is done", || self.is(process, name, "done").then_some(()));
    }

    /// For how many planned times in the future, and not in the future, tasks were made.
    fn beats(&self) -> (usize, usize) {
        let tasks = self.place.json(&["list", "beat", "--limit", "1000"]);
        let now = now();
        let created = tasks["items"].as_array().unwrap().iter().map(|it| {
            let at = it["created_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
            at.as_second() > now + 60
        });
        let (ahead, right): (Vec<bool>, Vec<bool>) = created.partition(|ahead| *ahead);
        (ahead.len(), right.len())
    }

    /// When the keeper's token was got last, in seconds.
    fn born(&self) -> i64 {
        self.task("keeper", "t")["params"]["born"].as_i64().unwrap()
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[expect(clippy::disallowed_methods, reason = "a timer may not be early in real time")]
fn instant() -> Instant {
    Instant::now()
}

#[test]
fn a_delay_lasts_as_long_as_it_says_though_the_clock_is_set_ahead() {
    let town = Town::new();
    let _served = town.serve();
    let begin = instant();
    town.nap("long", "12s");
    town.set(30 * SECOND);
    town.nap("short", "1s");
    town.done("naps", "short");
    assert!(town.is("naps", "long", "waiting") || begin.elapsed() > Duration::from_secs(12));
    town.done("naps", "long");
    assert!(begin.elapsed() >= Duration::from_secs(12), "it ended after {:?}", begin.elapsed());
    let doctor = town.place.run(&["doctor"]);
    assert!(doctor.out.contains("was set ahead by 30s"), "{doctor:?}");
}

#[test]
fn a_delay_ends_though_the_clock_is_set_back() {
    let town = Town::new();
    town.set(2 * HOUR);
    let _served = town.serve();
    town.nap("short", "3s");
    town.nap("long", "1h");
    town.set(0);
    town.done("naps", "short");
    assert!(town.is("naps", "long", "waiting"));
    let doctor = town.place.run(&["doctor"]);
    assert!(doctor.out.contains("was set back by 2h"), "{doctor:?}");
}

#[test]
fn a_moment_follows_the_clock() {
    let town = Town::new();
    let _served = town.serve();
    town.place.ok(&["submit", "moments", "--ref", "m"]);
    town.nap("long", "1h");
    town.set(2 * HOUR);
    town.done("moments", "m");
    assert!(town.is("naps", "long", "waiting"));
}

#[test]
fn a_keeper_that_renewed_in_the_future_renews_when_the_clock_is_right_again() {
    for ahead in [2 * HOUR, 200 * DAY, 70 * YEAR] {
        let town = Town::new();
        town.set(ahead);
        let _served = town.serve();
        town.place.ok(&["submit", "keeper", "--ref", "t"]);
        assert!(town.born() > now() + ahead / SECOND - 60);
        town.set(0);
        until("a renewal", || (town.born() <= now()).then_some(()));
        let shown = town.place.ok(&["show", "keeper", "t"]);
        assert!(shown.contains("wake by the clock, set back by"), "{shown}");
    }
}

#[test]
fn a_keeper_that_renewed_in_the_future_renews_after_a_restart_with_the_right_clock() {
    for ahead in [2 * HOUR, 200 * DAY, 70 * YEAR] {
        let town = Town::new();
        town.set(ahead);
        let served = town.serve();
        town.place.ok(&["submit", "keeper", "--ref", "t"]);
        town.nap("short", "4s");
        served.stop();
        town.set(0);
        let _served = town.serve();
        until("a renewal", || (town.born() <= now()).then_some(()));
        town.done("naps", "short");
    }
}

#[test]
fn a_start_in_2015_and_the_right_time_after_it_end_no_delay_early_and_none_late() {
    let town = Town::new();
    let served = town.serve();
    town.nap("short", "4s");
    town.nap("long", "1h");
    served.stop();
    let then = "2015-06-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap();
    town.set((then.as_second() - now()) * SECOND);
    let served = town.serve();
    town.done("naps", "short");
    served.stop();
    // Nothing was committed in 2015 since: the same step is not made twice.
    let _served = town.serve();
    town.nap("again", "2s");
    town.set(0);
    town.done("naps", "again");
    assert!(town.is("naps", "long", "waiting"));
}

#[test]
fn a_schedule_leaps_over_what_the_clock_leapt_over_and_goes_on_when_it_is_right_again() {
    let town = Town::new();
    town.place.write("processes/beat.yaml", BEAT);
    let _served = town.serve();
    until("it beats", || (town.beats().1 > 1).then_some(()));
    town.set(200 * DAY);
    let (ahead, right) = until("it beats in the future", || Some(town.beats()).filter(|it| it.0 > 1));
    // What is looked at a minute late was not missed.
    assert!(ahead < 200, "what was leapt over was made up for: {ahead}");
    town.set(0);
    until("it beats at the right time again", || (town.beats().1 > right + 2).then_some(()));
}
