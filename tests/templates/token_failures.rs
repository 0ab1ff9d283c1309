//! Everything that the token server can do instead of a renewal: where it leads, who is told what, how often
//! it is asked in an hour of it, and how it heals.

use beltline::model::signal::Command;
use beltline::model::time::Span;
use beltline::sim::script::Plan;
use beltline::sim::settings::{BitrixSettings, Rotation};
use beltline::sim::troubles::SimTrouble;
use serde_json::json;

use crate::templates::keeper::{Keeper, TASK};

/// What makes it well again, once the trouble is over.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Heals {
    Itself,
    /// A person says: try again.
    Wake,
    /// A person taps the link.
    Link,
}

struct Case {
    what: SimTrouble,
    /// Where the task stands some seconds after the first failed renewal, and what it calls that.
    node: &'static str,
    state: &'static str,
    /// What the one message of the first hour says.
    says: &'static str,
    /// How often the token server is asked in that hour.
    asked: usize,
    heals: Heals,
}

const fn case(
    what: SimTrouble,
    node: &'static str,
    state: &'static str,
    says: &'static str,
    asked: usize,
    heals: Heals,
) -> Case {
    Case { what, node, state, says, asked, heals }
}

/// What passes: five tries in the first minute, eighteen in an hour, and a message when the token has ten
/// minutes left.
const fn passing(what: SimTrouble, says: &'static str) -> Case {
    case(what, "rest", "unreachable", says, 18, Heals::Itself)
}

/// The same, of a server that says it is asked too often: none within a minute.
const fn busy(what: SimTrouble, says: &'static str) -> Case {
    case(what, "rest", "unreachable", says, 13, Heals::Itself)
}

/// What waits for a person at once.
const fn person(what: SimTrouble, state: &'static str, says: &'static str, heals: Heals) -> Case {
    case(what, "escalate", state, says, 1, heals)
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    person(SimTrouble::InvalidRequest, "config",
        "invalid_request: No \"refresh_token\" parameter", Heals::Wake),
    person(SimTrouble::InvalidClient, "config", "refuses the client_secret", Heals::Wake),
    person(SimTrouble::WrongClient, "config", "does not know this client_id", Heals::Wake),
    person(SimTrouble::InsufficientScope, "config", "insufficient_scope", Heals::Wake),
    person(SimTrouble::InvalidScope, "config", "invalid_scope: Given scope exceeds", Heals::Wake),
    person(SimTrouble::NoAuthFound, "config", "no_auth_found", Heals::Wake),
    person(SimTrouble::MethodConfirmWaiting, "config", "method_confirm_waiting", Heals::Wake),
    person(SimTrouble::NotFound, "config", "http_status: the answer's status is 404", Heals::Wake),
    person(SimTrouble::Moved, "config", "redirect, which is not followed", Heals::Wake),
    person(SimTrouble::OverloadLimit, "blocked", "blocked the application because of overload", Heals::Wake),
    person(SimTrouble::NotInstalled, "shut_out", "not_installed: Application not installed", Heals::Wake),
    person(SimTrouble::UserAccessError, "shut_out", "user_access_error", Heals::Wake),
    person(SimTrouble::AuthorizationError, "shut_out", "authorization_error", Heals::Link),
    person(SimTrouble::ErrorOauth, "shut_out", "error_oauth", Heals::Link),
    person(SimTrouble::ApplicationNotFound, "shut_out", "application_not_found", Heals::Link),
    person(SimTrouble::AccessDenied, "shut_out", "access_denied", Heals::Wake),
    person(SimTrouble::PortalDeleted, "shut_out", "portal_deleted", Heals::Link),
    person(SimTrouble::ExpiredToken, "shut_out", "expired_token", Heals::Link),
    person(SimTrouble::InvalidToken, "shut_out", "invalid_token", Heals::Link),
    person(SimTrouble::OtherMember, "other_portal", "answered for another portal", Heals::Link),
    // The pair before is tried once, two seconds later.
    case(SimTrouble::InvalidGrant, "escalate", "foreign",
        "someone else has renewed this grant", 2, Heals::Link),
    case(SimTrouble::BadVerificationCode, "escalate", "foreign", "someone else has renewed", 2, Heals::Link),
    case(SimTrouble::PaymentRequired, "tell_unpaid", "payment", "subscription or trial", 1, Heals::Itself),
    busy(SimTrouble::QueryLimitExceeded, "query_limit_exceeded: Too many requests"),
    busy(SimTrouble::OperationTimeLimit, "operation_time_limit"),
    passing(SimTrouble::InternalServerError, "internal_server_error"),
    passing(SimTrouble::ConnectionError, "connection_error"),
    busy(SimTrouble::TooManyRequests, "the answer's status is 429"),
    passing(SimTrouble::Http500, "the answer's status is 500"),
    passing(SimTrouble::Http502, "the answer's status is 502"),
    passing(SimTrouble::Http503, "the answer's status is 503"),
    passing(SimTrouble::Http504, "the answer's status is 504"),
    passing(SimTrouble::Html502, "the answer's status is 502"),
    passing(SimTrouble::Garbage, "bad_response"),
    passing(SimTrouble::Empty, "bad_response"),
    passing(SimTrouble::Huge, "response_too_large"),
    passing(SimTrouble::Endless, "outcome_unknown: no answer in time"),
    passing(SimTrouble::Close, "outcome_unknown: the connection was closed"),
    // These rotate the pair first: when it is over, the token that is left is spent.
    case(SimTrouble::Lost, "rest", "unreachable", "the connection was closed", 18, Heals::Link),
    case(SimTrouble::Slow, "rest", "unreachable", "no answer in time", 17, Heals::Link),
];

#[test]
fn every_failure_of_the_token_server_goes_where_it_belongs_and_heals() {
    let mut asked = 0;
    for case in CASES {
        asked += play(case);
    }
    println!("{} failures, {asked} requests", CASES.len());
}

fn play(case: &Case) -> usize {
    let what = case.what;
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    keeper.renewal();
    let (access, refresh) = (keeper.param("access_token"), keeper.param("refresh_token"));
    let before = keeper.asked();
    keeper.trouble(vec![Plan::always(what).ms(30_000)]);
    keeper.renewal();
    // An answer that comes late or does not end takes its time, and is asked for again by now.
    let node = if matches!(what, SimTrouble::Endless | SimTrouble::Slow) { "renew" } else { case.node };
    assert_eq!((keeper.node().as_str(), keeper.param("state")), (node, json!(case.state)), "{what:?}");
    keeper.universe.run(Span::mins(60));
    // Where each try takes its time, one more or less fits into the hour.
    let (asked, slack) = (keeper.asked() - before, usize::from(case.asked > 2));
    assert!(asked.abs_diff(case.asked) <= slack, "{what:?}: {asked} {:?}", keeper.portal.log());
    let told = keeper.told();
    assert_eq!(told.len(), 1, "{what:?}: {told:#?}");
    assert!(told[0].starts_with("\"access_token\" of acme.bitrix24.ru doesn't update: "), "{}", told[0]);
    assert!(told[0].contains(case.says), "{what:?}: {}", told[0]);
    assert!(told[0].contains("The present token is good until 20") || case.asked > 2, "{}", told[0]);
    assert!(
        keeper.param("access_token") == access && keeper.param("refresh_token") == refresh,
        "erased: {what:?}"
    );
    heal(&mut keeper, case.heals, what);
    assert!(keeper.last_told().starts_with("Resolved: "), "{what:?}: {:#?}", keeper.told());
    assert_ne!(keeper.param("access_token"), access);
    keeper.tells_no_secret();
    keeper.asked()
}

fn heal(keeper: &mut Keeper, by: Heals, what: SimTrouble) {
    keeper.trouble(Vec::new());
    match by {
        Heals::Itself => keeper.universe.run(Span::hours(6)),
        Heals::Wake => {
            keeper.universe.command(TASK, Command::Wake);
            keeper.universe.run(Span::mins(2));
        }
        Heals::Link => {
            keeper.universe.run(Span::mins(6));
            assert_eq!(keeper.node(), "escalate", "{what:?}");
            keeper.open_told_link();
            keeper.universe.run(Span::mins(1));
        }
    }
    keeper.is_well();
}

#[test]
fn under_lenient_rotation_a_lost_answer_costs_nothing() {
    for what in [SimTrouble::Lost, SimTrouble::Slow, SimTrouble::Http504] {
        let mut keeper =
            Keeper::with_token(BitrixSettings { rotation: Rotation::Lenient, ..BitrixSettings::default() });
        keeper.trouble(vec![Plan::times(what, 1).ms(30_000).after()]);
        keeper.renewal();
        keeper.is_well();
        assert!(keeper.told().is_empty());
        assert_eq!(keeper.portal.bitrix().counts.reuses_plain, 0);
    }
}

#[test]
fn under_strict_rotation_a_lost_answer_is_asked_for_once_more_and_then_told() {
    for what in
        [SimTrouble::Lost, SimTrouble::Slow, SimTrouble::Http504, SimTrouble::Garbage, SimTrouble::Huge]
    {
        let mut keeper = Keeper::with_token(BitrixSettings::default());
        let before = keeper.asked();
        keeper.trouble(vec![Plan::times(what, 1).ms(30_000).after()]);
        keeper.renewal();
        keeper.universe.run(Span::mins(2));
        assert_eq!((keeper.node().as_str(), keeper.asked() - before), ("escalate", 2), "{what:?}");
        assert!(keeper.last_told().contains("the rotated token may be lost"), "{}", keeper.last_told());
        let counts = keeper.portal.bitrix().counts.clone();
        assert_eq!((counts.reuses_after_loss, counts.reuses_plain), (1, 0), "{what:?}");
        keeper.open_told_link();
        keeper.universe.run(Span::mins(1));
        keeper.is_well();
    }
}

#[test]
fn the_pair_before_is_tried_once_and_may_help() {
    let mut keeper =
        Keeper::with_token(BitrixSettings { rotation: Rotation::Lenient, ..BitrixSettings::default() });
    keeper.renewal();
    keeper.trouble(vec![Plan::times(SimTrouble::InvalidGrant, 1)]);
    keeper.renewal();
    keeper.universe.run(Span::secs(10));
    keeper.is_well();
    assert!(keeper.told().is_empty());
}

#[test]
fn what_the_server_asks_us_to_wait_is_waited() {
    let mut keeper = Keeper::with_token(BitrixSettings::default());
    let before = keeper.asked();
    keeper.trouble(vec![Plan::times(SimTrouble::TooManyRequests, 1).retry_after_s(420)]);
    keeper.renewal();
    keeper.universe.run(Span::mins(6));
    assert_eq!((keeper.node().as_str(), keeper.asked() - before), ("rest", 1));
    keeper.universe.run(Span::mins(2));
    keeper.is_well();
}
