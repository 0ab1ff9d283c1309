//! [`TroubleScript`]: the troubles that are to come, in order; each for the next so many requests, or until
//! switched off.

use std::collections::VecDeque;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most plans in one script: more is a mistake in the test.
pub const PLANS_MAX: usize = 1_000;

/// One trouble, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan<T> {
    /// What goes wrong.
    pub what: T,
    /// For the next so many requests; none: until switched off.
    #[serde(default)]
    pub times: Option<u32>,
    /// For `slow`: how late, in milliseconds.
    #[serde(default = "slow_ms")]
    pub ms: u64,
    /// For what is refused for a while: `Retry-After`, in seconds.
    #[serde(default = "retry_after_s")]
    pub retry_after_s: u32,
    /// The request is carried out first, then the trouble takes the place of its answer.
    #[serde(default)]
    pub after: bool,
}

fn slow_ms() -> u64 {
    1_000
}

fn retry_after_s() -> u32 {
    5
}

impl<T> Plan<T> {
    /// `what`, for the next `times` requests.
    pub fn times(what: T, times: u32) -> Plan<T> {
        Plan { times: Some(times), ..Plan::always(what) }
    }

    /// `what`, until switched off.
    pub fn always(what: T) -> Plan<T> {
        Plan { what, times: None, ms: slow_ms(), retry_after_s: retry_after_s(), after: false }
    }

    /// The same, but the request is carried out first.
    #[must_use]
    pub fn after(mut self) -> Plan<T> {
        self.after = true;
        self
    }

    /// The same with another delay.
    #[must_use]
    pub fn ms(mut self, ms: u64) -> Plan<T> {
        self.ms = ms;
        self
    }

    /// The same with another `Retry-After`.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u32) -> Plan<T> {
        self.retry_after_s = seconds;
        self
    }
}

/// The troubles that are to come, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TroubleScript<T>(VecDeque<Plan<T>>);

impl<T> Default for TroubleScript<T> {
    fn default() -> Self {
        TroubleScript(VecDeque::new())
    }
}

impl<T: Clone> TroubleScript<T> {
    /// Forgets what was to come and plays `plans` instead.
    pub fn set(&mut self, plans: Vec<Plan<T>>) {
        self.0 = plans.into();
    }

    /// Adds one plan behind those that are to come.
    pub fn push(&mut self, plan: Plan<T>) {
        self.0.push_back(plan);
    }

    /// Switches all trouble off.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The trouble of this request, if any; one of its times is used up.
    pub fn take(&mut self) -> Option<Plan<T>> {
        self.take_if(|_| true)
    }

    /// As `take`, but only a trouble that `fits` what is being asked; another one waits for its turn.
    pub fn take_if(&mut self, fits: impl Fn(&T) -> bool) -> Option<Plan<T>> {
        while self.0.front().is_some_and(|it| it.times == Some(0)) {
            self.0.pop_front();
        }
        let front = self.0.front_mut().filter(|it| fits(&it.what))?;
        let plan = front.clone();
        if let Some(times) = &mut front.times {
            *times -= 1;
        }
        Some(plan)
    }
}

/// The plans of a wish as the control API takes it: nothing (off), a bare name (until switched off), one
/// plan, or a list of names and plans.
pub fn plans<T: DeserializeOwned>(wish: Value) -> Result<Vec<Plan<T>>, String> {
    match wish {
        Value::Null => Ok(Vec::new()),
        Value::Array(wishes) if wishes.len() > PLANS_MAX => {
            Err(format!("a script has at most {PLANS_MAX} plans, and this has {}", wishes.len()))
        }
        Value::Array(wishes) => wishes.into_iter().map(plan).collect(),
        wish => plan(wish).map(|it| vec![it]),
    }
}

fn plan<T: DeserializeOwned>(wish: Value) -> Result<Plan<T>, String> {
    let plan = match wish {
        Value::String(_) => serde_json::from_value(wish).map(Plan::always),
        wish => serde_json::from_value(wish),
    };
    plan.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_played_in_order_and_run_out() {
        let mut script = TroubleScript::default();
        script.set(vec![Plan::times("a", 2), Plan::times("b", 0), Plan::times("c", 1)]);
        let played: Vec<_> = (0..5).map(|_| script.take().map(|it| it.what)).collect();
        assert_eq!(played, [Some("a"), Some("a"), Some("c"), None, None]);
    }

    #[test]
    fn a_plan_without_times_lasts_until_it_is_switched_off() {
        let mut script = TroubleScript::default();
        script.push(Plan::always("down"));
        assert!((0..100).all(|_| script.take().is_some()));
        script.clear();
        assert!(script.take().is_none());
    }

    #[test]
    fn a_trouble_that_does_not_fit_waits_for_its_turn() {
        let mut script = TroubleScript::default();
        script.push(Plan::times("login", 1));
        assert!(script.take_if(|it| *it == "mail").is_none());
        assert!(script.take_if(|it| *it == "login").is_some());
    }
}
