//! Two lives at once: an engine freezes, its lock is lost, another one takes over and comes to rest, and then
//! the first one thaws, with old answers in its hands. Nothing that it still believes is kept.

use std::fs;
use std::time::Duration;

use rusqlite::Connection;

use crate::torture::life::Life;
use crate::torture::scene::Scene;
use crate::torture::tally::{Tally, caught, rounds, seed};

const ROW: &str = "replaced";

async fn replaced(round: u64, broken: Option<&'static str>) -> Tally {
    let mut scene = Scene::new(seed() + 100 + round, broken).await;
    let mut first = scene.live();
    scene.acknowledged(60, &mut first).await;
    scene.close();
    let mut second = take_over(&scene, &first).await;
    scene.acknowledged(5, &mut second).await;
    scene.outside.book.calm_down();
    scene.no_more().await;
    scene.rest(&second, &mut Tally::default()).await;
    first.signal("CONT");
    scene.outside.book.fault();
    sleep(Duration::from_secs(1)).await;
    first.kill();
    scene.outside.book.fault();
    scene.judge(second, 1).await
}

/// Whether it was frozen in the middle of a commit: nobody else can write then.
fn is_writing(scene: &Scene) -> bool {
    let db = Connection::open(scene.start.data.join("beltline.db")).unwrap();
    db.busy_timeout(Duration::ZERO).unwrap();
    db.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_err()
}

/// Freezes the first, and starts another beside it.
async fn take_over(scene: &Scene, first: &Life) -> Life {
    loop {
        first.signal("STOP");
        scene.outside.book.fault();
        if is_writing(scene) {
            first.signal("CONT");
            sleep(Duration::from_millis(20)).await;
            continue;
        }
        // As on a file system that forgets them.
        for lock in ["lock", "beltline.db.lock"] {
            drop(fs::remove_file(scene.start.data.join(lock)));
        }
        return scene.live();
    }
}

#[expect(clippy::disallowed_methods, reason = "the first engine does what it can in a while")]
async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_and_replaced_by_another_engine() {
    let mut tally = Tally::default();
    for round in 0..rounds(2, 50) {
        tally.add(replaced(round, None).await);
    }
    tally.stands(ROW);
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_and_replaced_sees_that_there_is_no_fence() {
    caught(ROW, "no_fence", &replaced(0, Some("no_fence")).await);
}
