//! SIGSTOP under load: what came in while the engine was frozen counts as it would have then.

use std::time::Duration;

use crate::torture::scene::Scene;
use crate::torture::tally::{Tally, rounds, seed};

async fn frozen(seconds: &[u64]) -> Tally {
    let mut scene = Scene::new(seed() + 5, None).await;
    let mut life = scene.live();
    scene.authorize(&life).await;
    for pause in seconds {
        scene.acknowledged(25, &mut life).await;
        life.signal("STOP");
        sleep(Duration::from_secs(*pause)).await;
        life.signal("CONT");
    }
    scene.acknowledged(3, &mut life).await;
    let rounds = seconds.len().try_into().unwrap();
    scene.judge(life, rounds).await
}

#[expect(clippy::disallowed_methods, reason = "the engine is frozen for a while")]
async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_under_load() {
    let all = [1, 5, 13, 2, 30, 45, 60, 90, 120, 180];
    let some = usize::try_from(rounds(4, 10)).unwrap().min(all.len());
    frozen(&all[..some]).await.stands("sigstop");
}
