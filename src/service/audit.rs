//! The audit as people read it: who did what, the newest first; and whether all of it is there.

use serde::Serialize;
use utoipa::ToSchema;

use crate::service::actor::{Actor, Right};
use crate::service::audit_log::{Walk, page, walk};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::kept::{KeptAudit, KeptLink, values};
use crate::service::service::Service;
use crate::service::view::{ListPage, time};

/// How many lines a page has if nothing is said.
const PAGE_DEFAULT: usize = 50;
/// How many lines a page has at most.
const PAGE_MAX: usize = 500;

/// A line of the audit.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuditLine)]
pub struct AuditView {
    /// Its number; 0 for lines from before there was a chain.
    pub seq: u64,
    /// When.
    pub at: String,
    /// Who.
    pub by: String,
    /// Did what.
    pub did: String,
    /// To what.
    pub to: String,
    /// The hash of the line before.
    pub before: String,
}

/// Whether all of the audit is there.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuditWalk)]
pub struct WalkView {
    /// Every line is there and as it was written.
    pub ok: bool,
    /// The number of the first line that is kept; older ones are gone as they should be.
    pub first: u64,
    /// The number of the last line.
    pub last: u64,
    /// The hash of the last line: noted elsewhere, it proves later that nothing was undone.
    pub head: String,
    /// How many lines were found good.
    pub good: u64,
    /// The first line that is not.
    pub broken: Option<BrokenView>,
}

/// A line that is not as it was written.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = BrokenLine)]
pub struct BrokenView {
    /// Its number.
    pub seq: u64,
    /// What is wrong with it.
    pub why: String,
}

impl Service {
    /// Who did what, the newest first, a page at a time.
    pub async fn audit_lines(
        &self,
        by: &Actor,
        cursor: Option<&str>,
        limit: Option<usize>,
    ) -> ServiceResult<ListPage<AuditView>> {
        by.need_everywhere(Right::Admin)?;
        let limit = match limit.unwrap_or(PAGE_DEFAULT) {
            many @ 1..=PAGE_MAX => many,
            many => {
                let message = format!("`limit` is from 1 to {PAGE_MAX}, and this is {many}");
                return Err(ServiceError::bad("bad_limit", message));
            }
        };
        let records = page(self.store(), cursor, limit).await?;
        let next = records.last().filter(|_| records.len() == limit).map(|it| it.name.clone());
        let mut items = Vec::new();
        for record in records {
            let at = time(record.at);
            for (_, it) in values(vec![record], &self.store().damage()) {
                let KeptAudit { by, did, to, seq, before } = it;
                items.push(AuditView { seq, at: at.clone(), by, did, to, before });
            }
        }
        Ok(ListPage { next, ..ListPage::whole(items) })
    }

    /// Walks along the whole chain. With an end that was noted before, `SEQ:HASH`, also whether that line is
    /// still part of it.
    pub async fn verify_audit(&self, by: &Actor, noted: Option<&str>) -> ServiceResult<WalkView> {
        by.need_everywhere(Right::Admin)?;
        let noted = noted.map(noted_link).transpose()?;
        let Walk { first, head, good, broken } = walk(self.store(), noted.as_ref()).await?;
        Ok(WalkView {
            ok: broken.is_none(),
            first,
            last: head.seq,
            head: head.hash,
            good,
            broken: broken.map(|(seq, why)| BrokenView { seq, why }),
        })
    }
}

fn noted_link(text: &str) -> ServiceResult<KeptLink> {
    let parts = text.split_once(':').and_then(|(seq, hash)| Some((seq.parse().ok()?, hash.to_owned())));
    match parts {
        Some((seq, hash)) => Ok(KeptLink { seq, hash }),
        None => Err(ServiceError::bad("bad_anchor", "a noted end is written `SEQ:HASH`, such as 17:mW0x…")),
    }
}
