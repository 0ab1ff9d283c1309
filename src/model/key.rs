//! One-time keys: who holds one may move that task on from that visit, once.
//!
//! A key is the task's number and an HMAC-SHA-256, keyed with the task's secret seed, over the visit:
//! unguessable, found without a table, and worthless as soon as the task has left the node.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::model::names::{NodeName, TaskId};
use crate::model::task::Task;
use crate::model::time::Timestamp;

/// Bytes of the task's number in a key.
const ID_BYTES: usize = 8;
/// Bytes of the proof in a key: 128 bits cannot be guessed over a network.
const PROOF_BYTES: usize = 16;
/// Bytes that tell the few messages of one visit apart.
const SERIAL_BYTES: usize = 6;
/// Keeps these keys apart from those of visits: no name of a node has a slash.
const ACKNOWLEDGING: &[u8] = b"ack/";
const PRINTING: &[u8] = b"print/";

/// The key of the task's present visit: 32 characters, safe in a URL.
pub fn one_time(task: &Task) -> String {
    let mut bytes = task.id.0.to_be_bytes().to_vec();
    bytes.extend_from_slice(&proof(task));
    BASE64.encode(bytes)
}

/// The number of the task a key is for, if it looks like a key at all.
pub fn task_of(key: &str) -> Option<TaskId> {
    let bytes = BASE64.decode(key).ok()?;
    if bytes.len() != ID_BYTES + PROOF_BYTES {
        return None;
    }
    let number = bytes[..ID_BYTES].try_into().ok()?;
    Some(TaskId(i64::from_be_bytes(number)))
}

/// Whether `key` is the key of the task's present visit. Takes the same time whatever is wrong.
pub fn opens(key: &str, task: &Task) -> bool {
    one_time(task).as_bytes().ct_eq(key.as_bytes()).into()
}

/// The key under which the world is asked, the same for every try of one visit.
pub fn idempotency(task: TaskId, node: &NodeName, visit: u64) -> String {
    let hash = Sha256::digest(format!("{task}/{node}/{visit}"));
    BASE64.encode(&hash[..PROOF_BYTES])
}

/// Chance of the task's own for its present visit: 256 bits that nobody can foresee, as 43 characters; the
/// same however often they are looked at. A code verifier for PKCE, or a nonce.
pub fn chance(task: &Task) -> String {
    BASE64.encode(mac(task, b"chance\0"))
}

/// The key that acknowledges the alarm raised on `visit` for the state `once`, and nothing else.
pub fn acknowledging(task: &Task, visit: u64, once: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&task.seed.0).expect("HMAC takes a key of any length");
    mac.update(ACKNOWLEDGING);
    mac.update(&visit.to_be_bytes());
    mac.update(once.as_bytes());
    let mut bytes = task.id.0.to_be_bytes().to_vec();
    bytes.extend_from_slice(&mac.finalize().into_bytes()[..PROOF_BYTES]);
    BASE64.encode(bytes)
}

/// What tells a text of a task from every other one, and nothing of what it says.
pub fn print(task: &Task, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&task.seed.0).expect("HMAC takes a key of any length");
    mac.update(PRINTING);
    mac.update(text.as_bytes());
    format!("secret {}", BASE64.encode(&mac.finalize().into_bytes()[..PROOF_BYTES]))
}

/// Whether `key` acknowledges the alarm that the task has now.
pub fn acknowledges(key: &str, task: &Task) -> bool {
    let Some(alarm) = &task.alarm else { return false };
    acknowledging(task, alarm.visit, &alarm.once).as_bytes().ct_eq(key.as_bytes()).into()
}

/// What tells one message of an alarm from the next: the state, the level, and when it was told last.
pub fn serial(once: &str, level: u32, told: Option<Timestamp>) -> String {
    let told = told.map_or(0, |it| it.0);
    let hash = Sha256::digest(format!("{level}/{told}/{once}"));
    BASE64.encode(&hash[..SERIAL_BYTES])
}

fn proof(task: &Task) -> [u8; PROOF_BYTES] {
    let mut part = [0; PROOF_BYTES];
    part.copy_from_slice(&mac(task, b"")[..PROOF_BYTES]);
    part
}

/// What only the task can know of its visit, for one use: no name of a node begins with a use that ends in a
/// zero byte.
fn mac(task: &Task, usage: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(&task.seed.0).expect("HMAC takes a key of any length");
    mac.update(usage);
    mac.update(task.at.as_str().as_bytes());
    mac.update(&task.visit.to_be_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::example::view;

    #[test]
    fn chance_is_of_the_visit_and_tells_nothing_of_the_key() {
        let mut task = Task::clone(&view(json!({})).task);
        let (first, key) = (chance(&task), one_time(&task));
        assert_eq!((first.len(), chance(&task)), (43, first.clone()));
        assert!(first.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it)));
        assert_ne!(BASE64.decode(&first).unwrap()[..PROOF_BYTES], BASE64.decode(&key).unwrap()[ID_BYTES..]);
        task.visit += 1;
        assert_ne!(chance(&task), first);
    }
}
