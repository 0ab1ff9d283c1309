//! [`Disk`]: how much room there is where the store is, and how much of it the store takes.

use std::fs;
use std::path::Path;

use rustix::fs::statvfs;
use serde::Serialize;
use utoipa::ToSchema;

/// Below this the disk is nearly full, in bytes.
const SCARCE: u64 = 1024 * 1024 * 1024;
/// Below this the next commit may fail, in bytes.
const NONE: u64 = 100 * 1024 * 1024;
/// What the names of the store's files begin with.
const STORE: &str = "beltline.db";

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Disk {
    /// Free for this program, in bytes.
    pub free_bytes: u64,
    /// What the embedded store takes, in bytes.
    pub store_bytes: u64,
}

/// Whether there is room enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskSpace {
    /// Yes.
    Enough,
    /// Nearly full: make room soon.
    Scarce,
    /// Make room, now.
    None,
}

impl Disk {
    /// Of the disk that `folder` is on; nothing if the system does not tell.
    pub fn at(folder: &Path) -> Option<Disk> {
        let told = statvfs(folder).ok()?;
        let files = fs::read_dir(folder).ok()?.filter_map(Result::ok);
        let store = files.filter(|it| it.file_name().to_string_lossy().starts_with(STORE));
        let store_bytes = store.filter_map(|it| it.metadata().ok()).map(|it| it.len()).sum();
        Some(Disk { free_bytes: told.f_bavail.saturating_mul(told.f_frsize), store_bytes })
    }

    /// Whether there is room enough.
    pub fn room(self) -> DiskSpace {
        match self.free_bytes {
            0..NONE => DiskSpace::None,
            NONE..SCARCE => DiskSpace::Scarce,
            SCARCE.. => DiskSpace::Enough,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_store_are_counted_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [("beltline.db", 3_000), ("beltline.db-wal", 500), ("key", 32)] {
            fs::write(folder.path().join(name), vec![0; bytes]).unwrap();
        }
        let disk = Disk::at(folder.path()).unwrap();
        assert_eq!(disk.store_bytes, 3_500);
        assert!(disk.free_bytes > 0);
        assert_eq!(Disk::at(&folder.path().join("none")), None);
    }

    #[test]
    fn little_room_is_told_before_there_is_none() {
        let room = |free_bytes| Disk { free_bytes, store_bytes: 0 }.room();
        assert_eq!(
            [room(NONE - 1), room(NONE), room(SCARCE)],
            [DiskSpace::None, DiskSpace::Scarce, DiskSpace::Enough]
        );
    }
}
