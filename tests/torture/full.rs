//! A disk that is full for a while, one that fails, and one that cannot be written: nothing that was received
//! is lost, nothing is asked again, and the engine goes on by itself when the disk does.

use std::time::Duration;

use crate::torture::disk::{Disk, can_mount};
use crate::torture::outside::chance;
use crate::torture::scene::Scene;
use crate::torture::tally::{Tally, caught, rounds, seed};

const ROW: &str = "disk";
/// More rounds keep more than a small disk has room for.
const MANY: u64 = 50;

/// The disk fills up again and again while one life works.
async fn filled(rounds: u64, broken: Option<&'static str>) -> Tally {
    let mut scene = Scene::new(seed() + 3, broken).await;
    // What is kept of so many rounds has room on it.
    let mib = if rounds > MANY { 512 } else { 48 };
    let disk = Disk::new(scene.home(), mib);
    scene.start.data = disk.at.join("data");
    let mut life = scene.live();
    scene.authorize(&life).await;
    let mut died = Vec::new();
    for round in 0..rounds {
        let drawn = chance(seed(), &format!("full {round}"));
        scene.acknowledged((3 + drawn % 20).try_into().unwrap(), &mut life).await;
        let full = disk.fill();
        pause(Duration::from_millis(100 + drawn % 1_500)).await;
        if broken.is_some() {
            life.kill();
            scene.outside.book.fault();
            drop(full);
            life = scene.live();
            continue;
        }
        drop(full);
        if life.has_ended() {
            died.push(format!("it ended when the disk was full: {}", life.log()));
            life = scene.live();
        }
    }
    scene.acknowledged(3, &mut life).await;
    let mut tally = scene.judge(life, rounds).await;
    tally.wrong.extend(died);
    drop(disk);
    tally
}

/// System calls of the store fail for a while, in each life others.
async fn failing(rounds: u64) -> Tally {
    let mut scene = Scene::new(seed() + 4, None).await;
    let life = scene.live();
    scene.authorize(&life).await;
    life.kill();
    scene.outside.book.fault();
    scene.close();
    let mut died = Vec::new();
    for round in 0..rounds {
        let drawn = chance(seed(), &format!("failing {round}"));
        let (calls, error) = match round % 3 {
            0 => ("fsync,fdatasync", "EIO"),
            1 => ("pwrite64", "EIO"),
            _ => ("pwrite64", "EROFS"),
        };
        let from = (2 + drawn % 150) * if calls == "pwrite64" { 4 } else { 1 };
        let until = from + (drawn >> 16) % 6;
        let inject = format!("inject={calls}:error={error}:when={from}..{until}");
        let trace = format!("trace={calls}");
        let words = ["strace", "-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", &trace, "-e", &inject];
        scene.start.tracer = words.map(str::to_owned).to_vec();
        let mut life = match scene.start.go() {
            Ok(life) => life,
            // The disk fails at the start already: it says so, and starts when the disk is well.
            Err(it) if it.code == Some(1) && it.log.contains("beltline.db` cannot be opened") => continue,
            Err(refusal) => {
                died.push(format!("it does not start under {inject}: {}", refusal.log));
                continue;
            }
        };
        scene.open(&life);
        scene.acknowledged(40, &mut life).await;
        if life.has_ended() {
            died.push(format!("it ended under {inject}: {}", life.log()));
            continue;
        }
        // It keeps what it holds as soon as the disk lets it, and then stops.
        life.signal("TERM");
        let log = life.log();
        let status = life.ended();
        scene.close();
        if status.code() != Some(0) {
            died.push(format!("it ended with {status} under {inject}: {log}"));
        }
    }
    scene.start.tracer.clear();
    let life = scene.live();
    let mut tally = scene.judge(life, rounds).await;
    tally.wrong.extend(died);
    tally
}

#[expect(clippy::disallowed_methods, reason = "the disk stays full for a while")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_load() {
    if can_mount(ROW) {
        filled(rounds(10, 250), None).await.stands("disk full");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_load_sees_what_is_acknowledged_before_the_commit() {
    if can_mount(ROW) {
        caught("disk full", "early_acknowledge", &filled(2, Some("early_acknowledge")).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_disk_under_load() {
    failing(rounds(10, 250)).await.stands("disk failing");
}
