//! Bytes that are flipped or cut in any file of the data folder: the engine runs with what is whole and shows
//! the damage, or refuses and says what to do. It is never empty in silence, and never gives a wrong answer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::torture::life::{Life, Start};
use crate::torture::outside::chance;
use crate::torture::scene::Scene;
use crate::torture::tally::{Tally, rounds, seed};

const SLEEPER: &str = "
process: sleeper
nodes:
  start: {kind: input, next: nap}
  nap: {kind: delay, for: 30d, next: done}
  done: {kind: end}
";
const SLEEPERS: u64 = 40;

/// A data folder, and what an engine on it must answer.
struct Base {
    data: PathBuf,
    tasks: BTreeMap<String, Value>,
}

/// What of a task does not change while it rests.
fn print(task: &Value) -> Value {
    json!([task["id"], task["state"], task["node"], task["params"], task["due"]])
}

fn copy(from: &Path, to: &Path) {
    drop(fs::remove_dir_all(to));
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

async fn all(scene: &Scene, life: &Life) -> Option<BTreeMap<String, Value>> {
    let (mut tasks, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = scene.get(life, &format!("tasks?limit=500{cursor}")).await?;
        for task in page["items"].as_array()? {
            tasks.insert(task["id"].as_str()?.to_owned(), print(task));
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Some(tasks),
        }
    }
}

/// Folders as a kill and as a stop leave them.
async fn bases(scene: &mut Scene) -> [Base; 2] {
    fs::write(scene.home().join("processes/sleeper.yaml"), SLEEPER).unwrap();
    scene.outside.book.calm_down();
    let mut life = scene.live();
    scene.acknowledged(40, &mut life).await;
    scene.no_more().await;
    scene.rest(&life, &mut Tally::default()).await;
    for number in 0..SLEEPERS {
        let body = json!({"ref": format!("s{number}"), "params": {"number": number}});
        assert_eq!(scene.post(&life, "processes/sleeper/tasks", &body).await, Some(201));
    }
    let tasks = all(scene, &life).await.unwrap();
    life.kill();
    let killed = scene.home().join("killed");
    copy(&scene.start.data, &killed);
    let life = scene.live();
    life.signal("TERM");
    assert!(life.ended().success());
    let stopped = scene.home().join("stopped");
    copy(&scene.start.data, &stopped);
    [Base { data: killed, tasks: tasks.clone() }, Base { data: stopped, tasks }]
}

/// Damages one file, and says how.
fn damage(data: &Path, round: u64) -> String {
    let mut files: Vec<PathBuf> = fs::read_dir(data).unwrap().map(|it| it.unwrap().path()).collect();
    files.retain(|it| fs::metadata(it).is_ok_and(|it| it.is_file() && it.len() > 0));
    files.sort();
    let draw = |what: &str, below: usize| {
        let drawn = chance(seed(), &format!("damage {round} {what}"));
        usize::try_from(drawn % u64::try_from(below).unwrap()).unwrap()
    };
    // The store itself is more of it than the small files beside it.
    let store = files.iter().position(|it| it.ends_with("beltline.db")).unwrap();
    let at = if round.is_multiple_of(2) { store } else { draw("file", files.len()) };
    let path = &files[at];
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut bytes = fs::read(path).unwrap();
    let place = draw("place", bytes.len());
    let how = match draw("how", 10) {
        0 => {
            fs::remove_file(path).unwrap();
            return format!("round {round}: `{name}` was removed");
        }
        1 => {
            bytes.clear();
            "emptied".to_owned()
        }
        2 => {
            bytes.truncate(place);
            format!("cut at {place}")
        }
        3 | 4 => {
            let end = (place + 200).min(bytes.len());
            bytes[place..end].iter_mut().for_each(|it| *it = !*it);
            format!("damaged from {place} to {end}")
        }
        _ => {
            bytes[place] ^= 1 << draw("bit", 8);
            format!("flipped at {place}")
        }
    };
    fs::write(path, bytes).unwrap();
    format!("round {round}: `{name}` was {how}")
}

/// Whether that is the task with its params masked.
fn is_masked(shown: &Value, task: &Value) -> bool {
    let mut masked = task.clone();
    for value in masked[3].as_object_mut().into_iter().flat_map(|it| it.values_mut()) {
        *value = json!("***");
    }
    *shown == masked
}

/// What an engine on a damaged folder does wrong.
async fn look(scene: &Scene, start: &Start, base: &Base, what: &str) -> Vec<String> {
    let mut life = match start.go() {
        Ok(life) => life,
        Err(refusal) if refusal.code.is_some() && refusal.log.contains("hint") => return Vec::new(),
        Err(refusal) => return vec![format!("{what}: refused without a remedy: {}", refusal.log)],
    };
    let (code, doctor) = start.verb(&["doctor"]);
    let is_shown = code != Some(0);
    let mut wrong = Vec::new();
    match all(scene, &life).await {
        None if is_shown => {}
        None => wrong.push(format!("{what}: the tasks cannot be listed, and doctor is content")),
        Some(tasks) => {
            let missing = base.tasks.keys().filter(|it| !tasks.contains_key(*it)).count();
            // Where a process is damaged nobody knows what of its params is secret, and all are masked.
            let is_right = |it: &Value, task: &Value| it == task || (is_shown && is_masked(it, task));
            let differs = |id: &String, task| tasks.get(id).is_some_and(|it| !is_right(it, task));
            let other = base.tasks.iter().filter(|(id, task)| differs(id, task));
            if let Some((id, task)) = other.clone().next() {
                wrong.push(format!("{what}: {} and not {task}", tasks[id]));
            }
            if missing > 0 && !is_shown {
                wrong.push(format!("{what}: {missing} tasks are missing, and doctor is content: {doctor}"));
            }
        }
    }
    if life.has_ended() {
        wrong.push(format!("{what}: it ended by itself: {}", life.log()));
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_files() {
    let mut scene = Scene::new(seed() + 7, None).await;
    let bases = bases(&mut scene).await;
    let mut tally = Tally::default();
    for round in 0..rounds(50, 1_000) {
        let base = &bases[usize::from(round % 4 == 3)];
        let start = Start { data: scene.home().join("damaged"), ..scene.start.clone() };
        copy(&base.data, &start.data);
        // Each life says its own in a log of its own.
        drop(fs::remove_file(scene.home().join("serve.log")));
        let what = damage(&start.data, round);
        tally.wrong.extend(look(&scene, &start, base, &what).await);
        tally.rounds += 1;
    }
    tally.acknowledged = bases[0].tasks.len().try_into().unwrap();
    tally.stands("damage");
}
