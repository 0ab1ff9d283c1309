//! [`Tally`]: what came out of a row, and the table of all rows.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What came out of a row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) rounds: u64,
    pub(crate) acknowledged: u64,
    /// Acknowledged tasks that are not there or are not done.
    pub(crate) lost: Vec<String>,
    /// Whatever is there and is not as it must be.
    pub(crate) wrong: Vec<String>,
    /// Requests that were made again with the same key, because a fault took the answer to the first.
    pub(crate) repeats: u64,
    /// Pairs that were received and not known afterwards.
    pub(crate) pairs_lost: Vec<String>,
    pub(crate) renewals: u64,
}

impl Tally {
    pub(crate) fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.wrong.is_empty() && self.pairs_lost.is_empty()
    }

    /// All that is not as it must be, a sentence each.
    pub(crate) fn faults(&self) -> String {
        let all = self.lost.iter().chain(&self.wrong).chain(&self.pairs_lost);
        let shown: Vec<&str> = all.take(20).map(String::as_str).collect();
        format!(
            "{} lost, {} wrong, {} pairs lost:\n{}",
            self.lost.len(),
            self.wrong.len(),
            self.pairs_lost.len(),
            shown.join("\n")
        )
    }

    pub(crate) fn add(&mut self, other: Tally) {
        self.rounds += other.rounds;
        self.acknowledged += other.acknowledged;
        self.repeats += other.repeats;
        self.renewals += other.renewals;
        self.lost.extend(other.lost);
        self.wrong.extend(other.wrong);
        self.pairs_lost.extend(other.pairs_lost);
    }

    /// Keeps the row for the table, and fails if anything in it is not as it must be.
    #[track_caller]
    pub(crate) fn stands(self, row: &str) {
        println!(
            "{row}: {} rounds, {} acknowledged, {} renewals, {} repeats",
            self.rounds, self.acknowledged, self.renewals, self.repeats
        );
        write(row, &serde_json::to_value(&self).unwrap());
        assert!(self.is_clean(), "{row}: {}", self.faults());
        assert!(self.rounds > 0, "{row}: nothing was done");
    }
}

/// Keeps that a row sees a promise that is broken on purpose, and fails if it does not.
#[track_caller]
pub(crate) fn caught(row: &str, broken: &str, tally: &Tally) {
    println!("{row} under {broken}: {}", tally.faults());
    write(&format!("{row}.{broken}"), &serde_json::json!(!tally.is_clean()));
    assert!(!tally.is_clean(), "{row} does not see that {broken}: it is void");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("torture")
}

fn write(name: &str, value: &serde_json::Value) {
    fs::create_dir_all(folder()).unwrap();
    let (beside, path) = (folder().join(format!("{name}.tmp")), folder().join(format!("{name}.json")));
    fs::write(&beside, value.to_string()).unwrap();
    fs::rename(beside, path).unwrap();
}

/// What was kept under that name by the last run.
pub(crate) fn kept(name: &str) -> Option<serde_json::Value> {
    let text = fs::read_to_string(folder().join(format!("{name}.json"))).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

/// How many rounds: few, unless all are asked for.
#[expect(clippy::disallowed_methods, reason = "a test is told from outside how long it may take")]
pub(crate) fn rounds(few: u64, all: u64) -> u64 {
    match std::env::var("BELTLINE_TORTURE").as_deref() {
        Ok("full") => all,
        Ok(number) => number.parse().expect("BELTLINE_TORTURE is `full` or a number of rounds"),
        Err(_) => few,
    }
}

/// Where chance begins: always the same, unless another seed is asked for.
#[expect(clippy::disallowed_methods, reason = "a test is told from outside which chance to take")]
pub(crate) fn seed() -> u64 {
    std::env::var("BELTLINE_SEED").map_or(1, |it| it.parse().expect("BELTLINE_SEED is a number"))
}
