//! Signed requests that were taken: a signature is good once while its time is fresh. Remembered on disk
//! before the caller is answered, so that no restart makes one good again.

use std::collections::HashSet;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::engine::ports::Collection;
use crate::model::names::Ref;
use crate::model::time::Timestamp;
use crate::process::hook_proof::Signature;
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::hooks_receive::HookRoute;
use crate::service::kept::{record, value};
use crate::service::service::{Service, lock};

/// How many signatures that are too old are forgotten whenever one is remembered: more than come in.
const FORGOTTEN_MAX: usize = 8;

/// A signature that was good, by when it is too old, its process, its hook, and itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptReplay {
    /// The task its request was for.
    reference: Ref,
}

/// What is known of a signature.
#[derive(Debug)]
pub(super) enum Held<'a> {
    /// Its request is under way now, and no other with it.
    Now {
        /// Until it is dropped.
        _hold: Hold<'a>,
    },
    /// It was taken before, for that task.
    Before(Ref),
}

/// A signature whose request is under way. Dropping it lets the same request be tried again.
#[derive(Debug)]
pub(super) struct Hold<'a> {
    under_way: &'a Mutex<HashSet<String>>,
    name: String,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        lock(self.under_way).remove(&self.name);
    }
}

impl Service {
    /// Looks whether a signature was taken before; if not, nobody else is let in with it meanwhile.
    pub(super) async fn hold(&self, route: &HookRoute, signature: &Signature) -> ServiceResult<Held<'_>> {
        let name = name(route, signature);
        if !lock(&self.replays.under_way).insert(name.clone()) {
            return Err(ServiceError::conflict("busy", "the very same request is under way"));
        }
        let hold = Hold { under_way: &self.replays.under_way, name };
        match self.store().record(Collection::Replay, &hold.name).await? {
            Some(record) => Ok(Held::Before(value::<KeptReplay>(record)?.reference)),
            None => Ok(Held::Now { _hold: hold }),
        }
    }

    /// Remembers a signature until it is too old, and forgets some that are.
    pub(super) async fn remember_signature(
        &self,
        route: &HookRoute,
        signature: &Signature,
        reference: &Ref,
    ) -> ServiceResult<()> {
        let (name, now) = (name(route, signature), self.now());
        let kept = KeptReplay { reference: reference.clone() };
        self.store().put(vec![record(Collection::Replay, &name, &kept, now)?]).await?;
        let old: Vec<String> = {
            let mut known = lock(&self.replays.known);
            known.insert(name);
            let old = known.iter().take_while(|it| **it < digits(now)).take(FORGOTTEN_MAX);
            let old: Vec<String> = old.cloned().collect();
            known.retain(|it| !old.contains(it));
            old
        };
        for name in old {
            self.store().delete(Collection::Replay, &name).await?;
        }
        Ok(())
    }

    /// Learns which signatures are on disk, so that they are forgotten in time.
    pub(super) async fn load_replays(&self) -> ServiceResult<()> {
        let records = self.store().collection(Collection::Replay).await?;
        lock(&self.replays.known).extend(records.into_iter().map(|it| it.name));
        Ok(())
    }
}

/// Names begin with the moment they are too old at, so that they stand in its order.
fn name(route: &HookRoute, signature: &Signature) -> String {
    format!("{}/{}/{}", digits(signature.until), route.place(), signature.id)
}

fn digits(at: Timestamp) -> String {
    format!("{:015}", at.0.max(0))
}
