//! Links that acknowledge: whoever holds the one-time key of an alarm may acknowledge it, once, and
//! nothing else.

use crate::engine::mask::scrub;
use crate::model::key;
use crate::model::names::ProcessId;
use crate::model::signal::{Command, Signal, SignalKind, SignalTarget};
use crate::model::task::Task;
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::service::Service;

/// Who is noted: a link does not say who follows it.
const BY: &str = "link";

/// What a link acknowledges, for the page that asks before it acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bell {
    /// The process's title.
    pub process: String,
    /// The task's name.
    pub reference: String,
    /// The title of the node that tells.
    pub title: String,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acked {
    /// Nobody is told more.
    Acknowledged,
    /// It is kept, and will be read when the task has time.
    Kept,
}

impl Service {
    /// What the link with `key` acknowledges. Nothing happens.
    pub async fn bell(&self, process: &ProcessId, key: &str) -> ServiceResult<Bell> {
        let task = self.ringing(process, key).await?;
        let deployed = self.deployed(&task.process)?.process;
        let title = task.alarm.as_ref().and_then(|it| deployed.node(&it.node)).map(|it| it.title.clone());
        Ok(Bell {
            process: deployed.title.clone(),
            reference: scrub(task.reference.as_str(), &task, &deployed.secret),
            title: title.unwrap_or_default(),
        })
    }

    /// Acknowledges the alarm that `key` is of. The task reads the key again: of two who come at once only
    /// one is first.
    pub async fn acknowledge(&self, process: &ProcessId, key: &str) -> ServiceResult<Acked> {
        let task = self.ringing(process, key).await?;
        let command = Command::Acknowledge { key: Some(key.to_owned()) };
        let kind = SignalKind::Command { command, by: BY.to_owned() };
        let reading = self.handle.post(Signal { to: SignalTarget::Task(task.id), kind }).await?;
        self.audit(&crate::service::actor::Actor::local(BY), "ack", task.address().to_string()).await?;
        match self.read(reading).await {
            Ok(Some(_)) => Ok(Acked::Acknowledged),
            Ok(None) => Ok(Acked::Kept),
            Err(ServiceError::Conflict { code: "acknowledged" | "no_alarm" | "task_ended", .. }) => {
                Err(over())
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// The task whose alarm `key` is of. Whatever is wrong with a key that looks like one, the answer is the
    /// same.
    async fn ringing(&self, process: &ProcessId, key: &str) -> ServiceResult<Task> {
        let id = key::task_of(key).ok_or_else(|| ServiceError::missing("link", "of that key"))?;
        let task = self.store().task(id).await?.ok_or_else(over)?;
        let open = task.alarm.as_ref().is_some_and(|it| it.acknowledged.is_none());
        let live = task.state.phase().is_live() && task.process == *process;
        match key::acknowledges(key, &task) && open && live {
            true => Ok(task),
            false => Err(over()),
        }
    }
}

fn over() -> ServiceError {
    ServiceError::Gone("this alarm is acknowledged already, or is over".to_owned())
}
