//! Power cuts under load: what was not synced is gone.

use crate::torture::disk::{Disk, can_mount};
use crate::torture::outside::chance;
use crate::torture::scene::Scene;
use crate::torture::tally::{Tally, caught, rounds, seed};

const ROW: &str = "power cut";
/// More rounds keep more than a small disk has room for.
const MANY: u64 = 100;

/// A disk that says it has synced and has not.
const LIES: [&str; 10] = [
    "strace",
    "-D",
    "-f",
    "--seccomp-bpf",
    "-o",
    "/dev/null",
    "-e",
    "trace=fsync,fdatasync",
    "-e",
    "inject=fsync,fdatasync:retval=0",
];

async fn cut(rounds: u64, broken: Option<&'static str>, lies: bool) -> Tally {
    let mut scene = Scene::new(seed() + 2, broken).await;
    // What is kept of so many rounds has room on it.
    let mib = if rounds > MANY { 1_024 } else { 96 };
    let disk = Disk::new(scene.home(), mib);
    scene.start.data = disk.at.join("data");
    // The key is made once, and is no matter of this row.
    scene.live().kill();
    disk.sync();
    if lies {
        scene.start.tracer = LIES.map(str::to_owned).to_vec();
    }
    let mut end = Tally::default();
    for round in 0..rounds {
        let mut life = match scene.start.go() {
            Ok(life) => life,
            Err(refusal) => {
                end.wrong.push(format!("after a power cut it does not start: {}", refusal.log));
                return end;
            }
        };
        scene.open(&life);
        if round % 3 == 0 {
            scene.authorize(&life).await;
        }
        let more = 3 + chance(seed(), &format!("cut {round}")) % 40;
        scene.acknowledged(more.try_into().unwrap(), &mut life).await;
        scene.outside.book.fault();
        // As without power: the processor stops with the disk. One that went on could be told by ext4 that a
        // sync succeeded which the cut has taken (findings/ext4-cut-in-a-sync.sh).
        life.freeze();
        disk.cut();
        life.kill();
        scene.outside.book.fault();
        scene.close();
        disk.power_on();
    }
    match scene.start.go() {
        Ok(life) => {
            scene.open(&life);
            let tally = scene.judge(life, rounds).await;
            drop(disk);
            tally
        }
        Err(refusal) => {
            end.wrong.push(format!("after a power cut it does not start: {}", refusal.log));
            end
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn power_cut_under_load() {
    if can_mount(ROW) {
        cut(rounds(10, 1_000), None, false).await.stands(ROW);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn power_cut_under_load_sees_commits_that_are_not_synced() {
    if can_mount(ROW) {
        caught(ROW, "normal_sync", &cut(3, Some("normal_sync"), false).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn power_cut_under_load_sees_a_sync_that_lies() {
    if can_mount(ROW) {
        caught(ROW, "lying_sync", &cut(3, None, true).await);
    }
}
