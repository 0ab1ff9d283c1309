//! `keep_unread`: an answer that claims success and that the node could make nothing of is kept as it came.
//!
//! A token server gives a rotated pair once. Where its answer cannot be used, that answer is the only place
//! where the pair stands: a person can still take it out of there. Pure.

use serde_json::Value;

use crate::model::effect::{ExternalAnswer, HttpAnswer, Outcome};
use crate::model::fault::Fault;
use crate::model::kind::Decision;
use crate::model::params::{ParamChanges, Params};

/// The most that is kept of an answer, in bytes: more than any token server says, and far from what params
/// may take.
pub const UNREAD_BYTES_MAX: usize = 64 * 1024;
/// No answer with a token in it is shorter. What is secret is masked wherever else it stands, so that `ok`
/// must not become a secret.
const UNREAD_BYTES_MIN: usize = 16;
/// What stands in an answer with a pair, in the order of what would be missed most.
const TOKENS: [&str; 2] = ["refresh_token", "access_token"];

/// What `take` makes of an answer. Where that is a fault, `param` takes the answer with it, if there is one.
///
/// # Errors
/// The fault, where nothing is kept.
pub fn or_keep(
    param: Option<&str>,
    outcome: Outcome,
    before: &Params,
    take: impl FnOnce(Outcome) -> Result<Decision, Fault>,
) -> Result<Decision, Fault> {
    let Some((param, raw)) = param.and_then(|param| Some((param, came(&outcome)?))) else {
        return take(outcome);
    };
    Ok(take(outcome).unwrap_or_else(|fault| keep(param, raw, before, fault)))
}

/// The answer as it came, if it claims success and does not say itself that there is none.
fn came(outcome: &Outcome) -> Option<String> {
    let Ok(ExternalAnswer::Http(answer)) = outcome else { return None };
    let raw = match &answer.body {
        Value::Null => return None,
        Value::String(text) => text.trim().to_owned(),
        body => body.to_string(),
    };
    let claims = (200..300).contains(&answer.status) && !(refuses(answer) && worth(&raw) == 0);
    (claims && raw.len() >= UNREAD_BYTES_MIN).then(|| beginning(raw))
}

/// The fault, and `raw` in the param with it. An answer with tokens in it does not give way to one without.
fn keep(param: &str, raw: String, before: &Params, fault: Fault) -> Decision {
    let kept = before.get(param).and_then(Value::as_str).unwrap_or_default();
    if worth(&raw) < worth(kept) {
        return Decision::Fail(fault);
    }
    let message = format!("{}; the answer is kept in the param `{param}`", fault.message);
    let set = Params::from_iter([(param.to_owned(), Value::String(raw))]);
    Decision::FailWith(Fault { message, ..fault }, ParamChanges::set(set))
}

/// An object that names an error says all that it has to say.
fn refuses(answer: &HttpAnswer) -> bool {
    answer.body.get("error").is_some_and(|it| !it.is_null() && *it != "" && *it != false)
}

/// How much would be missed with it.
fn worth(raw: &str) -> usize {
    TOKENS.iter().position(|it| raw.contains(it)).map_or(0, |at| TOKENS.len() - at)
}

fn beginning(mut raw: String) -> String {
    let end = (0..=UNREAD_BYTES_MAX.min(raw.len())).rev().find(|at| raw.is_char_boundary(*at));
    raw.truncate(end.unwrap_or_default());
    raw
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn of(status: u16, body: Value) -> Option<String> {
        came(&Ok(ExternalAnswer::Http(HttpAnswer { status, headers: Map::new(), body, broken: None })))
    }

    #[test]
    fn what_claims_success_has_come() {
        let half = "{\"access_token\": \"A\", \"refre";
        assert_eq!(of(200, json!(half)).as_deref(), Some(half));
        assert!(of(201, json!({"result": {"refresh_token": "R"}})).unwrap().contains("\"R\""));
        assert!(of(200, json!({"error": "slow", "refresh_token": "R"})).is_some());
        for (status, body) in [
            (500, json!(half)),
            (200, json!({"error": "invalid_grant", "error_description": "it is spent"})),
            (200, json!(null)),
            (200, json!("ok")),
        ] {
            assert_eq!(of(status, body.clone()), None, "{status} {body}");
        }
        assert_eq!(of(200, json!("я".repeat(UNREAD_BYTES_MAX))).unwrap().len(), UNREAD_BYTES_MAX);
    }

    #[test]
    fn a_page_of_a_proxy_does_not_push_a_pair_out() {
        let pair = "<p>access_token=A refresh_token=R</p>";
        let before = Params::from_iter([("raw".to_owned(), json!(pair))]);
        let told = |raw: &str, before: &Params| {
            keep("raw", raw.to_owned(), before, Fault::lasting("bad_response", "it is no JSON"))
        };
        assert!(matches!(told("<h1>Log in to the network</h1>", &before), Decision::Fail(_)));
        assert!(matches!(told("{\"access_token\": \"A\", \"refre", &before), Decision::Fail(_)));
        let Decision::FailWith(fault, changes) = told("refresh_token=S and more", &before) else {
            panic!("the later pair is kept")
        };
        assert_eq!(fault.message, "it is no JSON; the answer is kept in the param `raw`");
        assert_eq!(changes.set.get("raw"), Some(&json!("refresh_token=S and more")));
    }
}
