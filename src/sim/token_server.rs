//! The token server: `/oauth/token/` exchanges codes and refresh tokens for pairs, `/rest/app.info` tells
//! about one.
//!
//! It answers errors in the body, and sometimes on status 200: a client must look for `error` whatever the
//! status.

use serde_json::{Map, Value, json};

use crate::sim::answer::SimAnswer;
use crate::sim::bitrix::{Access, Bitrix, answer_through, bad_body, host_of};
use crate::sim::request::{Fields, SimRequest};
use crate::sim::tokens::{GrantRefusal, PairId, Reuse, TokenStatus};
use crate::sim::troubles::{SimTrouble, error};

/// What must not stand in a URL here.
const SECRETS: [&str; 5] = ["client_secret", "refresh_token", "code", "access_token", "auth"];

/// What the token server answers.
pub fn answer(bitrix: &mut Bitrix, request: &SimRequest, now: i64) -> SimAnswer {
    let fields = request.fields();
    if fields.as_ref().is_ok_and(|it| it.any_in_url(&SECRETS)) {
        bitrix.counts.url_secrets += 1;
    }
    let (endpoint, answer) = match (request.path.as_str(), &fields) {
        ("/oauth/token/", _) => {
            let name = endpoint(fields.as_ref().ok());
            let token = |bitrix: &mut Bitrix| token(bitrix, request, fields.as_ref().ok(), now);
            (name, answer_through(bitrix, |it| &mut it.token, request, token))
        }
        ("/rest/app.info" | "/rest/app.info/", Ok(fields)) => {
            let info = |bitrix: &mut Bitrix| app_info(bitrix, fields, now);
            ("oauth/app.info", answer_through(bitrix, |it| &mut it.app_info, request, info))
        }
        (_, Err(_)) => ("oauth/other", bad_body()),
        // The slash at the end is part of the path.
        (_, Ok(_)) => ("oauth/other", error_page()),
    };
    bitrix.counts.add(endpoint, &answer.result);
    answer
}

fn error_page() -> SimAnswer {
    SimAnswer::page(404, "404 Not Found", "<hr>nginx")
}

fn endpoint(fields: Option<&Fields>) -> &'static str {
    match fields.and_then(|it| it.text("grant_type")).as_deref() {
        Some("authorization_code") => "token/authorization_code",
        Some("refresh_token") => "token/refresh_token",
        Some(_) | None => "token/other",
    }
}

/// The checks in the order of the real server: the application, its secret, what is missing, what stands in
/// the way.
fn token(bitrix: &mut Bitrix, request: &SimRequest, fields: Option<&Fields>, now: i64) -> SimAnswer {
    let Some(fields) = fields else {
        return missing("grant_type");
    };
    if !matches!(request.method.as_str(), "GET" | "POST") {
        return SimAnswer::text(405, "Method Not Allowed").with_header("allow", "GET, POST");
    }
    let Some(grant) = fields.filled("grant_type") else {
        return missing("grant_type");
    };
    let given = match grant.as_str() {
        "authorization_code" => "code",
        "refresh_token" => "refresh_token",
        _ => return SimAnswer::error(400, "invalid_request", Some("Unknown grant type")),
    };
    let Some(client_id) = fields.filled("client_id") else {
        return missing("client_id");
    };
    let Some(app) = bitrix.app(&client_id) else {
        return error(SimTrouble::WrongClient);
    };
    match fields.filled("client_secret") {
        None => return missing("client_secret"),
        Some(secret) if secret != app.client_secret => return error(SimTrouble::InvalidClient),
        Some(_) => {}
    }
    let Some(value) = fields.filled(given) else {
        return missing(given);
    };
    if let Some(obstacle) = bitrix.obstacle() {
        return error(obstacle);
    }
    let pair = match given {
        "code" => exchange(bitrix, &value, &client_id, now),
        _ => rotate(bitrix, &value, &client_id, now),
    };
    match pair {
        Ok(id) => pair_answer(bitrix, id, given == "code", now),
        Err(_) => error(SimTrouble::InvalidGrant),
    }
}

fn missing(name: &str) -> SimAnswer {
    SimAnswer::error(400, "invalid_request", Some(&format!("No \"{name}\" parameter found")))
}

fn exchange(bitrix: &mut Bitrix, code: &str, app: &str, now: i64) -> Result<PairId, GrantRefusal> {
    let rules = bitrix.settings.rules(bitrix.config().user_id);
    let result = bitrix.tokens.exchange(code, app, now, rules);
    match result {
        Ok(_) => bitrix.counts.exchanges += 1,
        Err(GrantRefusal::Used) => bitrix.counts.code_reuses += 1,
        Err(GrantRefusal::Expired) => bitrix.counts.codes_expired += 1,
        Err(GrantRefusal::Unknown) => {}
    }
    result
}

fn rotate(bitrix: &mut Bitrix, refresh: &str, app: &str, now: i64) -> Result<PairId, GrantRefusal> {
    let rules = bitrix.settings.rules(bitrix.config().user_id);
    let (result, reuse) = bitrix.tokens.rotate(refresh, app, now, rules);
    match reuse {
        Some(Reuse::Plain) => bitrix.counts.reuses_plain += 1,
        Some(Reuse::AfterLoss) => bitrix.counts.reuses_after_loss += 1,
        None => {}
    }
    bitrix.counts.rotations += u64::from(result.is_ok());
    result
}

/// The success body in the recorded shape and order.
fn pair_answer(bitrix: &Bitrix, id: PairId, first: bool, now: i64) -> SimAnswer {
    let Some(pair) = bitrix.tokens.pair(id) else {
        return error(SimTrouble::InvalidGrant);
    };
    let settings = &bitrix.settings;
    let scope = match bitrix.app(&pair.client_id) {
        Some(app) if !settings.scope_app => app.scope.clone(),
        Some(_) | None => "app".to_owned(),
    };
    let number = |number: i64| {
        if settings.numbers_as_strings { Value::from(number.to_string()) } else { Value::from(number) }
    };
    let expires = pair.access_until.div_euclid(1_000) + i64::from(settings.clock_skew_s);
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("access_token", pair.access.clone().into());
    if !settings.expires_missing {
        put("expires", number(expires));
    }
    // An answer that is given once more says what it said the first time.
    let life = if settings.forgiven_s > 0 {
        i64::from(settings.access_life_s)
    } else {
        (pair.access_until - now).div_euclid(1_000)
    };
    put("expires_in", number(life));
    put("scope", scope.into());
    put("domain", host_of(&bitrix.config().token_url).into());
    put("server_endpoint", format!("{}/rest/", bitrix.config().token_url).into());
    put("status", "L".into());
    put("client_endpoint", format!("{}/rest/", bitrix.portal_url()).into());
    put("member_id", bitrix.config().member_id.clone().into());
    // The documented code exchange has neither `expires` nor `user_id`; the recorded ones have both.
    if !(first && settings.expires_missing) {
        put("user_id", number(i64::from(bitrix.config().user_id)));
    }
    put("refresh_token", pair.refresh.clone().into());
    let mut answer = SimAnswer::json(200, &Value::Object(body));
    if settings.slashes_escaped {
        answer.body = answer.body.replace('/', "\\/");
    }
    answer.pair = Some(id);
    answer
}

/// The trusted `app.info`: another shape than the portal's.
fn app_info(bitrix: &Bitrix, fields: &Fields, now: i64) -> SimAnswer {
    let Some(access) = fields.filled("auth") else {
        return error(SimTrouble::NoAuthFound);
    };
    match bitrix.access(&access, now) {
        Access::Chain(TokenStatus::Live) => {}
        Access::Chain(TokenStatus::Expired) => return error(SimTrouble::ExpiredToken),
        Access::Chain(TokenStatus::Unknown) | Access::Static => return error(SimTrouble::InvalidClient),
    }
    let Some(pair) = bitrix.tokens.by_access(&access) else {
        return error(SimTrouble::InvalidClient);
    };
    let Some(app) = bitrix.app(&pair.client_id) else {
        return error(SimTrouble::InvalidClient);
    };
    let config = bitrix.config();
    let until = jiff::Timestamp::from_millisecond(pair.access_until).unwrap_or_default();
    SimAnswer::json(
        200,
        &json!({"result": {
            "client_id": app.client_id,
            "scope": app.scope,
            "expires": until.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
            "install": {
                "installed": bitrix.settings.installed,
                "version": "1",
                "status": "L",
                "scope": app.scope,
                "domain": host_of(bitrix.portal_url()),
                "uri": app.redirect_url,
                "client_endpoint": format!("{}/rest/", bitrix.portal_url()),
                "member_id": config.member_id,
                "member_type": "portal",
            },
            "user_id": config.user_id.to_string(),
        }}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::answer::Deliver;
    use crate::sim::bitrix::BitrixConfig;
    use crate::sim::script::Plan;
    use crate::sim::settings::{BitrixSettings, Rotation, SimApp};
    use crate::sim::troubles::OTHER_MEMBER;

    const NOW: i64 = 1_728_409_697_000;

    fn bitrix(settings: BitrixSettings) -> Bitrix {
        let app = SimApp {
            client_id: "local.1".to_owned(),
            client_secret: "s3cret".to_owned(),
            redirect_url: String::new(),
            scope: "crm,user".to_owned(),
        };
        Bitrix::new(BitrixConfig {
            portal_url: "http://portal.test".to_owned(),
            token_url: "http://oauth.test".to_owned(),
            member_id: "a".repeat(32),
            user_id: 1,
            seed: 1,
            apps: vec![app],
            settings,
        })
    }

    fn ask(bitrix: &mut Bitrix, grant: &str, name: &str, value: &str, now: i64) -> SimAnswer {
        let form =
            [("grant_type", grant), ("client_id", "local.1"), ("client_secret", "s3cret"), (name, value)];
        answer(bitrix, &SimRequest::form("/oauth/token/", &form), now)
    }

    fn first(bitrix: &mut Bitrix) -> Value {
        let code = bitrix.code("local.1", NOW).unwrap();
        ask(bitrix, "authorization_code", "code", &code, NOW).value()
    }

    fn renew(bitrix: &mut Bitrix, pair: &Value, now: i64) -> SimAnswer {
        ask(bitrix, "refresh_token", "refresh_token", pair["refresh_token"].as_str().unwrap(), now)
    }

    fn access(pair: &Value) -> &str {
        pair["access_token"].as_str().unwrap()
    }

    #[test]
    fn a_renewal_has_the_recorded_shape() {
        let mut bitrix = bitrix(BitrixSettings::default());
        let pair = first(&mut bitrix);
        let next = renew(&mut bitrix, &pair, NOW).value();
        let names: Vec<&String> = next.as_object().unwrap().keys().collect();
        let recorded = "access_token expires expires_in scope domain server_endpoint status \
                        client_endpoint member_id user_id refresh_token";
        assert_eq!(names, recorded.split(' ').collect::<Vec<_>>());
        assert_eq!(next["expires"], 1_728_413_297);
        assert_eq!(next["expires_in"], 3_600);
        assert_eq!(next["client_endpoint"], "http://portal.test/rest/");
        assert_eq!(next["domain"], "oauth.test");
        assert!(bitrix.is_valid(access(&next), NOW) && !bitrix.is_valid(access(&pair), NOW));
        assert_eq!((bitrix.counts.exchanges, bitrix.counts.rotations), (1, 1));
    }

    #[test]
    fn the_shape_varies_as_the_records_do() {
        let mut bitrix = bitrix(BitrixSettings {
            expires_missing: true,
            scope_app: true,
            numbers_as_strings: true,
            slashes_escaped: true,
            ..BitrixSettings::default()
        });
        let code = bitrix.code("local.1", NOW).unwrap();
        let answer = ask(&mut bitrix, "authorization_code", "code", &code, NOW);
        assert!(answer.body.contains(r#""http:\/\/oauth.test\/rest\/""#), "{}", answer.body);
        let pair = answer.value();
        assert!(pair.get("expires").is_none() && pair.get("user_id").is_none());
        assert_eq!((&pair["expires_in"], &pair["scope"]), (&json!("3600"), &json!("app")));
    }

    #[test]
    fn mistakes_get_the_real_errors() {
        let mut bitrix = bitrix(BitrixSettings::default());
        let mut error = |form: &[(&str, &str)]| {
            let answer = answer(&mut bitrix, &SimRequest::form("/oauth/token/", form), NOW);
            (answer.status, answer.value()["error"].as_str().unwrap_or_default().to_owned())
        };
        let with = |status: u16, code: &str| (status, code.to_owned());
        let grant = ("grant_type", "refresh_token");
        let (id, secret) = (("client_id", "local.1"), ("client_secret", "s3cret"));
        let refresh = ("refresh_token", "x");
        assert_eq!(error(&[]), with(400, "invalid_request"));
        assert_eq!(error(&[("grant_type", "password")]), with(400, "invalid_request"));
        let unknown = ("client_id", "local.2");
        assert_eq!(error(&[grant, unknown, secret, refresh]), with(200, "wrong_client"));
        let wrong = ("client_secret", "guess");
        assert_eq!(error(&[grant, id, wrong, refresh]), with(400, "invalid_client"));
        assert_eq!(error(&[grant, id, secret]), with(400, "invalid_request"));
        assert_eq!(error(&[grant, id, secret, refresh]), with(400, "invalid_grant"));
    }

    #[test]
    fn what_stands_in_the_way_costs_no_token() {
        let mut bitrix = bitrix(BitrixSettings::default());
        let pair = first(&mut bitrix);
        bitrix.settings.paid = false;
        let refused = renew(&mut bitrix, &pair, NOW);
        assert_eq!((refused.status, refused.result.as_str()), (401, "PAYMENT_REQUIRED"));
        bitrix.settings.paid = true;
        assert_eq!(renew(&mut bitrix, &pair, NOW).result, "ok");
    }

    #[test]
    fn a_spent_refresh_token_is_refused_and_counted() {
        let mut bitrix = bitrix(BitrixSettings::default());
        let pair = first(&mut bitrix);
        renew(&mut bitrix, &pair, NOW);
        assert_eq!(renew(&mut bitrix, &pair, NOW).body, r#"{"error":"invalid_grant"}"#);
        assert_eq!((bitrix.counts.reuses_plain, bitrix.counts.reuses_after_loss), (1, 0));
        assert_eq!(bitrix.counts.of("token/refresh_token", "invalid_grant"), 1);
    }

    #[test]
    fn a_lost_answer_has_rotated_and_a_closed_one_has_not() {
        let mut bitrix = bitrix(BitrixSettings { rotation: Rotation::Lenient, ..BitrixSettings::default() });
        let pair = first(&mut bitrix);
        bitrix.troubles.token.push(Plan::times(SimTrouble::Close, 1));
        assert_eq!(renew(&mut bitrix, &pair, NOW).deliver, Deliver::Closed);
        assert_eq!(bitrix.counts.rotations, 0);
        for trouble in [Plan::times(SimTrouble::Lost, 1), Plan::times(SimTrouble::Html502, 1).after()] {
            bitrix.troubles.token.push(trouble);
            renew(&mut bitrix, &pair, NOW);
        }
        assert_eq!(bitrix.counts.rotations, 2);
        assert_eq!(renew(&mut bitrix, &pair, NOW).result, "ok");
        assert_eq!((bitrix.counts.reuses_plain, bitrix.counts.reuses_after_loss), (0, 2));
    }

    #[test]
    fn another_portal_may_answer() {
        let mut bitrix = bitrix(BitrixSettings::default());
        let pair = first(&mut bitrix);
        bitrix.troubles.token.push(Plan::times(SimTrouble::OtherMember, 1));
        assert_eq!(renew(&mut bitrix, &pair, NOW).value()["member_id"], OTHER_MEMBER);
    }

    #[test]
    fn a_late_answer_is_the_true_one() {
        let mut bitrix = bitrix(BitrixSettings::default());
        let pair = first(&mut bitrix);
        bitrix.troubles.token.push(Plan::times(SimTrouble::Slow, 1).ms(30_000));
        let late = renew(&mut bitrix, &pair, NOW);
        assert_eq!(late.deliver, Deliver::After(30_000));
        bitrix.lose(late.pair.unwrap());
        renew(&mut bitrix, &pair, NOW);
        assert_eq!(bitrix.counts.reuses_after_loss, 1);
    }

    #[test]
    fn secrets_in_the_url_are_taken_but_counted() {
        let mut bitrix = bitrix(BitrixSettings::default());
        let pair = first(&mut bitrix);
        let refresh = pair["refresh_token"].as_str().unwrap();
        let url = format!(
            "/oauth/token/?grant_type=refresh_token&client_id=local.1&client_secret=s3cret\
             &refresh_token={refresh}"
        );
        assert_eq!(answer(&mut bitrix, &SimRequest::get(&url), NOW).result, "ok");
        assert_eq!(bitrix.counts.url_secrets, 1);
        assert_eq!(answer(&mut bitrix, &SimRequest::get("/oauth/token"), NOW).status, 404);
    }

    #[test]
    fn app_info_tells_about_a_live_token_only() {
        let mut bitrix = bitrix(BitrixSettings::default());
        let pair = first(&mut bitrix);
        let url = format!("/rest/app.info?auth={}", access(&pair));
        let good = answer(&mut bitrix, &SimRequest::get(&url), NOW).value();
        assert_eq!(good["result"]["install"]["member_id"], "a".repeat(32));
        assert_eq!(answer(&mut bitrix, &SimRequest::get(&url), NOW + 3_600_000).result, "expired_token");
        let bad = answer(&mut bitrix, &SimRequest::get("/rest/app.info/?auth=x"), NOW);
        assert_eq!((bad.status, bad.result.as_str()), (400, "invalid_client"));
    }
}
