//! [`Wall`]: whether the wall clock was set. It is compared with the clock that nobody sets before anything
//! is decided by it, and at the start with the newest moment in the store. Each step is kept before the first
//! decision that knows of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex as AsyncMutex, Notify};

use crate::engine::ports::{Clock, Collection, Record, Store, StoreError};
use crate::model::names::TaskId;
use crate::model::steps::{ClockStep, Steps};
use crate::model::time::{Span, Timestamp};

/// A wall clock that is so far from where it should be was set. Less is a clock that is kept right little by
/// little.
pub const STEP_MIN: Span = Span::secs(1);
/// Two looks at two clocks are one if no more than this lies between them.
const BLINK: Span = Span::millis(100);
/// How many of the newest entries of all histories are looked at for the newest moment.
const ENTRIES: u64 = 50;
/// How soon what is due is moved again, if the store did not take it.
const MEND_PAUSE: Span = Span::secs(1);
/// So many tasks are made due earlier in one commit.
const PULL_TASKS: usize = 5_000;
/// Under what the steps are kept.
const NAME: &str = "steps";

/// Whether the wall clock was set.
#[derive(Debug, Default)]
pub struct Wall {
    /// Taken for a look, for a step may have to be kept.
    looking: AsyncMutex<State>,
    steps: Mutex<Arc<Steps>>,
    stepped: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The wall clock less the time the machine has been up, at the last look; none before the first.
    apart_ms: Option<i64>,
    kept: Kept,
    /// What is known is in the store.
    is_kept: bool,
    /// The last task that was made due earlier, while there are more.
    pulled: Option<TaskId>,
}

/// What is kept of it. New fields have a default.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    steps: Steps,
    /// After how many of them what is due was made right.
    #[serde(default)]
    mended: u32,
    /// The newest entry of all histories when the last one was found out: those up to it are by a clock
    /// from before.
    #[serde(default)]
    event: u64,
}

impl Wall {
    /// The present moment. When it is told, all steps up to it are known and kept.
    ///
    /// # Errors
    /// The store does not tell which steps there were.
    pub async fn now(&self, store: &dyn Store, clock: &dyn Clock) -> Result<Timestamp, StoreError> {
        let mut state = self.looking.lock().await;
        if state.apart_ms.is_none() {
            self.open(&mut state, store, clock).await?;
        }
        loop {
            let (now, apart_ms) = look(clock);
            let by_ms = apart_ms.saturating_sub(state.apart_ms.unwrap_or(apart_ms));
            state.apart_ms = Some(apart_ms);
            if by_ms.unsigned_abs() >= STEP_MIN.0 {
                // Unknown is no harm: entries of before are then taken for some of after, at the next start.
                let event = store.last_event().await.unwrap_or(state.kept.event);
                self.step(&mut state, ClockStep { at: now, by_ms }, event);
            }
            if state.is_kept {
                return Ok(now);
            }
            match store.put(vec![record(&state.kept, now)?]).await {
                Ok(()) => state.is_kept = true,
                Err(error) => {
                    tracing::error!(%error, "that the clock was set is not kept yet");
                    return Ok(now);
                }
            }
        }
    }

    /// The steps that are known.
    pub fn steps(&self) -> Arc<Steps> {
        Arc::clone(&self.lock())
    }

    /// Returns when another one was found out.
    pub async fn stepped(&self) {
        self.stepped.notified().await;
    }

    /// Makes due earlier what is due in the store, by as much as the clock was set back since that was done
    /// last: a part of it, if there is much. Says when to go on with it. Done again after a crash: a task
    /// that is looked at too early only rests again.
    pub async fn mend(&self, store: &dyn Store, now: Timestamp) -> Option<Timestamp> {
        match self.pull(store, now).await {
            Ok(true) => None,
            Ok(false) => Some(now),
            Err(error) => {
                tracing::error!(%error, "what is due was not moved with the clock yet; it is tried again");
                Some(now + MEND_PAUSE)
            }
        }
    }

    /// The same; says whether all is done.
    async fn pull(&self, store: &dyn Store, now: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.looking.lock().await;
        let (many, open) = (state.kept.steps.many, state.kept.steps.after(state.kept.mended));
        if open.is_empty() {
            return Ok(true);
        }
        let back = open.iter().filter(|it| it.by_ms < 0).map(ClockStep::span);
        let back = back.fold(Span(0), |sum, it| Span(sum.0.saturating_add(it.0)));
        if back > Span(0) {
            let after = state.pulled.unwrap_or(TaskId::FIRST);
            state.pulled = store.pull_due(back, after, PULL_TASKS).await?;
            if state.pulled.is_some() {
                return Ok(false);
            }
        }
        state.kept.mended = many;
        store.put(vec![record(&state.kept, now)?]).await?;
        Ok(true)
    }

    /// What is kept, and whether the clock stands before the newest moment in the store.
    async fn open(&self, state: &mut State, store: &dyn Store, clock: &dyn Clock) -> Result<(), StoreError> {
        if let Some(record) = store.record(Collection::Clock, NAME).await? {
            state.kept = serde_json::from_value(record.value).unwrap_or_else(|error| {
                tracing::error!(%error, "the steps of the clock cannot be read; they begin anew");
                Kept::default()
            });
        }
        *self.lock() = Arc::new(state.kept.steps.clone());
        let (newest, event) = newest(store, &state.kept).await;
        let (now, apart_ms) = look(clock);
        state.is_kept = true;
        state.apart_ms = Some(apart_ms);
        if let Some(newest) = newest.filter(|it| it.since(now) >= STEP_MIN) {
            let by_ms = now.0.saturating_sub(newest.0);
            self.step(state, ClockStep { at: now, by_ms }, event);
        }
        Ok(())
    }

    fn step(&self, state: &mut State, step: ClockStep, event: u64) {
        let words = step.words();
        tracing::warn!("the wall clock was set {words}; what was to last so long lasts so long all the same");
        let way = if step.by_ms > 0 { "ahead" } else { "back" };
        metrics::counter!("beltline_clock_steps_total", "way" => way).increment(1);
        state.kept.steps.add(step);
        state.kept.event = event;
        state.is_kept = false;
        state.pulled = None;
        *self.lock() = Arc::new(state.kept.steps.clone());
        self.stepped.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Steps>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The wall clock, and how far it is from the clock that nobody sets.
fn look(clock: &dyn Clock) -> (Timestamp, i64) {
    loop {
        let (before, now, after) = (clock.up(), clock.now(), clock.up());
        if after.0.saturating_sub(before.0) <= BLINK.0 {
            return (now, now.0.saturating_sub(i64::try_from(before.0).unwrap_or(i64::MAX)));
        }
    }
}

/// The newest moment that was committed after the last step, and the number of the newest entry.
async fn newest(store: &dyn Store, kept: &Kept) -> (Option<Timestamp>, u64) {
    let Ok(last) = store.last_event().await else { return (None, kept.event) };
    let after = last.saturating_sub(ENTRIES).max(kept.event);
    // One that cannot be read says nothing of the clock.
    let entries =
        store.events(after, usize::try_from(ENTRIES).unwrap_or(usize::MAX)).await.unwrap_or_default();
    (entries.iter().rev().find_map(|it| it.events.last()).map(|it| it.at), last)
}

fn record(kept: &Kept, at: Timestamp) -> Result<Record, StoreError> {
    let value = serde_json::to_value(kept).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(Record { collection: Collection::Clock, name: NAME.to_owned(), value, at })
}
