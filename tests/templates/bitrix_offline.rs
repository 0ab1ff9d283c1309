//! `bitrix-offline`: a long-lived token that a portal in a closed network has issued.

use std::io::ErrorKind;
use std::net::TcpListener;

use beltline::model::time::Span;
use beltline::sim::config::SimConfig;
use beltline::sim::script::Plan;
use beltline::sim::server::Sim;
use beltline::sim::settings::BitrixSettings;
use beltline::sim::troubles::SimTrouble;
use serde_json::json;

use crate::cli::place::{Place, until};
use crate::simulation::portal::{PORTAL, Portal};
use crate::simulation::universe::{Universe, template};

const TASK: &str = "bitrix-offline/token";

fn begin(token: &str) -> (Portal, Universe) {
    let portal = Portal::new(BitrixSettings::default(), 1);
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
    portal.bitrix().troubles.rest.set(vec![Plan::always(SimTrouble::Http502)]);
    universe.run(Span::mins(110));
    assert_eq!((universe.node(TASK).as_str(), universe.edges.author().told.len()), ("rest", 0));
    universe.run(Span::mins(20));
    assert_eq!(universe.edges.author().told.len(), 1);
    portal.bitrix().troubles.rest.clear();
    universe.run(Span::mins(10));
    assert_eq!((universe.node(TASK).as_str(), universe.edges.author().told.len()), ("nap", 2));
    assert!(universe.task(TASK).alarm.is_none());
}

/// Everything that could be asked by mistake leads to a listener that must hear nothing: the one token host
/// that is allowed, every proxy of the environment, and where the portal itself sends a redirect.
#[tokio::test(flavor = "multi_thread")]
async fn no_host_but_the_portal_is_ever_contacted() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    let elsewhere = format!("http://{}", silent.local_addr().unwrap());
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    sim.bitrix().allow_static("demo.longlived").unwrap();
    let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    let place = proxies.iter().fold(Place::new(), |place, name| place.env(name, &elsewhere));
    let _served = place.serve_with(&["--allow-address", "127.0.0.1", "--allow-oauth-host", &elsewhere]);
    place.ok(&["clone", "bitrix-offline", "--as", "offline", "--defaults"]);
    let submit = |name: &str, token: &str| {
        let portal = format!("portal_url={}", sim.portal_url);
        let words = ["submit", "offline", "--ref", name, &portal, "token=-"];
        assert_eq!(place.run_with(&words, &format!("{token}\n")).code, Some(0));
    };
    let comes_to = |name: &str, node: &str| {
        let task = || place.json(&["show", "offline", name])["task"].clone();
        until(node, || (task()["node"] == node).then_some(()));
        task()
    };
    submit("good", "demo.longlived");
    comes_to("good", "nap");
    submit("wrong", "demo.another");
    comes_to("wrong", "escalate");
    sim.bitrix().settings.renamed_to = Some(elsewhere);
    submit("moved", "demo.longlived");
    assert_eq!(comes_to("moved", "escalate")["params"]["said"], "redirect: the answer's status is 302");
    assert_eq!(place.ok(&["get", "offline", "good", "access_token"]).trim(), "demo.longlived");

    let counts = sim.counts();
    let asked: Vec<&str> = counts.requests.keys().map(String::as_str).collect();
    assert_eq!(asked, ["portal/moved", "rest/profile"], "the token server heard nothing");
    assert!(sim.messages().is_empty(), "nor did any provider");
    let heard = silent.accept().map(|(_, from)| from);
    assert!(heard.as_ref().is_err_and(|it| it.kind() == ErrorKind::WouldBlock), "{heard:?}");
    drop(std::net::TcpStream::connect(silent.local_addr().unwrap()).unwrap());
    until("it hears what is said", || silent.accept().ok());
    sim.stop().await;
}
