//! The judgement: the faults are over, the engine comes to rest, and everything is compared with the model.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::torture::life::Life;
use crate::torture::outside::Asked;
use crate::torture::scene::{KEEPERS, Scene};
use crate::torture::story::Story;
use crate::torture::tally::Tally;

/// An engine that does nothing for so long does not come to rest.
const STILL: Duration = Duration::from_mins(1);

impl Scene {
    /// Lets everything come to its end and compares it; the engine is stopped, and well.
    pub(crate) async fn judge(&mut self, life: Life, rounds: u64) -> Tally {
        self.outside.book.calm_down();
        self.no_more().await;
        let mut tally = Tally { rounds, ..Tally::default() };
        let acknowledged = self.all_acknowledged();
        tally.acknowledged = acknowledged.len().try_into().unwrap();
        let orders = self.rest(&life, &mut tally).await;
        self.compare(&acknowledged, &orders, &mut tally);
        self.compare_keepers(&life, &mut tally).await;
        self.compare_asks(&mut tally);
        life.signal("TERM");
        let status = life.ended();
        if status.code() != Some(0) {
            tally.wrong.push(format!("at the end the engine stopped with {status}"));
        }
        self.compare_store(&mut tally);
        let families = self.outside.book.families.lock().unwrap();
        tally.renewals = families.by_name.values().map(|it| it.rotations).sum();
        tally.pairs_lost.clone_from(&families.lost);
        tally
    }

    /// All orders, once none lives any more.
    #[expect(
        clippy::disallowed_methods,
        reason = "the engine is another program; a hang is found by the clock"
    )]
    pub(crate) async fn rest(&self, life: &Life, tally: &mut Tally) -> BTreeMap<String, Value> {
        let (mut before, mut moved) = (usize::MAX, Instant::now());
        loop {
            let mut orders = BTreeMap::new();
            for process in (0..4).map(Story::process).chain(["double", "nudge", "journal"].map(str::to_owned))
            {
                for task in self.tasks(life, &process).await {
                    let reference = task["ref"].as_str().unwrap().to_owned();
                    orders.insert(format!("{process}/{reference}"), task);
                }
            }
            let is_live = |task: &&Value| ["ready", "doing", "waiting"].iter().any(|it| task["state"] == *it);
            let alive: Vec<&Value> = orders.values().filter(is_live).collect();
            if alive.is_empty() {
                return orders;
            }
            if alive.len() != before {
                (before, moved) = (alive.len(), Instant::now());
            }
            if moved.elapsed() > STILL {
                let stuck = alive.iter().map(|it| {
                    format!(
                        "{}/{} is {} on {}, due {}, and does not go on",
                        it["process"], it["ref"], it["state"], it["node"], it["due"]
                    )
                });
                tally.wrong.extend(stuck);
                return orders;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn tasks(&self, life: &Life, process: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("processes/{process}/tasks?limit=500{cursor}");
            let Some(page) = self.get(life, &path).await else {
                panic!("`{path}` is not answered: {}", life.log());
            };
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    fn compare(&self, acknowledged: &BTreeSet<u64>, tasks: &BTreeMap<String, Value>, tally: &mut Tally) {
        let asked = self.outside.book.asked();
        for number in acknowledged {
            let name = format!("{}/o{number}", Story::process(*number));
            let Some(order) = tasks.get(&name) else {
                tally.lost.push(format!("{name} was acknowledged and is not there"));
                continue;
            };
            if order["state"] != "done" {
                tally.wrong.push(format!(
                    "{name} is {} on {}: {}",
                    order["state"], order["node"], order["fault"]["message"]
                ));
                continue;
            }
            for (param, value) in self.story.expected(*number) {
                if order["params"][&param] != value {
                    let told = &order["params"][&param];
                    tally.wrong.push(format!("{name}: `{param}` is {told} and not {value}"));
                }
            }
            self.compare_visits(*number, &name, order, &asked, tally);
        }
    }

    /// Each visit of the model was asked for under one key; what may be asked once was.
    fn compare_visits(
        &self,
        number: u64,
        name: &str,
        order: &Value,
        asked: &BTreeMap<String, Vec<Asked>>,
        tally: &mut Tally,
    ) {
        let (asks, once) = self.story.asks(number);
        for what in asks {
            let keys: BTreeSet<&str> = asked.get(&what).into_iter().flatten().map(|it| &*it.key).collect();
            if keys.len() != 1 {
                tally.wrong.push(format!("{what}: one visit, and {} keys", keys.len()));
            }
        }
        for (param, what) in once {
            let times = asked.get(&what).map_or(0, Vec::len);
            let good = match order["params"][&param].as_str() {
                Some("asked") => times == 1,
                Some("outcome_unknown") => times == 1 || (times == 0 && self.outside.book.had_faults()),
                _ => false,
            };
            if !good {
                let told = &order["params"][&param];
                tally.wrong.push(format!("{name}: `{param}` is {told}, and it was asked {times} times"));
            }
            // Nothing took that answer away, and no fault came near.
            let answered = asked.get(&what).is_some_and(|all| all[0].answered.is_some());
            if order["params"][&param] != "asked" && answered {
                let (first, now) = (&asked[&what][0], self.outside.book.now());
                if !self.outside.book.in_flight(first.at, first.answered.map(|it| it.1), now) {
                    tally.wrong.push(format!("{what}: its answer was received, and is taken for lost"));
                }
            }
        }
    }

    /// The same is asked again only if it was in flight at a fault, or was not answered well.
    fn compare_asks(&self, tally: &mut Tally) {
        let mut by_key: BTreeMap<(String, String), Vec<Asked>> = BTreeMap::new();
        for asked in self.outside.book.asked().into_values().flatten() {
            if !asked.key.is_empty() {
                by_key.entry((asked.what.clone(), asked.key.clone())).or_default().push(asked);
            }
        }
        for ((what, _), all) in by_key {
            for two in all.windows(2) {
                let answered = two[0].answered.filter(|(status, _)| *status < 500);
                let at = two[0].answered.map(|(_, at)| at);
                match (answered, self.outside.book.in_flight(two[0].at, at, two[1].at)) {
                    (_, true) => tally.repeats += 1,
                    (None, false) => {}
                    (Some(_), false) => {
                        tally.wrong.push(format!("{what} was answered, and asked again without a fault"));
                    }
                }
            }
        }
    }

    /// A keeper holds one whole pair, and goes on or waits for a person.
    async fn compare_keepers(&self, life: &Life, tally: &mut Tally) {
        for name in KEEPERS {
            if !self.outside.book.families.lock().unwrap().by_name.contains_key(name) {
                continue;
            }
            tally.wrong.extend(self.halves(life, name).await);
        }
    }

    /// What the model says of births, and what the store says of itself.
    fn compare_store(&self, tally: &mut Tally) {
        let path = self.start.data.join("beltline.db");
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        let rows = |sql: &str| -> Vec<(String, i64)> {
            let mut rows = db.prepare(sql).unwrap();
            let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            rows.map(Result::unwrap).collect()
        };
        let checked: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        if checked != "ok" {
            tally.wrong.push(format!("the store's own check says: {checked}"));
        }
        let mut births: BTreeMap<&str, i64> = BTreeMap::new();
        let refs = "SELECT ref, count(*) FROM tasks WHERE process LIKE 'order%' GROUP BY process, ref";
        for (reference, many) in rows(refs) {
            if many != 1 {
                tally.wrong.push(format!("there are {many} orders {reference}"));
            }
            for (process, more) in self.story.births(reference[1..].parse().unwrap()) {
                *births.entry(process).or_default() += more;
            }
        }
        let there: BTreeMap<String, i64> =
            rows("SELECT process, count(*) FROM tasks GROUP BY process").into_iter().collect();
        for (process, expected) in births {
            let many = there.get(process).copied().unwrap_or(0);
            if many != expected {
                tally.wrong.push(format!("there are {many} tasks of `{process}`, and not {expected}"));
            }
        }
        // The long histories of keepers are cut at their beginnings.
        let gaps =
            "SELECT 'seq', count(*) FROM history WHERE seq - 1 NOT IN (SELECT seq FROM history) AND seq >
             (SELECT coalesce(max(first), 1) FROM (SELECT min(seq) AS first FROM history WHERE task IN
                 (SELECT id FROM tasks WHERE process = 'keeper') GROUP BY task))";
        let back = "SELECT 'revision', count(*) FROM history a JOIN history b
             ON a.task = b.task AND a.seq < b.seq AND a.revision >= b.revision";
        let orphans = "SELECT 'orphan', count(*) FROM history WHERE task NOT IN (SELECT id FROM tasks)";
        let counts = "SELECT process || '/' || node || '/' || phase, tasks FROM counts
             EXCEPT SELECT process || '/' || node || '/' || phase, count(*) FROM tasks GROUP BY 1";
        for (what, many) in rows(gaps).into_iter().chain(rows(back)).chain(rows(orphans)) {
            if many != 0 {
                tally.wrong.push(format!("the history has {many} places where {what} is not in order"));
            }
        }
        for (place, many) in rows(counts) {
            tally.wrong.push(format!("{many} tasks are counted at {place}, which is not so"));
        }
    }
}
