//! [`Trouble`]: everything that can be made to go wrong at the portal and the token server, each with the
//! status and body that the real ones give.

use serde::{Deserialize, Serialize};

use crate::sim::answer::{Answer, Deliver};
use crate::sim::script::{Plan, Script};

/// The size of a huge body: well over the 64 KiB that a client takes from a token server.
pub const HUGE_BYTES: usize = 200_000;
/// The portal id that `other_member` answers with.
pub const OTHER_MEMBER: &str = "ffffffffffffffffffffffffffffffff";

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
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
    pub authorize: Script<Trouble>,
    /// At the token server's token endpoint.
    pub token: Script<Trouble>,
    /// At the token server's `app.info`.
    pub app_info: Script<Trouble>,
    /// At the portal's REST.
    pub rest: Script<Trouble>,
}

/// Whether the request is carried out before the trouble comes.
pub fn is_carried_out(plan: &Plan<Trouble>) -> bool {
    plan.after || matches!(plan.what, Trouble::Slow | Trouble::Lost | Trouble::OtherMember)
}

/// The answer that `plan` makes of the `honest` one, if the request was carried out. Its `pair` is gone if
/// the body with it is. `moved_to` is where `moved` leads.
pub fn disturbed(plan: &Plan<Trouble>, honest: Option<Answer>, moved_to: &str) -> Answer {
    let ok = || Answer::json(200, &serde_json::json!({}));
    let name = name(plan.what);
    match plan.what {
        Trouble::Slow => {
            let late = Deliver::After(plan.ms);
            honest.unwrap_or_else(ok).delivered(late)
        }
        Trouble::OtherMember => other_member(honest.unwrap_or_else(ok)),
        Trouble::Close | Trouble::Lost => ok().delivered(Deliver::Closed).called(&name),
        Trouble::Huge => {
            let mut answer = honest.unwrap_or_else(ok).called(&name);
            answer.pair = None;
            answer.body.push_str(&" ".repeat(HUGE_BYTES));
            answer
        }
        Trouble::Endless => ok().delivered(Deliver::Endless).called(&name),
        Trouble::Empty => Answer { body: String::new(), ..ok().called(&name) },
        Trouble::Garbage => {
            Answer { body: "{\"access_token\":\"7b6<br />\n<b>Warning".to_owned(), ..ok() }.called(&name)
        }
        Trouble::Moved => Answer::redirect(moved_to).called(&name),
        Trouble::NotFound => Answer::page(404, "404 Not Found", "<hr>nginx"),
        Trouble::TooManyRequests => {
            Answer::text(429, "Too Many Requests").with_header("retry-after", &plan.retry_after_s.to_string())
        }
        Trouble::Http500 => Answer::text(500, "Internal Server Error"),
        Trouble::Http502 => Answer::text(502, "Bad Gateway"),
        Trouble::Http503 => Answer::text(503, "Service Unavailable"),
        Trouble::Http504 => Answer::text(504, "Gateway Timeout"),
        Trouble::Html502 => Answer::page(502, "502 Bad Gateway", "<hr>nginx").called(&name),
        coded => error(coded),
    }
}

fn other_member(mut answer: Answer) -> Answer {
    let mut body = answer.value();
    if let Some(member) = body.get_mut("member_id") {
        *member = OTHER_MEMBER.into();
        answer.body = body.to_string();
    }
    answer
}

/// The error body of a trouble that has one; a plain 500 for the others.
pub fn error(trouble: Trouble) -> Answer {
    let (status, code, description) = coded(trouble);
    Answer::error(status, code, (!description.is_empty()).then_some(description))
}

/// Status, code and description as the vendor has them.
fn coded(trouble: Trouble) -> (u16, &'static str, &'static str) {
    match trouble {
        Trouble::InvalidRequest => (400, "invalid_request", "No \"refresh_token\" parameter found"),
        Trouble::InvalidClient => (400, "invalid_client", ""),
        Trouble::WrongClient => (200, "wrong_client", ""),
        Trouble::InvalidGrant => (400, "invalid_grant", ""),
        Trouble::BadVerificationCode => (400, "bad_verification_code", ""),
        Trouble::InsufficientScope => (
            403,
            "insufficient_scope",
            "The request requires higher privileges than provided by the access token",
        ),
        Trouble::InvalidScope => {
            (403, "INVALID_SCOPE", "Given scope exceeds permissions associated with given grant")
        }
        Trouble::PaymentRequired => (401, "PAYMENT_REQUIRED", "Payment required"),
        Trouble::NotInstalled => (401, "NOT_INSTALLED", "Application not installed"),
        Trouble::UserAccessError => {
            (403, "user_access_error", "The user does not have access to the application.")
        }
        Trouble::OverloadLimit => (503, "OVERLOAD_LIMIT", "REST API is blocked due to overload."),
        Trouble::QueryLimitExceeded => (503, "QUERY_LIMIT_EXCEEDED", "Too many requests"),
        Trouble::ExpiredToken => (401, "expired_token", "The access token provided has expired."),
        Trouble::InvalidToken => (401, "invalid_token", "Unable to get application by token"),
        Trouble::NoAuthFound => (401, "NO_AUTH_FOUND", "Wrong authorization data"),
        Trouble::AuthorizationError => (401, "authorization_error", "Unable to authorize user"),
        Trouble::ErrorOauth => (401, "ERROR_OAUTH", "Application not installed"),
        Trouble::ApplicationNotFound => (401, "APPLICATION_NOT_FOUND", "Application not found"),
        Trouble::MethodConfirmWaiting => (401, "METHOD_CONFIRM_WAITING", "Waiting for confirmation"),
        Trouble::AccessDenied => (403, "ACCESS_DENIED", "REST is available only on commercial plans."),
        Trouble::PortalDeleted => (410, "PORTAL_DELETED", "Portal was deleted"),
        Trouble::OperationTimeLimit => {
            (429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
        }
        Trouble::ConnectionError => (500, "CONNECTION_ERROR", "Error connecting to authorization server"),
        _ => (500, "INTERNAL_SERVER_ERROR", "Internal server error"),
    }
}

/// The trouble's name, as the control API has it.
fn name(trouble: Trouble) -> String {
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
            (Trouble::WrongClient, 200, "wrong_client"),
            (Trouble::InvalidGrant, 400, "invalid_grant"),
            (Trouble::OverloadLimit, 503, "OVERLOAD_LIMIT"),
            (Trouble::PortalDeleted, 410, "PORTAL_DELETED"),
            (Trouble::InternalServerError, 500, "INTERNAL_SERVER_ERROR"),
        ] {
            let answer = disturbed(&Plan::always(trouble), None, "");
            assert_eq!((answer.status, answer.value()["error"].as_str()), (status, Some(code)));
        }
    }

    #[test]
    fn a_trouble_is_named_as_it_is_set() {
        let named: Trouble = serde_json::from_str("\"html_502\"").unwrap();
        assert_eq!(named, Trouble::Html502);
        assert_eq!(serde_json::from_str::<Trouble>("\"503\"").unwrap(), Trouble::Http503);
        assert!(serde_json::from_str::<Trouble>("\"gremlins\"").is_err());
    }

    #[test]
    fn too_many_requests_says_when_to_come_back() {
        let plan = Plan::always(Trouble::TooManyRequests).retry_after_s(17);
        let answer = disturbed(&plan, None, "");
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("17")));
    }

    #[test]
    fn a_pair_in_a_body_that_is_replaced_counts_as_undelivered() {
        let honest = Answer { pair: Some(3), ..Answer::json(200, &serde_json::json!({})) };
        let pair = |what| disturbed(&Plan::always(what), Some(honest.clone()), "").pair;
        assert_eq!(pair(Trouble::Slow), Some(3));
        for what in [Trouble::Lost, Trouble::Huge, Trouble::Http504, Trouble::Garbage] {
            assert_eq!(pair(what), None);
        }
    }
}
