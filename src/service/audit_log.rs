//! [`Chain`]: the lines of the audit, each with the hash of the one before, so that none can be changed,
//! moved or taken out unseen. The last lines are kept; where the chain was cut off at its beginning, the hash
//! of the last line that is gone stands as its start.
//!
//! Every line is sealed by the store and bound to its place: without the key none can be made. What the chain
//! adds is that none can be missing.

use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use crate::engine::ports::{Collection, Record, Store, StoreError, Stretch};
use crate::model::time::Timestamp;
use crate::service::kept::{KeptAudit, KeptLink, record, value};

/// How many lines are kept; older ones go.
pub const LINES_KEPT: u64 = 200_000;
/// They go in such steps.
const CUT_EVERY: u64 = 1_000;
/// How many lines are read at once.
const PAGE: usize = 1_000;
/// A chain that is cut off while it is walked is walked again, so often.
const WALKS_MAX: usize = 3;

/// What the names of lines begin with; the lines from before there was a chain begin with a digit.
const LINE: &str = "c";
/// What stands behind all lines.
const LINES_END: &str = "d";
const HEAD: &str = "head";
const START: &str = "start";

/// What somebody did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// Who.
    pub by: String,
    /// Did what.
    pub did: String,
    /// To what.
    pub to: String,
}

/// The chain's end, where lines are added.
#[derive(Debug)]
pub struct Chain {
    most: u64,
    waiting: Mutex<Vec<Waiting>>,
    /// The last line; not known before the first one is added, nor when it is not known what was kept.
    head: tokio::sync::Mutex<Option<KeptLink>>,
}

#[derive(Debug)]
struct Waiting {
    line: AuditLine,
    at: Timestamp,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// What a walk along the chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The number of the first line that is kept.
    pub first: u64,
    /// The end: the number of the last line, and its hash.
    pub head: KeptLink,
    /// How many lines are good.
    pub good: u64,
    /// The first one that is not, and why.
    pub broken: Option<(u64, String)>,
}

impl Default for Chain {
    fn default() -> Chain {
        Chain::of(LINES_KEPT)
    }
}

impl Chain {
    fn of(most: u64) -> Chain {
        Chain { most, waiting: Mutex::default(), head: tokio::sync::Mutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line; it is kept when this answers. Lines that come at once are kept in one commit.
    pub async fn add(
        self: &Arc<Self>,
        store: &Arc<dyn Store>,
        line: AuditLine,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (done, kept) = oneshot::channel();
        self.waiting().push(Waiting { line, at, done });
        // By itself: a caller who hangs up must not leave the head behind what was kept.
        let (chain, store) = (Arc::clone(self), Arc::clone(store));
        tokio::spawn(async move { chain.write(&*store).await });
        kept.await.unwrap_or_else(|_| Err(StoreError::Lost("the engine is stopping".to_owned())))
    }

    async fn write(&self, store: &dyn Store) {
        let mut head = self.head.lock().await;
        let waiting = take(&mut *self.waiting());
        if waiting.is_empty() {
            return;
        }
        let done = match head.take() {
            Some(link) => self.append(store, link, &waiting).await,
            None => match link(store, HEAD).await {
                Ok(link) => self.append(store, link, &waiting).await,
                Err(error) => Err(error),
            },
        };
        let done = done.map(|link| *head = Some(link));
        for it in waiting {
            // Who left does not want to know.
            drop(it.done.send(done.clone()));
        }
    }

    async fn append(
        &self,
        store: &dyn Store,
        mut link: KeptLink,
        waiting: &[Waiting],
    ) -> Result<KeptLink, StoreError> {
        let (before, mut records) = (link.seq, Vec::new());
        let mut now = Timestamp(0);
        for Waiting { line, at, .. } in waiting {
            let AuditLine { by, did, to } = line.clone();
            let kept = KeptAudit { by, did, to, seq: link.seq + 1, before: take(&mut link.hash) };
            link = KeptLink { seq: kept.seq, hash: hash(&kept, *at) };
            now = *at;
            records.push(record(Collection::Audit, &name(kept.seq), &kept, *at)?);
        }
        records.push(record(Collection::Audit, HEAD, &link, now)?);
        store.put(records).await?;
        if before / CUT_EVERY.min(self.most) != link.seq / CUT_EVERY.min(self.most)
            && let Err(error) = self.cut(store, link.seq, now).await
        {
            tracing::warn!(%error, "old lines of the audit stay a while longer");
        }
        Ok(link)
    }

    /// Lets the oldest lines go. The start is kept first: lines before it are no part of the chain.
    async fn cut(&self, store: &dyn Store, last: u64, now: Timestamp) -> Result<(), StoreError> {
        let first = last.saturating_sub(self.most) + 1;
        if first <= 1 {
            return Ok(());
        }
        let Some(kept) = store.record(Collection::Audit, &name(first)).await? else { return Ok(()) };
        let kept: KeptAudit = value(kept)?;
        let start = KeptLink { seq: first - 1, hash: kept.before };
        store.put(vec![record(Collection::Audit, START, &start, now)?]).await?;
        store.delete_before(Collection::Audit, &name(first)).await?;
        Ok(())
    }
}

/// A page of lines, the newest first: those before the line of that name. Lines from before there was a chain
/// come last.
pub async fn page(store: &dyn Store, before: Option<&str>, limit: usize) -> Result<Vec<Record>, StoreError> {
    let before = before.unwrap_or(LINES_END).min(LINES_END).to_owned();
    let stretch =
        Stretch { collection: Collection::Audit, from: String::new(), before, backwards: true, limit };
    store.scan(&stretch).await
}

/// Walks along the chain, from its start to its end.
pub async fn walk(store: &dyn Store, anchor: Option<&KeptLink>) -> Result<Walk, StoreError> {
    let mut walked = walk_once(store, anchor).await?;
    for _ in 1..WALKS_MAX {
        // Broken, or only cut off under our feet.
        if walked.broken.is_none() || link(store, START).await?.seq + 1 == walked.first {
            break;
        }
        walked = walk_once(store, anchor).await?;
    }
    Ok(walked)
}

async fn walk_once(store: &dyn Store, anchor: Option<&KeptLink>) -> Result<Walk, StoreError> {
    let (start, head) = (link(store, START).await?, link(store, HEAD).await?);
    let mut walk = Walk { first: start.seq + 1, head: head.clone(), good: 0, broken: None };
    if let Some(anchor) = anchor.filter(|it| it.seq > head.seq || it.seq < start.seq) {
        let why = format!("the noted line is no more: the chain reaches from {} to {}", walk.first, head.seq);
        walk.broken = Some((anchor.seq, why));
        return Ok(walk);
    }
    let mut last = start;
    loop {
        if let Some(why) = anchor.filter(|it| it.seq == last.seq).and_then(|it| unlike(it, &last)) {
            walk.broken = Some((last.seq, why));
            return Ok(walk);
        }
        if last.seq >= head.seq {
            break;
        }
        let many = PAGE.min(usize::try_from(head.seq - last.seq).unwrap_or(PAGE));
        for record in some(store, last.seq + 1, many).await? {
            match record.and_then(|it| follows(it, &last)) {
                Ok(link) => last = link,
                Err(why) => {
                    walk.broken = Some((last.seq + 1, why));
                    return Ok(walk);
                }
            }
            walk.good += 1;
            if anchor.is_some_and(|it| it.seq == last.seq) {
                break;
            }
        }
    }
    if last != head {
        walk.broken = Some((last.seq, "it is not the line that the end of the chain names".to_owned()));
    }
    Ok(walk)
}

/// So many lines from that one on. What cannot be read is in its place, and ends them.
async fn some(store: &dyn Store, from: u64, many: usize) -> Result<Vec<Result<Record, String>>, StoreError> {
    let before = LINES_END.to_owned();
    let stretch =
        Stretch { collection: Collection::Audit, from: name(from), before, backwards: false, limit: many };
    let records = match store.scan(&stretch).await {
        Ok(records) => records,
        Err(StoreError::Lost(why)) => return Err(StoreError::Lost(why)),
        Err(StoreError::Corrupt(_)) => Vec::new(),
    };
    let mut found: Vec<Result<Record, String>> = Vec::new();
    for (seq, record) in (from..).zip(records) {
        if record.name != name(seq) {
            break;
        }
        found.push(Ok(record));
    }
    // A line that is damaged is left out where many are asked for: it is asked for by itself.
    let next = from + found.len() as u64;
    if found.len() < many {
        match store.record(Collection::Audit, &name(next)).await {
            Ok(Some(record)) => found.push(Ok(record)),
            Ok(None) => found.push(Err("it is missing".to_owned())),
            Err(StoreError::Lost(why)) => return Err(StoreError::Lost(why)),
            Err(error) => found.push(Err(error.to_string())),
        }
    }
    Ok(found)
}

/// The link that `record` is, if it follows `last`.
fn follows(record: Record, last: &KeptLink) -> Result<KeptLink, String> {
    let (at, found) = (record.at, record.name.clone());
    let kept: KeptAudit = value(record).map_err(|error| error.to_string())?;
    let seq = last.seq + 1;
    match () {
        () if found != name(seq) => Err("it is missing".to_owned()),
        () if kept.seq != seq => Err(format!("it says that it is line {}", kept.seq)),
        () if kept.before != last.hash => Err("it does not follow the line before".to_owned()),
        () => Ok(KeptLink { seq, hash: hash(&kept, at) }),
    }
}

fn unlike(anchor: &KeptLink, link: &KeptLink) -> Option<String> {
    (anchor.hash != link.hash).then(|| "its hash is not the noted one".to_owned())
}

async fn link(store: &dyn Store, which: &str) -> Result<KeptLink, StoreError> {
    let found = store.record(Collection::Audit, which).await?;
    found.map_or_else(|| Ok(KeptLink::default()), value)
}

fn name(seq: u64) -> String {
    format!("{LINE}{seq:020}")
}

/// Lengths stand before the parts, so that no two lines are one text.
fn hash(line: &KeptAudit, at: Timestamp) -> String {
    let mut hash = Sha256::new_with_prefix(b"beltline audit 1");
    hash.update(line.seq.to_be_bytes());
    hash.update(at.0.to_be_bytes());
    for part in [&line.by, &line.did, &line.to, &line.before] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    BASE64.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::memory::Memory;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn memory() -> Arc<dyn Store> {
        Arc::new(Memory::default())
    }

    fn line(text: &str) -> AuditLine {
        AuditLine { by: "ann".to_owned(), did: "wake".to_owned(), to: text.to_owned() }
    }

    async fn filled(chain: Chain, lines: usize) -> Arc<dyn Store> {
        let (store, chain) = (memory(), Arc::new(chain));
        for at in 0..lines {
            chain.add(&store, line(&at.to_string()), NOW).await.unwrap();
        }
        store
    }

    async fn broken(store: &dyn Store) -> Option<u64> {
        walk(store, None).await.unwrap().broken.map(|(seq, _)| seq)
    }

    #[tokio::test]
    async fn who_writes_at_once_writes_one_chain() {
        let (store, chain) = (memory(), Arc::new(Chain::default()));
        let adds = (0..300).map(|at| {
            let (store, chain) = (Arc::clone(&store), Arc::clone(&chain));
            tokio::spawn(async move { chain.add(&store, line(&at.to_string()), NOW).await })
        });
        for add in futures::future::join_all(adds).await {
            add.unwrap().unwrap();
        }
        // A later start goes on where the chain ends.
        Arc::new(Chain::default()).add(&store, line("later"), NOW).await.unwrap();
        let walked = walk(&*store, None).await.unwrap();
        assert_eq!((walked.good, walked.head.seq, walked.broken), (301, 301, None));
    }

    #[tokio::test]
    async fn whatever_is_done_to_a_line_is_found() {
        let store = filled(Chain::default(), 20).await;
        assert_eq!(broken(&*store).await, None);
        let seventh = store.record(Collection::Audit, &name(7)).await.unwrap().unwrap();
        store.delete(Collection::Audit, &name(7)).await.unwrap();
        assert_eq!(broken(&*store).await, Some(7), "missing");
        let mut other = seventh.clone();
        other.value["to"] = json!("something else");
        store.put(vec![other]).await.unwrap();
        assert_eq!(broken(&*store).await, Some(8), "changed: the next one does not follow it");
        let late = Record { at: NOW + crate::model::time::Span::secs(1), ..seventh.clone() };
        store.put(vec![late]).await.unwrap();
        assert_eq!(broken(&*store).await, Some(8), "at another time");
        store.put(vec![seventh]).await.unwrap();
        assert_eq!(broken(&*store).await, None);
        store.delete(Collection::Audit, &name(20)).await.unwrap();
        assert_eq!(broken(&*store).await, Some(20), "the last one");
    }

    #[tokio::test]
    async fn an_end_that_was_noted_stays_in_the_chain() {
        let store = filled(Chain::default(), 5).await;
        let noted = walk(&*store, None).await.unwrap().head;
        let chain = Arc::new(Chain::default());
        chain.add(&store, line("more"), NOW).await.unwrap();
        assert_eq!(walk(&*store, Some(&noted)).await.unwrap().broken, None);
        let forged = KeptLink { hash: "other".to_owned(), ..noted.clone() };
        assert_eq!(walk(&*store, Some(&forged)).await.unwrap().broken.unwrap().0, 5);
        let later = KeptLink { seq: 99, ..noted };
        assert_eq!(walk(&*store, Some(&later)).await.unwrap().broken.unwrap().0, 99);
    }

    #[tokio::test]
    async fn old_lines_go_and_the_rest_is_still_a_chain() {
        let store = filled(Chain::of(10), 95).await;
        let walked = walk(&*store, None).await.unwrap();
        assert_eq!((walked.first, walked.good, walked.broken), (81, 15, None));
        assert_eq!(page(&*store, None, 99).await.unwrap().len(), 15);
        store.delete(Collection::Audit, &name(81)).await.unwrap();
        assert_eq!(broken(&*store).await, Some(81));
    }
}
