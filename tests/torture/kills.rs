//! SIGKILL under load, again and again.

use crate::torture::outside::chance;
use crate::torture::scene::Scene;
use crate::torture::tally::{Tally, caught, rounds, seed};

/// Kills so often, each time after some more acknowledgements.
async fn killed(rounds: u64, broken: Option<&'static str>) -> Tally {
    let mut scene = Scene::new(seed(), broken).await;
    for round in 0..rounds {
        let mut life = scene.live();
        if round % 4 == 0 {
            scene.authorize(&life).await;
        }
        let more = 3 + chance(seed(), &format!("kill {round}")) % 30;
        scene.acknowledged(more.try_into().unwrap(), &mut life).await;
        assert!(!life.has_ended(), "it ended by itself: {}", life.log());
        life.kill();
        scene.outside.book.fault();
        scene.close();
    }
    let life = scene.live();
    scene.judge(life, rounds).await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load() {
    killed(rounds(30, 2_000), None).await.stands("sigkill");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_sees_what_is_acknowledged_before_the_commit() {
    caught("sigkill", "early_acknowledge", &killed(8, Some("early_acknowledge")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_sees_signals_that_are_kept_after_the_commit() {
    caught("sigkill", "late_signals", &killed(8, Some("late_signals")).await);
}
