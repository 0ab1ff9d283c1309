//! A data folder that is damaged: what is lost is told, and what is whole runs.

use std::fs;

use rusqlite::Connection;

use crate::cli::place::{HELLO, Place, until};

fn spoil(place: &Place, sql: &str) {
    Connection::open(place.path("data/beltline.db")).unwrap().execute_batch(sql).unwrap();
}

/// A place with two processes and three tasks, and no engine.
fn lived_in() -> Place {
    let place = Place::new();
    place.write("processes/second.yaml", &HELLO.replace("process: hello", "process: second"));
    let served = place.serve();
    for (process, reference) in [("hello", "riga"), ("hello", "oslo"), ("second", "bern")] {
        place.ok(&["submit", process, "--ref", reference, "city=X", "key=k"]);
    }
    assert_eq!(served.stop(), Some(0));
    place
}

#[test]
fn a_store_that_is_gone_beside_its_key_is_refused_and_its_way_back_is_told() {
    let place = lived_in();
    let (store, kept) = (place.path("data/beltline.db"), place.path("kept.db"));
    fs::rename(&store, &kept).unwrap();
    let serve = || place.run(&["serve", "--listen", "127.0.0.1:0"]);
    serve().failed(1, &["beltline.db` is gone", "hint: put the file back", "move"]);
    assert!(!store.exists(), "none is made in its place");
    let doctor = place.run(&["doctor"]);
    assert!(doctor.code == Some(1) && doctor.out.contains("is gone"), "{doctor:?}");
    fs::write(&store, "").unwrap();
    serve().failed(1, &["is empty", "hint: put back the file"]);
    let doctor = place.run(&["doctor"]);
    assert!(doctor.code == Some(1) && doctor.out.contains("is empty"), "{doctor:?}");
    Connection::open(&store).unwrap().execute_batch("PRAGMA journal_mode = WAL").unwrap();
    serve().failed(1, &["is empty"]);
    fs::rename(&kept, &store).unwrap();
    let served = place.serve();
    assert_eq!(place.ok(&["get", "hello", "riga", "key"]), "k");
    assert_eq!(served.stop(), Some(0));
    // To begin anew on purpose, the key is moved away with the store.
    fs::remove_file(&store).unwrap();
    fs::remove_file(place.path("data/key")).unwrap();
    let _served = place.serve();
    assert_eq!(place.json(&["list"])["items"], serde_json::json!([]));
}

#[test]
fn a_damaged_task_and_a_damaged_process_cost_themselves_and_are_shown() {
    let place = lived_in();
    spoil(&place, "UPDATE tasks SET body = zeroblob(80) WHERE ref = 'oslo'");
    spoil(&place, "UPDATE records SET value = zeroblob(80) WHERE collection = 'process' AND name = 'second'");
    let _served = place.serve();
    let listed = place.json(&["list", "hello"]);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(place.ok(&["get", "hello", "riga", "key"]), "k");
    place.run(&["get", "hello", "oslo", "key"]).failed(1, &["unreadable", "tasks/"]);
    let doctor = place.run(&["doctor"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    for word in ["2 damaged", "tasks/", "hello/oslo", "records/process/second", "backup"] {
        assert!(doctor.out.contains(word), "no {word:?} in {}", doctor.out);
    }
    // Its file does not bring it back by itself: nobody knows whether it rested.
    assert!(doctor.out.contains("second.yaml"), "{}", doctor.out);
    place.run(&["submit", "second", "city=X"]).failed(1, &["second"]);
    place.ok(&["deploy", "processes/second.yaml"]);
    assert_eq!(place.ok(&["get", "second", "bern", "key"]), "k");
    let doctor = place.run(&["doctor"]);
    assert!(doctor.out.contains("1 damaged") && !doctor.out.contains("second.yaml"), "{}", doctor.out);
}

#[test]
fn doctor_has_every_row_opened_also_those_that_nobody_asks_for() {
    let place = lived_in();
    let _served = place.serve();
    let told = place.ok(&["doctor"]);
    assert!(told.contains("none is damaged"), "{told}");
    let rows = |told: &str| -> u64 {
        let line = told.lines().find(|it| it.contains("rows were opened")).unwrap();
        line.split_once("store check: ").unwrap().1.split(' ').next().unwrap().parse().unwrap()
    };
    // Three tasks, their histories, two processes and their texts.
    assert!(rows(&told) >= 10, "{told}");
    spoil(&place, "UPDATE history SET body = zeroblob(30) WHERE seq = (SELECT min(seq) FROM history)");
    assert_eq!(
        place.ok(&["doctor", "--no-check"]).lines().find(|it| it.contains("rows were opened")),
        told.lines().find(|it| it.contains("rows were opened")),
        "nobody has looked since"
    );
    place.run(&["doctor"]).failed(1, &["wrong"]);
    assert!(
        place.run(&["doctor", "--no-check"]).out.contains("1 damaged: history/"),
        "it is known from now on"
    );
}

#[test]
fn a_damaged_text_of_a_process_is_healed_by_its_file() {
    let place = lived_in();
    spoil(&place, "UPDATE records SET value = x'01' WHERE collection = 'version' AND name LIKE 'second@%'");
    let _served = place.serve();
    assert_eq!(place.ok(&["get", "second", "bern", "key"]), "k");
    until("nothing is damaged", || {
        place.run(&["doctor"]).out.contains(" damaged: ").eq(&false).then_some(())
    });
}

#[test]
fn whatever_is_cut_or_flipped_the_engine_runs_or_says_why_not() {
    let place = lived_in();
    let (store, whole) = (place.path("data/beltline.db"), fs::read(place.path("data/beltline.db")).unwrap());
    let mut chance = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: usize| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(chance >> 33).unwrap() % below
    };
    for round in 0..8 {
        let mut bytes = whole.clone();
        match round % 4 {
            0 => bytes.truncate(next(whole.len())),
            1 => bytes[next(4_096)] ^= 0x40,
            _ => (0..20).for_each(|_| bytes[next(whole.len())] ^= 0xFF),
        }
        for left in ["data/beltline.db-wal", "data/beltline.db-shm", "data/address"] {
            drop(fs::remove_file(place.path(left)));
        }
        fs::write(&store, bytes).unwrap();
        let log = place.path("damaged.log");
        let file = fs::File::create(&log).unwrap();
        let mut serve = place.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = serve.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let ended = until("it runs or has ended", || match child.try_wait().unwrap() {
            Some(status) => Some(status.code()),
            None => place.path("data/address").exists().then_some(None),
        });
        let said = fs::read_to_string(&log).unwrap();
        match ended {
            Some(code) => assert!(code == 1 && said.contains("beltline.db"), "round {round}: {code} {said}"),
            None => {
                place.run(&["list"]);
                place.run(&["doctor"]);
                child.kill().unwrap();
                child.wait().unwrap();
            }
        }
        let said = fs::read_to_string(&log).unwrap();
        assert!(!said.contains("panicked"), "round {round}: {said}");
    }
}
