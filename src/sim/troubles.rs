//! [`SimTrouble`]: everything that can be made to go wrong at the portal and the token server, each with the
//! status and body that the real ones give.

use serde::{Deserialize, Serialize};

use crate::sim::answer::{Deliver, SimAnswer};
use crate::sim::script::{Plan, TroubleScript};

/// The size of a huge body: well over the 64 KiB that a client takes from a token server.
pub const HUGE_BYTES: usize = 200_000;
/// The portal id that `other_member` answers with.
pub const OTHER_MEMBER: &str = "ffffffffffffffffffffffffffffffff";

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SimTrouble {
    /// 400.
    InvalidRequest,
    /// 400: a wrong secret, or not installed.
    InvalidClient,
    /// On status 200: an unknown or deleted application.
    WrongClient,
    /// 400: a bad, expired or spent code or refresh token.
    InvalidGrant,
    /// 400: as `invalid_grant`.
    BadVerificationCode,
    /// 403.
    InsufficientScope,
    /// 403.
    InvalidScope,
    /// 401.
    PaymentRequired,
    /// 401.
    NotInstalled,
    /// 403.
    UserAccessError,
    /// 503: blocked by hand; trying again does not help.
    OverloadLimit,
    /// 503: refused before it ran; trying again is safe.
    QueryLimitExceeded,
    /// 401.
    ExpiredToken,
    /// 401.
    InvalidToken,
    /// 401.
    NoAuthFound,
    /// 401: the authorizing user was dismissed.
    AuthorizationError,
    /// 401.
    ErrorOauth,
    /// 401.
    ApplicationNotFound,
    /// 401: an administrator must approve first.
    MethodConfirmWaiting,
    /// 403.
    AccessDenied,
    /// 410.
    PortalDeleted,
    /// 429.
    OperationTimeLimit,
    /// 500, as JSON.
    InternalServerError,
    /// The portal cannot reach the token server. Its status is not known; 500 here.
    ConnectionError,
    /// 404.
    #[serde(rename = "404")]
    NotFound,
    /// 429 with `Retry-After`.
    #[serde(rename = "429")]
    TooManyRequests,
    /// 500.
    #[serde(rename = "500")]
    Http500,
    /// 502.
    #[serde(rename = "502")]
    Http502,
    /// 503.
    #[serde(rename = "503")]
    Http503,
    /// 504.
    #[serde(rename = "504")]
    Http504,
    /// 502 with a page.
    #[serde(rename = "html_502")]
    Html502,
    /// 200 and no JSON.
    Garbage,
    /// 200 and the true answer but for its last character.
    Cut,
    /// 200 and no body.
    Empty,
    /// A body of 200 kB.
    Huge,
    /// A body without an end.
    Endless,
    /// The true answer, late.
    Slow,
    /// The connection is closed; nothing was carried out.
    Close,
    /// The connection is closed; it was carried out.
    Lost,
    /// 302 to another host.
    Moved,
    /// The true answer with another portal's id.
    OtherMember,
}

/// What is to go wrong, by place.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Troubles {
    /// At the portal's authorization page.
    pub authorize: TroubleScript<SimTrouble>,
    /// At the token server's token endpoint.
    pub token: TroubleScript<SimTrouble>,
    /// At the token server's `app.info`.
    pub app_info: TroubleScript<SimTrouble>,
    /// At the portal's REST.
    pub rest: TroubleScript<SimTrouble>,
}

/// Whether the request is carried out before the trouble comes.
pub fn is_carried_out(plan: &Plan<SimTrouble>) -> bool {
    plan.after
        || matches!(
            plan.what,
            SimTrouble::Slow | SimTrouble::Lost | SimTrouble::Cut | SimTrouble::OtherMember
        )
}

/// The answer that `plan` makes of the `honest` one, if the request was carried out. Its `pair` is gone if
/// the body with it is. `moved_to` is where `moved` leads.
pub fn disturbed(plan: &Plan<SimTrouble>, honest: Option<SimAnswer>, moved_to: &str) -> SimAnswer {
    let ok = || SimAnswer::json(200, &serde_json::json!({}));
    let name = name(plan.what);
    match plan.what {
        SimTrouble::Slow => {
            let late = Deliver::After(plan.ms);
            honest.unwrap_or_else(ok).delivered(late)
        }
        SimTrouble::OtherMember => other_member(honest.unwrap_or_else(ok)),
        SimTrouble::Close | SimTrouble::Lost => ok().delivered(Deliver::Closed).called(&name),
        SimTrouble::Huge => {
            let mut answer = honest.unwrap_or_else(ok).called(&name);
            answer.pair = None;
            answer.body.push_str(&" ".repeat(HUGE_BYTES));
            answer
        }
        SimTrouble::Cut => {
            let mut answer = honest.unwrap_or_else(ok).called(&name);
            answer.pair = None;
            answer.body.pop();
            answer
        }
        SimTrouble::Endless => ok().delivered(Deliver::Endless).called(&name),
        SimTrouble::Empty => SimAnswer { body: String::new(), ..ok().called(&name) },
        SimTrouble::Garbage => {
            SimAnswer { body: "{\"access_token\":\"7b6<br />\n<b>Warning".to_owned(), ..ok() }.called(&name)
        }
        SimTrouble::Moved => SimAnswer::redirect(moved_to).called(&name),
        SimTrouble::NotFound => SimAnswer::page(404, "404 Not Found", "<hr>nginx"),
        SimTrouble::TooManyRequests => SimAnswer::text(429, "Too Many Requests")
            .with_header("retry-after", &plan.retry_after_s.to_string()),
        SimTrouble::Http500 => SimAnswer::text(500, "Internal Server Error"),
        SimTrouble::Http502 => SimAnswer::text(502, "Bad Gateway"),
        SimTrouble::Http503 => SimAnswer::text(503, "Service Unavailable"),
        SimTrouble::Http504 => SimAnswer::text(504, "Gateway Timeout"),
        SimTrouble::Html502 => SimAnswer::page(502, "502 Bad Gateway", "<hr>nginx").called(&name),
        coded => error(coded),
    }
}

fn other_member(mut answer: SimAnswer) -> SimAnswer {
    let mut body = answer.value();
    if let Some(member) = body.get_mut("member_id") {
        *member = OTHER_MEMBER.into();
        answer.body = body.to_string();
    }
    answer
}

/// The error body of a trouble that has one; a plain 500 for the others.
pub fn error(trouble: SimTrouble) -> SimAnswer {
    let (status, code, description) = coded(trouble);
    SimAnswer::error(status, code, (!description.is_empty()).then_some(description))
}

/// Status, code and description as the vendor has them.
fn coded(trouble: SimTrouble) -> (u16, &'static str, &'static str) {
    match trouble {
        SimTrouble::InvalidRequest => (400, "invalid_request", "No \"refresh_token\" parameter found"),
        SimTrouble::InvalidClient => (400, "invalid_client", ""),
        SimTrouble::WrongClient => (200, "wrong_client", ""),
        SimTrouble::InvalidGrant => (400, "invalid_grant", ""),
        SimTrouble::BadVerificationCode => (400, "bad_verification_code", ""),
        SimTrouble::InsufficientScope => (
            403,
            "insufficient_scope",
            "The request requires higher privileges than provided by the access token",
        ),
        SimTrouble::InvalidScope => {
            (403, "INVALID_SCOPE", "Given scope exceeds permissions associated with given grant")
        }
        SimTrouble::PaymentRequired => (401, "PAYMENT_REQUIRED", "Payment required"),
        SimTrouble::NotInstalled => (401, "NOT_INSTALLED", "Application not installed"),
        SimTrouble::UserAccessError => {
            (403, "user_access_error", "The user does not have access to the application.")
        }
        SimTrouble::OverloadLimit => (503, "OVERLOAD_LIMIT", "REST API is blocked due to overload."),
        SimTrouble::QueryLimitExceeded => (503, "QUERY_LIMIT_EXCEEDED", "Too many requests"),
        SimTrouble::ExpiredToken => (401, "expired_token", "The access token provided has expired."),
        SimTrouble::InvalidToken => (401, "invalid_token", "Unable to get application by token"),
        SimTrouble::NoAuthFound => (401, "NO_AUTH_FOUND", "Wrong authorization data"),
        SimTrouble::AuthorizationError => (401, "authorization_error", "Unable to authorize user"),
        SimTrouble::ErrorOauth => (401, "ERROR_OAUTH", "Application not installed"),
        SimTrouble::ApplicationNotFound => (401, "APPLICATION_NOT_FOUND", "Application not found"),
        SimTrouble::MethodConfirmWaiting => (401, "METHOD_CONFIRM_WAITING", "Waiting for confirmation"),
        SimTrouble::AccessDenied => (403, "ACCESS_DENIED", "REST is available only on commercial plans."),
        SimTrouble::PortalDeleted => (410, "PORTAL_DELETED", "Portal was deleted"),
        SimTrouble::OperationTimeLimit => {
            (429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
        }
        SimTrouble::ConnectionError => (500, "CONNECTION_ERROR", "Error connecting to authorization server"),
        _ => (500, "INTERNAL_SERVER_ERROR", "Internal server error"),
    }
}

/// The trouble's name, as the control API has it.
fn name(trouble: SimTrouble) -> String {
    match serde_json::to_value(trouble) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(_) | Err(_) => "trouble".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_have_their_recorded_statuses() {
        for (trouble, status, code) in [
            (SimTrouble::WrongClient, 200, "wrong_client"),
            (SimTrouble::InvalidGrant, 400, "invalid_grant"),
            (SimTrouble::OverloadLimit, 503, "OVERLOAD_LIMIT"),
            (SimTrouble::PortalDeleted, 410, "PORTAL_DELETED"),
            (SimTrouble::InternalServerError, 500, "INTERNAL_SERVER_ERROR"),
        ] {
            let answer = disturbed(&Plan::always(trouble), None, "");
            assert_eq!((answer.status, answer.value()["error"].as_str()), (status, Some(code)));
        }
    }

    #[test]
    fn a_trouble_is_named_as_it_is_set() {
        let named: SimTrouble = serde_json::from_str("\"html_502\"").unwrap();
        assert_eq!(named, SimTrouble::Html502);
        assert_eq!(serde_json::from_str::<SimTrouble>("\"503\"").unwrap(), SimTrouble::Http503);
        assert!(serde_json::from_str::<SimTrouble>("\"gremlins\"").is_err());
    }

    #[test]
    fn too_many_requests_says_when_to_come_back() {
        let plan = Plan::always(SimTrouble::TooManyRequests).retry_after_s(17);
        let answer = disturbed(&plan, None, "");
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("17")));
    }

    #[test]
    fn a_pair_in_a_body_that_is_replaced_counts_as_undelivered() {
        let honest = SimAnswer { pair: Some(3), ..SimAnswer::json(200, &serde_json::json!({})) };
        let pair = |what| disturbed(&Plan::always(what), Some(honest.clone()), "").pair;
        assert_eq!(pair(SimTrouble::Slow), Some(3));
        for what in [SimTrouble::Lost, SimTrouble::Huge, SimTrouble::Http504, SimTrouble::Garbage] {
            assert_eq!(pair(what), None);
        }
    }
}
