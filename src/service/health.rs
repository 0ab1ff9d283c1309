//! How channels fare, as a person sees it and as it is kept.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::health::{ChannelHealth, Moved};
use crate::engine::ports::Collection;
use crate::model::faults;
use crate::model::time::{Span, Timestamp};
use crate::service::errors::ServiceResult;
use crate::service::kept::record;
use crate::service::service::Service;
use crate::service::view::time;

/// What changes with every message, a count or a time, is kept so often at most.
const KEEP_PAUSE: Span = Span::mins(1);

/// How a channel fares, by what became of its messages.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub struct HealthView {
    /// It delivers nothing at present.
    pub failing: bool,
    /// Since when.
    pub since: Option<String>,
    /// When it delivered last.
    pub delivered_at: Option<String>,
    /// How many messages it has failed to deliver, in a row.
    pub failures: u64,
    /// The code of the last fault.
    pub code: Option<String>,
    /// What the provider said.
    pub detail: Option<String>,
    /// What a person can do about it.
    pub remedy: Option<String>,
}

impl HealthView {
    /// How the channel `name` fares; one that is `fixed` is changed in the configuration file.
    pub fn new(name: &str, standing: &ChannelHealth, fixed: bool) -> HealthView {
        let fault = standing.fault.as_ref().filter(|_| standing.failing_since.is_some());
        HealthView {
            failing: standing.failing_since.is_some(),
            since: standing.failing_since.map(time),
            delivered_at: standing.delivered_at.map(time),
            failures: standing.failures,
            code: fault.map(|it| it.code.clone()),
            detail: fault.map(|it| it.message.clone()),
            remedy: match (&standing.moved, fault) {
                (Some(Moved { setting, to }), _) if fixed => {
                    Some(format!("it has moved: set `{setting}: {to}` in the configuration file"))
                }
                (_, Some(fault)) => Some(remedy(name, &fault.code)),
                (_, None) => None,
            },
        }
    }
}

fn remedy(name: &str, code: &str) -> String {
    let test = format!("`beltline channel test {name}` sends a message and says what came back");
    match faults::find(code) {
        Some(entry) => format!("{} {test}", entry.remedy.replace("NAME", name)),
        None => test,
    }
}

/// What of the channels' health is in the collection, and since when.
#[derive(Debug, Default)]
pub(super) struct Kept(BTreeMap<String, (ChannelHealth, Timestamp)>);

impl Service {
    /// Takes what was kept, and forgets what was kept of channels that are gone.
    pub(super) async fn load_health(&self) -> ServiceResult<()> {
        let channels = self.resources.channels();
        for (name, kept) in self.kept_on(Collection::Health).await? {
            match channels.contains_key(&name) {
                true => self.resources.health().load(&name, kept),
                false => drop(self.store().delete(Collection::Health, &name).await?),
            }
        }
        Ok(())
    }

    /// The channel is gone, or another now.
    pub(super) async fn forget_health(&self, name: &str) -> ServiceResult<()> {
        self.resources.health().forget(name);
        self.store().delete(Collection::Health, name).await?;
        Ok(())
    }

    /// Keeps what has changed: at once what weighs, the rest from time to time, or all of it. Says when there
    /// is more to keep.
    pub(super) async fn keep_health(&self, kept: &mut Kept, all: bool) -> ServiceResult<Option<Timestamp>> {
        let (now, standings) = (self.now(), self.resources.health().all());
        kept.0.retain(|name, _| standings.contains_key(name));
        let (mut changed, mut later) = (Vec::new(), None);
        for (name, standing) in standings {
            let due = match kept.0.get(&name) {
                Some((before, _)) if *before == standing => continue,
                Some((before, at)) if !all && before.weighty() == standing.weighty() => *at + KEEP_PAUSE,
                Some(_) | None => now,
            };
            match due <= now {
                true => changed.push((name, standing)),
                false => later = Some(later.map_or(due, |it: Timestamp| it.min(due))),
            }
        }
        let records = changed.iter().map(|(name, it)| record(Collection::Health, name, it, now));
        let records = records.collect::<Result<Vec<_>, _>>()?;
        if !records.is_empty() {
            self.store().put(records).await?;
        }
        kept.0.extend(changed.into_iter().map(|(name, standing)| (name, (standing, now))));
        Ok(later)
    }
}
