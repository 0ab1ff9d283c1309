//! A row of the tables of filters and tests.

use minijinja::value::Value;
use minijinja::{Environment, Error, State};

use crate::model::costs::{Cost, add_filter_of, add_test_of};
use crate::model::filters::given::Given;

/// A filter or a test.
pub struct FilterSpec {
    /// Its name.
    pub name: &'static str,
    /// Other names for it.
    pub also: &'static [&'static str],
    /// What stands in its brackets.
    pub takes: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// An expression with it, and what that gives, as JSON.
    pub example: (&'static str, &'static str),
    /// What it looks at.
    pub(crate) cost: Cost,
    /// Where it is.
    pub(crate) run: Run,
}

/// Where a filter or a test is.
pub(crate) enum Run {
    /// It is ours.
    Own(fn(&State, Given) -> Result<Value, Error>),
    /// It is minijinja's.
    Theirs(fn(&mut Environment<'static>, &'static str, Cost)),
}

/// A filter of ours.
pub(crate) const fn own(run: fn(&State, Given) -> Result<Value, Error>) -> Run {
    Run::Own(run)
}

impl FilterSpec {
    /// Whether it is called so.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name || self.also.contains(&name)
    }

    /// Makes it known to minijinja as a filter.
    pub(crate) fn add_filter(&'static self, to: &mut Environment<'static>) {
        match &self.run {
            Run::Theirs(add) => add(to, self.name, self.cost),
            Run::Own(run) => {
                let run = *run;
                add_filter_of(to, self.name, self.cost, move |state, given| run(state, Given(given)));
            }
        }
    }

    /// The same as a test.
    pub(crate) fn add_test(&'static self, to: &mut Environment<'static>) {
        match &self.run {
            Run::Theirs(add) => add(to, self.name, self.cost),
            Run::Own(run) => {
                let run = *run;
                add_test_of(to, self.name, self.cost, move |state, given| {
                    run(state, Given(given)).map(|it| it.is_true())
                });
            }
        }
    }
}
