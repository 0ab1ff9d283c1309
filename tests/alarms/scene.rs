//! [`Scene`]: a house, three people who are reached by a simulated Telegram, and a clock that can be moved
//! on.

use std::sync::Arc;

use beltline::engine::ports::Store;
use beltline::model::time::Span;
use beltline::outbound::batcher::Grouping;
use beltline::sim::config::SimConfig;
use beltline::sim::server::Sim;
use beltline::store::memory::Memory;
use serde_json::{Value, json};

use crate::support::house::{House, Plan};
use crate::support::shifted::Shifted;

/// The chat of each channel.
pub(super) const AUTHOR: &str = "1";
pub(super) const DUTY: &str = "2";
pub(super) const BOSS: &str = "3";

pub(super) struct Scene {
    pub(super) sim: Sim,
    pub(super) house: House,
    pub(super) clock: Arc<Shifted>,
    grouping: Grouping,
}

impl Scene {
    pub(super) async fn open() -> Scene {
        Scene::gathering(Grouping::new(Span::millis(50), Span::millis(50))).await
    }

    /// A scene whose alarms of one kind are gathered for so long.
    pub(super) async fn gathering(grouping: Grouping) -> Scene {
        let sim = Sim::start(SimConfig::default()).await.unwrap();
        let clock = Arc::new(Shifted::default());
        let house = build(Arc::new(Memory::default()), &clock, grouping).await;
        let scene = Scene { sim, house, clock, grouping };
        for (name, chat) in [("author", AUTHOR), ("duty", DUTY), ("boss", BOSS)] {
            scene.channel(name, chat, json!({})).await;
        }
        scene
    }

    /// Sets up a channel.
    pub(super) async fn channel(&self, name: &str, chat: &str, more: Value) {
        let mut config = self.telegram(chat);
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let body = json!({"via": "telegram", "config": config});
        self.house.api("PUT", &format!("/channels/{name}")).json(&body).send().await.ok(200);
    }

    /// The settings of a channel to that chat.
    pub(super) fn telegram(&self, chat: &str) -> Value {
        let token = self.sim.notifiers().telegram.token.clone();
        json!({"chat_id": chat, "token": token, "base_url": self.sim.providers_url})
    }

    /// What goes wrong with Telegram from now on; null: nothing.
    pub(super) async fn fail(&self, trouble: Value) {
        let url = format!("{}/sim/telegram", self.sim.providers_url);
        let answer = self.house.client.put(url).json(&json!({"fail": trouble})).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    /// The same house after a clean stop.
    pub(super) async fn reopened(self) -> Scene {
        let Scene { sim, house, clock, grouping } = self;
        let store = house.close().await;
        let house = build(store, &clock, grouping).await;
        Scene { sim, house, clock, grouping }
    }

    /// The same store after the house died, and so much later.
    pub(super) async fn crashed(self, later: Span, grouping: Grouping) -> Scene {
        let Scene { sim, house, clock, .. } = self;
        let store = house.crash().await;
        clock.later(later);
        let house = build(store, &clock, grouping).await;
        Scene { sim, house, clock, grouping }
    }

    /// What that chat was told, oldest first.
    pub(super) fn told(&self, chat: &str) -> Vec<String> {
        self.sim.messages().into_iter().filter(|it| it.to == chat).map(|it| it.text).collect()
    }

    /// Asks for `path` until `good` is true of the answer.
    pub(super) async fn until(&self, path: &str, good: impl Fn(&Value) -> bool) -> Value {
        let wait = async {
            loop {
                let seen = self.house.api("GET", path).send().await.json();
                if good(&seen) {
                    return seen;
                }
                tokio::task::yield_now().await;
            }
        };
        let seen = tokio::time::timeout(std::time::Duration::from_secs(30), wait).await;
        seen.unwrap_or_else(|_| panic!("it never came to that at {path}"))
    }

    /// How the channel of that name fares.
    pub(super) async fn health(&self, name: &str) -> Value {
        self.channel_seen(name, |_| true).await["health"].clone()
    }

    /// The channel of that name, once `good` is true of it.
    pub(super) async fn channel_seen(&self, name: &str, good: impl Fn(&Value) -> bool) -> Value {
        let find = |all: &Value| {
            let items = all["items"].as_array().unwrap();
            items.iter().find(|it| it["name"] == name).cloned().unwrap()
        };
        find(&self.until("/channels", |all| good(&find(all))).await)
    }

    /// Sends a test by the channel of that name, and says whether it arrived.
    pub(super) async fn test(&self, name: &str) -> bool {
        let tested = self.house.api("POST", &format!("/channels/{name}/test")).send().await.ok(200);
        tested["delivered"].as_bool().unwrap()
    }
}

async fn build(store: Arc<dyn Store>, clock: &Arc<Shifted>, grouping: Grouping) -> House {
    let clock = Arc::clone(clock);
    House::build(Plan { store, clock, grouping, ..Plan::default() }).await
}
