//! What a cron expression plans, which are refused, and how they are told.

use std::collections::BTreeSet;
use std::time::Instant;

use jiff::ToSpan;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::calendar::cron::Cron;
use crate::model::calendar::zone;
use crate::model::time::Timestamp;

fn cron(text: &str) -> Cron {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn runs(text: &str, zone: &TimeZone, from: Timestamp, many: usize) -> Vec<String> {
    let cron = cron(text);
    let runs = std::iter::successors(cron.next(zone, from), |it| cron.next(zone, *it));
    let told = |it: Timestamp| jiff::Timestamp::from_millisecond(it.0).unwrap().to_zoned(zone.clone());
    runs.take(many).map(|it| told(it).strftime("%m-%d %H:%M:%S%:z").to_string()).collect()
}

#[test]
fn lists_and_ranges_are_fixed_times_and_steps_are_not() {
    let (riga, york) = (zone::get("Europe/Riga").unwrap(), zone::get("America/New_York").unwrap());
    for (expression, zone, from, wanted) in [
        ("0 3,15 * * *", &riga, "2026-03-28T22:00:00Z", ["03-29 04:00:00+03:00", "03-29 15:00:00+03:00"]),
        ("0 3,15 * * *", &riga, "2026-10-24T22:00:00Z", ["10-25 03:00:00+03:00", "10-25 15:00:00+02:00"]),
        ("0 2-3 * * *", &riga, "2026-10-24T22:00:00Z", ["10-25 02:00:00+03:00", "10-25 03:00:00+03:00"]),
        // Two times of the gap, and the end of the gap itself, are one run.
        ("5,35 2 * * *", &york, "2026-03-07T12:00:00Z", ["03-08 03:00:00-04:00", "03-09 02:05:00-04:00"]),
        ("0 2,3 * * *", &york, "2026-03-07T12:00:00Z", ["03-08 03:00:00-04:00", "03-09 02:00:00-04:00"]),
        // A field of seconds changes nothing of that.
        ("*/20 30 2 * * *", &york, "2026-03-07T12:00:00Z", ["03-08 03:00:00-04:00", "03-09 02:30:00-04:00"]),
        ("*/15 2 * * *", &york, "2026-03-07T12:00:00Z", ["03-09 02:00:00-04:00", "03-09 02:15:00-04:00"]),
        ("0 */2 * * *", &york, "2026-03-08T06:30:00Z", ["03-08 04:00:00-04:00", "03-08 06:00:00-04:00"]),
        ("30 1-3/2 * * *", &york, "2026-11-01T05:00:00Z", ["11-01 01:30:00-04:00", "11-01 01:30:00-05:00"]),
    ] {
        assert_eq!(runs(expression, zone, at(from), 2), wanted, "{expression} from {from}");
    }
}

/// Planned times by walking the clock minute by minute, with no search at all.
fn walked(fits: &dyn Fn(DateTime) -> bool, fixed: bool, zone: &TimeZone, from: i64, to: i64) -> Vec<i64> {
    let (mut planned, mut seen) = (Vec::new(), BTreeSet::new());
    let mut before: Option<DateTime> = None;
    for minute in from / 60 - 2_880..=to / 60 {
        let shown = zone.to_datetime(jiff::Timestamp::from_second(minute * 60).unwrap());
        let jumped = before.into_iter().flat_map(|it| {
            let passed =
                std::iter::successors(it.checked_add(1.minute()).ok(), |it| it.checked_add(1.minute()).ok());
            passed.take_while(|it| *it < shown)
        });
        let made_up = jumped.into_iter().any(fits);
        let due = match fixed {
            true => made_up || (fits(shown) && !seen.contains(&shown)),
            false => fits(shown),
        };
        seen.insert(shown);
        before = Some(shown);
        if due && minute * 60 > from {
            planned.push(minute * 60);
        }
    }
    planned
}

#[test]
fn a_search_finds_what_a_walk_finds() {
    // Shifts of one hour, two and a half, over midnight, and none.
    let nights = [
        ("Europe/Riga", "2026-03-29T01:00:00Z"),
        ("Europe/Riga", "2026-10-25T01:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
        ("Antarctica/Troll", "2026-03-29T01:00:00Z"),
        ("America/Nuuk", "2026-03-29T01:00:00Z"),
        ("Asia/Beirut", "2026-10-24T21:00:00Z"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z"),
        ("Asia/Tokyo", "2026-03-29T01:00:00Z"),
    ];
    let mut seed = 7u64;
    let mut chance = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for turn in 0..180 {
        let (name, night) = nights[turn % nights.len()];
        let zone = zone::get(name).unwrap();
        let shift = at(night).0 / 1_000;
        let (first, second, hour) = (chance(60), chance(60), chance(24));
        let (low, high) = (hour.min(chance(24)), hour);
        let (minutes, hours): (Vec<u64>, Vec<u64>) = (vec![first, second], (low..=high).collect());
        let fixed = turn % 3 != 0;
        // The step changes nothing but that it is a step.
        let step = if fixed { "" } else { "/1" };
        let expression =
            format!("{first},{second} {low}-{high}{} * * *", if low == high { "" } else { step });
        let fixed = fixed || low == high;
        let fits = |it: DateTime| {
            let has = |list: &[u64], value: i8| list.contains(&u64::try_from(value).unwrap());
            has(&minutes, it.minute()) && has(&hours, it.hour()) && it.second() == 0
        };
        let (from, to) = (shift - 30 * 3_600, shift + 30 * 3_600);
        let cron = cron(&expression);
        let found =
            std::iter::successors(cron.next(&zone, Timestamp(from * 1_000)), |it| cron.next(&zone, *it));
        let found: Vec<i64> = found.map(|it| it.0 / 1_000).take_while(|it| *it <= to).collect();
        assert_eq!(found, walked(&fits, fixed, &zone, from, to), "{expression} in {name} around {night}");
    }
}

#[test]
fn what_means_something_else_than_it_says_is_refused() {
    for (expression, says) in [
        ("1,,2 * * * *", "`1,,2` has an empty piece"),
        ("0 9 * * MON,", "`MON,` has an empty piece"),
        (", * * * *", "`,` has an empty piece"),
        ("*/90 * * * *", "`*/90` never takes its step: the minutes go from 0 to 59; hint: `every: 90m`"),
        ("0 */36 * * *", "`*/36` never takes its step: the hours go from 0 to 23; hint: `every: 36h`"),
        ("*/75 * * * * *", "hint: `every: 75s`"),
        ("10-20/30 * * * *", "the minutes go from 10 to 20"),
        ("0 0 */40 * *", "`*/40` never takes its step"),
        ("0 0 1 */13 *", "`*/13` never takes its step"),
        ("0 0 30 2 *", "this never comes"),
        ("0 0 31 4,6,9,11 *", "this never comes"),
        ("0 0 0 1 1 * 2020", "this never comes"),
        ("0 0 0 1 1 * 2500", "this never comes"),
        ("MON 9 * * *", "`MON` is no minute"),
        ("0 9 * * JAN", "`JAN` is no weekday"),
        ("0 9 * MON *", "`MON` is no month"),
        ("0 22-2 * * *", "`22-2` goes backwards; hint: `22-23,0-2`"),
        ("0 0 * * FRI-MON", "`FRI-MON` goes backwards; hint: `5-6,0-1`"),
        ("5/10 * * * *", "hint: `*/10`, or from there on `5-59/10`"),
        ("/10 * * * *", "hint: `*/10`"),
        ("*/0 * * * *", "is 0"),
        ("60 * * * *", "`60` is no minute: they go from 0 to 59"),
        ("0 24 * * *", "`24` is no hour"),
        ("0 0 * * L", "`5L` is the last Friday"),
        ("0 0 L,LW * *", "do not go together"),
        ("@every 90m", "hint: `every: 90m`"),
        ("@midnight", "hint: `@daily`"),
        ("* * *", "it has 3 fields"),
        ("", "it has 0 fields"),
    ] {
        let error = expression.parse::<Cron>().unwrap_err();
        assert!(error.contains(says) && error.contains("; hint: "), "`{expression}`: {error}");
    }
    assert!("1,".repeat(1_000).parse::<Cron>().is_err());
    // What looks odd and means what it says.
    for expression in
        ["*/60 * * * *", "0 */24 * * *", "0 0 * * SAT-SUN", "0 0 * * 5L", "0 0 LW,15W * *", "@daily"]
    {
        cron(expression);
    }
}

#[test]
fn words_say_what_is_done() {
    for (expression, words) in [
        ("0 9 * * MON", "At 09:00, on Monday"),
        ("0 3,15 * * *", "At 03:00 and 15:00"),
        ("5,35 2 * * *", "At 02:05 and 02:35"),
        ("0 9-17 * * *", "At minute 0, of hour 9-17"),
        ("*/15 * * * *", "At every 15 minutes"),
        ("*/60 * * * *", "At every 60 minutes"),
        // 45 minutes, and then 15.
        ("*/45 * * * *", "At minute 0 and 45 past every hour"),
        ("0-30/10 * * * *", "At minute 0, 10, 20, and 30 past every hour"),
        ("0 */5 * * *", "At 00:00, 05:00, 10:00, 15:00 and 20:00"),
        ("0 0 */10 * *", "At 00:00, on day 1, 11, 21, and 31"),
        ("0 0 1 */3 *", "At 00:00, on day 1, in January, April, July, and October"),
        ("0 0 LW * *", "At 00:00, on the last day from Monday to Friday of the month"),
        ("0 0 0 1 1 * 2026-2030/2", "At 00:00, on day 1, in January, in year 2026, 2028, and 2030"),
        ("0 0 13 * FRI", "At 00:00, on day 13 or Friday"),
        ("0 0 13 * +FRI", "At 00:00, on day 13 (if it is also Friday)"),
    ] {
        assert_eq!(cron(expression).words(), words, "{expression}");
    }
}

#[test]
fn no_search_is_without_end() {
    let riga = zone::get("Europe/Riga").unwrap();
    #[expect(clippy::disallowed_methods, reason = "how long a search takes, in real time")]
    let begin = Instant::now();
    // The rarest that comes: a Monday that is 29 February, with a century that has none between.
    let rare = cron("0 0 29 2 +MON");
    assert_eq!(rare.next(&riga, at("2096-03-01T00:00:00Z")), Some(at("2112-02-28T22:00:00Z")));
    assert_eq!(rare.previous(&riga, at("2108-03-01T00:00:00Z")), Some(at("2072-02-28T22:00:00Z")));
    // One whose years are over, asked for as a schedule asks for it: a thousand times in a row.
    let over = cron("* * * * * * 2026");
    for _ in 0..1_000 {
        assert_eq!(over.next(&riga, at("2027-01-01T00:00:00Z")), None);
        assert!("0 0 30 2 *".parse::<Cron>().is_err());
    }
    for far in [Timestamp(i64::MAX), Timestamp(i64::MIN), Timestamp(253_402_300_799_000)] {
        assert_eq!((over.next(&riga, far), rare.next(&TimeZone::UTC, far)), (None, None));
        assert!(over.previous(&riga, Timestamp(i64::MIN)).is_none());
    }
    // All of it takes milliseconds; a search second by second takes minutes.
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
}
