//! A batch: all of it is decided, committed once, and then settled: each write is told to whom it concerns,
//! decided anew, or offered again. Nothing that was received is dropped here.

use std::collections::HashSet;
use std::sync::Arc;

use crate::engine::batch::{BatchProcessor, BatchResult, Work, WorkItem, not_taken};
use crate::engine::ports::{Receipt, Refused, StoreError, Write};
use crate::engine::step::Cause;
use crate::engine::transition::Transition;
use crate::model::names::TaskId;
use crate::model::task::State;

/// What became of one write.
enum Settled {
    /// It is over for this batch.
    Over,
    /// It is to be decided anew.
    Again(Work),
    /// The store has another life of the task than this one was made of. It may be this very one: a commit
    /// that was answered with an error may have happened.
    Unsure(Box<WorkItem>, Box<Transition>),
}

impl BatchProcessor {
    /// Runs all of `items` until each is committed or refused, or is left as too heavy.
    pub async fn run(&self, items: Vec<Work>) -> BatchResult {
        self.run_by(items, None).await
    }

    /// Runs what takes long to decide, off the thread that serves. It is claimed meanwhile, so that nobody
    /// else runs it.
    pub async fn run_apart(self: Arc<Self>, item: Work) -> BatchResult {
        self.run_by(vec![item], Some(&self)).await
    }

    async fn run_by(&self, items: Vec<Work>, apart: Option<&Arc<BatchProcessor>>) -> BatchResult {
        let mut left = BatchResult::default();
        let brought: Vec<(TaskId, u64)> = items.iter().filter_map(Work::life).collect();
        let mut items = items;
        while !items.is_empty() {
            let decided = match self.decide(items, apart).await {
                Ok((decided, heavy)) => {
                    left.heavy.extend(heavy);
                    decided
                }
                Err((items, error)) => {
                    give_up(items, &error, &mut left);
                    break;
                }
            };
            let (items_decided, writes): (Vec<Work>, Vec<Write>) = decided.into_iter().unzip();
            match self.store.commit(writes.clone()).await {
                Ok(results) => {
                    self.state.commit_done();
                    items = Vec::new();
                    for ((item, write), result) in items_decided.into_iter().zip(writes).zip(results) {
                        match self.settle(item, write, result, &mut left) {
                            Settled::Over => {}
                            Settled::Again(item) => items.push(item),
                            Settled::Unsure(hand, transition) => {
                                self.resolve(*hand, *transition, &mut left).await;
                            }
                        }
                    }
                }
                Err(error) => {
                    give_up(items_decided, &error, &mut left);
                    break;
                }
            }
        }
        self.let_go(&brought, &mut left);
        left
    }

    /// Whatever was brought and is nowhere now, as its process is not there, is held no longer.
    fn let_go(&self, brought: &[(TaskId, u64)], left: &mut BatchResult) {
        let kept = left.again.iter().chain(&left.heavy);
        let again: HashSet<TaskId> = kept.filter_map(Work::life).map(|(id, _)| id).collect();
        let known: HashSet<TaskId> =
            left.doing.iter().map(|task| task.id).chain(left.over.iter().map(|(id, _)| *id)).collect();
        for (id, epoch) in brought.iter().filter(|(id, _)| !known.contains(id) && !again.contains(id)) {
            self.in_flight.release(*id, *epoch);
            left.over.push((*id, *epoch));
        }
    }

    /// Tells what became of one write.
    fn settle(
        &self,
        item: Work,
        write: Write,
        result: Result<Receipt, Refused>,
        left: &mut BatchResult,
    ) -> Settled {
        match (item, write, result) {
            (Work::Hand(hand), Write::Step(transition), Ok(receipt)) => {
                self.kept(*hand, *transition, &receipt, left);
                Settled::Over
            }
            (Work::Hand(hand), Write::Step(transition), Err(Refused::Stale)) if hand.cause != Cause::New => {
                // Its commit was answered with an error and had happened; the task is claimed since.
                if self.in_flight.is_past(&hand.task) {
                    tracing::debug!(task = %hand.task.address(), "what was made of a life before is over");
                    left.over.push((hand.task.id, transition.task.epoch));
                    return Settled::Over;
                }
                let claimed_since =
                    self.in_flight.epoch(hand.task.id).is_some_and(|it| it > transition.task.epoch);
                match claimed_since {
                    true => Settled::Again(Work::Hand(hand)),
                    false => Settled::Unsure(hand, transition),
                }
            }
            (Work::Hand(hand), write, Err(refused)) => {
                let (id, epoch) = (hand.task.id, epoch(&write));
                match self.refused(*hand, refused) {
                    Some(item) => Settled::Again(item),
                    None => {
                        self.in_flight.release(id, epoch);
                        left.over.push((id, epoch));
                        Settled::Over
                    }
                }
            }
            (Work::Post { signal, reply_to }, _, Ok(receipt)) => {
                let now = self.clock.now();
                self.born(&signal, now);
                self.state.wake_by(now);
                // Who left does not want to know; the signal is kept all the same.
                drop(reply_to.send(Ok(receipt.signal)));
                Settled::Over
            }
            (Work::Post { reply_to, .. }, _, Err(refused)) => {
                drop(reply_to.send(Err(not_taken(refused))));
                Settled::Over
            }
            (Work::Hand(_), Write::Post(..) | Write::Noted(..), Ok(_)) => Settled::Over,
        }
    }

    fn kept(&self, hand: WorkItem, transition: Transition, receipt: &Receipt, left: &mut BatchResult) {
        self.state.committed(&transition);
        self.note_lives(&transition);
        transition.signals.iter().for_each(|signal| self.born(signal, transition.at));
        if self.backlogs_changed(&transition) {
            self.touch_backlogs(transition.at);
        }
        if receipt.mail || !transition.signals.is_empty() {
            self.state.wake_by(transition.at);
        } else if let Some(due) = transition.task.due {
            self.state.wake_by(due);
        }
        // Who left does not want to know; the task is kept all the same.
        let task = transition.task;
        match task.state {
            State::Doing(_) => {
                self.in_flight.hold(&task);
                if let Some(reply_to) = hand.reply_to {
                    drop(reply_to.send(Ok(task.clone())));
                }
                left.doing.push(task);
            }
            State::Ready { .. } | State::Waiting { .. } | State::Done | State::Failed | State::Cancelled => {
                self.in_flight.release(task.id, task.epoch);
                left.over.push((task.id, task.epoch));
                if let Some(reply_to) = hand.reply_to {
                    drop(reply_to.send(Ok(task)));
                }
            }
        }
    }

    fn note_lives(&self, transition: &Transition) {
        match self.registry.get(&transition.task.process) {
            Some(it) if it.process.has_expiries() && !transition.gone => {
                self.state.expiries.note(&it.process, &transition.task);
            }
            Some(it) if it.process.has_expiries() => self.state.expiries.forget(transition.task.id),
            Some(_) | None => {}
        }
    }

    /// Finds out whether a transition that is refused as stale was committed before: then it holds, with all
    /// that comes of it. Else somebody else has the task, and what this runner knows of it is void.
    async fn resolve(&self, hand: WorkItem, transition: Transition, left: &mut BatchResult) {
        let (id, epoch) = (hand.task.id, transition.task.epoch);
        match self.store.task(id).await {
            Err(error) => {
                tracing::error!(%error, task = %id, "whether it was committed is not known yet");
                left.again.push(Work::Hand(Box::new(hand)));
            }
            Ok(Some(task)) if task.epoch == epoch && task.revision == transition.task.revision => {
                let task = Transition { task, ..transition };
                self.kept(hand, task, &Receipt { signal: None, mail: true }, left);
            }
            Ok(None) if transition.gone => {
                self.kept(hand, transition, &Receipt::default(), left);
            }
            // Its lease ended while this waited to be committed, and the claim has not come back yet.
            Ok(Some(found))
                if found.revision < transition.task.revision && self.in_flight.may_be_own(id, epoch) =>
            {
                left.again.push(Work::Hand(Box::new(hand)));
            }
            Ok(found) => {
                if matches!(hand.cause, Cause::Answered(_)) && found.is_some() {
                    let task = hand.task.address();
                    tracing::error!(%task, "another runner has taken it over; the answer is not its own");
                    metrics::counter!("beltline_answers_fenced_total").increment(1);
                } else {
                    tracing::debug!(task = %hand.task.address(), "claimed by another runner since");
                }
                self.in_flight.release(id, epoch);
                left.over.push((id, epoch));
            }
        }
    }
}

/// The store is out of reach, or does not say what it did. Callers are told; all else is offered again,
/// for nothing received may be lost.
fn give_up(items: Vec<Work>, error: &StoreError, left: &mut BatchResult) {
    tracing::error!(%error, items = items.len(), "nothing of this batch was kept");
    for item in items {
        match item {
            Work::Hand(mut hand) => match hand.reply_to.take() {
                Some(reply_to) => drop(reply_to.send(Err(error.clone().into()))),
                None => left.again.push(Work::Hand(hand)),
            },
            Work::Post { reply_to, .. } => drop(reply_to.send(Err(error.clone().into()))),
        }
    }
}

fn epoch(write: &Write) -> u64 {
    match write {
        Write::Step(transition) => transition.task.epoch,
        Write::Post(..) | Write::Noted(..) => 0,
    }
}
