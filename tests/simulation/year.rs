//! A year of `bitrix-oauth` in bad weather: a token server with errors, delays, lost answers and outages, a
//! runner that dies and stays down for hours, processes that read the token all the time, and an author who
//! sleeps at night.

use std::sync::{Arc, Mutex};

use beltline::model::effect::{Effect, HttpRequest};
use beltline::model::task::Task;
use beltline::model::time::{Span, Timestamp};
use beltline::sim::script::Plan;
use beltline::sim::settings::{BitrixSettings, Rotation};
use beltline::sim::troubles::SimTrouble;
use serde_json::json;

use crate::simulation::dice::Dice;
use crate::simulation::partners::{Partner, Reply};
use crate::simulation::portal::Portal;
use crate::simulation::universe::{BEGINNING, Universe, template};

const TASK: &str = "bitrix-oauth/token";
/// So long after the last trouble of the server, or of our own, a read must give a token that works: the
/// longest pause between two tries is five minutes, and some more fall to a lease, and to the minute between
/// two requests.
const CALM: Span = Span::mins(10);
/// The runner dies at so many of the doors of a year.
const DEATHS: u64 = 300;
const DOORS: u64 = 250_000;

/// What the weather did.
#[derive(Default)]
struct Sky {
    last_trouble: Option<Timestamp>,
    troubles: u64,
    outages: u64,
}

/// The token server in bad weather.
struct Weather {
    portal: Portal,
    dice: Dice,
    sky: Arc<Mutex<Sky>>,
    outage: (Timestamp, Timestamp),
}

impl Weather {
    fn trouble(&mut self, now: Timestamp) -> Option<Plan<SimTrouble>> {
        if now >= self.outage.1 {
            // About one a week, of minutes to hours.
            let begins = now + Span::mins(self.dice.from(0, 14 * 24 * 60));
            let minutes = self.dice.from(2, 30) * self.dice.from(1, 10);
            self.outage = (begins, begins + Span::mins(minutes));
            self.sky.lock().unwrap().outages += 1;
        }
        let is_out = self.outage.0 <= now;
        let fate = if is_out { self.dice.from(0, 40) } else { self.dice.from(0, 1_000) };
        Some(match fate {
            0..10 => Plan::times(SimTrouble::Http503, 1),
            10..16 => Plan::times(SimTrouble::Html502, 1),
            16..20 => Plan::times(SimTrouble::TooManyRequests, 1).retry_after_s(90),
            20..24 => Plan::times(SimTrouble::Garbage, 1),
            24..34 => Plan::times(SimTrouble::Close, 1),
            34..40 => Plan::times(SimTrouble::Endless, 1),
            // Carried out, and the answer is lost.
            40..42 => Plan::times(SimTrouble::Lost, 1),
            42..43 => Plan::times(SimTrouble::Http504, 1).after(),
            43..44 => Plan::times(SimTrouble::Slow, 1).ms(25_000),
            // Slow, and no trouble at all.
            44..80 => Plan::times(SimTrouble::Slow, 1).ms(self.dice.from(1_000, 19_000)),
            _ => return None,
        })
    }
}

impl Partner for Weather {
    fn ask(&mut self, ask: &HttpRequest, effect: &Effect, now: Timestamp) -> Reply {
        let plan = self.trouble(now);
        self.portal.bitrix().troubles.token.set(plan.into_iter().collect());
        let reply = self.portal.ask(ask, effect, now);
        if reply.pair.is_none() {
            let mut sky = self.sky.lock().unwrap();
            sky.last_trouble = Some(now + reply.took);
            sky.troubles += 1;
        }
        reply
    }

    fn lose(&mut self, pair: u64) {
        self.portal.lose(pair);
    }
}

/// What a year came to.
#[derive(Debug, Default)]
struct Sum {
    reads: u64,
    good: u64,
    wakes: u64,
    taps: u64,
}

struct Year {
    /// A token is renewed when somebody needs it, and not by the clock.
    lazy: bool,
    universe: Universe,
    portal: Portal,
    sky: Arc<Mutex<Sky>>,
    dice: Dice,
    /// When the author will tap the link of the last message.
    tap_at: Option<Timestamp>,
    heard: usize,
    sum: Sum,
}

impl Year {
    fn new(rotation: Rotation, seed: u64, lazy: bool) -> Year {
        let mut dice = Dice(seed);
        let portal = Portal::new(BitrixSettings { rotation, ..BitrixSettings::default() }, seed);
        let sky = Arc::default();
        let outage = (BEGINNING, BEGINNING);
        let weather = Weather { portal: portal.clone(), dice: Dice(seed + 1), sky: Arc::clone(&sky), outage };
        let deaths = (0..DEATHS).map(|_| dice.from(20, DOORS)).collect();
        let mut universe = Universe::mortal(Box::new(weather), &[&template("bitrix-oauth")], deaths);
        let mut given = Portal::params();
        if lazy {
            given["renew_every"] = json!("lazy");
        }
        universe.submit(TASK, given);
        universe.run(Span::secs(1));
        Year { lazy, universe, portal, sky, dice, tap_at: Some(BEGINNING), heard: 0, sum: Sum::default() }
    }

    fn live(&mut self) {
        let end = BEGINNING + Span::days(365);
        while self.universe.now() < end {
            // Mostly killed and started again; now and then down for hours.
            let is_long = self.dice.from(0, 10) == 0;
            self.universe.rest =
                Span::secs(if is_long { self.dice.from(600, 20_000) } else { self.dice.from(1, 60) });
            self.universe.run(Span::secs(self.dice.from(60, 1_800)));
            self.author();
            self.read();
        }
    }

    /// Reads messages and taps links, within minutes or a night.
    fn author(&mut self) {
        let author = self.universe.edges.author();
        let is_new = author.told[self.heard..].iter().any(|it| it.text.contains("/oauth/authorize/"));
        self.heard = author.told.len();
        drop(author);
        if is_new {
            self.tap_at = Some(self.universe.now() + Span::mins(self.dice.from(2, 600)));
        }
        if self.tap_at.is_none_or(|at| at > self.universe.now()) {
            return;
        }
        self.tap_at = None;
        if let Some(link) = self.universe.task(TASK).link {
            let (code, _) = self.portal.open(&link, self.universe.now());
            self.universe.modify(TASK, json!({"code": code}));
            self.sum.taps += 1;
            self.universe.run(Span::secs(30));
        }
    }

    /// Another process reads the token, and uses it. Where it is renewed on asking, it is asked for.
    fn read(&mut self) {
        let access = |task: &Task| task.params.get("access_token").cloned().unwrap_or_default();
        let had = access(&self.universe.task(TASK));
        if self.lazy && had.as_str().is_some_and(|it| !self.portal.takes(it, self.universe.now())) {
            self.universe.modify(TASK, json!({}));
            self.universe.run(Span::secs(90));
        }
        let (now, task) = (self.universe.now(), self.universe.task(TASK));
        self.sum.reads += 1;
        assert!(task.state.phase().is_live(), "{:?}", task.fault);
        let access = task.params.get("access_token").and_then(|it| it.as_str()).unwrap_or_default();
        let is_good = self.portal.takes(access, now);
        self.sum.good += u64::from(is_good);
        self.check(&task, is_good, now);
        if !is_good && task.params.get("access_token").is_some() {
            self.universe.modify(TASK, json!({}));
            self.sum.wakes += 1;
        }
    }

    fn check(&self, task: &Task, is_good: bool, now: Timestamp) {
        let since = |at: Option<Timestamp>| at.is_none_or(|at| now.since(at) >= CALM);
        let we_are_up = now.since(self.universe.up_since) >= CALM;
        let is_calm = we_are_up && since(self.sky.lock().unwrap().last_trouble);
        let waits_for_person = task.link.is_some();
        let told = task.alarm.as_ref().and_then(|it| it.notified_at);
        // A pair that is just being rotated belongs to nobody for the length of one request.
        let in_between = task.at.as_str() == "renew";
        assert!(is_good || !is_calm || waits_for_person || in_between, "no token in calm weather: {task:#?}");
        assert!(
            !waits_for_person || task.at.as_str() == "authorize" || told.is_some(),
            "nobody knows: {task:#?}"
        );
        let expires_at = task.params.get("expires_at").and_then(serde_json::Value::as_i64);
        let has_run_out = expires_at.is_some_and(|at| at < now.seconds());
        assert!(
            self.lazy || !has_run_out || !we_are_up || told.is_some(),
            "it ran out, and nobody knows: {task:#?}"
        );
    }

    fn finish(self) {
        let Year { universe, portal, sky, sum, .. } = self;
        let (counts, log) = (portal.bitrix().counts.clone(), portal.log());
        assert_eq!(counts.reuses_plain, 0, "no spent token is shown knowingly");
        assert_eq!((counts.url_secrets, counts.portal_secrets), (0, 0));
        let renewals: Vec<_> = log.iter().filter(|it| it.grant == "refresh_token").collect();
        // What was lost is asked for again soon, and then at a pace: never at once, and a few times a minute.
        for two in renewals.windows(2) {
            assert!(two[1].at.since(two[0].at) >= Span::secs(1), "{two:?}");
        }
        for many in renewals.windows(8) {
            assert!(many[7].at.since(many[0].at) >= Span::mins(1), "{many:?}");
        }
        let foreign = universe.edges.author().told.iter().any(|it| it.text.contains("someone else"));
        assert!(!foreign, "nobody else was there");
        let sky = sky.lock().unwrap();
        assert!(universe.lives > 50 && sky.outages > 20 && sky.troubles > 500, "the weather was fair");
        println!(
            "{} requests ({} troubled, {} outages), {} lives, {} messages, {} reuses after a loss, {sum:?}",
            log.len(),
            sky.troubles,
            sky.outages,
            universe.lives,
            universe.edges.author().told.len(),
            counts.reuses_after_loss,
        );
    }
}

#[test]
fn a_year_of_strict_rotation() {
    let mut year = Year::new(Rotation::Strict, 1, false);
    year.live();
    assert!(year.sum.taps > 20, "lost tokens need a person");
    year.finish();
}

#[test]
fn a_year_of_lenient_rotation() {
    let mut year = Year::new(Rotation::Lenient, 2, false);
    year.live();
    assert_eq!(year.sum.taps, 1, "a lost answer costs nothing");
    year.finish();
}

#[test]
fn a_year_of_renewing_on_asking() {
    let mut year = Year::new(Rotation::Lenient, 3, true);
    year.live();
    assert_eq!(year.sum.taps, 1, "a lost answer costs nothing");
    assert!(year.portal.log().len() < 365 * 24 * 2, "less than by the clock");
    year.finish();
}
