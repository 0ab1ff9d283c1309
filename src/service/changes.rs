//! What changed from one version of a process to another.

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::names::ProcessId;
use crate::service::actor::{Actor, Right};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::merge::unified;
use crate::service::processes::VersionView;
use crate::service::service::Service;

/// What changed from one version of a process to another.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Changes)]
pub struct ChangesView {
    /// The process.
    pub process: String,
    /// The version it is told from, without its text; none: there was none before.
    pub from: Option<VersionView>,
    /// The version it is told to, without its text.
    pub to: VersionView,
    /// What changed, as a unified diff; empty if nothing did.
    pub diff: String,
}

impl Service {
    /// What changed from the version `from` to the version `to`. If nothing is said, `to` is the one that
    /// runs now, and `from` the one that was deployed before `to`.
    pub async fn changes(
        &self,
        by: &Actor,
        id: &ProcessId,
        from: Option<&str>,
        to: Option<&str>,
    ) -> ServiceResult<ChangesView> {
        by.need(Right::Read, id)?;
        let all = self.versions(by, id).await?.items;
        let to = match to {
            Some(to) => to.to_owned(),
            None => self.deployed(id)?.process.version.clone(),
        };
        let place = all.iter().position(|it| it.version == to);
        let place = place.ok_or_else(|| ServiceError::missing("version", &to))?;
        let from = from.or_else(|| all.get(place + 1).map(|it| it.version.as_str()));
        let to = self.version(by, id, &to).await?;
        let from = match from {
            Some(from) => Some(self.version(by, id, from).await?),
            None => None,
        };
        let text = |it: &VersionView| it.text.clone().unwrap_or_default();
        let name = |it: &VersionView| format!("{id}@{}", it.version);
        let diff = from.as_ref().map(|from| unified((&name(from), &text(from)), (&name(&to), &text(&to))));
        let bare = |it: VersionView| VersionView { text: None, ..it };
        Ok(ChangesView {
            process: id.to_string(),
            from: from.map(bare),
            to: bare(to),
            diff: diff.unwrap_or_default(),
        })
    }
}
