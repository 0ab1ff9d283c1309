//! [`Ballast`]: how much room the disk has, and a file that is given up when it has none, so that answers
//! which were received already can still be kept. The file is made again when there is room.
//!
//! Whoever asks for room is answered from memory: it is measured when the log is moved to the store, and
//! every few seconds.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use crate::engine::ports::{DiskRoom, StoreError};

/// How large the ballast is: some thousands of answers, as commits write them.
const BALLAST_BYTES: u64 = 16 << 20;
/// Below this, with the ballast, new work is refused: what runs must come to its end.
const LOW_BYTES: u64 = 64 << 20;
/// A disk that small has no more than this part of it as its low-water mark …
const LOW_PART: u64 = 10;
/// … and this one as its ballast.
const BALLAST_PART: u64 = 40;
/// Below this there may be no room for an answer of the largest size and what it writes beside it.
const ANSWER_BYTES: u64 = 4 << 20;
/// A write that fails with less than this free has failed for want of room, whatever the system calls it.
const ROOM_TO_WRITE: u64 = 256 << 10;
/// So many half low-water marks must be free before new work is taken again, so that it does not flap.
const HALVES_AGAIN: u64 = 3;

/// The room of the disk a store is on.
#[derive(Debug)]
pub(super) struct Ballast {
    folder: PathBuf,
    file: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The file is made and given up; without it only room is measured.
    kept: bool,
    held_bytes: u64,
    room: DiskRoom,
    /// A commit found no room since the last one that did.
    full: bool,
}

/// What the disk says.
#[derive(Clone, Copy)]
struct Told {
    free_bytes: u64,
    all_bytes: u64,
}

impl Ballast {
    /// Of the disk of the store at `path`. What is left of an earlier ballast is known at once.
    pub(super) fn beside(path: &Path) -> Ballast {
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = PathBuf::from(format!("{}.ballast", path.display()));
        let held_bytes = fs::metadata(&file).map_or(0, |it| it.len());
        let state = State { held_bytes, ..State::default() };
        Ballast { folder: folder.to_owned(), file, state: Mutex::new(state) }
    }

    /// From now on there is a ballast whenever there is room for it.
    pub(super) fn keep(&self) {
        self.lock().kept = true;
    }

    /// How much room there is, as it was measured last.
    pub(super) fn room(&self) -> DiskRoom {
        self.lock().room
    }

    /// Whether a commit found no room since the last one that did.
    pub(super) fn is_full(&self) -> bool {
        self.lock().full
    }

    /// Whether room would have helped where that went wrong.
    pub(super) fn may_help(&self, error: &StoreError) -> bool {
        let says_so = matches!(error, StoreError::Lost(why) if why.contains("full"));
        says_so || self.told().is_some_and(|told| told.free_bytes < ROOM_TO_WRITE)
    }

    /// Gives up the ballast for a commit that found no room; whether there was one to give up.
    pub(super) fn give_up(&self) -> bool {
        let mut state = self.lock();
        state.full = true;
        let had = state.held_bytes > 0 && fs::remove_file(&self.file).is_ok();
        if had {
            state.held_bytes = 0;
            tracing::error!(
                ballast = %self.file.display(),
                "the disk is full: the ballast is given up so that what was received is kept; make room now"
            );
        }
        self.measure(&mut state);
        had
    }

    /// A commit found room.
    pub(super) fn found_room(&self) {
        let mut state = self.lock();
        if state.full {
            state.full = false;
            self.measure(&mut state);
        }
    }

    /// Looks at the disk, and makes the ballast again if there is room for it.
    pub(super) fn refresh(&self) {
        let mut state = self.lock();
        self.measure(&mut state);
        let Some(told) = self.told() else { return };
        let (bytes, low) = (ballast_bytes(told), low_bytes(told));
        if state.kept && state.held_bytes == 0 && !state.full && told.free_bytes > bytes + again_bytes(low) {
            match make(&self.file, bytes) {
                Ok(()) => state.held_bytes = bytes,
                Err(error) => {
                    tracing::warn!(%error, ballast = %self.file.display(), "the ballast is not made yet");
                    drop(fs::remove_file(&self.file));
                }
            }
        }
    }

    fn measure(&self, state: &mut State) {
        let Some(told) = self.told() else { return };
        let before = state.room;
        state.room = room(told, state);
        if before.is_enough() != state.room.is_enough() {
            let free_mb = (told.free_bytes + state.held_bytes) >> 20;
            match state.room.is_enough() {
                true => tracing::info!(free_mb, "the disk has room again: new work is taken"),
                false => tracing::error!(free_mb, "the disk has no room: new work is refused until there is"),
            }
        }
        let low = if state.room.is_enough() { 0.0 } else { 1.0 };
        metrics::gauge!("beltline_disk_low").set(low);
    }

    fn told(&self) -> Option<Told> {
        let told = statvfs(&self.folder).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
        Some(Told { free_bytes: bytes(told.f_bavail), all_bytes: bytes(told.f_blocks) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn low_bytes(told: Told) -> u64 {
    LOW_BYTES.min(told.all_bytes / LOW_PART)
}

fn ballast_bytes(told: Told) -> u64 {
    BALLAST_BYTES.min(told.all_bytes / BALLAST_PART)
}

fn again_bytes(low: u64) -> u64 {
    low / 2 * HALVES_AGAIN
}

fn room(told: Told, state: &State) -> DiskRoom {
    let (free_bytes, low) = (told.free_bytes + state.held_bytes, low_bytes(told));
    let mark = if state.room.is_enough() { low } else { again_bytes(low) };
    match free_bytes {
        _ if state.full => DiskRoom::Full { free_bytes },
        free if free < ANSWER_BYTES.min(low / 2) => DiskRoom::Full { free_bytes },
        free if free < mark => DiskRoom::Low { free_bytes, again_bytes: again_bytes(low) },
        _ => DiskRoom::Enough,
    }
}

/// Makes the file of blocks that are really its own: where the file system only promises them, or packs what
/// it is given, it is filled with chance.
fn make(path: &Path, bytes: u64) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let promised = fallocate(&file, FallocateFlags::empty(), 0, bytes).is_ok();
    if !promised || own_bytes(&file)? < bytes {
        file.set_len(0)?;
        let mut chance = vec![0; 1 << 20];
        let mut left = bytes;
        while left > 0 {
            getrandom::fill(&mut chance).map_err(|error| io::Error::other(error.to_string()))?;
            let part = left.min(chance.len() as u64);
            file.write_all(&chance[..usize::try_from(part).unwrap_or(chance.len())])?;
            left -= part;
        }
    }
    file.sync_all()
}

#[cfg(unix)]
fn own_bytes(file: &File) -> io::Result<u64> {
    Ok(std::os::unix::fs::MetadataExt::blocks(&file.metadata()?) * 512)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1 << 30;

    fn seen(free_bytes: u64, all_bytes: u64, before: DiskRoom) -> DiskRoom {
        room(Told { free_bytes, all_bytes }, &State { room: before, ..State::default() })
    }

    #[test]
    fn new_work_is_refused_below_the_mark_and_taken_again_well_above_it() {
        let low = DiskRoom::Low { free_bytes: LOW_BYTES - 1, again_bytes: LOW_BYTES / 2 * 3 };
        assert_eq!(seen(LOW_BYTES, 9 * GB, DiskRoom::Enough), DiskRoom::Enough);
        assert_eq!(seen(LOW_BYTES - 1, 9 * GB, DiskRoom::Enough), low);
        assert!(!seen(LOW_BYTES + 1, 9 * GB, low).is_enough());
        assert!(seen(LOW_BYTES / 2 * 3, 9 * GB, low).is_enough());
        assert!(matches!(seen(ANSWER_BYTES - 1, 9 * GB, low), DiskRoom::Full { .. }));
    }

    #[test]
    fn a_small_disk_has_a_small_mark_and_a_small_ballast() {
        let small = Told { free_bytes: 10 << 20, all_bytes: 80 << 20 };
        assert_eq!((low_bytes(small), ballast_bytes(small)), (8 << 20, 2 << 20));
        assert!(seen(small.free_bytes, small.all_bytes, DiskRoom::Enough).is_enough());
    }

    #[test]
    fn the_ballast_takes_blocks_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ballast");
        make(&path, 3 << 20).unwrap();
        let file = File::open(&path).unwrap();
        assert!(own_bytes(&file).unwrap() >= 3 << 20);
        assert_eq!(file.metadata().unwrap().len(), 3 << 20);
    }
}
