//! [`Hands`]: a clock that stands still until a test moves its hands; and a house that goes by it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use beltline::engine::ports::{Clock, Store};
use beltline::model::time::{Span, Ticks, Timestamp};
use beltline::store::memory::Memory;
use serde_json::Value;
use tokio::sync::watch;

use crate::support::house::{House, Plan};

/// A clock that stands still.
pub(crate) struct Hands(watch::Sender<i64>);

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(*self.0.borrow())
    }
    fn ticks(&self) -> Ticks {
        Ticks(self.up().0)
    }
    fn up(&self) -> Span {
        self.now().since(Timestamp(0))
    }
    async fn at(&self, at: Timestamp) {
        let mut now = self.0.subscribe();
        // The hands outlive whoever waits for them.
        drop(now.wait_for(|now| *now >= at.0).await);
    }
    async fn at_tick(&self, at: Ticks) {
        self.at(Timestamp(0) + Span(at.0)).await;
    }
}

/// A house, its clock and its disk.
pub(crate) struct Town {
    pub(crate) house: House,
    pub(crate) hands: Arc<Hands>,
}

impl Town {
    pub(crate) async fn at(time: &str) -> Town {
        let hands = Arc::new(Hands(watch::Sender::new(moment(time).0)));
        Town { house: open(Arc::new(Memory::default()), &hands).await, hands }
    }

    /// Moves the hands.
    pub(crate) fn set(&self, time: &str) {
        self.hands.0.send_replace(moment(time).0);
    }

    pub(crate) fn go(&self, span: Span) {
        self.hands.0.send_modify(|now| *now = (Timestamp(*now) + span).0);
    }

    /// The engine stops, the hands go on, and it comes back.
    pub(crate) async fn down(self, span: Span) -> Town {
        let store = self.house.close().await;
        self.hands.0.send_modify(|now| *now = (Timestamp(*now) + span).0);
        Town { house: open(store, &self.hands).await, hands: self.hands }
    }

    /// What stands at that path of the API when `good` is true of it.
    pub(crate) async fn until(&self, path: &str, good: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let look = async {
            loop {
                last = self.house.api("GET", path).send().await.json();
                if good(&last) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(20), look).await.is_ok();
        assert!(in_time, "it never came to that: {last}");
        last
    }

    /// The names of the tasks of a process when there are so many, oldest first.
    pub(crate) async fn refs(&self, process: &str, many: usize) -> Vec<String> {
        let path = format!("/processes/{process}/tasks");
        let tasks = self.until(&path, |it| it["items"].as_array().is_some_and(|it| it.len() >= many)).await;
        let refs: Vec<String> =
            items(&tasks).iter().map(|it| it["ref"].as_str().unwrap().to_owned()).collect();
        assert_eq!(refs.len(), many, "{refs:?}");
        refs
    }

    /// The schedule of that place in its process when `good` is true of it.
    pub(crate) async fn schedule(&self, process: &str, at: usize, good: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/processes/{process}/schedule");
        self.until(&path, |it| good(&it["items"][at])).await["items"][at].take()
    }

    /// Waits until the schedules of a process are known: what is planned then counts.
    pub(crate) async fn looked_at(&self, process: &str) {
        self.schedule(process, 0, |it| it["next"][0].is_object()).await;
        let mut kept = Vec::new();
        while kept.is_empty() {
            kept = self.house.store.collection(beltline::engine::ports::Collection::Schedule).await.unwrap();
            kept.retain(|it| it.name.starts_with(&format!("{process}/")));
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap()
}

async fn open(store: Arc<dyn Store>, hands: &Arc<Hands>) -> House {
    let clock: Arc<dyn Clock> = Arc::clone(hands) as Arc<dyn Clock>;
    House::build(Plan { store, clock, ..Plan::default() }).await
}

fn moment(time: &str) -> Timestamp {
    Timestamp(time.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}
