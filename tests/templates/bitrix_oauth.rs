//! `bitrix-oauth`: what people and other processes do with it.

use beltline::model::fault::Fault;
use beltline::model::signal::Command;
use beltline::model::time::Span;
use beltline::sim::config::DEMO_CLIENT_SECRET;
use beltline::sim::script::Plan;
use beltline::sim::settings::BitrixSettings;
use beltline::sim::troubles::SimTrouble;
use serde_json::json;

use crate::simulation::portal::{MEMBER, PORTAL};
use crate::templates::keeper::{Keeper, TASK};

#[test]
fn one_tap_on_the_link_and_it_renews_for_ever() {
    let mut keeper = Keeper::new(BitrixSettings::default());
    assert_eq!((keeper.node().as_str(), keeper.asked()), ("authorize", 0));
    keeper.open_link();
    keeper.universe.run(Span::secs(1));
    keeper.is_well();
    assert_eq!(keeper.param("member_id"), MEMBER);
    assert_eq!(keeper.param("client_endpoint"), format!("{PORTAL}/rest/"));
    assert_eq!(keeper.param("granted_scope"), "crm,user");
    let first = keeper.param("access_token");
    keeper.universe.run(Span::days(1));
    keeper.is_well();
    assert_eq!(keeper.asked(), 58, "one exchange, and one renewal every 25 minutes");
    assert_ne!(keeper.param("access_token"), first);
    assert_ne!(keeper.param("previous_access_token"), keeper.param("access_token"));
    let lives = keeper.param("expires_at").as_i64().unwrap() - keeper.param("renewed_at").as_i64().unwrap();
    assert_eq!(lives, 3_600);
    assert!(keeper.told().is_empty());
    keeper.tells_no_secret();
}

#[test]
fn the_body_varies_and_the_pair_is_kept() {
    let mut keeper = Keeper::with_token(BitrixSettings {
        expires_missing: true,
        scope_app: true,
        numbers_as_strings: true,
        slashes_escaped: true,
        ..BitrixSettings::default()
    });
    keeper.universe.run(Span::hours(3));
    keeper.is_well();
    assert_eq!(keeper.param("client_endpoint"), format!("{PORTAL}/rest/"));
    assert_eq!(keeper.param("granted_scope"), "app");
}

#[test]
fn a_code_comes_with_the_task_as_it_is_or_in_the_pasted_url() {
    for paste in [
        "CODE",
        "  CODE\n",
        "https://b.test/oauth/callback?code=CODE&state=&domain=x.ru",
        "https://b.test/?a=1&code=CODE",
    ] {
        let mut keeper = Keeper::new(BitrixSettings::default());
        let code = keeper.portal.code(keeper.universe.now());
        keeper.universe.modify(TASK, json!({"code": paste.replace("CODE", &code)}));
        keeper.universe.run(Span::secs(1));
        keeper.is_well();
    }
}

#[test]
fn a_portal_may_be_a_name_a_host_or_a_url() {
    let link = |portal: &str| {
        let keeper = Keeper::given(BitrixSettings::default(), &json!({"portal": portal}));
        let link = keeper.universe.task(TASK).link.unwrap();
        let base = link.split("/oauth/authorize/?client_id=").next().unwrap().to_owned();
        (base, keeper.param("token_url").as_str().unwrap().to_owned())
    };
    let (east, west) = ("https://oauth.bitrix24.tech", "https://oauth.bitrix.info");
    for (portal, url, tokens) in [
        ("acme", "https://acme.bitrix24.ru", east),
        (" Acme ", "https://acme.bitrix24.ru", east),
        ("acme.bitrix24.by", "https://acme.bitrix24.by", east),
        ("acme.bitrix24.kz", "https://acme.bitrix24.kz", east),
        ("https://acme.bitrix24.com/", "https://acme.bitrix24.com", west),
        ("http://acme.bitrix24.com.br/crm/?x=1", "https://acme.bitrix24.com.br", west),
        ("https://crm.acme.example:8443/a#b", "https://crm.acme.example:8443", west),
        ("http://127.0.0.1:7801", "http://127.0.0.1:7801", west),
        ("https://acme.bitrix24.de@evil.example/x", "https://evil.example", west),
    ] {
        assert_eq!(link(portal), (url.to_owned(), tokens.to_owned()), "{portal}");
    }
}

#[test]
fn a_token_server_that_is_not_on_the_list_never_sees_the_secret() {
    let mut keeper =
        Keeper::given(BitrixSettings::default(), &json!({"oauth_host": "evil.example", "code": "x"}));
    keeper.universe.run(Span::mins(1));
    assert_eq!((keeper.node().as_str(), keeper.asked()), ("escalate", 0));
    assert!(keeper.last_told().contains("host_not_allowed"), "{}", keeper.last_told());
    keeper.universe.modify(TASK, json!({"oauth_host": "https://oauth.bitrix24.tech/oauth/token/"}));
    keeper.universe.run(Span::mins(1));
    keeper.open_told_link();
    keeper.universe.run(Span::mins(1));
    keeper.is_well();
}

#[test]
fn an_old_code_is_told_and_the_new_link_works() {
    let mut keeper = Keeper::new(BitrixSettings::default());
    for _ in 0..2 {
        keeper.universe.modify(TASK, json!({"code": "spent"}));
        keeper.universe.run(Span::mins(1));
        assert_eq!(keeper.node(), "escalate");
        assert!(keeper.last_told().contains("good once and for 30 seconds"), "{}", keeper.last_told());
        assert!(keeper.last_told().contains("There is no token yet."));
    }
    assert_eq!(keeper.told().len(), 2, "who tries is answered each time");
    keeper.open_told_link();
    keeper.universe.run(Span::mins(1));
    keeper.is_well();
}

#[test]
fn a_server_in_trouble_is_given_the_code_again_while_it_is_fresh() {
    let mut keeper = Keeper::new(BitrixSettings::default());
    keeper.trouble(vec![Plan::times(SimTrouble::Http503, 2)]);
    keeper.open_link();
    keeper.universe.run(Span::secs(20));
    keeper.is_well();
    assert_eq!(keeper.asked(), 3);
    let mut keeper = Keeper::new(BitrixSettings::default());
    keeper.trouble(vec![Plan::always(SimTrouble::OverloadLimit)]);
    keeper.open_link();
    keeper.universe.run(Span::mins(5));
    assert_eq!((keeper.node().as_str(), keeper.asked()), ("escalate", 1), "blocked is blocked");
}

#[test]
fn a_new_secret_heals_what_an_old_one_broke() {
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    keeper.universe.modify(TASK, json!({"client_secret": "a slip of the hand"}));
    keeper.universe.run(Span::mins(2));
    assert_eq!((keeper.node().as_str(), keeper.param("state")), ("escalate", json!("config")));
    keeper.universe.modify(TASK, json!({}));
    keeper.universe.run(Span::mins(2));
    assert_eq!(keeper.node(), "escalate", "a signal of another process is no person");
    keeper.universe.modify(TASK, json!({"client_secret": format!(" {DEMO_CLIENT_SECRET}\n")}));
    keeper.universe.run(Span::mins(2));
    keeper.is_well();
    assert_eq!(keeper.told().len(), 2, "{:#?}", keeper.told());
}

#[test]
fn a_person_is_reminded_every_six_hours_with_a_link_that_works() {
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    keeper.trouble(vec![Plan::always(SimTrouble::NotInstalled)]);
    keeper.renewal();
    keeper.universe.run(Span::days(9));
    assert!((34..=38).contains(&keeper.told().len()), "{}", keeper.told().len());
    keeper.trouble(Vec::new());
    keeper.open_told_link();
    keeper.universe.run(Span::mins(1));
    keeper.is_well();
}

#[test]
fn signals_wake_it_at_once_but_never_more_often_than_every_minute() {
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    keeper.universe.run(Span::mins(5));
    let before = keeper.asked();
    keeper.universe.modify(TASK, json!({}));
    keeper.universe.run(Span::secs(1));
    assert_eq!(keeper.asked() - before, 1, "at once");
    for _ in 0..600 {
        keeper.universe.modify(TASK, json!({}));
        keeper.universe.run(Span::secs(1));
    }
    assert_eq!(keeper.asked() - before, 10, "ten minutes, nine more");
    keeper.universe.run(Span::mins(2));
    keeper.is_well();
}

#[test]
fn a_signal_that_comes_during_the_request_is_not_lost() {
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    keeper.trouble(vec![Plan::times(SimTrouble::Slow, 1).ms(5_000)]);
    keeper.universe.run(Span::mins(25));
    let before = keeper.asked();
    keeper.universe.run(Span::secs(2));
    keeper.universe.modify(TASK, json!({}));
    keeper.universe.run(Span::secs(20));
    assert_eq!(keeper.node(), "breathe", "{before}");
    keeper.universe.run(Span::mins(1));
    keeper.is_well();
    assert_eq!(keeper.portal.log().len(), 3, "exchange, renewal, and the renewal that was asked for");
}

#[test]
fn a_new_code_while_all_is_well_is_exchanged_and_a_bad_one_does_no_harm() {
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    keeper.universe.run(Span::mins(5));
    let old = keeper.param("access_token");
    let code = keeper.portal.code(keeper.universe.now());
    keeper.universe.modify(TASK, json!({"code": code}));
    keeper.universe.run(Span::secs(1));
    keeper.is_well();
    assert_ne!(keeper.param("access_token"), old);
    keeper.universe.modify(TASK, json!({"code": "spent"}));
    keeper.universe.run(Span::secs(2));
    assert_eq!(keeper.node(), "nap");
    assert!(keeper.has_good_token() && keeper.last_told().contains("The present pair goes on"));
    keeper.renewal();
    keeper.is_well();
}

#[test]
fn it_works_with_nobody_to_tell() {
    for trouble in [SimTrouble::InvalidClient, SimTrouble::PaymentRequired, SimTrouble::Http503] {
        let mut keeper = Keeper::with_token(BitrixSettings::default());
        let deaf = Fault::lasting("no_channel", "there is no channel `author`");
        keeper.universe.edges.author().deaf = Some(deaf);
        keeper.trouble(vec![Plan::always(trouble)]);
        keeper.universe.run(Span::hours(3));
        let alarm = keeper.universe.task(TASK).alarm.expect("the alarm is where people look");
        assert_eq!((alarm.notified_at, alarm.by.len()), (None, 0));
        assert!(alarm.problem.unwrap().contains("no channel"));
        keeper.trouble(Vec::new());
        if trouble == SimTrouble::InvalidClient {
            keeper.universe.command(TASK, Command::Wake);
        }
        keeper.universe.run(Span::hours(6));
        keeper.is_well();
    }
}

#[test]
fn a_channel_that_comes_back_delivers_what_it_owes() {
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    keeper.universe.edges.author().deaf = Some(Fault::passing("not_delivered", "no channel delivered"));
    keeper.trouble(vec![Plan::always(SimTrouble::InvalidClient)]);
    keeper.universe.run(Span::hours(1));
    assert!(keeper.told().is_empty());
    keeper.universe.edges.author().deaf = None;
    keeper.universe.run(Span::mins(6));
    assert_eq!(keeper.told().len(), 1);
}

#[test]
fn a_rhythm_that_cannot_be_read_costs_nothing() {
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    for rhythm in [json!("soon"), json!(null), json!(7), json!({"a": 1}), json!("0s"), json!("9999d")] {
        keeper.universe.modify(TASK, json!({"renew_every": rhythm}));
        keeper.universe.run(Span::hours(2));
        // Not in the midst of a renewal.
        keeper.universe.run(Span::secs(u64::from(keeper.node() == "renew")));
        assert!(keeper.has_good_token(), "{rhythm}");
    }
    keeper.universe.modify(TASK, json!({"renew_every": "40m"}));
    keeper.universe.run(Span::mins(2));
    let before = keeper.asked();
    keeper.universe.run(Span::hours(24));
    assert_eq!(keeper.asked() - before, 36);
}

#[test]
fn params_of_any_shape_do_not_end_the_task() {
    for name in ["portal", "client_id", "client_secret", "code", "oauth_host", "scope"] {
        for value in [json!(null), json!(7), json!([1]), json!({"a": {"b": 1}}), json!(""), json!("{{x}}")] {
            let mut keeper = Keeper::with_token(BitrixSettings::default());
            keeper.universe.modify(TASK, json!({name: value}));
            keeper.universe.run(Span::hours(1));
            let task = keeper.universe.task(TASK);
            assert!(task.state.phase().is_live(), "{name}={value}: {:?}", task.fault);
            assert!(!keeper.param("refresh_token").as_str().unwrap().is_empty());
        }
    }
}
