//! [`FileWitness`]: two small files beside the database. `deciding` says what is being decided now, and is
//! written over in place for every batch; `deaths` says what was being decided when the engine died, one
//! line for each.
//!
//! Neither is synced: they tell of the death of this process, and what it has written outlives that. After
//! a power cut they may be old or torn. Whatever cannot be read then says nothing.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::witness::{Witness, WitnessPlace};
use crate::model::names::TaskId;

/// For the owner alone, as all in the data folder.
const FILE_MODE: u32 = 0o600;
/// What is being decided.
const DECIDING: &str = "deciding";
/// Under what the engine died.
const DEATHS: &str = "deaths";
/// How many tasks of a batch are named at most; a batch has fewer.
const TASKS_MAX: usize = 2_000;
/// Where the places for one task begin, and how far apart they are, in bytes.
const SINGLES_AT: u64 = 32 * 1024;
const SINGLE_BYTES: u64 = 64;
/// How many places for one task are looked at.
const SINGLES: u64 = 65;
/// How many tasks are remembered: those that never came into the store are never decided again.
const REMEMBERED_MAX: usize = 10_000;

/// Says which tasks were being decided when the process before this one died.
#[derive(Debug)]
pub struct FileWitness {
    deciding: File,
    ledger: Mutex<Ledger>,
    /// Whether the ledger names any task: mostly it does not, and then nobody looks.
    is_any: AtomicBool,
    /// Whether the file names tasks of a batch: where it names none, that need not be written again.
    has_batch: AtomicBool,
    has_failed: AtomicBool,
}

#[derive(Debug)]
struct Ledger {
    file: File,
    deaths: HashMap<TaskId, u32>,
}

impl FileWitness {
    /// Opens the files in that folder, and takes down under what the process before this one died.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn open(folder: &Path) -> io::Result<FileWitness> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
        let deciding = options.open(folder.join(DECIDING))?;
        let mut deaths = read_deaths(&folder.join(DEATHS));
        for task in being_decided(&deciding) {
            *deaths.entry(task).or_default() += 1;
        }
        let fresh = folder.join("deaths.new");
        let mut file = options.clone().truncate(true).open(&fresh)?;
        let mut newest: Vec<(&TaskId, &u32)> = deaths.iter().collect();
        newest.sort_unstable_by_key(|it| std::cmp::Reverse(*it));
        newest.truncate(REMEMBERED_MAX);
        let lines: Vec<String> = newest.iter().map(|(id, many)| format!("{id} {many}\n")).collect();
        file.write_all(lines.concat().as_bytes())?;
        fs::rename(&fresh, folder.join(DEATHS))?;
        // What died is taken down: it is not being decided any more.
        deciding.set_len(0)?;
        let is_any = AtomicBool::new(!deaths.is_empty());
        let ledger = Mutex::new(Ledger { file, deaths });
        let (has_batch, has_failed) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(FileWitness { deciding, ledger, is_any, has_batch, has_failed })
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A witness that cannot write is none; the engine goes on without.
    fn note(&self, done: io::Result<()>) {
        if let Err(error) = done
            && !self.has_failed.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "what is being decided is not kept; hint: has the disk room?");
        }
    }
}

impl Witness for FileWitness {
    fn begin(&self, place: WitnessPlace, tasks: &[TaskId]) {
        let is_batch = place == WitnessPlace::Batch;
        if is_batch && tasks.is_empty() && !self.has_batch.load(Ordering::Relaxed) {
            return;
        }
        let written = encoded(&tasks[..tasks.len().min(TASKS_MAX)]);
        let done = self.deciding.write_all_at(&written, offset(place));
        if is_batch {
            // What could not be written is written over the next time, whatever it left.
            self.has_batch.store(done.is_err() || !tasks.is_empty(), Ordering::Relaxed);
        }
        self.note(done);
    }

    fn deaths(&self, task: TaskId) -> u32 {
        match self.is_any.load(Ordering::Relaxed) {
            true => self.ledger().deaths.get(&task).copied().unwrap_or_default(),
            false => 0,
        }
    }

    fn survived(&self, task: TaskId) {
        if !self.is_any.load(Ordering::Relaxed) {
            return;
        }
        let mut ledger = self.ledger();
        if ledger.deaths.remove(&task).is_some() {
            self.note(writeln!(ledger.file, "{task} 0"));
            self.is_any.store(!ledger.deaths.is_empty(), Ordering::Relaxed);
        }
    }

    fn rest(&self) {
        self.note(self.deciding.set_len(0));
    }
}

fn offset(place: WitnessPlace) -> u64 {
    let single = match place {
        WitnessPlace::Batch => return 0,
        WitnessPlace::Alone => 0,
        WitnessPlace::Lane(lane) => 1 + u64::try_from(lane).unwrap_or(0),
    };
    SINGLES_AT + single.min(SINGLES - 1) * SINGLE_BYTES
}

/// How many, which, and a sum by which a torn one is known.
fn encoded(tasks: &[TaskId]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + tasks.len() * 8);
    bytes.extend(u64::try_from(tasks.len()).unwrap_or(0).to_le_bytes());
    for task in tasks {
        bytes.extend(task.0.to_le_bytes());
    }
    bytes.extend(sum(&bytes).to_le_bytes());
    bytes
}

fn decoded(bytes: &[u8]) -> Option<Vec<TaskId>> {
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    let many = usize::try_from(u64::from_le_bytes(*head)).ok().filter(|it| *it <= TASKS_MAX)?;
    let (tasks, rest) = rest.split_at_checked(many * 8)?;
    let (end, _) = rest.split_first_chunk::<8>()?;
    let (tasks, _) = tasks.as_chunks::<8>();
    (u64::from_le_bytes(*end) == sum(&bytes[..8 + many * 8]))
        .then(|| tasks.iter().map(|it| TaskId(i64::from_le_bytes(*it))).collect())
}

fn sum(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

fn being_decided(file: &File) -> Vec<TaskId> {
    let singles = (0..SINGLES).map(|it| (SINGLES_AT + it * SINGLE_BYTES, 32));
    let places = [(0, 16 + TASKS_MAX * 8)].into_iter().chain(singles);
    let mut tasks: Vec<TaskId> = places
        .filter_map(|(at, most)| {
            let mut bytes = vec![0; most];
            let read = file.read_at(&mut bytes, at).ok()?;
            decoded(&bytes[..read])
        })
        .flatten()
        .collect();
    tasks.sort_unstable();
    tasks.dedup();
    tasks
}

fn read_deaths(path: &Path) -> HashMap<TaskId, u32> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut deaths = HashMap::new();
    for line in text.lines() {
        let Some((id, many)) = line.split_once(' ') else { continue };
        let (Ok(id), Ok(many)) = (id.parse(), many.parse()) else { continue };
        deaths.insert(TaskId(id), many);
    }
    deaths.retain(|_, many| *many > 0);
    deaths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deaths(folder: &Path, tasks: &[i64]) -> Vec<u32> {
        let witness = FileWitness::open(folder).unwrap();
        tasks.iter().map(|it| witness.deaths(TaskId(*it))).collect()
    }

    #[test]
    fn a_death_is_counted_for_what_was_being_decided() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let witness = FileWitness::open(at).unwrap();
        witness.begin(WitnessPlace::Batch, &[TaskId(1), TaskId(2), TaskId(3)]);
        witness.begin(WitnessPlace::Batch, &[TaskId(4), TaskId(5)]);
        witness.begin(WitnessPlace::Lane(0), &[TaskId(6)]);
        drop(witness);
        assert_eq!(deaths(at, &[1, 2, 3, 4, 5, 6]), [0, 0, 0, 1, 1, 1]);
        let witness = FileWitness::open(at).unwrap();
        witness.begin(WitnessPlace::Alone, &[TaskId(4)]);
        witness.begin(WitnessPlace::Alone, &[]);
        witness.survived(TaskId(4));
        witness.begin(WitnessPlace::Alone, &[TaskId(5)]);
        drop(witness);
        assert_eq!(deaths(at, &[4, 5, 6]), [0, 2, 1], "and what is not known to be well stays");
        let witness = FileWitness::open(at).unwrap();
        witness.begin(WitnessPlace::Lane(3), &[TaskId(9)]);
        witness.rest();
        drop(witness);
        assert_eq!(deaths(at, &[9]), [0], "it ended in good order");
    }

    #[test]
    fn who_was_decided_before_a_batch_of_none_is_named_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let witness = FileWitness::open(at).unwrap();
        witness.begin(WitnessPlace::Batch, &[]);
        witness.begin(WitnessPlace::Batch, &[TaskId(1)]);
        witness.begin(WitnessPlace::Batch, &[]);
        witness.begin(WitnessPlace::Batch, &[]);
        drop(witness);
        assert_eq!(deaths(at, &[1]), [0]);
    }

    #[test]
    fn what_is_torn_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        for noise in [&b"x"[..], &[255; 64], &vec![0; 40_000], &encoded(&[TaskId(7)])[..20]] {
            fs::write(file(DECIDING), noise).unwrap();
            fs::write(file(DEATHS), [noise, b"\n7\n7 x\n"].concat()).unwrap();
            assert_eq!(deaths(folder.path(), &[7]), [0]);
        }
        let many: Vec<TaskId> = (0..5_000).map(TaskId).collect();
        FileWitness::open(folder.path()).unwrap().begin(WitnessPlace::Batch, &many);
        assert_eq!(deaths(folder.path(), &[0, 1_999, 2_000]), [1, 1, 0]);
    }
}
