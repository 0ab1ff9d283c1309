//! The wall clock steps under load: hours and months, on and back, to 2015, and by the hour of daylight
//! saving. What is timed in the engine does not mind, and what is stored as a moment is neither lost nor left
//! lying.

use std::fs;
use std::time::{Duration, Instant};

use crate::torture::life::Life;
use crate::torture::scene::Scene;
use crate::torture::tally::{Tally, caught, seed};

const ROW: &str = "clock";
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// From about now to 2015.
const TO_2015_MS: i64 = -11 * 365 * DAY_MS;
/// Where the clock stands, one after the other, and whether the engine starts anew there.
const STEPS: [(i64, bool); 12] = [
    (2 * HOUR_MS, false),
    (0, false),
    (-2 * HOUR_MS, false),
    (0, false),
    (200 * DAY_MS, false),
    (0, false),
    (-200 * DAY_MS, true),
    (HOUR_MS, false),
    (0, true),
    (TO_2015_MS, false),
    (30_000, false),
    (0, false),
];

async fn stepped(steps: &[(i64, bool)], broken: Option<&'static str>) -> Tally {
    let mut scene = Scene::new(seed() + 8, broken).await;
    let file = scene.home().join("clock");
    fs::write(&file, "0").unwrap();
    scene.start.env.push(("BELTLINE_TEST_CLOCK".to_owned(), file.to_str().unwrap().to_owned()));
    let mut life = scene.live();
    let mut stuck = Vec::new();
    for (by, anew) in steps {
        scene.authorize(&life).await;
        scene.acknowledged(12, &mut life).await;
        let beside = scene.home().join("clock.tmp");
        fs::write(&beside, by.to_string()).unwrap();
        fs::rename(beside, &file).unwrap();
        if *anew {
            life.kill();
            scene.outside.book.fault();
            life = scene.live();
        }
        scene.acknowledged(12, &mut life).await;
        if !renews(&scene, &life).await {
            stuck.push(format!("with the clock at {by} ms no token is renewed any more: {}", life.log()));
            break;
        }
    }
    let mut tally = scene.judge(life, steps.len().try_into().unwrap()).await;
    tally.wrong.extend(stuck);
    tally
}

/// Whether the lenient keepers are all renewed twice more in a minute.
#[expect(clippy::disallowed_methods, reason = "the engine is another program; a hang is found by the clock")]
async fn renews(scene: &Scene, life: &Life) -> bool {
    let rotations = || -> Vec<u64> {
        let families = scene.outside.book.families.lock().unwrap();
        let lenient = families.by_name.iter().filter(|(name, _)| name.starts_with("lenient"));
        lenient.map(|(_, it)| it.rotations).collect()
    };
    let (before, began) = (rotations(), Instant::now());
    while began.elapsed() < Duration::from_mins(1) {
        if rotations().iter().zip(&before).all(|(now, before)| *now >= before + 2) {
            return true;
        }
        scene.authorize(life).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_steps_under_load() {
    stepped(&STEPS, None).await.stands(ROW);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_steps_under_load_sees_a_timer_on_the_wall_clock() {
    let on: Vec<(i64, bool)> = (1..8).map(|hour| (2 * hour * HOUR_MS, false)).collect();
    caught(ROW, "wall_timer", &stepped(&on, Some("wall_timer")).await);
}
