//! `bitrix-install`: an installation brings the token, and a removal ends it.

use beltline::model::task::State;
use beltline::model::time::Span;
use beltline::sim::config::{DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, SimConfig};
use beltline::sim::events::{SimEvent, happen};
use beltline::sim::poster::post;
use beltline::sim::script::Plan;
use beltline::sim::server::Sim;
use beltline::sim::settings::BitrixSettings;
use beltline::sim::troubles::SimTrouble;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::cli::place::{Place, Served, until};
use crate::simulation::portal::{PORTAL, Portal};
use crate::simulation::universe::{Universe, template};

const TASK: &str = "bitrix-install/token";

struct Office {
    portal: Portal,
    universe: Universe,
}

impl Office {
    /// A task that waits for the installation.
    fn new(more: &Value) -> Office {
        let portal = Portal::new(BitrixSettings::default(), 1);
        let mut universe = Universe::new(Box::new(portal.clone()), &[&template("bitrix-install")]);
        let mut given = Portal::params();
        given["renew_every"] = json!("25m");
        given["oauth_host"] = json!("");
        given.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        universe.submit(TASK, given);
        universe.run(Span::secs(1));
        Office { portal, universe }
    }

    /// What the hook makes of an event.
    fn event(&mut self, event: SimEvent) -> Value {
        let now = self.universe.now().0;
        let form = happen(&mut self.portal.bitrix(), event, DEMO_CLIENT_ID, now).unwrap();
        let field = |name: &str| {
            let mut pairs = form_urlencoded::parse(form.as_bytes());
            pairs.find(|(it, _)| it == name).map(|(_, it)| it.into_owned()).unwrap_or_default()
        };
        json!({
            "event": field("event"),
            "offered_application_token": field("auth[application_token]"),
            "offered_refresh_token": field("auth[refresh_token]"),
        })
    }

    fn send(&mut self, event: Value) {
        self.universe.modify(TASK, event);
        self.universe.run(Span::secs(1));
    }

    fn node(&self) -> String {
        self.universe.node(TASK)
    }

    fn told(&self) -> Vec<String> {
        self.universe.edges.author().told.iter().map(|it| it.text.clone()).collect()
    }

    fn is_well(&self) {
        let way = self.universe.way(TASK).join(" ");
        assert_eq!(self.node(), "nap", "{way} {:?}", self.universe.task(TASK).fault);
        let access = self.universe.param(TASK, "access_token");
        assert!(self.portal.takes(access.as_str().unwrap(), self.universe.now()), "{way}");
    }
}

#[test]
fn an_installation_brings_the_token_and_it_is_renewed_for_ever() {
    let mut office = Office::new(&json!({}));
    assert_eq!(office.node(), "install");
    let handler = office.universe.param(TASK, "handler");
    assert_eq!(handler, "https://beltline.test/hooks/bitrix-install/events");
    let event = office.event(SimEvent::Install);
    office.send(event.clone());
    office.is_well();
    assert_eq!(office.universe.param(TASK, "application_token"), event["offered_application_token"]);
    assert_eq!(office.universe.param(TASK, "offered_refresh_token"), "");
    assert_eq!(office.universe.param(TASK, "client_endpoint"), format!("{PORTAL}/rest/"));
    office.universe.run(Span::days(1));
    office.is_well();
    assert_eq!(office.portal.log().len(), 58, "the proof, and a renewal every 25 minutes");
    let counts = office.portal.bitrix().counts.clone();
    assert_eq!((counts.reuses_plain, counts.url_secrets, counts.portal_secrets), (0, 0, 0));
    assert!(office.told().is_empty());
}

#[test]
fn a_removal_ends_it_and_asks_nothing_any_more() {
    let mut office = Office::new(&json!({}));
    let event = office.event(SimEvent::Install);
    office.send(event);
    let asked = office.portal.log().len();
    let event = office.event(SimEvent::Uninstall);
    office.send(event);
    let task = office.universe.task(TASK);
    assert_eq!((task.state, task.at.as_str(), task.result), (State::Done, "gone", Some(json!("removed"))));
    assert_eq!(office.universe.param(TASK, "access_token"), "");
    assert!(office.told()[0].contains("was removed from acme.bitrix24.ru"), "{:?}", office.told());
    office.universe.run(Span::days(1));
    assert_eq!(office.portal.log().len(), asked);
}

#[test]
fn a_forged_installation_is_not_believed_and_the_true_one_is() {
    let mut office = Office::new(&json!({}));
    for _ in 0..3 {
        let forged = json!({
            "event": "ONAPPINSTALL",
            "offered_application_token": "forged",
            "offered_refresh_token": "forged",
        });
        office.send(forged);
        office.universe.run(Span::mins(2));
        assert_eq!((office.node().as_str(), office.told().len()), ("install", 1), "told once");
    }
    assert!(office.told()[0].contains("not one of this application on acme.bitrix24.ru"));
    assert_eq!(office.universe.param(TASK, "application_token"), "");
    let removal = json!({"event": "ONAPPUNINSTALL", "offered_application_token": ""});
    office.send(removal);
    assert_eq!(office.node(), "install", "before the installation there is nothing to remove");
    let event = office.event(SimEvent::Install);
    office.send(event);
    office.universe.run(Span::mins(2));
    office.is_well();
    assert!(office.told().last().unwrap().starts_with("Resolved"), "{:?}", office.told());
}

#[test]
fn the_token_of_another_portal_is_refused() {
    let mut office = Office::new(&json!({"portal": "other"}));
    let event = office.event(SimEvent::Install);
    office.send(event);
    assert_eq!(office.node(), "install");
    assert!(office.told()[0].contains("other_portal"), "{:?}", office.told());
    assert_eq!(office.universe.param(TASK, "access_token"), json!(null));
}

#[test]
fn a_dead_pair_waits_for_another_installation() {
    let mut office = Office::new(&json!({}));
    let event = office.event(SimEvent::Install);
    office.send(event);
    office.portal.bitrix().troubles.token.set(vec![Plan::times(SimTrouble::Lost, 1)]);
    office.universe.run(Span::mins(30));
    assert_eq!(office.node(), "escalate");
    let told = office.told().pop().unwrap();
    assert!(told.contains("may be lost") && told.contains("/hooks/bitrix-install/events"), "{told}");
    assert_eq!(office.universe.param(TASK, "application_token"), "", "the next one may bring another");
    let event = office.event(SimEvent::Install);
    office.send(event);
    office.universe.run(Span::mins(2));
    office.is_well();
}

/// The pair is rotated and stands in an answer that cannot be read: by hand it comes to its place. So does
/// the first one of all, which the installation has brought.
#[test]
fn a_pair_in_an_answer_that_cannot_be_read_is_not_lost() {
    for at_the_installation in [true, false] {
        let mut office = Office::new(&json!({}));
        let event = office.event(SimEvent::Install);
        let cut = |office: &Office| {
            office.portal.bitrix().troubles.token.set(vec![Plan::times(SimTrouble::Cut, 1)]);
        };
        if at_the_installation {
            cut(&office);
        }
        office.send(event);
        if !at_the_installation {
            cut(&office);
        }
        office.universe.run(Span::mins(30));
        assert_eq!((office.node(), office.universe.param(TASK, "state")), ("escalate".into(), json!("lost")));
        let told = office.told().pop().unwrap();
        for word in ["`unread_answer`", "modify bitrix-install token refresh_token=-", "invalid_grant"] {
            assert!(told.contains(word), "{told}");
        }
        let kept = office.universe.param(TASK, "unread_answer").as_str().unwrap().to_owned();
        let (_, refresh) = kept.split_once("\"refresh_token\":\"").expect(&kept);
        let refresh = refresh.split('"').next().unwrap();
        let seen = format!("{:?} {:?}", office.told(), office.universe.history(TASK));
        assert!(!seen.contains(refresh), "{seen}");
        office.universe.modify(TASK, json!({"refresh_token": refresh}));
        office.universe.run(Span::mins(2));
        office.is_well();
        assert!(office.told().last().unwrap().starts_with("Resolved: "), "{:?}", office.told());
        assert_eq!(office.universe.param(TASK, "unread_answer"), json!(""));
    }
}

#[test]
fn a_token_server_in_trouble_costs_no_installation() {
    let mut office = Office::new(&json!({}));
    office.portal.bitrix().troubles.token.set(vec![Plan::times(SimTrouble::Http503, 3)]);
    let event = office.event(SimEvent::Install);
    office.send(event);
    assert_eq!(office.node(), "rest");
    office.universe.run(Span::mins(15));
    office.is_well();
}

/// The real binary, with its hook, and the portal over real HTTP.
struct Real {
    place: Place,
    served: Served,
    sim: Sim,
    hook: String,
}

impl Real {
    async fn open() -> Real {
        let sim = Sim::start(SimConfig::default()).await.unwrap();
        let place = Place::new();
        let served =
            place.serve_with(&["--allow-address", "127.0.0.1", "--allow-oauth-host", &sim.token_url]);
        place.ok(&["clone", "bitrix-install", "--as", "bitrix", "--defaults"]);
        let (portal, client, host) = (
            format!("portal={}", sim.portal_url),
            format!("client_id={DEMO_CLIENT_ID}"),
            format!("oauth_host={}", sim.token_url),
        );
        let words = ["submit", "bitrix", "--ref", "token", &portal, &client, &host, "client_secret=-"];
        let ran = place.run_with(&words, &format!("{DEMO_CLIENT_SECRET}\n"));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let hook = format!("http://{}/hooks/bitrix/events", place.address());
        let real = Real { place, served, sim, hook };
        real.comes_to("install");
        real
    }

    fn task(&self) -> Value {
        self.place.json(&["show", "bitrix", "token"])["task"].clone()
    }

    fn comes_to(&self, node: &str) {
        until(node, || (self.task()["node"] == node).then_some(()));
    }

    async fn happens(&self, event: SimEvent) -> u16 {
        let form = happen(&mut self.sim.bitrix(), event, DEMO_CLIENT_ID, self.sim.now()).unwrap();
        post(&self.hook, form).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_portals_events_come_in_and_forged_ones_do_not() {
    let real = Real::open().await;
    assert_eq!(real.happens(SimEvent::Install).await, 202);
    real.comes_to("nap");
    let access = real.place.ok(&["get", "bitrix", "token", "access_token"]);
    assert!(real.sim.bitrix().is_valid(access.trim(), real.sim.now()));
    let before = real.task();
    for forged in [
        "event=ONAPPUNINSTALL&auth[application_token]=guessed",
        "event=ONAPPUNINSTALL&auth[application_token]=",
        "event=ONAPPUNINSTALL",
        "event=ONAPPINSTALL&auth[application_token]=guessed&auth[refresh_token]=mine",
    ] {
        let status = post(&real.hook, forged.to_owned()).await.unwrap();
        assert!([401, 403, 422].contains(&status), "{forged}: {status}");
    }
    assert_eq!(real.task(), before, "nothing changed");
    assert!(real.served.log().contains("a request to a hook was refused"), "{}", real.served.log());
    assert_eq!(post(&real.hook, "event=ONCRMLEADADD".to_owned()).await.unwrap(), 200, "what does not count");
    assert_eq!(real.happens(SimEvent::Uninstall).await, 202);
    real.comes_to("gone");
    assert_eq!(real.task()["state"], "done");
    assert_eq!(real.happens(SimEvent::Uninstall).await, 404, "there is nothing to remove any more");
    assert!(!real.served.log().contains(DEMO_CLIENT_SECRET));
    real.sim.stop().await;
}
