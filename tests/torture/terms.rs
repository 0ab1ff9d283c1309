//! SIGTERM under load: the engine stops by itself, and nothing it stopped in the middle of is taken for
//! asked.

use crate::torture::outside::chance;
use crate::torture::scene::Scene;
use crate::torture::tally::{Tally, rounds, seed};

async fn stopped(rounds: u64) -> Tally {
    let mut scene = Scene::new(seed() + 1, None).await;
    let mut told = Tally::default();
    for round in 0..rounds {
        let mut life = scene.live();
        if round % 4 == 0 {
            scene.authorize(&life).await;
        }
        let more = 3 + chance(seed(), &format!("term {round}")) % 30;
        scene.acknowledged(more.try_into().unwrap(), &mut life).await;
        life.signal("TERM");
        let log = life.log();
        let status = life.ended();
        scene.close();
        if status.code() != Some(0) {
            told.wrong.push(format!("after SIGTERM it ended with {status}: {log}"));
        }
    }
    let life = scene.live();
    let mut tally = scene.judge(life, rounds).await;
    tally.add(told);
    tally
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_under_load() {
    stopped(rounds(20, 200)).await.stands("sigterm");
}
