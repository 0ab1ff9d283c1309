//! `bitrix-oauth`: answers that are lost, by a server that forgives a repeat for some seconds, and tokens
//! that live half a minute.

use beltline::model::time::{Span, Timestamp};
use beltline::sim::script::Plan;
use beltline::sim::settings::BitrixSettings;
use beltline::sim::troubles::SimTrouble;
use serde_json::json;

use crate::templates::keeper::{Keeper, TASK};

/// Many a token server gives the rotated pair once more, for ten to sixty seconds.
fn forgiving() -> BitrixSettings {
    BitrixSettings { forgiven_s: 10, ..BitrixSettings::default() }
}

/// The end of the present token, as the task has it.
fn end(keeper: &Keeper) -> Timestamp {
    Timestamp(keeper.param("expires_at").as_i64().unwrap() * 1_000)
}

#[test]
fn a_lost_answer_is_healed_within_seconds_where_a_repeat_is_forgiven() {
    for what in
        [SimTrouble::Lost, SimTrouble::Http504, SimTrouble::Http500, SimTrouble::Garbage, SimTrouble::Empty]
    {
        for losses in 1..=3 {
            let mut keeper = Keeper::with_token(forgiving());
            let old = keeper.param("access_token");
            keeper.trouble(vec![Plan::times(what, losses).after()]);
            let begins = Timestamp(keeper.param("renew_at").as_i64().unwrap() * 1_000);
            // Two tries in the first three seconds, the third within nine.
            keeper.universe.run_until(begins + Span::secs(if losses == 1 { 3 } else { 9 }));
            if losses == 3 {
                assert_eq!(keeper.node(), "rest", "{what:?}: what comes after ten seconds is not forgiven");
                continue;
            }
            keeper.is_well();
            assert_ne!(keeper.param("access_token"), old, "{what:?}");
            assert!(keeper.told().is_empty(), "{what:?}: {:#?}", keeper.told());
            let access = keeper.param("access_token").as_str().unwrap().to_owned();
            let last = end(&keeper) - Span::secs(1);
            assert!(keeper.portal.takes(&access, last), "{what:?}: it is counted from the first request");
        }
    }
}

/// The pair is rotated and stands in an answer that cannot be read: by hand it comes to its place.
#[test]
fn a_pair_in_an_answer_that_cannot_be_read_is_not_lost() {
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    keeper.trouble(vec![Plan::times(SimTrouble::Cut, 1)]);
    keeper.renewal();
    keeper.universe.run(Span::mins(2));
    assert_eq!((keeper.node(), keeper.param("state")), ("escalate".to_owned(), json!("lost")));
    let told = keeper.last_told();
    for word in ["`unread_answer`", "modify bitrix-oauth token refresh_token=-", "invalid_grant"] {
        assert!(told.contains(word), "{told}");
    }
    let kept = keeper.param("unread_answer").as_str().unwrap().to_owned();
    let (_, refresh) = kept.split_once("\"refresh_token\":\"").expect(&kept);
    let refresh = refresh.split('"').next().unwrap();
    let seen = format!("{:?} {:?}", keeper.told(), keeper.universe.history(TASK));
    assert!(!seen.contains(refresh), "{seen}");
    keeper.tells_no_secret();
    keeper.universe.modify(TASK, json!({"refresh_token": refresh}));
    keeper.universe.run(Span::mins(2));
    keeper.is_well();
    assert!(keeper.last_told().starts_with("Resolved: "), "{}", keeper.last_told());
    assert_eq!(keeper.param("unread_answer"), json!(""));
}

#[test]
fn an_engine_that_died_over_a_renewal_is_forgiven_too() {
    let mut keeper = Keeper::with_token(BitrixSettings { forgiven_s: 60, ..BitrixSettings::default() });
    keeper.trouble(vec![Plan::times(SimTrouble::Slow, 1).ms(19_000)]);
    keeper.renewal();
    keeper.universe.run(Span::secs(30));
    keeper.is_well();
    assert!(keeper.told().is_empty());
}

#[test]
fn a_token_of_half_a_minute_is_always_alive() {
    for signals in [false, true] {
        let settings =
            BitrixSettings { access_life_s: 30, old_access_survives: true, ..BitrixSettings::default() };
        let mut keeper = Keeper::with_token(settings);
        let before = keeper.asked();
        for second in 0..2 * 3_600 {
            keeper.universe.run(Span::secs(1));
            assert!(keeper.has_good_token(), "dead after {second} s: {:?}", keeper.universe.way(TASK));
            assert!(end(&keeper) > keeper.universe.now());
            if signals && second % 7 == 0 {
                keeper.universe.modify(TASK, json!({}));
            }
        }
        let asked = keeper.asked() - before;
        assert!((340..=370).contains(&asked), "{asked} requests in two hours");
        assert!(keeper.told().is_empty());
    }
}

#[test]
fn a_token_of_half_a_minute_survives_a_lost_answer() {
    let settings = BitrixSettings { access_life_s: 30, old_access_survives: true, ..forgiving() };
    let mut keeper = Keeper::with_token(settings);
    for _ in 0..50 {
        keeper.trouble(vec![Plan::times(SimTrouble::Lost, 1)]);
        for _ in 0..30 {
            keeper.universe.run(Span::secs(1));
            assert!(keeper.has_good_token(), "{:?}", keeper.universe.way(TASK));
        }
    }
    assert!(keeper.told().is_empty(), "{:#?}", keeper.told());
}
