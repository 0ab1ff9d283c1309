//! The portal: `/oauth/authorize/` gives a person's browser a one-time code, `/rest/METHOD` takes live
//! access tokens.

use std::fmt::Write;

use serde_json::{Value, json};
use url::Url;

use crate::sim::answer::{SimAnswer, escape};
use crate::sim::bitrix::{Access, Bitrix, answer_through, bad_body, host_of, target};
use crate::sim::request::{Fields, SimRequest};
use crate::sim::settings::SimApp;
use crate::sim::tokens::TokenStatus;
use crate::sim::troubles::{SimTrouble, error};

/// What must not stand in a URL here.
const SECRETS: [&str; 4] = ["client_secret", "refresh_token", "access_token", "auth"];

/// A REST method: its name, the scopes of which one is needed, what it answers.
struct Method {
    name: &'static str,
    scopes: &'static [&'static str],
    run: fn(&mut Bitrix, &Fields, i64) -> SimAnswer,
}

const METHODS: [Method; 4] = [
    Method { name: "profile", scopes: &[], run: profile },
    Method { name: "app.info", scopes: &[], run: app_info },
    Method { name: "user.current", scopes: &["user", "user_basic", "user_brief"], run: user_current },
    Method { name: "crm.lead.add", scopes: &["crm"], run: crm_lead_add },
];

/// What the portal answers.
pub fn answer(bitrix: &mut Bitrix, request: &SimRequest, now: i64) -> SimAnswer {
    let fields = request.fields();
    if let Ok(fields) = &fields {
        bitrix.counts.url_secrets += u64::from(fields.any_in_url(&SECRETS));
        bitrix.counts.portal_secrets += u64::from(fields.all.contains_key("client_secret"));
    }
    let (endpoint, answer) = match &fields {
        Err(_) => ("portal/other".to_owned(), bad_body()),
        Ok(_) if has_moved(bitrix, request) => {
            ("portal/moved".to_owned(), SimAnswer::redirect(&target(bitrix.portal_url(), request)))
        }
        Ok(fields) if request.path == "/oauth/authorize/" => {
            let page = |bitrix: &mut Bitrix| authorize(bitrix, fields, now);
            let answer = answer_through(bitrix, |it| &mut it.authorize, request, page);
            ("authorize".to_owned(), answer)
        }
        Ok(fields) => match request.path.strip_prefix("/rest/") {
            Some(name) => rest(bitrix, request, fields, name, now),
            None => ("portal/other".to_owned(), SimAnswer::page(404, "404 Not Found", "<hr>nginx")),
        },
    };
    bitrix.counts.add(&endpoint, &answer.result);
    answer
}

/// A renamed portal answers on its new host alone. A request without a `Host` is taken as sent to the old
/// one.
fn has_moved(bitrix: &Bitrix, request: &SimRequest) -> bool {
    bitrix.settings.renamed_to.is_some() && !request.host.eq_ignore_ascii_case(host_of(bitrix.portal_url()))
}

/// Whatever goes wrong here is shown on the portal's own page: no redirect, no error parameters.
fn authorize(bitrix: &mut Bitrix, fields: &Fields, now: i64) -> SimAnswer {
    let refused = |status, why: &str| {
        SimAnswer::page(status, "Authorization error", &format!("<p>{why}</p>")).called("refused")
    };
    let client_id = fields.text("client_id").unwrap_or_default();
    let Some(app) = bitrix.app(&client_id).cloned() else {
        return refused(400, "Application not found.");
    };
    if bitrix.settings.portal_refuses || fields.text("allow").as_deref() == Some("0") {
        return refused(403, "Access denied.");
    }
    if bitrix.obstacle().is_some() || !bitrix.settings.user_active {
        return refused(403, "The application is not available to you.");
    }
    let state = fields.text("state").unwrap_or_default();
    if bitrix.settings.ask && fields.text("allow").is_none() {
        return question(bitrix, &app, &state);
    }
    let Some(code) = bitrix.code(&client_id, now) else {
        return refused(400, "Application not found.");
    };
    let Ok(mut url) = Url::parse(&app.redirect_url) else {
        return hand_copied(&code);
    };
    let config = bitrix.config();
    url.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &state)
        .append_pair("domain", host_of(bitrix.portal_url()))
        .append_pair("member_id", &config.member_id)
        .append_pair("scope", &app.scope)
        .append_pair("server_domain", host_of(&config.token_url));
    SimAnswer::redirect(url.as_str()).called("ok")
}

/// Asks the person at the browser.
fn question(bitrix: &Bitrix, app: &SimApp, state: &str) -> SimAnswer {
    let mut content = format!(
        "<p>The application <code>{}</code> asks for access to <b>{}</b>.</p>\n<p>Scope: {}</p>\n",
        escape(&app.client_id),
        escape(host_of(bitrix.portal_url())),
        escape(&app.scope),
    );
    for (value, label) in [("1", "Allow"), ("0", "Refuse")] {
        let _ = writeln!(
            content,
            "<form method=\"get\" action=\"/oauth/authorize/\" style=\"display:inline\">\
             <input type=\"hidden\" name=\"client_id\" value=\"{}\">\
             <input type=\"hidden\" name=\"state\" value=\"{}\">\
             <input type=\"hidden\" name=\"allow\" value=\"{value}\">\
             <button>{label}</button></form>",
            escape(&app.client_id),
            escape(state),
        );
    }
    SimAnswer::page(200, "Simulated Bitrix24", &content).called("asked")
}

/// An application without a redirect address: the code is there to be copied.
fn hand_copied(code: &str) -> SimAnswer {
    let content = format!("<p>Copy this code within 30 seconds:</p><p><code>{code}</code></p>");
    SimAnswer::page(200, "Simulated Bitrix24", &content).called("ok")
}

fn rest(
    bitrix: &mut Bitrix,
    request: &SimRequest,
    fields: &Fields,
    name: &str,
    now: i64,
) -> (String, SimAnswer) {
    let name = name.strip_suffix(".json").unwrap_or(name);
    let method = METHODS.iter().find(|it| it.name == name);
    // Unknown names share one counter, so that guessing does not make it grow.
    let endpoint = format!("rest/{}", method.map_or("other", |it| it.name));
    let run = |bitrix: &mut Bitrix| match method {
        None => SimAnswer::error(404, "ERROR_METHOD_NOT_FOUND", Some("Method not found!")),
        Some(_) if !matches!(request.method.as_str(), "GET" | "POST") => {
            SimAnswer::text(405, "Method Not Allowed").with_header("allow", "GET, POST")
        }
        Some(method) => match checked(bitrix, request, fields, method, now) {
            Some(refusal) => refusal,
            None => (method.run)(bitrix, fields, now),
        },
    };
    (endpoint, answer_through(bitrix, |it| &mut it.rest, request, run))
}

/// Why the caller may not, if it may not.
fn checked(
    bitrix: &Bitrix,
    request: &SimRequest,
    fields: &Fields,
    method: &Method,
    now: i64,
) -> Option<SimAnswer> {
    let bearer = request.bearer().map(ToOwned::to_owned);
    let given = fields.filled("auth").or_else(|| fields.filled("access_token")).or(bearer);
    let Some(token) = given.filter(|it| !it.is_empty()) else {
        return Some(error(SimTrouble::NoAuthFound));
    };
    let settings = &bitrix.settings;
    match bitrix.access(&token, now) {
        Access::Static => return None,
        Access::Chain(TokenStatus::Expired) => return Some(error(SimTrouble::ExpiredToken)),
        Access::Chain(TokenStatus::Unknown) => return Some(error(SimTrouble::InvalidToken)),
        Access::Chain(TokenStatus::Live) => {}
    }
    let app = bitrix.tokens.by_access(&token).and_then(|it| bitrix.app(&it.client_id));
    let Some(app) = app else {
        return Some(error(SimTrouble::ApplicationNotFound));
    };
    if !settings.installed {
        return Some(error(SimTrouble::ErrorOauth));
    }
    if !settings.paid {
        let why = Some("Subscription has been ended");
        return Some(SimAnswer::error(401, "PAYMENT_REQUIRED", why));
    }
    if !settings.user_active {
        return Some(error(SimTrouble::AuthorizationError));
    }
    if !settings.user_allowed {
        return Some(error(SimTrouble::UserAccessError));
    }
    (!app.may(method.scopes)).then(|| error(SimTrouble::InsufficientScope))
}

fn result(result: &Value, now: i64) -> SimAnswer {
    let date = jiff::Timestamp::from_millisecond(now).unwrap_or_default();
    let date = date.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    let seconds = Value::from(now.div_euclid(1_000));
    SimAnswer::json(
        200,
        &json!({"result": result, "time": {
            "start": seconds,
            "finish": seconds,
            "duration": 0.01,
            "processing": 0.005,
            "date_start": date,
            "date_finish": date,
            "operating_reset_at": now.div_euclid(1_000) + 600,
            "operating": 0,
        }}),
    )
}

fn profile(bitrix: &mut Bitrix, _: &Fields, now: i64) -> SimAnswer {
    let id = bitrix.config().user_id.to_string();
    let profile = json!({
        "ID": id, "ADMIN": true, "NAME": "Ada", "LAST_NAME": "Demo",
        "PERSONAL_GENDER": "", "TIME_ZONE": "",
    });
    result(&profile, now)
}

fn user_current(bitrix: &mut Bitrix, _: &Fields, now: i64) -> SimAnswer {
    let id = bitrix.config().user_id.to_string();
    let user = json!({
        "ID": id, "ACTIVE": true, "NAME": "Ada", "LAST_NAME": "Demo",
        "EMAIL": "ada@portal.example", "IS_ONLINE": "Y", "USER_TYPE": "employee",
    });
    result(&user, now)
}

fn app_info(_: &mut Bitrix, _: &Fields, now: i64) -> SimAnswer {
    let info = json!({
        "ID": 5, "CODE": "beltline", "VERSION": 1, "STATUS": "L", "INSTALLED": true,
        "PAYMENT_EXPIRED": "N", "DAYS": null, "LANGUAGE_ID": "en", "LICENSE": "en_free",
    });
    result(&info, now)
}

fn crm_lead_add(bitrix: &mut Bitrix, fields: &Fields, now: i64) -> SimAnswer {
    match fields.all.get("fields") {
        Some(Value::Object(lead)) => {
            let id = bitrix.add_lead(lead.clone(), now);
            result(&id.into(), now)
        }
        // So it is there: an empty code.
        Some(_) | None => {
            SimAnswer::error(400, "", Some("Parameter 'fields' must be array.")).called("bad_fields")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::sim::bitrix::BitrixConfig;
    use crate::sim::settings::BitrixSettings;

    const NOW: i64 = 1_728_409_697_000;

    fn bitrix(scope: &str) -> Bitrix {
        let app = SimApp {
            client_id: "local.1".to_owned(),
            client_secret: "s3cret".to_owned(),
            redirect_url: "http://app.test/oauth/callback?kept=1".to_owned(),
            scope: scope.to_owned(),
        };
        Bitrix::new(BitrixConfig {
            portal_url: "http://portal.test".to_owned(),
            token_url: "http://oauth.test".to_owned(),
            member_id: "a".repeat(32),
            user_id: 1,
            seed: 1,
            apps: vec![app],
            settings: BitrixSettings::default(),
        })
    }

    fn token(bitrix: &mut Bitrix) -> String {
        let code = bitrix.code("local.1", NOW).unwrap();
        let rules = bitrix.settings.rules(1);
        let id = bitrix.tokens.exchange(&code, "local.1", NOW, rules).unwrap();
        bitrix.tokens.pair(id).unwrap().access.clone()
    }

    fn get(bitrix: &mut Bitrix, target: &str, now: i64) -> SimAnswer {
        answer(bitrix, &SimRequest::get(target), now)
    }

    #[test]
    fn the_redirect_carries_the_code_and_the_state_unchanged() {
        let mut bitrix = bitrix("crm,user");
        let to = get(&mut bitrix, "/oauth/authorize/?client_id=local.1&state=a%26b%20c", NOW);
        let to = Url::parse(to.header("location").unwrap()).unwrap();
        assert!(to.as_str().contains("scope=crm%2Cuser"));
        let pairs: HashMap<_, _> = to.query_pairs().into_owned().collect();
        assert_eq!((pairs["kept"].as_str(), pairs["state"].as_str()), ("1", "a&b c"));
        assert_eq!(pairs["domain"], "portal.test");
        assert_eq!(pairs["server_domain"], "oauth.test");
        assert_eq!(pairs["code"].len(), 32);
    }

    #[test]
    fn a_refusal_is_a_page_and_never_a_redirect() {
        let mut bitrix = bitrix("crm");
        let unknown = get(&mut bitrix, "/oauth/authorize/?client_id=<b>", NOW);
        assert_eq!((unknown.status, unknown.header("location")), (400, None));
        assert!(!unknown.body.contains("<b>"));
        bitrix.settings.portal_refuses = true;
        let refused = get(&mut bitrix, "/oauth/authorize/?client_id=local.1", NOW);
        assert_eq!((refused.status, refused.header("location")), (403, None));
        assert_eq!(bitrix.counts.codes_issued, 0);
    }

    #[test]
    fn a_person_is_asked_if_so_set() {
        let mut bitrix = bitrix("crm");
        bitrix.settings.ask = true;
        let page = get(&mut bitrix, "/oauth/authorize/?client_id=local.1&state=\"><i>", NOW);
        assert!(page.body.contains("<button>Allow</button>") && !page.body.contains("<i>"));
        let allowed = get(&mut bitrix, "/oauth/authorize/?client_id=local.1&allow=1", NOW);
        assert_eq!(allowed.status, 302);
        let refused = get(&mut bitrix, "/oauth/authorize/?client_id=local.1&allow=0", NOW);
        assert_eq!(refused.status, 403);
    }

    #[test]
    fn only_a_live_token_is_taken() {
        let mut bitrix = bitrix("crm,user");
        let token = token(&mut bitrix);
        let error = |answer: &SimAnswer| {
            (answer.status, answer.value()["error"].as_str().unwrap_or_default().to_owned())
        };
        let with = |status: u16, code: &str| (status, code.to_owned());
        let good = format!("/rest/profile?auth={token}");
        assert_eq!(get(&mut bitrix, &good, NOW).value()["result"]["ID"], "1");
        assert_eq!(error(&get(&mut bitrix, &good, NOW + 3_600_000)), with(401, "expired_token"));
        assert_eq!(error(&get(&mut bitrix, "/rest/profile?auth=x", NOW)), with(401, "invalid_token"));
        assert_eq!(error(&get(&mut bitrix, "/rest/profile", NOW)), with(401, "NO_AUTH_FOUND"));
        let unknown = format!("/rest/crm.deal.add?auth={token}");
        assert_eq!(error(&get(&mut bitrix, &unknown, NOW)), with(404, "ERROR_METHOD_NOT_FOUND"));
    }

    #[test]
    fn a_token_may_come_in_the_header_the_form_or_the_json() {
        let mut bitrix = bitrix("crm,user");
        let token = token(&mut bitrix);
        for request in [
            SimRequest::get("/rest/user.current.json").authorized(&format!("Bearer {token}")),
            SimRequest::form("/rest/user.current", &[("auth", &token)]),
            SimRequest::form("/rest/user.current", &[("access_token", &token)]),
            SimRequest::json("/rest/user.current", &json!({"auth": token})),
        ] {
            assert_eq!(answer(&mut bitrix, &request, NOW).status, 200);
        }
        assert_eq!(bitrix.counts.url_secrets, 0);
        assert_eq!(bitrix.counts.of("rest/user.current", "ok"), 4);
    }

    #[test]
    fn a_lead_is_kept_if_the_scope_allows_it() {
        let mut bitrix = bitrix("user");
        let weak = token(&mut bitrix);
        let add = |token: &str| {
            SimRequest::json("/rest/crm.lead.add", &json!({"auth": token, "fields": {"TITLE": "Hi"}}))
        };
        assert_eq!(answer(&mut bitrix, &add(&weak), NOW).result, "insufficient_scope");
        bitrix = self::bitrix("crm");
        let token = token(&mut bitrix);
        assert_eq!(answer(&mut bitrix, &add(&token), NOW).value()["result"], 1);
        assert_eq!(bitrix.leads()[0].fields["TITLE"], "Hi");
        let empty = SimRequest::json("/rest/crm.lead.add", &json!({"auth": token}));
        assert_eq!(answer(&mut bitrix, &empty, NOW).status, 400);
    }

    #[test]
    fn a_long_lived_token_works_until_it_is_revoked() {
        let mut bitrix = bitrix("crm");
        bitrix.allow_static("demo.0123").unwrap();
        let url = "/rest/profile?auth=demo.0123";
        assert_eq!(get(&mut bitrix, url, NOW + 1_000_000_000_000).status, 200);
        bitrix.revoke_static("demo.0123");
        assert_eq!(get(&mut bitrix, url, NOW).result, "invalid_token");
    }

    #[test]
    fn a_renamed_portal_sends_to_its_new_name() {
        let mut bitrix = bitrix("crm");
        let token = token(&mut bitrix);
        bitrix.settings.renamed_to = Some("http://new.test".to_owned());
        let mut request = SimRequest::get(&format!("/rest/profile?auth={token}"));
        let moved = answer(&mut bitrix, &request, NOW);
        let to = format!("http://new.test/rest/profile?auth={token}");
        assert_eq!((moved.status, moved.header("location")), (302, Some(to.as_str())));
        request.host = "new.test".to_owned();
        assert_eq!(answer(&mut bitrix, &request, NOW).status, 200);
    }

    #[test]
    fn a_secret_sent_to_the_portal_is_counted() {
        let mut bitrix = bitrix("crm");
        let form = [("client_secret", "s3cret"), ("grant_type", "refresh_token")];
        answer(&mut bitrix, &SimRequest::form("/oauth/token/", &form), NOW);
        get(&mut bitrix, "/oauth/token/?client_secret=s3cret", NOW);
        assert_eq!((bitrix.counts.portal_secrets, bitrix.counts.url_secrets), (2, 1));
    }
}
