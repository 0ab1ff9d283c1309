//! How many tasks came into a process and ended, hour by hour; and how that is kept over a restart.

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::flow::{Counted, STRIDE, Tally};
use crate::engine::ports::Collection;
use crate::model::names::ProcessId;
use crate::model::time::Timestamp;
use crate::service::actor::{Actor, Right};
use crate::service::errors::ServiceResult;
use crate::service::kept::record;
use crate::service::service::Service;
use crate::service::view::time;

/// How many hours are told.
const HOURS: usize = 24;

/// How many tasks came into a process and ended, hour by hour.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Flow)]
pub struct FlowView {
    /// The process.
    pub process: String,
    /// From when on all is counted. Of what was before then nothing is known.
    pub since: String,
    /// The last 24 hours, the newest first; the newest reaches to now, so it is up to five minutes short.
    pub hours: Vec<HourView>,
}

/// What happened in an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Hour)]
pub struct HourView {
    /// Its beginning.
    pub from: String,
    /// Tasks that came in: new ones, and ended ones that were brought back.
    pub came: u64,
    /// Tasks that ended, well or badly.
    pub ended: u64,
    /// Those of them that failed.
    pub failed: u64,
}

impl Service {
    /// How many tasks came in and ended, hour by hour.
    pub fn flow(&self, by: &Actor, id: &ProcessId) -> ServiceResult<FlowView> {
        by.need(Right::Read, id)?;
        self.deployed(id)?;
        let counted = self.board().flow.of(id);
        let hour = |it: Tally| HourView {
            from: time(begin(it.at)),
            came: it.came,
            ended: it.ended,
            failed: it.failed,
        };
        Ok(FlowView {
            process: id.to_string(),
            since: time(counted.since.unwrap_or(self.started)),
            hours: counted.hours(self.now(), HOURS).into_iter().map(hour).collect(),
        })
    }

    /// Takes what was kept of the processes there are.
    pub(super) async fn load_flows(&self) -> ServiceResult<()> {
        for (name, kept) in self.kept_on(Collection::Flow).await? {
            if let Ok(id) = ProcessId::new(&name) {
                self.board().flow.load(id, kept);
            }
        }
        Ok(())
    }

    /// Keeps what was counted since it was kept last: now and then, and at the end. What was counted after
    /// that is lost in a crash, and nothing else is.
    pub async fn keep_flows(&self) -> ServiceResult<()> {
        let (now, changed) = (self.now(), self.board().flow.changed());
        let since = |it: &Counted| Some(it.since.unwrap_or(self.started));
        let records = changed.iter().map(|(id, it)| {
            record(Collection::Flow, id.as_str(), &Counted { since: since(it), ..it.clone() }, now)
        });
        let records = records.collect::<Result<Vec<_>, _>>()?;
        if !records.is_empty()
            && let Err(error) = self.store().put(records).await
        {
            for (id, _) in &changed {
                self.board().flow.unkept(id);
            }
            return Err(error.into());
        }
        Ok(())
    }

    /// The process is gone.
    pub(super) async fn forget_flow(&self, id: &ProcessId) -> ServiceResult<()> {
        self.board().flow.forget(id);
        self.store().delete(Collection::Flow, id.as_str()).await?;
        Ok(())
    }
}

fn begin(stride: i64) -> Timestamp {
    Timestamp(stride.saturating_mul(i64::try_from(STRIDE.0).unwrap_or(i64::MAX)))
}
