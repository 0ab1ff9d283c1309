//! [`Budget`]: what one evaluation may cost, in steps, bytes and time. Expressions and texts draw on the same
//! one, and what they do is counted before or while it is done, never afterwards.
//!
//! An evaluation is all that one node decides at once, or one text or expression that is worked out outside
//! of a node. The count is kept per thread, so that the functions of a foreign engine draw on it without
//! being handed anything. A step is some tens of nanoseconds of work: a value that is copied, compared or
//! made.
//!
//! Steps and bytes are the same in every replay. Time is read, if the budget has a clock, so that what
//! steps do not see ends as well; it is set so high that steps end an evaluation long before.

use std::cell::{Cell, RefCell};

use serde_json::Value;

use crate::model::fault::Fault;
use crate::model::time::{Span, Ticks};

/// How many steps lie between two looks at the clock: well below a millisecond of work.
const LOOK_STEPS: u64 = 10_000;
/// What a value in a list or a map takes beside its text, in bytes.
pub const SLOT_BYTES: u64 = 32;
/// How many bytes of text are worked on in one step.
const STEP_BYTES: usize = 8;

/// What one evaluation may cost.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Steps.
    pub steps: u64,
    /// The sum of all that is made on the way, in bytes, freed or not.
    pub bytes: u64,
    /// Time on the clock.
    pub time: Span,
    /// How long the process has lived; without it time is not looked at.
    pub clock: Option<fn() -> Ticks>,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { steps: 20_000_000, bytes: 256 << 20, time: Span::secs(5), clock: None }
    }
}

/// What an evaluation has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Steps.
    pub steps: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Spent {
    /// Whether this is so much of `budget` that others should have their turn before more is done.
    pub fn is_much(self, budget: &Budget) -> bool {
        self.steps > budget.steps / MUCH || self.bytes > budget.bytes / MUCH
    }
}

/// Which part of a budget is much.
const MUCH: u64 = 4;

/// What ran out.
#[derive(Clone, Copy, Debug)]
enum Over {
    Steps(u64),
    Bytes(u64),
    Time(Span),
}

/// What is counted on one thread.
struct Meter {
    is_open: Cell<bool>,
    steps: Cell<u64>,
    bytes: Cell<u64>,
    /// At how many steps something is to be looked at: the clock, or the end.
    look: Cell<u64>,
    budget: Cell<Budget>,
    until: Cell<Ticks>,
    over: Cell<Option<Over>>,
    /// All steps of all budgets before this one.
    drawn: Cell<u64>,
}

thread_local! {
    static METER: Meter = const {
        let budget = Budget { steps: u64::MAX, bytes: u64::MAX, time: Span(u64::MAX), clock: None };
        Meter {
            is_open: Cell::new(false),
            steps: Cell::new(0),
            bytes: Cell::new(0),
            look: Cell::new(u64::MAX),
            budget: Cell::new(budget),
            until: Cell::new(Ticks::NEVER),
            over: Cell::new(None),
            drawn: Cell::new(0),
        }
    };
}

thread_local! {
    /// The most steps that one expression or text took, and which it was.
    static HEAVIEST: RefCell<(u64, Option<String>)> = const { RefCell::new((0, None)) };
}

/// Ends the count, whatever ends what was counted.
struct Counting;

impl Counting {
    fn begin(budget: &Budget) -> Counting {
        METER.with(|meter| {
            meter.is_open.set(true);
            meter.steps.set(0);
            meter.bytes.set(0);
            meter.over.set(None);
            meter.budget.set(*budget);
            meter.until.set(budget.clock.map_or(Ticks::NEVER, |clock| clock() + budget.time));
            meter.look.set(next_look(budget, 0));
        });
        Counting
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        METER.with(|meter| {
            meter.is_open.set(false);
            meter.drawn.set(meter.drawn.get().wrapping_add(meter.steps.get()));
            meter.over.set(None);
            meter.look.set(u64::MAX);
            meter.budget.set(Budget { bytes: u64::MAX, ..meter.budget.get() });
        });
    }
}

fn next_look(budget: &Budget, steps: u64) -> u64 {
    let end = budget.steps.saturating_add(1);
    if budget.clock.is_some() { end.min(steps + LOOK_STEPS) } else { end }
}

/// Does `evaluate` within `budget`, or within what is left of the one that this thread draws on already.
pub fn within<T>(budget: &Budget, evaluate: impl FnOnce() -> T) -> T {
    if METER.with(|meter| meter.is_open.get()) {
        return evaluate();
    }
    let _counting = Counting::begin(budget);
    evaluate()
}

/// The same, and says what it cost; nothing if it drew on another one.
pub fn measured<T>(budget: &Budget, evaluate: impl FnOnce() -> T) -> (T, Spent) {
    if METER.with(|meter| meter.is_open.get()) {
        return (evaluate(), Spent::default());
    }
    let counting = Counting::begin(budget);
    let made = evaluate();
    let spent = METER.with(|meter| Spent { steps: meter.steps.get(), bytes: meter.bytes.get() });
    drop(counting);
    (made, spent)
}

/// Tries whether all of `evaluate` can be had for `budget`; none if not, and then what it made is not to be
/// used.
pub fn tried<T>(budget: &Budget, evaluate: impl FnOnce() -> T) -> Option<T> {
    let counting = Counting::begin(budget);
    let made = evaluate();
    let is_over = METER.with(|meter| meter.over.get().is_some());
    drop(counting);
    (!is_over).then_some(made)
}

/// How many steps this thread has drawn on budgets that are closed, as far as anybody counts.
pub fn drawn() -> u64 {
    METER.with(|meter| meter.drawn.get())
}

/// Does `work`, and says which expression or text in it took the most steps, if any took many.
pub fn heaviest<T>(work: impl FnOnce() -> T) -> (T, Option<String>) {
    HEAVIEST.with(|it| it.replace((NOTED_STEPS, None)));
    let done = work();
    (done, HEAVIEST.with(|it| it.take().1))
}

/// Does what `source` says, and remembers it if nothing before took as many steps.
pub fn noted<T>(source: &str, work: impl FnOnce() -> T) -> T {
    let before = METER.with(|meter| meter.steps.get());
    let done = work();
    let steps = METER.with(|meter| meter.steps.get()).saturating_sub(before);
    if steps > NOTED_STEPS {
        HEAVIEST.with(|it| {
            let mut heaviest = it.borrow_mut();
            if steps > heaviest.0 {
                *heaviest = (steps, Some(shown(source)));
            }
        });
    }
    done
}

/// What takes fewer steps is not worth a word.
const NOTED_STEPS: u64 = 20_000;

/// Draws so much on the budget, before the work is done.
///
/// # Errors
/// `budget_exceeded`, and again for whatever the same evaluation still tries.
#[inline]
pub fn charge(steps: u64, bytes: u64) -> Result<(), Fault> {
    METER.with(|meter| {
        meter.steps.set(meter.steps.get().saturating_add(steps));
        meter.bytes.set(meter.bytes.get().saturating_add(bytes));
        let is_well = meter.steps.get() < meter.look.get() && meter.bytes.get() <= meter.budget.get().bytes;
        if is_well { Ok(()) } else { meter.look() }
    })
}

impl Meter {
    #[cold]
    fn look(&self) -> Result<(), Fault> {
        let budget = self.budget.get();
        let over = match self.over.get() {
            Some(over) => Some(over),
            None if self.steps.get() > budget.steps => Some(Over::Steps(budget.steps)),
            None if self.bytes.get() > budget.bytes => Some(Over::Bytes(budget.bytes)),
            None if budget.clock.is_some_and(|clock| clock() >= self.until.get()) => {
                Some(Over::Time(budget.time))
            }
            None => None,
        };
        let Some(over) = over else {
            self.look.set(next_look(&budget, self.steps.get()));
            return Ok(());
        };
        self.over.set(Some(over));
        self.look.set(0);
        Err(fault(over))
    }
}

fn fault(over: Over) -> Fault {
    let (what, setting) = match over {
        Over::Steps(steps) => (format!("more than {steps} steps of work"), "evaluation.steps"),
        Over::Bytes(bytes) => {
            (format!("more than {} MiB of memory, all in all", bytes >> 20), "evaluation.bytes")
        }
        Over::Time(time) => (format!("longer than {time}"), "evaluation.time"),
    };
    let message = format!(
        "{THIS} takes {what}, which is all that one evaluation may; hint: filter earlier, keep less, or let \
         an `each` do it item by item; the operator can raise `{setting}`"
    );
    Fault::lasting("budget_exceeded", message)
}

/// The code of the fault.
pub const CODE: &str = "budget_exceeded";

/// How much of an expression or a text a fault shows, in characters.
const SHOWN_CHARS: usize = 120;

/// The fault as it is; where the budget ran out, with what was worked out then.
#[must_use]
pub fn named(fault: Fault, source: &str) -> Fault {
    let Some(rest) = fault.message.strip_prefix(THIS).filter(|_| fault.code == CODE) else { return fault };
    Fault { message: format!("`{}`{rest}", shown(source)), ..fault }
}

/// As much of an expression or a text as a fault shows.
pub fn shown(source: &str) -> String {
    let source = source.trim();
    let shown: String = source.chars().take(SHOWN_CHARS).collect();
    if shown.len() < source.len() { shown + "…" } else { shown }
}

/// What a fault says before it is known what was worked out.
const THIS: &str = "this";

/// What working on a text once takes.
pub fn text_steps(bytes: usize) -> u64 {
    many(1 + bytes / STEP_BYTES)
}

/// Draws on the budget for a text of so many bytes that is made.
///
/// # Errors
/// `budget_exceeded`.
pub fn charge_text(bytes: usize) -> Result<(), Fault> {
    charge(text_steps(bytes), many(bytes))
}

/// Draws on the budget for a value that is copied, with all that is in it.
///
/// # Errors
/// `budget_exceeded`.
pub fn charge_value(value: &Value) -> Result<(), Fault> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => charge(1, SLOT_BYTES),
        Value::String(text) => charge_text(text.len()),
        Value::Array(items) => {
            charge_slots(items.len())?;
            items.iter().try_for_each(charge_value)
        }
        Value::Object(map) => {
            charge_slots(map.len())?;
            map.iter().try_for_each(|(key, value)| {
                charge_text(key.len())?;
                charge_value(value)
            })
        }
    }
}

/// Draws on the budget for a list of so many values, without what is in them.
///
/// # Errors
/// `budget_exceeded`.
pub fn charge_slots(values: usize) -> Result<(), Fault> {
    charge(many(values), many(values).saturating_mul(SLOT_BYTES))
}

/// A number of things, to be counted.
pub fn many(things: usize) -> u64 {
    u64::try_from(things).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(steps: u64, bytes: u64) -> Budget {
        Budget { steps, bytes, ..Budget::default() }
    }

    #[test]
    fn what_is_drawn_inside_is_drawn_on_the_one_outside() {
        let ((), spent) = measured(&budget(10, 10), || {
            within(&budget(100, 100), || charge(7, 0)).unwrap();
            charge(3, 10).unwrap();
            let over = within(&budget(100, 100), || charge(1, 0)).unwrap_err();
            assert!(over.code == CODE && over.message.contains("10 steps"), "{}", over.message);
            assert!(charge(0, 0).is_err(), "and so it stays");
        });
        assert_eq!(spent, Spent { steps: 11, bytes: 10 });
        assert!(within(&budget(100, 100), || charge(11, 11)).is_ok(), "the next one begins anew");
    }

    #[test]
    fn a_panic_ends_the_count() {
        let panicked = std::panic::catch_unwind(|| {
            within(&budget(1, 1), || {
                charge(1, 1).unwrap();
                panic!("as a library may");
            })
        });
        assert!(panicked.is_err());
        assert!(within(&budget(2, 2), || charge(2, 2)).is_ok());
    }

    #[test]
    fn time_ends_what_steps_do_not() {
        thread_local!(static NOW: Cell<u64> = const { Cell::new(0) });
        let clock: fn() -> Ticks = || Ticks(NOW.with(|it| it.replace(it.get() + 1_000)));
        let budget = Budget { time: Span::secs(3), clock: Some(clock), ..budget(u64::MAX, u64::MAX) };
        let done = within(&budget, || (0..10).take_while(|_| charge(LOOK_STEPS, 0).is_ok()).count());
        assert_eq!(done, 2);
    }

    #[test]
    fn a_try_says_whether_it_was_enough() {
        assert_eq!(tried(&budget(5, 5), || charge(5, 5).is_ok()), Some(true));
        assert_eq!(tried(&budget(5, 5), || charge(6, 0).is_ok()), None);
        assert_eq!(tried(&budget(5, 5), || charge(0, 6).is_ok()), None);
    }
}
