//! `bitrix-oauth`: how long its tokens live, who else renews them, and keeping them lazily.

use beltline::model::time::{Span, Timestamp};
use beltline::process::expiry::Expiry;
use beltline::sim::config::DEMO_CLIENT_ID;
use beltline::sim::script::Plan;
use beltline::sim::settings::{BitrixSettings, Rotation};
use beltline::sim::troubles::SimTrouble;
use serde_json::json;

use crate::templates::keeper::{Keeper, TASK};

const LAZY: &str = "lazy";

fn lives(keeper: &Keeper) -> Vec<Expiry> {
    let task = keeper.universe.task(TASK);
    keeper.universe.registry.get(&task.process).unwrap().process.expiries(&task.params)
}

fn lazy(settings: BitrixSettings) -> Keeper {
    let mut keeper = Keeper::given(settings, &json!({"renew_every": LAZY}));
    keeper.open_link();
    keeper.universe.run(Span::secs(1));
    keeper.is_well();
    keeper
}

/// Somebody who has a copy of the pair renews it.
fn renew_elsewhere(keeper: &Keeper) {
    let now = keeper.universe.now().0;
    keeper.portal.bitrix().renew_elsewhere(DEMO_CLIENT_ID, now).unwrap();
}

#[test]
fn both_tokens_say_when_they_die_and_when_a_person_must_know() {
    let mut keeper = Keeper::new(BitrixSettings::default());
    assert!(lives(&keeper).is_empty(), "there is none yet");
    keeper.open_link();
    keeper.universe.run(Span::secs(1));
    let all = lives(&keeper);
    let names: Vec<&str> = all.iter().map(|it| it.param.as_str()).collect();
    assert_eq!(names, ["access_token", "refresh_token"]);
    let born = Timestamp(keeper.param("renewed_at").as_i64().unwrap() * 1_000);
    let spans = |it: &Expiry| (it.expires_at.since(born), it.expires_at.since(it.warn_at));
    assert_eq!(spans(&all[0]), (Span::hours(1), Span::mins(10)));
    assert_eq!(spans(&all[1]), (Span::days(28), Span::days(3)));
    assert_eq!(all[0].issued_at, Some(born));
}

#[test]
fn a_person_is_woken_at_the_last_safe_moment_and_not_before() {
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    keeper.renewal();
    keeper.trouble(vec![Plan::always(SimTrouble::Http503)]);
    let warn_at = lives(&keeper)[0].warn_at;
    keeper.universe.run_until(warn_at - Span::mins(5));
    assert!(keeper.told().is_empty());
    keeper.universe.run_until(warn_at + Span::mins(5));
    assert_eq!(keeper.told().len(), 1);
}

#[test]
fn a_renewal_by_somebody_else_is_named() {
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    keeper.renewal();
    renew_elsewhere(&keeper);
    assert!(!keeper.has_good_token(), "their renewal has killed our token");
    keeper.universe.modify(TASK, json!({}));
    keeper.universe.run(Span::mins(5));
    assert_eq!((keeper.node().as_str(), keeper.param("state")), ("escalate", json!("foreign")));
    let told = keeper.told();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("someone else has renewed this grant"), "{}", told[0]);
    assert!(!told[0].contains("may be lost"), "{}", told[0]);
    keeper.tells_no_secret();
    keeper.open_told_link();
    keeper.universe.run(Span::mins(1));
    keeper.is_well();
}

#[test]
fn a_lost_answer_is_not_taken_for_somebody_else() {
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    keeper.trouble(vec![Plan::times(SimTrouble::Lost, 1)]);
    keeper.renewal();
    keeper.universe.run(Span::mins(2));
    assert_eq!((keeper.node().as_str(), keeper.param("state")), ("escalate", json!("lost")));
    assert!(!keeper.last_told().contains("someone else"), "{}", keeper.last_told());
}

#[test]
fn a_token_that_died_of_old_age_is_not_taken_for_somebody_else() {
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    keeper.universe.pause("bitrix-oauth", true);
    keeper.universe.run(Span::days(29));
    keeper.universe.pause("bitrix-oauth", false);
    keeper.universe.run(Span::mins(5));
    assert_eq!((keeper.node().as_str(), keeper.param("state")), ("escalate", json!("authorize")));
    assert!(!keeper.last_told().contains("someone else"), "{}", keeper.last_told());
}

#[test]
fn where_a_refresh_token_lives_on_two_may_renew() {
    let mut keeper =
        Keeper::with_token(BitrixSettings { rotation: Rotation::Lenient, ..BitrixSettings::default() });
    for _ in 0..3 {
        renew_elsewhere(&keeper);
        keeper.renewal();
        keeper.is_well();
    }
    assert!(keeper.told().is_empty());
}

#[test]
fn who_is_lazy_renews_when_asked_and_never_lets_the_pair_die() {
    let mut keeper = lazy(BitrixSettings::default());
    let before = keeper.asked();
    keeper.universe.run(Span::days(13));
    assert_eq!((keeper.asked() - before, keeper.has_good_token()), (0, false), "nobody asked");
    keeper.universe.modify(TASK, json!({}));
    keeper.universe.run(Span::secs(1));
    assert_eq!(keeper.asked() - before, 1, "asked, and at once");
    keeper.is_well();
    keeper.universe.run(Span::days(365));
    assert_eq!(keeper.node(), "nap");
    assert_eq!(keeper.asked() - before, 27, "once every two weeks for a year");
    assert!(keeper.told().is_empty(), "{:#?}", keeper.told());
    let expires_at = lives(&keeper).iter().map(|it| it.expires_at).max().unwrap();
    assert!(expires_at > keeper.universe.now() + Span::days(13));
}

#[test]
fn a_dead_token_that_nobody_asked_for_needs_no_person() {
    let mut keeper = lazy(BitrixSettings::default());
    keeper.universe.run(Span::days(1));
    let access = lives(&keeper).remove(0);
    assert!(access.expires_at < keeper.universe.now());
    assert!(access.warn_at > keeper.universe.now() + Span::days(20), "its pair lives");
}

#[test]
fn who_is_lazy_and_cannot_renew_tells_a_person_after_ten_minutes() {
    let mut keeper = lazy(BitrixSettings::default());
    keeper.universe.run(Span::days(1));
    keeper.trouble(vec![Plan::always(SimTrouble::Http503)]);
    keeper.universe.modify(TASK, json!({}));
    keeper.universe.run(Span::mins(8));
    assert!(keeper.told().is_empty(), "it may pass");
    keeper.universe.run(Span::mins(8));
    assert_eq!(keeper.told().len(), 1, "{:#?}", keeper.told());
    keeper.trouble(Vec::new());
    keeper.universe.run(Span::mins(6));
    keeper.is_well();
    assert!(keeper.last_told().starts_with("Resolved: "));
}

#[test]
fn lazy_may_be_switched_on_and_off() {
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    keeper.universe.modify(TASK, json!({"renew_every": " Lazy "}));
    keeper.universe.run(Span::mins(2));
    let before = keeper.asked();
    keeper.universe.run(Span::days(1));
    assert_eq!(keeper.asked(), before);
    keeper.universe.modify(TASK, json!({"renew_every": "40m"}));
    keeper.universe.run(Span::hours(24));
    assert!((36..=37).contains(&(keeper.asked() - before)), "{}", keeper.asked() - before);
    // Not in the midst of a renewal.
    keeper.universe.run(Span::mins(1));
    keeper.is_well();
}

#[test]
fn signals_do_not_make_a_server_be_asked_before_it_wants_to() {
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    keeper.trouble(vec![Plan::times(SimTrouble::TooManyRequests, 1).retry_after_s(420)]);
    keeper.renewal();
    let before = keeper.asked();
    for _ in 0..60 {
        keeper.universe.modify(TASK, json!({}));
        keeper.universe.run(Span::secs(6));
    }
    assert_eq!(keeper.asked(), before, "it asked for seven minutes");
    keeper.universe.run(Span::mins(2));
    keeper.is_well();
}
