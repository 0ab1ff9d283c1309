//! `bitrix-offline`: a long-lived token that a portal in a closed network has issued.

use beltline::model::time::Span;
use beltline::sim::script::Plan;
use beltline::sim::settings::Settings;
use beltline::sim::troubles::Trouble;
use serde_json::json;

use crate::simulation::portal::{PORTAL, Portal};
use crate::simulation::universe::{Universe, template};

const TASK: &str = "bitrix-offline/token";

fn begin(token: &str) -> (Portal, Universe) {
    let portal = Portal::new(Settings::default(), 1);
    portal.bitrix().allow_static("demo.longlived").unwrap();
    let mut universe = Universe::new(Box::new(portal.clone()), &[&template("bitrix-offline")]);
    universe.submit(TASK, json!({"portal_url": format!("{PORTAL}/some/page"), "token": token}));
    universe.run(Span::secs(1));
    (portal, universe)
}

#[test]
fn a_token_is_proved_at_once_and_every_hour() {
    let (portal, mut universe) = begin(" demo.longlived\n");
    assert_eq!(universe.node(TASK), "nap");
    assert_eq!(universe.param(TASK, "access_token"), "demo.longlived");
    assert_eq!(universe.param(TASK, "client_endpoint"), format!("{PORTAL}/rest/"));
    universe.run(Span::days(1));
    assert_eq!(portal.bitrix().counts.total("rest/profile"), 25);
    assert!(portal.log().is_empty(), "the token server is never asked");
    assert_eq!(portal.bitrix().counts.url_secrets, 0);
}

#[test]
fn a_refused_token_is_told_and_a_new_one_goes_on() {
    let (portal, mut universe) = begin("demo.longlived");
    portal.bitrix().revoke_static("demo.longlived");
    universe.run(Span::hours(2));
    assert_eq!(universe.node(TASK), "escalate");
    assert_eq!(universe.param(TASK, "access_token"), "demo.longlived", "no failure erases a token");
    let told = universe.edges.author().told.clone();
    assert!(told.len() == 1 && told[0].text.contains("refuses the token (invalid_token"), "{told:?}");
    universe.modify(TASK, json!({}));
    universe.run(Span::mins(2));
    assert_eq!(universe.node(TASK), "escalate");
    portal.bitrix().allow_static("demo.another").unwrap();
    universe.modify(TASK, json!({"token": "demo.another"}));
    universe.run(Span::mins(2));
    assert_eq!(
        (universe.node(TASK).as_str(), universe.param(TASK, "access_token")),
        ("nap", json!("demo.another"))
    );
    assert!(universe.edges.author().told[1].text.starts_with("Resolved"));
}

#[test]
fn a_portal_out_of_reach_is_asked_again_and_told_after_an_hour() {
    let (portal, mut universe) = begin("demo.longlived");
    portal.bitrix().troubles.rest.set(vec![Plan::always(Trouble::Http502)]);
    universe.run(Span::mins(110));
    assert_eq!((universe.node(TASK).as_str(), universe.edges.author().told.len()), ("rest", 0));
    universe.run(Span::mins(20));
    assert_eq!(universe.edges.author().told.len(), 1);
    portal.bitrix().troubles.rest.clear();
    universe.run(Span::mins(10));
    assert_eq!((universe.node(TASK).as_str(), universe.edges.author().told.len()), ("nap", 2));
    assert!(universe.task(TASK).alarm.is_none());
}
