//! A renewal that the engine dies in: no received pair is lost, no spent token is shown knowingly, and
//! where the rotated pair is truly gone a person is told and one link heals it.

use std::net::TcpListener;

use beltline::sim::config::{DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, SimConfig};
use beltline::sim::script::Plan;
use beltline::sim::server::Sim;
use beltline::sim::settings::{BitrixSettings, Rotation, SimApp};
use beltline::sim::troubles::SimTrouble;
use serde_json::Value;

use crate::cli::place::{Place, Served, until};
use crate::kill::partner::client;

/// An engine at one address for all its lives, and the portal it keeps a token of.
struct Story {
    place: Place,
    sim: Sim,
    listen: String,
}

impl Story {
    async fn begin(rotation: Rotation) -> Story {
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let app = SimApp {
            client_id: DEMO_CLIENT_ID.to_owned(),
            client_secret: DEMO_CLIENT_SECRET.to_owned(),
            redirect_url: format!("http://{listen}/oauth/callback"),
            scope: "crm,user".to_owned(),
        };
        let settings = BitrixSettings { rotation, ..BitrixSettings::default() };
        let config = SimConfig { apps: vec![app], settings, ..SimConfig::default() };
        Story { place: Place::new(), sim: Sim::start(config).await.unwrap(), listen }
    }

    fn serve(&self) -> Served {
        let allow = ["--allow-address", "127.0.0.0/8", "--allow-oauth-host", &self.sim.token_url];
        self.place.serve_at(&self.listen, &allow)
    }

    fn task(&self) -> Value {
        self.place.json(&["show", "bitrix", "token"])["task"].take()
    }

    /// Waits until the task is at rest with a token that the portal accepts.
    fn valid(&self) -> String {
        until("a token that the portal accepts", || {
            let ran = self.place.run(&["get", "bitrix", "token", "access_token"]);
            let token = ran.out.trim().to_owned();
            let now = self.sim.now();
            (ran.code == Some(0) && self.sim.bitrix().is_valid(&token, now)).then_some(token)
        })
    }

    /// Opens the link as a browser does: the portal sends it back to the callback.
    async fn tap(&self) {
        let link = until("a link", || {
            let task = self.task();
            task["link"].as_str().filter(|it| it.contains("/oauth/authorize/")).map(str::to_owned)
        });
        let answer = client().get(link).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    fn submit(&self) {
        self.place.ok(&["clone", "bitrix-oauth", "--as", "bitrix", "--defaults"]);
        let portal = format!("portal={}", self.sim.portal_url);
        let host = format!("oauth_host={}", self.sim.token_url);
        let (id, secret) =
            (format!("client_id={DEMO_CLIENT_ID}"), format!("client_secret={DEMO_CLIENT_SECRET}"));
        self.place.ok(&[
            "submit",
            "bitrix",
            "--ref",
            "token",
            &portal,
            &host,
            &id,
            &secret,
            "renew_every=10s",
        ]);
    }
}

/// Gets a token, then kills the engine while the server has rotated and its answer is still out.
async fn killed_after_the_rotation(rotation: Rotation) -> (Story, Served) {
    let story = Story::begin(rotation).await;
    let served = story.serve();
    story.submit();
    story.tap().await;
    let first = story.valid();
    story.sim.bitrix().troubles.token.push(Plan::times(SimTrouble::Slow, 1).after().ms(60_000));
    until("a rotation whose answer is out", || (story.sim.counts().rotations > 0).then_some(()));
    // Dropping sends SIGKILL.
    drop(served);
    let served = story.serve();
    let kept = story.place.ok(&["get", "bitrix", "token", "access_token"]);
    assert_eq!(kept.trim(), first, "the pair that was received is still there");
    (story, served)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_the_engine_died_in_is_asked_again_with_the_same_token() {
    let (story, _served) = killed_after_the_rotation(Rotation::Lenient).await;
    until("the same token again, and a new pair", || (story.sim.counts().rotations > 1).then_some(()));
    story.valid();
    assert_eq!(story.sim.counts().reuses_plain, 0);
    assert_eq!(story.sim.counts().portal_secrets + story.sim.counts().url_secrets, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_pair_that_is_truly_lost_is_told_of_and_one_link_heals_it() {
    let (story, _served) = killed_after_the_rotation(Rotation::Strict).await;
    let alarm = until("an alarm", || {
        let task = story.task();
        task["alarm"]["text"].as_str().map(str::to_owned)
    });
    assert!(alarm.contains("may be lost"), "{alarm}");
    assert_eq!(story.sim.counts().reuses_plain, 0, "no spent token is shown knowingly");
    story.tap().await;
    story.valid();
    until("the alarm is over", || story.task()["alarm"].is_null().then_some(()));
}
