//! A disk without room: what a store on a real small file system does. Only root can mount one; elsewhere the
//! tests say that they were left out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use beltline::engine::ports::{DiskRoom, Store, StoreError};
use beltline::engine::transition::Transition;
use tempfile::TempDir;

use crate::store::make::*;
use crate::store::sqlite::{fresh, open};

/// A file system in memory that is gone with this.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// None, and a line that says so, where it cannot be mounted.
    pub(crate) fn mount(megabytes: u32) -> Option<SmallDisk> {
        let folder = TempDir::new().unwrap();
        let size = format!("size={megabytes}m");
        let options = ["-t", "tmpfs", "-o", &size, "tmpfs"];
        match Command::new("mount").args(options).arg(folder.path()).status() {
            Ok(status) if status.success() => Some(SmallDisk(folder)),
            _ => {
                eprintln!("left out: a small file system can be mounted by root only");
                None
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Takes all that is free but `left` bytes.
    pub(crate) fn fill(&self, left: u64) {
        let free = free_bytes(self.path());
        let taken = fs::metadata(self.filler()).map_or(0, |it| it.len());
        let bytes = usize::try_from((taken + free).saturating_sub(left)).unwrap();
        // What does not fit in is cut off.
        drop(fs::write(self.filler(), vec![7; bytes]));
    }

    pub(crate) fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.path()).status());
    }
}

fn free_bytes(path: &Path) -> u64 {
    let told = rustix::fs::statvfs(path).unwrap();
    told.f_bavail * told.f_frsize
}

/// A task of 200 KB.
fn big(id: i64) -> Transition {
    let mut task = task(id, &format!("shop/{id}"));
    task.params.set("big", "x".repeat(200_000));
    born(task)
}

pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        tokio::time::timeout(Duration::from_millis(50), std::future::pending::<()>()).await.unwrap_err();
    }
    panic!("{what} has not come to be in 30 seconds");
}

#[tokio::test]
async fn the_ballast_lets_commits_go_on_when_the_disk_is_full_and_is_made_again() {
    let Some(disk) = SmallDisk::mount(80) else { return };
    let ballast = disk.path().join("beltline.db.ballast");
    let store = open(disk.path());
    store.keep_ballast();
    assert_eq!(fs::metadata(&ballast).unwrap().len(), 2 << 20, "a fortieth of a small disk");
    assert_eq!(store.room(), DiskRoom::Enough);
    put(&store, big(1)).await.unwrap();
    disk.fill(0);
    // It takes more than what was free, and then ends; nothing that was acknowledged is lost.
    let mut kept = 1;
    let lost = loop {
        match store.commit(vec![step(big(kept + 1))]).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(lost, StoreError::Lost(_)), "{lost}");
    assert!(kept > 6, "the ballast was given up for {kept}");
    assert!(!ballast.exists() && !store.room().is_enough(), "{:?}", store.room());
    disk.make_room();
    until("room", || store.room().is_enough()).await;
    until("the ballast", || ballast.exists()).await;
    put(&store, big(kept + 1)).await.unwrap();
    store.probe().await.unwrap();
    assert_eq!(counts(&store).await, [format!("shop start ready {}", kept + 1)]);
}

#[tokio::test]
async fn below_the_mark_new_work_is_not_taken_and_well_above_it_again() {
    let Some(disk) = SmallDisk::mount(80) else { return };
    let store = open(disk.path());
    store.keep_ballast();
    disk.fill(5 << 20);
    until("little room", || matches!(store.room(), DiskRoom::Low { .. })).await;
    assert!(store.room().takes_answers());
    // The mark is at 8 MB with the ballast; new work is taken again from 12 MB on.
    disk.fill(8 << 20);
    put(&store, born(task(1, "shop/one"))).await.unwrap();
    until("a new look", || store.room().free_bytes() > 9 << 20).await;
    assert!(!store.room().is_enough(), "{:?}", store.room());
    disk.fill(16 << 20);
    until("room", || store.room().is_enough()).await;
}

#[tokio::test]
async fn a_store_opens_on_a_full_disk_and_is_read() {
    let Some(disk) = SmallDisk::mount(80) else { return };
    let store = open(disk.path());
    store.keep_ballast();
    put(&store, born(task(1, "shop/one"))).await.unwrap();
    drop(store);
    disk.fill(0);
    let store = open(disk.path());
    assert!(get(&store, 1).await.is_some());
    assert!(!disk.path().join("beltline.db.ballast").exists(), "to open takes a little room");
    disk.make_room();
    until("room", || store.room().is_enough()).await;
    store.probe().await.unwrap();
    put(&store, big(2)).await.unwrap();
}

#[tokio::test]
async fn a_store_that_found_no_room_goes_on_by_itself_when_there_is_some() {
    let (store, _folder) = fresh();
    put(&store, born(task(1, "shop/one"))).await.unwrap();
    store.limit(60 << 10).await.unwrap();
    let full = store.commit(vec![step(big(2))]).await;
    assert!(matches!(&full, Err(StoreError::Lost(why)) if why.contains("full")), "{full:?}");
    assert!(!store.room().takes_answers());
    store.limit(1 << 30).await.unwrap();
    until("room", || store.room().is_enough()).await;
    put(&store, big(2)).await.unwrap();
}

#[tokio::test]
async fn the_log_does_not_grow_from_start_to_start() {
    let (store, mut folder) = fresh();
    let log = |folder: &TempDir| fs::metadata(folder.path().join("beltline.db-wal")).map_or(0, |it| it.len());
    put(&store, big(1)).await.unwrap();
    let mut store = store;
    for round in 0..8 {
        for id in 0..10 {
            put(&store, big(2 + round * 10 + id)).await.unwrap();
        }
        // As a power cut leaves it.
        let next = TempDir::new().unwrap();
        for file in ["beltline.db", "beltline.db-wal"] {
            fs::copy(folder.path().join(file), next.path().join(file)).unwrap();
        }
        drop(store);
        folder = next;
        store = open(folder.path());
        assert!(log(&folder) < 8 << 20, "{} bytes after start {round}", log(&folder));
    }
    assert_eq!(counts(&store).await, ["shop start ready 81"]);
}
