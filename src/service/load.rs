//! Loading: what the store keeps becomes what the engine runs, at the start.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::ports::{Collection, StoreError};
use crate::engine::registry::Deployed;
use crate::model::names::ProcessId;
use crate::process::process::Process;
use crate::service::deploy::{damaged, read};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::kept::{KeptProcess, KeptVersion, value};
use crate::service::service::{DeployFailure, Service, lock};

impl Service {
    /// Registers all that was deployed, fills the resources, and counts the live tasks. Once, before the
    /// runner runs; what a crash interrupted is settled when it does.
    pub async fn load_all(self: &Arc<Self>) -> ServiceResult<()> {
        // Whoever loads it twice loads the same.
        let _ = self.me.set(Arc::downgrade(self));
        self.load_collections().await?;
        let (mut unfinished, mut bases) = (Vec::new(), Vec::new());
        for (name, kept) in self.kept_on::<KeptProcess>(Collection::Process).await? {
            let Ok(id) = ProcessId::new(&name) else { continue };
            self.remember(&id, kept.clone());
            let Some(process) = self.load(&id, &kept).await? else { continue };
            let paused = kept.paused || !kept.moves.is_empty();
            let granted = kept.granted.clone().map(Arc::new);
            self.registry().put(Deployed { granted, ..Deployed::new(Arc::clone(&process), paused) });
            bases.extend(self.base_of(&process, self.now()).await?);
            if !kept.moves.is_empty() || (kept.wake_parked && !kept.paused) {
                unfinished.push(id);
            }
        }
        self.trouble_of_damaged();
        if !bases.is_empty() {
            self.store().put(bases).await?;
        }
        self.count_live().await?;
        for deployed in self.registry().all().values() {
            self.load_expiries(&deployed.process).await?;
        }
        for id in &unfinished {
            self.settle_later(id);
        }
        self.board().wake_by(self.now());
        Ok(())
    }

    /// The process that is kept; none, and a trouble that all can see, if this program cannot read it.
    pub(super) async fn load(
        &self,
        id: &ProcessId,
        kept: &KeptProcess,
    ) -> ServiceResult<Option<Arc<Process>>> {
        let name = format!("{id}@{}", kept.version);
        let record = self.store().record(Collection::Version, &name).await;
        let text = match record.and_then(|it| it.map(value::<KeptVersion>).transpose()) {
            Ok(Some(text)) => text,
            Ok(None) => {
                self.trouble(&name, Some(id.clone()), &ServiceError::missing("version", name.clone()));
                return Ok(None);
            }
            Err(StoreError::Corrupt(why)) => {
                self.trouble(&name, Some(id.clone()), &damaged(id, &why));
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        match read(&text.text, None) {
            Ok(process) => Ok(Some(Arc::new(process))),
            Err(refusal) => {
                self.trouble(&name, Some(id.clone()), &refusal);
                Ok(None)
            }
        }
    }

    /// A process whose record is damaged is not deployed: nobody knows its version, nor whether it rests.
    fn trouble_of_damaged(&self) {
        for it in self.store().damage().all().0 {
            let id = it.place.strip_prefix(&Collection::Process.place("")).map(ProcessId::new);
            if let Some(Ok(id)) = id {
                self.trouble(&it.place, Some(id.clone()), &damaged(&id, &it.why));
            }
        }
    }

    async fn count_live(&self) -> ServiceResult<()> {
        let mut live: HashMap<ProcessId, i64> = HashMap::new();
        for count in self.store().counts(None).await?.into_iter().filter(|it| it.phase.is_live()) {
            *live.entry(count.process).or_default() += i64::try_from(count.tasks).unwrap_or(i64::MAX);
        }
        for (process, tasks) in live {
            self.board().add_live(&process, tasks);
        }
        Ok(())
    }

    async fn load_collections(&self) -> ServiceResult<()> {
        self.load_secrets().await?;
        self.load_vars().await?;
        self.load_channels().await?;
        self.load_health().await?;
        self.load_flows().await?;
        self.load_tokens().await?;
        self.load_replays().await?;
        self.load_users().await?;
        Ok(self.load_sessions().await?)
    }

    /// Remembers why a newer text was not deployed.
    pub(super) fn trouble(&self, file: &str, process: Option<ProcessId>, refusal: &ServiceError) {
        tracing::error!(file, %refusal, "not deployed");
        let problems = match refusal {
            ServiceError::Problems { problems, .. } => problems.clone(),
            _ => Vec::new(),
        };
        let message = refusal.to_string();
        let trouble =
            DeployFailure { file: file.to_owned(), process, code: refusal.code(), message, problems };
        lock(&self.troubles).insert(file.to_owned(), trouble);
    }
}
