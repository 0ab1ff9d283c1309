//! [`Expiry`]: how long a param's value lives, as the process says and the task's other params have it.

use serde_json::Value;

use crate::model::calendar::moment::{self, SECONDS_MAX, Unread};
use crate::model::params::Params;
use crate::model::time::Timestamp;
use crate::process::process::{ExpirySpec, ParamSpec, Process};

/// The life of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The param.
    pub param: String,
    /// Since when it has lived, if the process knows.
    pub issued_at: Option<Timestamp>,
    /// When it dies.
    pub expires_at: Timestamp,
    /// The last safe moment to wake a person: an alarm at this moment still leaves one the time to act before
    /// the value dies.
    pub warn_at: Timestamp,
}

impl Process {
    /// Whether any of its params has a life.
    pub fn has_expiries(&self) -> bool {
        self.params.iter().any(|param| param.expiry.is_some())
    }

    /// The lives of a task's values, in the order of the params. What is not there has none.
    pub fn expiries(&self, params: &Params) -> Vec<Expiry> {
        self.params.iter().filter_map(|param| expiry(param, params)).collect()
    }

    /// The life of one of them.
    pub fn expiry_of(&self, name: &str, params: &Params) -> Option<Expiry> {
        self.params.iter().find(|param| param.name == name).and_then(|param| expiry(param, params))
    }
}

fn expiry(param: &ParamSpec, params: &Params) -> Option<Expiry> {
    let ExpirySpec { at, issued, warn, warn_at } = param.expiry.as_ref()?;
    let there = params.get(&param.name).is_some_and(|it| !it.is_null() && it != "");
    let expires_at = moment(params, at).filter(|_| there)?;
    let warn_at = warn_at.as_ref().and_then(|name| moment(params, name)).unwrap_or(expires_at - *warn);
    let issued_at = issued.as_ref().and_then(|name| moment(params, name));
    Some(Expiry { param: param.name.clone(), issued_at, expires_at, warn_at })
}

/// The moment in a param. What is given from outside is refused in another unit; what the process itself has
/// written stands there, beside a value that was received and must not be lost, and is what it can only be: a
/// date without a zone is one in UTC, a date beyond all dates the last. A value whose end nobody can read is
/// watched as one that is over: silence would be worse.
fn moment(params: &Params, name: &str) -> Option<Timestamp> {
    const LAST: Timestamp = Timestamp(SECONDS_MAX * 1_000);
    let value = params.get(name).filter(|it| !it.is_null() && *it != "")?;
    let at = match moment::read(value) {
        Ok(at) | Err(Unread::Unit(_, at)) => at,
        Err(_) if value.as_f64().is_some_and(|it| it > 0.0) => LAST,
        Err(Unread::NoZone) => moment::read(&Value::from(format!("{}Z", value.as_str()?.trim()))).ok()?,
        Err(_) if value.as_str().is_some_and(|it| it.trim().starts_with("9999-12-3")) => LAST,
        Err(_) => Timestamp(0),
    };
    Some(at.max(Timestamp(0)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::process::parse::parse;

    const TEXT: &str = "
process: p
params:
  token: {secret: true, expiry: {at: end, issued: start, warn: 1h}}
  key: {expiry: {at: end, warn_at: wake}}
  end: {}
  start: {}
  wake: {}
nodes:
  in: {kind: input, next: out}
  out: {kind: end}
";

    fn expiries(params: Value) -> Vec<(String, Option<i64>, i64, i64)> {
        let params = serde_json::from_value(params).unwrap();
        let one = |it: Expiry| (it.param, it.issued_at.map(|it| it.0), it.expires_at.0, it.warn_at.0);
        parse(TEXT).unwrap().expiries(&params).into_iter().map(one).collect()
    }

    #[test]
    fn a_life_stands_in_other_params() {
        let both = json!({"token": "t", "key": 1, "end": 10_000, "start": 100.5, "wake": 7_000});
        let token = ("token".to_owned(), Some(100_500), 10_000_000, 6_400_000);
        assert_eq!(expiries(both), [token, ("key".to_owned(), None, 10_000_000, 7_000_000)]);
    }

    #[test]
    fn an_end_is_read_as_it_is_written() {
        let second = 1_796_050_800;
        for end in [
            json!(second),
            json!("1796050800"),
            json!("2026-11-30T15:00:00Z"),
            json!("2026-11-30T17:00:00+02:00"),
            // The process itself wrote it; nothing else can be meant.
            json!(1_796_050_800_000_i64),
            json!("1796050800000"),
            json!("2026-11-30 15:00:00"),
            json!("2026-11-30T15:00:00"),
        ] {
            assert_eq!(expiries(json!({"token": "t", "end": end}))[0].2, second * 1_000, "{end}");
        }
        assert_eq!(expiries(json!({"token": "t", "end": -5}))[0].2, 0);
    }

    #[test]
    fn what_is_not_there_has_no_life() {
        assert!(expiries(json!({"end": 10_000})).is_empty());
        assert!(expiries(json!({"token": "", "key": null, "end": 10_000})).is_empty());
        assert!(expiries(json!({"token": "t", "end": ""})).is_empty());
        // Nobody can say when it dies: it is watched as one that has.
        for end in ["soon", "30.11.2026"] {
            assert_eq!(expiries(json!({"token": "t", "end": end}))[0].2, 0);
        }
        let never = json!({"token": "t", "end": "9999-12-31T23:59:59Z"});
        assert_eq!(expiries(never)[0].2, SECONDS_MAX * 1_000);
        assert_eq!(expiries(json!({"token": "t", "end": 1e300}))[0].2, SECONDS_MAX * 1_000);
    }
}
