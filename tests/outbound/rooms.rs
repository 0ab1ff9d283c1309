//! Who may ask now, and who comes again when: places with limits, in a time that is told.

use beltline::model::rate::RateLimit;
use beltline::model::time::{Span, Timestamp};
use beltline::outbound::rate_limiter::{Closing, LimitKey, PermitResult, RateLimiter};

const BEGINNING: Timestamp = Timestamp(1_000_000);

fn at(millis: u64) -> Timestamp {
    BEGINNING + Span(millis)
}

fn want(name: &str, parallel: Option<u32>, rate: Option<&str>) -> LimitKey {
    let limit = RateLimit { parallel, rate: rate.map(|it| it.parse().unwrap()) };
    LimitKey { name: name.into(), shown: format!("`{name}`"), limit }
}

/// What becomes of a request, in words and milliseconds.
fn enter(rooms: &mut RateLimiter, millis: u64, key: &str, wants: &[LimitKey]) -> String {
    let after = |until: Timestamp| until.since(BEGINNING).0;
    match rooms.enter(at(millis), key, wants) {
        PermitResult::In(_) => "in".to_owned(),
        PermitResult::Soon(until) => format!("soon {}", after(until)),
        PermitResult::Line(number, _) => format!("line {number}"),
        PermitResult::Later(later) => format!("later {} {}", after(later.until), later.place),
    }
}

#[test]
fn a_host_without_a_limit_is_open() {
    let mut rooms = RateLimiter::default();
    let host = [want("h", None, None)];
    for n in 0..1_000 {
        assert_eq!(enter(&mut rooms, 0, &format!("k{n}"), &host), "in");
    }
}

#[test]
fn a_rate_spaces_requests_and_a_ticket_is_kept() {
    let mut rooms = RateLimiter::default();
    let host = [want("h", None, Some("1/s"))];
    assert_eq!(enter(&mut rooms, 0, "a", &host), "in");
    assert_eq!(enter(&mut rooms, 0, "b", &host), "later 1000 `h`");
    assert_eq!(enter(&mut rooms, 10, "c", &host), "later 2000 `h`");
    // Who comes too early keeps its place, and so does everybody else.
    assert_eq!(enter(&mut rooms, 500, "c", &host), "later 2000 `h`");
    assert_eq!(enter(&mut rooms, 800, "b", &host), "soon 1000");
    assert_eq!(enter(&mut rooms, 1_003, "b", &host), "in");
    assert_eq!(enter(&mut rooms, 1_004, "d", &host), "later 3000 `h`");
    assert_eq!(enter(&mut rooms, 2_000, "c", &host), "in");
    assert_eq!(enter(&mut rooms, 9_000, "d", &host), "in");
    assert_eq!(enter(&mut rooms, 9_000, "e", &host), "later 10000 `h`");
}

#[test]
fn a_host_that_closes_is_left_alone_and_then_asked_slowly() {
    let mut rooms = RateLimiter::default();
    let host = [want("h", None, None)];
    for key in ["a", "b"] {
        assert_eq!(enter(&mut rooms, 0, key, &host), "in");
    }
    rooms.close(at(100), &host[0], "a", at(10_100), Closing::Down);
    rooms.close(at(120), &host[0], "b", at(10_100), Closing::Down);
    // Those that were refused come first; all others behind them, in the order in which they came.
    assert_eq!(enter(&mut rooms, 200, "c", &host), "later 10200 `h`");
    assert_eq!(enter(&mut rooms, 200, "d", &host), "later 10250 `h`");
    assert_eq!(enter(&mut rooms, 300, "a", &host), "later 10100 `h`");
    assert_eq!(enter(&mut rooms, 300, "b", &host), "later 10150 `h`");
    assert_eq!(enter(&mut rooms, 10_100, "a", &host), "in");
    // Closed again: everybody moves on, and keeps the distance, which has grown for those who come now.
    rooms.close(at(10_110), &host[0], "a", at(20_000), Closing::Down);
    assert_eq!(enter(&mut rooms, 10_150, "b", &host), "later 20100 `h`");
    assert_eq!(enter(&mut rooms, 10_200, "c", &host), "later 20150 `h`");
    assert_eq!(enter(&mut rooms, 10_200, "e", &host), "later 20250 `h`");
    for (millis, key) in [(20_000, "a"), (20_100, "b"), (20_150, "c"), (20_200, "d"), (20_250, "e")] {
        assert_eq!(enter(&mut rooms, millis, key, &host), "in", "{key}");
        rooms.ease(at(millis), "h", key);
    }
    // Good answers have brought it back to its pace.
    for n in 0..100 {
        assert_eq!(enter(&mut rooms, 30_000, &format!("k{n}"), &host), "in");
    }
}

#[test]
fn a_host_that_is_down_for_one_is_probed_by_another_and_opens_for_all() {
    let mut rooms = RateLimiter::default();
    let host = [want("h", None, None)];
    let (minute, hour) = (60_000, 3_600_000);
    assert_eq!(enter(&mut rooms, 0, "a", &host), "in");
    rooms.close(at(0), &host[0], "a", at(hour), Closing::Down);
    // The one that was refused has the first place, and does not come: it waits as long as it was told to.
    assert_eq!(enter(&mut rooms, 1_000, "b", &host), "later 60050 `h`");
    assert_eq!(enter(&mut rooms, 1_000, "c", &host), "later 60100 `h`");
    assert_eq!(enter(&mut rooms, minute + 50, "b", &host), "in");
    // While that is out, nobody else goes, and not for a minute after it went.
    assert_eq!(enter(&mut rooms, minute + 100, "c", &host), "later 120150 `h`");
    assert_eq!(enter(&mut rooms, minute + 200, "d", &host), "later 120200 `h`");
    // Refused too: the next probe is a minute later again.
    rooms.close(at(minute + 300), &host[0], "b", at(hour), Closing::Down);
    let again = enter(&mut rooms, 2 * minute + 50, "c", &host);
    assert!(again.starts_with("later 12") || again.starts_with("soon 12"), "{again}");
    assert_eq!(enter(&mut rooms, 2 * minute + 400, "c", &host), "in");
    // A good answer to some older request says nothing; one to the probe opens it.
    rooms.ease(at(2 * minute + 500), "h", "z");
    assert!(enter(&mut rooms, 2 * minute + 600, "e", &host).starts_with("later 18"));
    rooms.ease(at(2 * minute + 700), "h", "c");
    for n in 0..4 {
        let millis = 2 * minute + 2_000 + n * 500;
        assert_eq!(enter(&mut rooms, millis, &format!("n{n}"), &host), "in");
    }
}

#[test]
fn a_host_that_is_busy_is_asked_by_nobody_until_it_says() {
    let mut rooms = RateLimiter::default();
    let host = [want("h", None, None)];
    rooms.close(at(0), &host[0], "a", at(3_600_000), Closing::Busy);
    for minute in 0..60_u64 {
        let said = enter(&mut rooms, minute * 60_000, &format!("k{minute}"), &host);
        assert!(said.starts_with("later 360"), "{said}");
    }
    assert_eq!(enter(&mut rooms, 3_600_000, "a", &host), "in");
}

#[test]
fn answers_under_way_do_not_open_what_was_closed() {
    let mut rooms = RateLimiter::default();
    let host = [want("h", None, None)];
    rooms.close(at(0), &host[0], "a", at(5_000), Closing::Down);
    for _ in 0..10 {
        rooms.ease(at(100), "h", "z");
    }
    assert_eq!(enter(&mut rooms, 100, "b", &host), "later 5050 `h`");
    // A moment that is over closes nothing.
    rooms.close(at(100), &want("i", None, None), "a", at(50), Closing::Down);
    assert_eq!(enter(&mut rooms, 100, "c", &[want("i", None, None)]), "in");
}

#[test]
fn a_full_place_lets_in_who_stood_there_first() {
    let mut rooms = RateLimiter::default();
    let node = [want("h", None, None), want("p/ask", Some(1), None)];
    let PermitResult::In(names) = rooms.enter(at(0), "a", &node) else { panic!("not in") };
    let PermitResult::Line(first, mut told) = rooms.enter(at(1), "b", &node) else { panic!("not in line") };
    let PermitResult::Line(second, _) = rooms.enter(at(2), "c", &node) else { panic!("not in line") };
    assert!(first < second);
    // Another node has room at the same host.
    assert_eq!(enter(&mut rooms, 3, "x", &[want("h", None, None), want("p/other", Some(1), None)]), "in");
    // Whoever gives up comes again, and is then before those who came after.
    let later = rooms.give_up(at(10), first).unwrap();
    assert_eq!((later.place.as_str(), later.until), ("`p/ask`", at(1_010)));
    assert!(told.try_recv().is_err());
    let PermitResult::Line(again, mut told) = rooms.enter(at(1_010), "b", &node) else {
        panic!("not in line")
    };
    assert_eq!(again, first);
    rooms.leave(at(1_020), &names, Span(1_020));
    let names = told.try_recv().unwrap();
    assert!(rooms.give_up(at(1_021), again).is_none());
    assert_eq!(enter(&mut rooms, 1_030, "d", &node), "line 2");
    // `c` has gone without a word: its room goes to the next.
    rooms.leave(at(1_040), &names, Span(20));
    assert_eq!(enter(&mut rooms, 1_050, "e", &node), "in");
}

#[test]
fn only_some_stand_in_line_and_the_others_come_when_it_is_likely_their_turn() {
    let mut rooms = RateLimiter::default();
    let node = [want("p/ask", Some(2), None)];
    let mut entries = Vec::new();
    for n in 0..100 {
        entries.push(rooms.enter(at(0), &format!("k{n}"), &node));
    }
    let count = |is: fn(&PermitResult) -> bool| entries.iter().filter(|it| is(it)).count();
    assert_eq!(count(|it| matches!(it, PermitResult::In(_))), 2);
    assert_eq!(count(|it| matches!(it, PermitResult::Line(..))), 16);
    let times: Vec<Timestamp> = entries
        .iter()
        .filter_map(|it| match it {
            PermitResult::Later(later) => Some(later.until),
            _ => None,
        })
        .collect();
    assert_eq!(times.len(), 82);
    // A second each, two at once.
    assert_eq!((times[0], times[81]), (at(8_500), at(49_000)));
    assert!(times.is_sorted());
}

#[test]
fn a_ticket_whose_holder_never_comes_is_forgotten() {
    let mut rooms = RateLimiter::default();
    let host = [want("h", None, Some("1000/s"))];
    for n in 0..5_000 {
        drop(rooms.enter(at(0), &format!("k{n}"), &host));
    }
    // An hour later a new request finds the way free, and thousands more do not fill the memory.
    for hour in 1..5_u64 {
        let now = hour * 3_600_000;
        assert_eq!(enter(&mut rooms, now, &format!("h{hour}"), &host), "in");
        for n in 0..1_000 {
            drop(rooms.enter(at(now), &format!("k{hour}-{n}"), &host));
        }
    }
    let text = format!("{rooms:?}");
    assert!(!text.contains("\"k0\"") && !text.contains("\"k2-1\""), "{}", text.len());
}
