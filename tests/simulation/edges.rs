//! [`Edges`]: what outlives the runners of a universe: the disk, the partner, the author. [`Fates`] says at
//! which doors its runners die.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use beltline::engine::ports::{Receipt, Refused, Write};
use beltline::engine::transition::Transition;
use beltline::model::effect::{Effect, Request};
use beltline::scenario::director::{CallKind, Director, Passage, RequestResult, StoreCall, Unheard};
pub(crate) use beltline::scenario::life::at_once;
use beltline::scenario::virtual_time::VirtualInstant;
use beltline::store::memory::Memory;

use crate::simulation::ledger::Ledger;
use crate::simulation::partners::{Author, Partner};

/// What outlives runners.
pub(crate) struct Edges {
    pub(crate) disk: Arc<Memory>,
    author: Arc<Mutex<Author>>,
    pub(super) fates: Arc<Mutex<Fates>>,
}

impl Edges {
    pub(super) fn new(partner: Box<dyn Partner>, deaths: Vec<u64>) -> Edges {
        let author = Arc::<Mutex<Author>>::default();
        let fates = Fates {
            partner,
            author: Arc::clone(&author),
            ledger: Ledger::default(),
            pairs: BTreeMap::new(),
            doors: 0,
            deaths,
            committing: Vec::new(),
        };
        Edges { disk: Arc::default(), author, fates: Arc::new(Mutex::new(fates)) }
    }

    /// Who is told.
    pub(crate) fn author(&self) -> MutexGuard<'_, Author> {
        self.author.lock().unwrap()
    }

    /// At how many doors a runner could have died.
    pub(crate) fn doors(&self) -> u64 {
        self.fates.lock().unwrap().doors
    }
}

/// Who is outside, and at which doors the runner dies.
pub(super) struct Fates {
    partner: Box<dyn Partner>,
    author: Arc<Mutex<Author>>,
    ledger: Ledger,
    /// By number of the asking: the token pair that its answer carries.
    pairs: BTreeMap<u64, u64>,
    doors: u64,
    deaths: Vec<u64>,
    committing: Vec<Option<Transition>>,
}

impl Fates {
    /// Two doors, one on each side of what is done: those the runner dies at.
    fn doors(&mut self) -> CallKind {
        let first = self.doors;
        if self.deaths.contains(&first) {
            self.doors += 1;
            return CallKind::DiesBefore;
        }
        self.doors += 2;
        if self.deaths.contains(&(first + 1)) { CallKind::DiesAfter } else { CallKind::Well }
    }

    /// The runner of that life is dead: what it had not committed never came.
    pub(super) fn died(&mut self, life: u64) {
        for number in self.ledger.died(life) {
            self.lose(number);
        }
    }

    fn lose(&mut self, number: u64) {
        if let Some(pair) = self.pairs.get(&number) {
            self.partner.lose(*pair);
        }
    }
}

impl Director for Fates {
    fn pass(&mut self, door: StoreCall, _: VirtualInstant) -> Passage {
        // What is behind the other doors is not the runner's.
        let is_ours = ["claim", "commit", "read", "next_due"].contains(&door);
        let what = if is_ours { self.doors() } else { CallKind::Well };
        Passage { what, ..Passage::WELL }
    }

    fn committing(&mut self, writes: &[Write], _: VirtualInstant) {
        let step = |write: &Write| match write {
            Write::Step(step) => Some(Transition::clone(step)),
            Write::Post(..) | Write::Noted(..) => None,
        };
        self.committing = writes.iter().map(step).collect();
    }

    fn committed(&mut self, results: &[Result<Receipt, Refused>], _: VirtualInstant) {
        let steps = std::mem::take(&mut self.committing);
        for (step, _) in steps.iter().zip(results).filter(|(_, result)| result.is_ok()) {
            let unasked = step.as_ref().and_then(|step| self.ledger.committed(step));
            assert_eq!(unasked, None, "an answer that nobody gave, or one twice: {step:#?}");
        }
    }

    fn asked(&mut self, life: u64, effect: &Effect, at: VirtualInstant) -> RequestResult {
        let what = self.doors();
        if what == CallKind::DiesBefore {
            return RequestResult::Dies;
        }
        let reply = match &effect.request {
            Request::Http(ask) => self.partner.ask(ask, effect, at.wall),
            Request::Notify(ask) => self.author.lock().unwrap().hear(ask),
        };
        let number = self.ledger.ask(life, effect, at, Some(reply.took));
        self.pairs.extend(reply.pair.map(|pair| (number, pair)));
        if what == CallKind::DiesAfter {
            return RequestResult::Dies;
        }
        RequestResult::Answers { number, outcome: reply.outcome, took: Some(reply.took) }
    }

    fn received(&mut self, number: u64, at: VirtualInstant) {
        self.ledger.received(number, at);
    }

    fn unheard(&mut self, number: u64, why: Unheard, at: VirtualInstant) {
        self.ledger.unheard(number, why, at);
        self.lose(number);
    }
}
