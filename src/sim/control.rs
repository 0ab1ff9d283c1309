//! The control API: what a person or a test sees of the simulation, and how it is changed while it runs.
//!
//! ```text
//! GET  /sim/state     settings, counters, leads, messages
//! GET  /sim/messages  what the providers took, oldest first
//! PUT  /sim/bitrix    {"access_life_s": 20, "fail": {"token": {"what": "502", "times": 2}, "rest": null}}
//! PUT  /sim/telegram  {"fail": "blocked"}; likewise twilio, messagebird, unisender, mandrill, webhook, smtp
//! PUT  /sim/oauth2    {"rotation": false, "expires_in": null, "fail": "503"}
//! POST /sim/event     {"event": "install", "to": URL}; the portal tells a handler. Or `uninstall`
//! POST /sim/reset     everything as at the start
//! ```

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{MethodRouter, get, post, put};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::sim::bitrix::Bitrix;
use crate::sim::deliver;
use crate::sim::mandrill::Mandrill;
use crate::sim::messagebird::Messagebird;
use crate::sim::notifiers::{MailDoor, Notifiers};
use crate::sim::oauth2::Provider;
use crate::sim::poster;
use crate::sim::script::{TroubleScript, plans};
use crate::sim::settings::SimApp;
use crate::sim::shared::Shared;
use crate::sim::telegram::Telegram;
use crate::sim::troubles::Troubles;
use crate::sim::twilio::Twilio;
use crate::sim::unisender::Unisender;
use crate::sim::webhook::Webhook;

/// The most chats, senders or templates that can be named.
const NAMES_MAX: usize = 1_000;

/// The control API's routes.
pub fn routes(shared: Shared) -> Router {
    Router::new()
        .route("/sim/state", get(async |State(shared): State<Shared>| Json(state(&shared))))
        .route("/sim/messages", get(messages))
        .route("/sim/bitrix", put(bitrix))
        .route("/sim/oauth2", put(oauth2))
        .route("/sim/event", post(poster::event))
        .route("/sim/telegram", provider(|it, wish| put_telegram(&mut it.telegram, wish)))
        .route("/sim/twilio", provider(|it, wish| put_twilio(&mut it.twilio, wish)))
        .route("/sim/messagebird", provider(|it, wish| put_messagebird(&mut it.messagebird, wish)))
        .route("/sim/unisender", provider(|it, wish| put_unisender(&mut it.unisender, wish)))
        .route("/sim/mandrill", provider(|it, wish| put_mandrill(&mut it.mandrill, wish)))
        .route("/sim/webhook", provider(|it, wish| put_webhook(&mut it.webhook, wish)))
        .route("/sim/smtp", provider(|it, wish| put_smtp(&mut it.mail, wish)))
        .route("/sim/reset", post(reset))
        .layer(middleware::from_fn(from_here))
        .with_state(shared)
}

/// Everything a person may see; no secret, no token.
pub fn state(shared: &Shared) -> Value {
    let now = shared.now();
    let bitrix = shared.bitrix().state(now);
    let oauth2 = shared.oauth2().state();
    let notifiers = shared.notifiers();
    json!({
        "now": now,
        "bitrix": bitrix,
        "oauth2": oauth2,
        "notifiers": notifiers.state(),
        "messages": notifiers.inbox.all(),
    })
}

async fn messages(State(shared): State<Shared>) -> Response {
    Json(shared.notifiers().inbox.all()).into_response()
}

async fn bitrix(State(shared): State<Shared>, body: Bytes) -> Response {
    let now = shared.now();
    said(object(&body).and_then(|it| put_bitrix(&mut shared.bitrix(), it, now)))
}

async fn oauth2(State(shared): State<Shared>, body: Bytes) -> Response {
    said(object(&body).and_then(|it| put_oauth2(&mut shared.oauth2(), it)))
}

/// A handler that changes one of the providers.
fn provider(change: fn(&mut Notifiers, Map<String, Value>) -> Result<(), String>) -> MethodRouter<Shared> {
    put(async move |State(shared): State<Shared>, body: Bytes| {
        said(object(&body).and_then(|it| change(&mut shared.notifiers(), it)))
    })
}

async fn reset(State(shared): State<Shared>) -> Response {
    shared.bitrix().reset();
    shared.oauth2().reset();
    shared.notifiers().reset();
    said(Ok(()))
}

fn said(result: Result<(), String>) -> Response {
    match result {
        Ok(()) => Json(json!({"ok": true})).into_response(),
        Err(why) => (StatusCode::BAD_REQUEST, Json(json!({"ok": false, "error": why}))).into_response(),
    }
}

/// A page in somebody's browser must not steer the simulation, nor read it under a name that leads here.
async fn from_here(request: Request, next: Next) -> Response {
    let host = deliver::text(request.headers(), "host");
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    let origin = deliver::text(request.headers(), "origin");
    let here = matches!(name, "127.0.0.1" | "localhost" | "[::1]");
    if here && (origin.is_empty() || origin == format!("http://{host}")) {
        return next.run(request).await;
    }
    StatusCode::FORBIDDEN.into_response()
}

fn object(body: &[u8]) -> Result<Map<String, Value>, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is no JSON object: {error}"))
}

/// Changes the portal and the token server: all of `wish`, or nothing if any of it is wrong. Besides the
/// settings it may name `fail`, `app`, `remove_app`, `allow_static`, `revoke_static`, `expire_access`, and
/// `renew_elsewhere` with an app whose pair somebody else renews.
pub fn put_bitrix(bitrix: &mut Bitrix, mut wish: Map<String, Value>, now: i64) -> Result<(), String> {
    let fail = wish.shift_remove("fail");
    let app = taken(&mut wish, "app")?.map(SimApp::checked).transpose()?;
    let remove_app: Option<String> = taken(&mut wish, "remove_app")?;
    let allow_static: Option<String> = taken(&mut wish, "allow_static")?;
    let revoke_static: Option<String> = taken(&mut wish, "revoke_static")?;
    let expire_access: Option<bool> = taken(&mut wish, "expire_access")?;
    let renew_elsewhere: Option<String> = taken(&mut wish, "renew_elsewhere")?;
    let settings = bitrix.settings.patched(wish)?;
    let troubles = fail.map_or(Ok(bitrix.troubles.clone()), |it| troubles(&bitrix.troubles, it))?;
    if let Some(client_id) = renew_elsewhere {
        bitrix.renew_elsewhere(&client_id, now)?;
    }
    if let Some(token) = allow_static {
        bitrix.allow_static(&token)?;
    }
    if let Some(app) = app {
        bitrix.add_app(app)?;
    }
    if let Some(client_id) = remove_app {
        bitrix.remove_app(&client_id);
    }
    if let Some(token) = revoke_static {
        bitrix.revoke_static(&token);
    }
    if expire_access == Some(true) {
        bitrix.tokens.expire_access(now);
    }
    (bitrix.settings, bitrix.troubles) = (settings, troubles);
    Ok(())
}

/// `null` switches all trouble off, a place that is not named stays as it is.
fn troubles(present: &Troubles, wish: Value) -> Result<Troubles, String> {
    let mut troubles = present.clone();
    match wish {
        Value::Null => return Ok(Troubles::default()),
        Value::Object(places) => {
            for (place, wish) in places {
                let script = match place.as_str() {
                    "authorize" => &mut troubles.authorize,
                    "token" => &mut troubles.token,
                    "app_info" => &mut troubles.app_info,
                    "rest" => &mut troubles.rest,
                    other => return Err(format!("`fail` knows no place `{other}`")),
                };
                script.set(plans(wish)?);
            }
        }
        _ => return Err("`fail` names places: authorize, token, app_info, rest".to_owned()),
    }
    Ok(troubles)
}

/// Changes the OAuth 2.0 provider: its habits, `redirect_uri`, `fail`, and `revoke`, which ends all grants.
pub fn put_oauth2(provider: &mut Provider, mut wish: Map<String, Value>) -> Result<(), String> {
    let fail = wish.shift_remove("fail").map(plans).transpose()?;
    let redirect_uri: Option<String> = taken(&mut wish, "redirect_uri")?;
    let revoke: Option<bool> = taken(&mut wish, "revoke")?;
    let habits = provider.habits.patched(wish)?;
    provider.habits = habits;
    if let Some(plans) = fail {
        provider.script.set(plans);
    }
    if let Some(uri) = redirect_uri {
        provider.redirect_uri = uri;
    }
    if revoke == Some(true) {
        provider.revoke();
    }
    Ok(())
}

/// Changes Telegram: `token`, `chats`, `fail`.
pub fn put_telegram(telegram: &mut Telegram, mut wish: Map<String, Value>) -> Result<(), String> {
    let mut changed = telegram.clone();
    set_fail(&mut changed.script, &mut wish)?;
    set(&mut changed.token, &mut wish, "token")?;
    set_names(&mut changed.chats, &mut wish, "chats")?;
    nothing_left(&wish)?;
    *telegram = changed;
    Ok(())
}

/// Changes Twilio: `account`, `token`, `fail`.
pub fn put_twilio(twilio: &mut Twilio, mut wish: Map<String, Value>) -> Result<(), String> {
    let mut changed = twilio.clone();
    set_fail(&mut changed.script, &mut wish)?;
    set(&mut changed.account, &mut wish, "account")?;
    set(&mut changed.token, &mut wish, "token")?;
    nothing_left(&wish)?;
    *twilio = changed;
    Ok(())
}

/// Changes MessageBird: `key`, `v1_key`, `fail`.
pub fn put_messagebird(messagebird: &mut Messagebird, mut wish: Map<String, Value>) -> Result<(), String> {
    let mut changed = messagebird.clone();
    set_fail(&mut changed.script, &mut wish)?;
    set(&mut changed.key, &mut wish, "key")?;
    set(&mut changed.v1_key, &mut wish, "v1_key")?;
    nothing_left(&wish)?;
    *messagebird = changed;
    Ok(())
}

/// Changes UniSender: `key`, `senders`, `fail`.
pub fn put_unisender(unisender: &mut Unisender, mut wish: Map<String, Value>) -> Result<(), String> {
    let mut changed = unisender.clone();
    set_fail(&mut changed.script, &mut wish)?;
    set(&mut changed.key, &mut wish, "key")?;
    set_names(&mut changed.senders, &mut wish, "senders")?;
    nothing_left(&wish)?;
    *unisender = changed;
    Ok(())
}

/// Changes Mandrill: `key`, `templates`, `fail`.
pub fn put_mandrill(mandrill: &mut Mandrill, mut wish: Map<String, Value>) -> Result<(), String> {
    let mut changed = mandrill.clone();
    set_fail(&mut changed.script, &mut wish)?;
    set(&mut changed.key, &mut wish, "key")?;
    set_names(&mut changed.templates, &mut wish, "templates")?;
    nothing_left(&wish)?;
    *mandrill = changed;
    Ok(())
}

/// Changes the receiver of webhooks: `secret`, `fail`.
pub fn put_webhook(webhook: &mut Webhook, mut wish: Map<String, Value>) -> Result<(), String> {
    let mut changed = webhook.clone();
    set_fail(&mut changed.script, &mut wish)?;
    set(&mut changed.secret, &mut wish, "secret")?;
    nothing_left(&wish)?;
    *webhook = changed;
    Ok(())
}

/// Changes the mail server: `user`, `password`, `login_required`, `fail`.
pub fn put_smtp(door: &mut MailDoor, mut wish: Map<String, Value>) -> Result<(), String> {
    let mut changed = door.clone();
    set_fail(&mut changed.script, &mut wish)?;
    set(&mut changed.user, &mut wish, "user")?;
    set(&mut changed.password, &mut wish, "password")?;
    set(&mut changed.login_required, &mut wish, "login_required")?;
    nothing_left(&wish)?;
    *door = changed;
    Ok(())
}

fn set_fail<T>(script: &mut TroubleScript<T>, wish: &mut Map<String, Value>) -> Result<(), String>
where
    T: Clone + DeserializeOwned,
{
    if let Some(fail) = wish.shift_remove("fail") {
        script.set(plans(fail)?);
    }
    Ok(())
}

fn set<T: DeserializeOwned>(place: &mut T, wish: &mut Map<String, Value>, name: &str) -> Result<(), String> {
    if let Some(value) = taken(wish, name)? {
        *place = value;
    }
    Ok(())
}

fn set_names(place: &mut Vec<String>, wish: &mut Map<String, Value>, name: &str) -> Result<(), String> {
    set(place, wish, name)?;
    match place.len() > NAMES_MAX {
        true => Err(format!("at most {NAMES_MAX} {name} can be named")),
        false => Ok(()),
    }
}

fn taken<T: DeserializeOwned>(wish: &mut Map<String, Value>, name: &str) -> Result<Option<T>, String> {
    let value = wish.shift_remove(name);
    let read = value.map(serde_json::from_value).transpose();
    read.map_err(|error| format!("`{name}`: {error}"))
}

fn nothing_left(wish: &Map<String, Value>) -> Result<(), String> {
    wish.keys().next().map_or(Ok(()), |name| Err(format!("unknown field `{name}`")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::bitrix::BitrixConfig;
    use crate::sim::script::Plan;
    use crate::sim::settings::BitrixSettings;
    use crate::sim::telegram::TelegramTrouble;
    use crate::sim::troubles::SimTrouble;

    fn bitrix() -> Bitrix {
        Bitrix::new(BitrixConfig {
            portal_url: "http://portal.test".to_owned(),
            token_url: "http://oauth.test".to_owned(),
            member_id: "a".repeat(32),
            user_id: 1,
            seed: 1,
            apps: Vec::new(),
            settings: BitrixSettings::default(),
        })
    }

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_wish_changes_what_it_names() {
        let mut bitrix = bitrix();
        let wish = json!({
            "access_life_s": 20,
            "fail": {"token": [{"what": "invalid_grant", "times": 2}, "502"], "rest": null},
            "app": {"client_id": "a", "client_secret": "b"},
            "allow_static": "t",
        });
        put_bitrix(&mut bitrix, map(&wish), 0).unwrap();
        assert_eq!(bitrix.settings.access_life_s, 20);
        assert_eq!(bitrix.troubles.token.take(), Some(Plan::times(SimTrouble::InvalidGrant, 2)));
        assert!(bitrix.app("a").is_some() && bitrix.is_valid("t", 0));
        put_bitrix(&mut bitrix, map(&json!({"fail": null, "revoke_static": "t"})), 0).unwrap();
        assert!(bitrix.troubles.token.take().is_none() && !bitrix.is_valid("t", 0));
    }

    #[test]
    fn somebody_else_renews_and_our_pair_is_spent() {
        let mut bitrix = bitrix();
        let elsewhere = || map(&json!({"renew_elsewhere": "a"}));
        put_bitrix(&mut bitrix, map(&json!({"app": {"client_id": "a", "client_secret": "b"}})), 0).unwrap();
        assert!(put_bitrix(&mut bitrix, elsewhere(), 0).is_err(), "there is no pair yet");
        let (code, rules) = (bitrix.code("a", 0).unwrap(), bitrix.settings.rules(1));
        let ours = bitrix.tokens.exchange(&code, "a", 0, rules).unwrap();
        let ours = bitrix.tokens.pair(ours).unwrap().clone();
        put_bitrix(&mut bitrix, elsewhere(), 0).unwrap();
        assert!(!bitrix.is_valid(&ours.access, 0));
        assert!(bitrix.tokens.rotate(&ours.refresh, "a", 0, rules).0.is_err());
        assert!(bitrix.is_valid(&bitrix.tokens.latest("a").unwrap().access.clone(), 0), "theirs is good");
    }

    #[test]
    fn a_wrong_wish_changes_nothing() {
        let mut bitrix = bitrix();
        for bad in [
            json!({"access_life_s": 20, "fail": {"token": "gremlins"}}),
            json!({"access_life_s": 20, "fail": {"cellar": "502"}}),
            json!({"access_life_s": 20, "fail": {"token": {"what": "502", "time": 2}}}),
            json!({"access_life_s": 20, "app": {"client_id": "", "client_secret": "b"}}),
            json!({"access_life_s": 20, "surprise": true}),
        ] {
            assert!(put_bitrix(&mut bitrix, map(&bad), 0).is_err(), "{bad}");
            assert_eq!(bitrix.settings, BitrixSettings::default());
        }
    }

    #[test]
    fn providers_are_changed_likewise() {
        let mut telegram = Telegram::new("1:t");
        put_telegram(&mut telegram, map(&json!({"fail": "blocked", "chats": ["1"]}))).unwrap();
        assert_eq!(telegram.script.take(), Some(Plan::always(TelegramTrouble::Blocked)));
        assert!(put_telegram(&mut telegram, map(&json!({"chat": []}))).is_err());
        assert!(put_twilio(&mut Twilio::default(), map(&json!({"fail": "failed"}))).is_ok());
        assert!(put_smtp(&mut MailDoor::default(), map(&json!({"login_required": 1}))).is_err());
    }
}
