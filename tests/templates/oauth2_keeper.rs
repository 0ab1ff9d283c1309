//! `oauth2-keeper`: providers of several habits, and what goes wrong at each.

use beltline::model::signal::Command;
use beltline::model::time::Span;
use beltline::sim::habits::{ClientAuth, Habits};
use beltline::sim::script::Plan;
use beltline::sim::troubles::SimTrouble;
use serde_json::json;
use url::Url;

use crate::templates::provider::{Office, TASK};

/// Rotates, and its tokens end: as Bitrix24, Atlassian or Xero.
fn rotating() -> Habits {
    Habits::default()
}

/// One refresh token for ever, tokens that end, the client in the header: as Google or Spotify.
fn lasting() -> Habits {
    Habits { rotation: false, client_auth: ClientAuth::Basic, ..Habits::default() }
}

/// A token without an end and nothing to renew it with, errors under 200: as GitHub.
fn endless() -> Habits {
    let pkce = false;
    Habits { refresh: false, expires_in: None, errors_under_200: true, pkce, ..Habits::default() }
}

/// No refresh token, but an end: a person must come again.
fn returning() -> Habits {
    Habits {
        refresh: false,
        expires_in: Some(60 * 86_400),
        client_auth: ClientAuth::None,
        ..Habits::default()
    }
}

#[test]
fn the_link_is_what_the_standards_want() {
    let office = Office::given(
        rotating(),
        &json!({"authorize_params": "access_type=offline&prompt=consent", "client_id": "a b&c"}),
    );
    assert_eq!(office.node(), "authorize");
    let link = Url::parse(&office.universe.task(TASK).link.unwrap()).unwrap();
    let pairs: std::collections::BTreeMap<_, _> = link.query_pairs().into_owned().collect();
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "a b&c"),
        ("redirect_uri", "https://beltline.test/oauth/callback"),
        ("scope", "read write"),
        ("code_challenge_method", "S256"),
        ("access_type", "offline"),
        ("prompt", "consent"),
    ] {
        assert_eq!(pairs[name], value, "{name}");
    }
    assert_eq!((pairs["code_challenge"].len(), pairs["state"].len()), (43, 32));
    office.tells_no_secret();
}

#[test]
fn a_rotating_provider_is_renewed_for_ever() {
    let mut office = Office::with_token(rotating());
    assert_eq!(office.param("granted_scope"), "read write");
    let first = office.param("refresh_token");
    office.universe.run(Span::days(1));
    office.is_well();
    assert_eq!(office.asked("refresh_token"), 36, "every forty minutes");
    assert_ne!(office.param("refresh_token"), first);
    assert_ne!(office.param("previous_refresh_token"), office.param("refresh_token"));
    assert_eq!((office.provider().counts.reuses_plain, office.told().len()), (0, 0));
    office.tells_no_secret();
}

#[test]
fn a_lasting_refresh_token_stays_in_its_place() {
    let mut office = Office::with_token(lasting());
    let (access, refresh) = (office.param("access_token"), office.param("refresh_token"));
    office.universe.run(Span::hours(5));
    office.is_well();
    assert_eq!(office.param("refresh_token"), refresh);
    assert_ne!(office.param("access_token"), access);
    assert_eq!(office.asked("refresh_token"), 7);
    office.tells_no_secret();
}

#[test]
fn a_token_without_an_end_is_kept_and_a_signal_says_that_it_died() {
    let mut office = Office::with_token(endless());
    office.universe.run(Span::days(400));
    office.is_well();
    assert_eq!((office.node().as_str(), office.asked("refresh_token")), ("keep", 0));
    assert_eq!(office.param("expires_at"), json!(null));
    office.provider().revoke();
    office.universe.modify(TASK, json!({}));
    office.universe.run(Span::secs(2));
    assert_eq!(office.node(), "escalate");
    assert!(office.last_told().contains("no refresh token, and somebody says"), "{}", office.last_told());
    office.open_told_link();
    office.universe.run(Span::secs(2));
    office.is_well();
    office.tells_no_secret();
}

#[test]
fn who_cannot_be_renewed_is_authorized_again_before_the_end() {
    let mut office = Office::with_token(returning());
    office.universe.run(Span::days(58));
    office.is_well();
    office.universe.run(Span::hours(25));
    assert_eq!((office.node().as_str(), office.told().len()), ("escalate", 1));
    assert!(office.has_good_token() && office.last_told().contains("time is over soon"));
    office.open_told_link();
    office.universe.run(Span::secs(2));
    office.is_well();
    assert!(office.last_told().contains("is renewed again. It is good until 20"), "{}", office.last_told());
}

#[test]
fn a_life_from_the_manual_and_a_rhythm_of_ones_own_hold() {
    let mut office = Office::given(
        Habits { expires_in: None, ..rotating() },
        &json!({"lives": "2h", "renew_every": "30m"}),
    );
    office.open_link();
    office.universe.run(Span::secs(1));
    office.is_well();
    let life = office.param("expires_at").as_i64().unwrap() - office.param("renewed_at").as_i64().unwrap();
    assert_eq!(life, 7_200);
    office.universe.run(Span::days(1));
    assert_eq!(office.asked("refresh_token"), 48);
    let mut office =
        Office::given(Habits { expires_in: None, ..rotating() }, &json!({"renew_every": "soon"}));
    office.open_link();
    office.universe.run(Span::hours(3));
    office.is_well();
    assert_eq!(office.node(), "keep");
}

#[test]
fn a_pasted_url_does_as_well_as_the_callback() {
    let mut office = Office::new(rotating());
    let link = office.universe.task(TASK).link.unwrap();
    let code = office.redirect(&link)["code"].as_str().unwrap().replace('/', "%2F");
    let pasted = format!(" https://beltline.test/oauth/callback?state=x&code={code}&scope=read#_=_\n");
    office.universe.modify(TASK, json!({"code": pasted}));
    office.universe.run(Span::secs(1));
    office.is_well();
}

#[test]
fn a_code_of_another_link_is_worthless() {
    let mut office = Office::new(rotating());
    let old = office.universe.task(TASK).link.unwrap();
    office.universe.run(Span::mins(1_441));
    assert_ne!(office.universe.task(TASK).link.unwrap(), old, "after a day there is a new link");
    let stolen = office.redirect(&old)["code"].clone();
    office.universe.modify(TASK, json!({"code": stolen}));
    office.universe.run(Span::secs(1));
    assert_eq!((office.node().as_str(), office.param("state")), ("escalate", json!("code")));
    assert!(office.last_told().contains("The code_verifier does not fit"), "{}", office.last_told());
    office.open_told_link();
    office.universe.run(Span::secs(1));
    office.is_well();
}

#[test]
fn a_person_who_says_no_is_asked_again() {
    let mut office = Office::new(Habits { refuses: true, ..lasting() });
    office.open_link();
    office.universe.run(Span::secs(1));
    assert_eq!((office.node().as_str(), office.param("state")), ("escalate", json!("said_no")));
    assert!(office.last_told().contains("access_denied: The person said no"), "{}", office.last_told());
    office.provider().habits.refuses = false;
    office.open_told_link();
    office.universe.run(Span::secs(1));
    office.is_well();
}

#[test]
fn a_token_server_that_is_not_listed_is_told_before_a_person_authorizes() {
    let office = Office::given(rotating(), &json!({"token_url": "https://evil.test/token"}));
    assert_eq!((office.node().as_str(), office.param("state")), ("escalate", json!("not_allowed")));
    assert!(office.last_told().contains("`--allow-oauth-host https://HOST`"), "{}", office.last_told());
    assert_eq!(office.provider().counts.requests.len(), 0);
}

#[test]
fn a_new_secret_heals_what_an_old_one_broke() {
    for habits in [rotating(), lasting()] {
        let secret = beltline::sim::oauth2::CLIENT_SECRET;
        let mut office = Office::given(habits, &json!({"client_secret": "a slip"}));
        office.open_link();
        office.universe.run(Span::secs(1));
        assert_eq!((office.node().as_str(), office.param("state")), ("escalate", json!("config")));
        office.universe.modify(TASK, json!({"client_secret": format!(" {secret}\n")}));
        office.universe.run(Span::secs(1));
        assert_eq!(office.node(), "escalate", "the code is spent, so a person must tap once more");
        office.open_told_link();
        office.universe.run(Span::secs(1));
        office.is_well();
    }
}

/// What goes wrong at a renewal, where it leads, what is told of it in an hour, and how it heals.
#[test]
fn every_failure_goes_where_it_belongs_and_heals() {
    for (what, state, says, asked, heals) in [
        (SimTrouble::InvalidGrant, "authorize", "refresh token is not taken any more", 2, "link"),
        (SimTrouble::InvalidClient, "config", "`client_auth` right", 1, "wake"),
        (SimTrouble::WrongClient, "config", "wrong_client", 1, "wake"),
        (SimTrouble::InvalidScope, "config", "invalid_scope: Given scope", 1, "wake"),
        (SimTrouble::InvalidRequest, "config", "invalid_request", 1, "wake"),
        (SimTrouble::Moved, "config", "redirect, which is not followed", 1, "wake"),
        (SimTrouble::NotFound, "config", "the answer's status is 404", 1, "wake"),
        (SimTrouble::Http503, "unreachable", "the answer's status is 503", 18, "itself"),
        (SimTrouble::TooManyRequests, "unreachable", "the answer's status is 429", 14, "itself"),
        (SimTrouble::Garbage, "unreachable", "bad_response", 18, "itself"),
        (SimTrouble::Huge, "unreachable", "response_too_large", 18, "itself"),
        (SimTrouble::Close, "unreachable", "outcome_unknown", 18, "itself"),
        (SimTrouble::Lost, "lost", "the rotated token may be lost", 2, "link"),
    ] {
        let mut office = Office::with_token(rotating());
        office.renewal();
        let pair = (office.param("access_token"), office.param("refresh_token"));
        let before = office.asked("refresh_token");
        office.trouble(vec![Plan::times(
            what,
            if heals == "link" && what == SimTrouble::Lost { 1 } else { 99 },
        )]);
        office.renewal();
        office.universe.run(Span::mins(60));
        assert_eq!(office.param("state"), state, "{what:?} {}", office.universe.way(TASK).join(" "));
        // Where each try takes its time, one more or less fits into the hour.
        let (many, slack) = (office.asked("refresh_token") - before, u64::from(asked > 2));
        assert!(many.abs_diff(asked) <= slack, "{what:?}: {many}");
        assert_eq!(office.told().len(), 1, "{what:?}: {:#?}", office.told());
        assert!(office.last_told().contains(says), "{what:?}: {}", office.last_told());
        assert!((office.param("access_token"), office.param("refresh_token")) == pair, "erased: {what:?}");
        office.trouble(Vec::new());
        match heals {
            "link" => office.open_told_link(),
            "wake" => office.universe.command(TASK, Command::Wake),
            _ => {}
        }
        office.universe.run(Span::mins(6));
        office.is_well();
        assert!(office.last_told().starts_with("Resolved: "), "{what:?}");
        office.tells_no_secret();
    }
}

#[test]
fn without_rotation_a_lost_answer_costs_nothing() {
    let mut office = Office::with_token(lasting());
    office.trouble(vec![Plan::times(SimTrouble::Lost, 1)]);
    office.renewal();
    office.universe.run(Span::mins(2));
    office.is_well();
    assert!(office.told().is_empty());
}

#[test]
fn a_server_in_trouble_is_shown_the_code_again_while_it_is_fresh() {
    let mut office = Office::new(rotating());
    office.trouble(vec![Plan::times(SimTrouble::Http503, 3)]);
    office.open_link();
    office.universe.run(Span::secs(20));
    office.is_well();
    assert_eq!(office.asked("authorization_code"), 4);
}

#[test]
fn signals_wake_it_but_never_more_often_than_every_minute() {
    let mut office = Office::with_token(lasting());
    office.universe.run(Span::mins(5));
    for _ in 0..600 {
        office.universe.modify(TASK, json!({}));
        office.universe.run(Span::secs(1));
    }
    assert_eq!(office.asked("refresh_token"), 11, "at once, and ten more in ten minutes");
    office.universe.run(Span::mins(2));
    office.is_well();
}
