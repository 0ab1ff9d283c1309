//! Every channel against its simulated provider, over real HTTP and SMTP: each shape of failure, by name.

use std::net::SocketAddr;

use beltline::engine::ports::Outbound;
use beltline::engine::resources::{ChannelConfig, ResourceCache, SecretValue};
use beltline::model::effect::{ExternalAnswer, Notification, Request, mark};
use beltline::model::fault::{Class, Fault};
use beltline::model::time::Span;
use beltline::outbound::outbound::OutboundClient;
use beltline::sim::config::SimConfig;
use beltline::sim::notifiers::Keys;
use beltline::sim::server::Sim;
use beltline::sim::telegram::SUPERGROUP;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::servers::{Act, Server, effect, say, world};
use crate::support::log::Log;

const CHANNELS: [&str; 10] = [
    "telegram",
    "twilio",
    "classic",
    "v1",
    "unisender-sms",
    "unisender-email",
    "mandrill",
    "template",
    "smtp",
    "webhook",
];

/// The simulation, and a world with a channel to each provider. All keys are secrets.
struct Stage {
    sim: Sim,
    world: OutboundClient,
}

impl Stage {
    async fn new() -> Stage {
        let sim = Sim::start(SimConfig::default()).await.unwrap();
        sim.notifiers().mandrill.templates = vec!["alarm".to_owned()];
        let world = channels_to(&sim.providers_url, sim.smtp_addr, &secrets(&Keys::default()));
        Stage { sim, world }
    }

    /// As a person does it.
    async fn fail(&self, provider: &str, trouble: &Value) {
        let url = format!("{}/sim/{provider}", self.sim.providers_url);
        let body = json!({"fail": trouble});
        let answer = reqwest::Client::new().put(url).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{trouble}");
    }

    /// What comes of one trouble.
    async fn told(&self, name: &str, trouble: &str) -> Result<String, Fault> {
        self.fail(provider(name), &json!({"what": trouble, "times": 1, "retry_after_s": 9, "ms": 50})).await;
        notify(&self.world, name).await
    }
}

/// Tells by one channel, and by another one after it, so that the first one's own fault is seen.
async fn notify(world: &OutboundClient, name: &str) -> Result<String, Fault> {
    let rest = if name == "twilio" { "telegram" } else { "twilio" };
    let text = format!("the portal is gone: {name}");
    let channels = vec![name.to_owned(), rest.to_owned()];
    let ask = Notification { channels, subject: "Alarm".into(), text, ..Notification::default() };
    match world.perform(&effect(Request::Notify(ask), Span::secs(5))).await? {
        ExternalAnswer::Notified(told) => told.into_iter().next().unwrap().result,
        ExternalAnswer::Http(_) | ExternalAnswer::Later(_) => panic!("not told"),
    }
}

fn channels_to(base: &str, mail: SocketAddr, secrets: &[(&str, String)]) -> OutboundClient {
    let resources = ResourceCache::default();
    let opened = secrets.iter().map(|(name, value)| ((*name).to_owned(), SecretValue::new(value.as_str())));
    resources.set_secrets(opened.collect());
    resources.set_channels(CHANNELS.map(|name| (name.to_owned(), channel(name, base, mail))).into());
    world(resources)
}

fn provider(channel: &str) -> &str {
    match channel {
        "classic" | "v1" => "messagebird",
        "unisender-sms" | "unisender-email" => "unisender",
        "template" => "mandrill",
        other => other,
    }
}

fn secrets(keys: &Keys) -> [(&'static str, String); 8] {
    [
        ("telegram", keys.telegram_token.clone()),
        ("twilio", keys.twilio_token.clone()),
        ("classic", keys.messagebird_key.clone()),
        ("v1", keys.bird_key.clone()),
        ("unisender", keys.unisender_key.clone()),
        ("mandrill", keys.mandrill_key.clone()),
        ("webhook", keys.webhook_secret.clone()),
        ("smtp", keys.smtp_password.clone()),
    ]
}

fn channel(name: &str, base: &str, mail: SocketAddr) -> ChannelConfig {
    let (from, to) = ("Bot <bot@example.org>", "author@example.org");
    let (via, config) = match name {
        "telegram" => (name, json!({"chat_id": 1, "token": mark("telegram"), "base_url": base})),
        "twilio" => (
            name,
            json!({"account_sid": Keys::default().twilio_account, "auth_token": mark("twilio"),
                   "from": "+15017122661", "to": "+15558675310", "base_url": base}),
        ),
        "classic" => (
            "messagebird",
            json!({"access_key": mark("classic"), "from": "Belt", "to": "31612345678", "base_url": base}),
        ),
        "v1" => (
            "messagebird",
            json!({"api": "v1", "access_key": mark("v1"), "from": "Belt", "to": "+31612345678",
                   "base_url": base}),
        ),
        "unisender-sms" => (
            name,
            json!({"api_key": mark("unisender"), "from": "Belt", "to": "79261234567,79267654321",
                   "base_url": base}),
        ),
        "unisender-email" => (
            name,
            json!({"api_key": mark("unisender"), "list_id": 1, "from": from, "to": to, "base_url": base}),
        ),
        "mandrill" => (
            name,
            json!({"key": mark("mandrill"), "from": from, "to": to, "base_url": format!("{base}/api/1.0")}),
        ),
        "template" => (
            "mandrill",
            json!({"key": mark("mandrill"), "from": from, "to": to, "template": "alarm",
                   "base_url": format!("{base}/api/1.3")}),
        ),
        "smtp" => (
            name,
            json!({"host": mail.ip().to_string(), "port": mail.port(), "tls": "none", "user": "sim",
                   "password": mark("smtp"), "from": from, "to": to}),
        ),
        "webhook" => (name, json!({"url": format!("{base}/webhook"), "secret": mark("webhook")})),
        other => panic!("{other}"),
    };
    let Value::Object(config) = config else { panic!("no settings") };
    ChannelConfig { via: via.to_owned(), config }
}

#[tokio::test]
async fn every_channel_delivers() {
    let stage = Stage::new().await;
    for name in CHANNELS {
        let id = notify(&stage.world, name).await.unwrap_or_else(|fault| panic!("{name}: {}", fault.message));
        assert!(!id.is_empty(), "{name}");
        let taken = stage.sim.messages().pop().unwrap();
        assert!(taken.text.contains(&format!("the portal is gone: {name}")), "{name}: {}", taken.text);
    }
    assert_eq!(stage.sim.notifiers().counted("webhook", "ok"), 1);
}

/// Channel, trouble, code and class of the fault, and a part of what is said.
const FAILURES: &[(&str, &str, &str, &str, &str)] = &[
    ("telegram", "unauthorized", "channel_keys", "lasting", "Unauthorized"),
    ("telegram", "blocked", "channel_refused", "lasting", "pressed Start"),
    ("telegram", "blocked_under_ok", "channel_refused", "lasting", "blocked by the user (status 403)"),
    ("telegram", "chat_not_found", "channel_refused", "lasting", "chat not found"),
    ("telegram", "too_many_requests", "channel_limited", "passing", "Too Many Requests"),
    ("telegram", "too_many_requests_bare", "channel_limited", "passing", "Too Many Requests"),
    ("telegram", "server_error", "channel_failed", "passing", "status 500"),
    ("twilio", "unauthorized", "channel_keys", "lasting", "error 20003"),
    ("twilio", "bad_number", "channel_refused", "lasting", "error 21211"),
    ("twilio", "bad_number_newer", "channel_refused", "lasting", "error 21211: Invalid 'To' Phone Number"),
    ("twilio", "too_many_requests", "channel_limited", "passing", "error 20429"),
    ("twilio", "server_error", "channel_failed", "passing", "error 20500"),
    ("twilio", "unavailable", "channel_failed", "passing", "status 503"),
    ("twilio", "failed", "channel_refused", "lasting", "the message is failed: error 30008"),
    ("classic", "invalid_key", "channel_keys", "lasting", "error 2: Request not allowed"),
    ("classic", "under_ok", "channel_keys", "lasting", "(status 200)"),
    ("classic", "no_balance", "channel_refused", "lasting", "the account is empty"),
    ("classic", "several_errors", "channel_refused", "lasting", "recipients found, error 10: too long"),
    ("classic", "internal_error", "channel_failed", "passing", "error 99"),
    ("classic", "server_error", "channel_failed", "passing", "status 500"),
    ("classic", "too_many_requests", "channel_limited", "passing", "status 429"),
    ("classic", "too_many_requests_date", "channel_limited", "passing", "status 429"),
    ("classic", "undelivered", "channel_refused", "lasting", "the message is delivery_failed"),
    ("v1", "invalid_key", "channel_keys", "lasting", "unauthorized: The API key"),
    ("v1", "no_balance", "channel_refused", "lasting", "insufficient_balance"),
    ("v1", "several_errors", "channel_refused", "lasting", "invalid_request"),
    ("v1", "internal_error", "channel_failed", "passing", "internal_error"),
    ("v1", "server_error", "channel_failed", "passing", "status 500"),
    ("v1", "too_many_requests", "channel_limited", "passing", "rate_limited"),
    ("v1", "too_many_requests_date", "channel_limited", "passing", "rate_limited"),
    ("v1", "undelivered", "channel_refused", "lasting", "the message is failed"),
    ("unisender-sms", "invalid_api_key", "channel_keys", "lasting", "invalid_api_key: API key is invalid"),
    ("unisender-sms", "invalid_api_key_401", "channel_keys", "lasting", "invalid_api_key"),
    ("unisender-sms", "not_enough_money", "channel_refused", "lasting", "the account is empty"),
    ("unisender-sms", "retry_later", "channel_failed", "passing", "retry_later"),
    ("unisender-sms", "api_limit", "channel_limited", "passing", "api_call_limit_exceeded_for_api_key"),
    ("unisender-sms", "has_been_sent", "channel_limited", "passing", "has_been_sent"),
    ("unisender-sms", "bad_sender", "channel_refused", "lasting", "src_invalid: \"Belt\" isn't <registered>"),
    ("unisender-sms", "inside_result", "channel_refused", "lasting", "dest_invalid"),
    ("unisender-sms", "html_502", "channel_failed", "passing", "status 502"),
    ("unisender-sms", "garbage", "bad_response", "lasting", "none of UniSender's"),
    ("unisender-email", "invalid_api_key", "channel_keys", "lasting", "invalid_api_key"),
    ("unisender-email", "inside_result", "channel_refused", "lasting", "dest_invalid"),
    ("mandrill", "invalid_key", "channel_keys", "lasting", "Invalid_Key: Invalid API key (status 500)"),
    ("mandrill", "invalid_key_401", "channel_keys", "lasting", "Invalid_Key"),
    ("mandrill", "validation", "channel_refused", "lasting", "ValidationError"),
    ("mandrill", "payment_required", "channel_refused", "lasting", "the account is not paid"),
    ("mandrill", "general_error", "channel_failed", "passing", "GeneralError"),
    ("mandrill", "service_unavailable", "channel_failed", "passing", "ServiceUnavailable"),
    ("mandrill", "too_many_requests", "channel_limited", "passing", "status 429"),
    ("mandrill", "rejected", "channel_refused", "lasting", "the mail is rejected hard-bounce"),
    ("mandrill", "invalid", "channel_refused", "lasting", "the mail is invalid"),
    ("mandrill", "html_502", "channel_failed", "passing", "status 502"),
    ("template", "invalid_key", "channel_keys", "lasting", "Invalid_Key"),
    ("smtp", "bad_login", "channel_keys", "lasting", "code 535"),
    ("smtp", "busy", "channel_failed", "passing", "code 451"),
    ("smtp", "no_mailbox", "channel_refused", "lasting", "code 550"),
    ("webhook", "unauthorized", "channel_keys", "lasting", "the signature is wrong"),
    ("webhook", "moved", "bad_response", "lasting", "set the url that it leads to"),
    ("webhook", "gone", "channel_refused", "lasting", "nobody listens any more"),
    ("webhook", "too_many_requests", "channel_limited", "passing", "status 429"),
    ("webhook", "unavailable_date", "channel_failed", "passing", "status 503"),
    ("webhook", "server_error", "channel_failed", "passing", "status 500"),
];

#[tokio::test]
async fn every_failure_has_its_fault() {
    let stage = Stage::new().await;
    for (name, trouble, code, class, part) in FAILURES {
        let told = stage.told(name, trouble).await;
        let fault = told.expect_err(&format!("{name} {trouble}"));
        let why = format!("{name} {trouble}: {} {}", fault.code, fault.message);
        assert_eq!((fault.code.as_str(), fault.class.as_str()), (*code, *class), "{why}");
        assert!(fault.message.contains(part), "{why}");
        // Nothing was taken but by the channel after it.
        let taken = stage.sim.messages().pop().unwrap();
        assert_eq!(taken.channel, if *name == "twilio" { "telegram" } else { "twilio" }, "{why}");
    }
}

#[tokio::test]
async fn a_wait_is_told_in_seconds_in_words_and_as_a_date() {
    let stage = Stage::new().await;
    for (name, trouble, seconds) in [
        ("telegram", "too_many_requests", 9),
        ("telegram", "too_many_requests_bare", 9),
        ("twilio", "too_many_requests", 9),
        ("classic", "too_many_requests_date", 9),
        ("v1", "too_many_requests", 9),
        ("v1", "too_many_requests_date", 9),
        ("unisender-sms", "api_limit", 60),
        ("mandrill", "too_many_requests", 9),
        ("webhook", "unavailable_date", 9),
    ] {
        let fault = stage.told(name, trouble).await.unwrap_err();
        assert_eq!(fault.retry_after, Some(Span::secs(seconds)), "{name} {trouble}");
    }
}

#[tokio::test]
async fn a_group_that_moved_is_followed_at_once() {
    let stage = Stage::new().await;
    let said = stage.told("telegram", "migrated").await.unwrap();
    assert_eq!(said, format!("1; hint: set chat_id to {SUPERGROUP}"));
    let taken = stage.sim.messages();
    assert_eq!((taken.len(), taken[0].to.as_str()), (1, SUPERGROUP.to_string().as_str()));
    // What goes wrong there is said with the same hint.
    stage.fail("telegram", &json!([{"what": "migrated", "times": 1}, {"what": "blocked", "times": 1}])).await;
    let fault = notify(&stage.world, "telegram").await.unwrap_err();
    assert_eq!(fault.code, "channel_refused");
    assert!(fault.message.ends_with(&format!("hint: set chat_id to {SUPERGROUP}")), "{}", fault.message);
    // Once, not for ever.
    stage.fail("telegram", &json!("migrated")).await;
    let fault = notify(&stage.world, "telegram").await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.class), ("channel_moved", Class::Lasting));
    assert_eq!(stage.sim.notifiers().counted("telegram", "migrated"), 4);
}

#[tokio::test]
async fn what_is_taken_with_a_reservation_is_said() {
    let stage = Stage::new().await;
    let said = stage.told("mandrill", "queued").await.unwrap();
    assert!(said.ends_with("; queued: sending-paused"), "{said}");
    let said = stage.told("unisender-sms", "warning").await.unwrap();
    assert!(said.ends_with("; probably not a \"mobile\" phone"), "{said}");
    let said = stage.told("unisender-sms", "first_phone_only").await.unwrap();
    assert!(said.ends_with("; 1 of 2 refused: unsubscribed_globally"), "{said}");
}

#[tokio::test]
async fn a_mail_may_be_refused_inside_a_good_result() {
    let stage = Stage::new().await;
    stage.sim.notifiers().unisender.senders = vec!["other@example.org".to_owned()];
    let fault = notify(&stage.world, "unisender-email").await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.class), ("channel_refused", Class::Lasting));
    assert_eq!(fault.message, "unchecked_sender_email: \"unchecked_sender_email\" (status 200)");
}

#[tokio::test]
async fn a_template_that_is_not_there_is_named() {
    let stage = Stage::new().await;
    stage.sim.notifiers().mandrill.templates.clear();
    let fault = notify(&stage.world, "template").await.unwrap_err();
    assert!(fault.message.starts_with("Unknown_Template: No such template \"alarm\""), "{}", fault.message);
}

#[tokio::test]
async fn a_late_answer_is_awaited_and_a_lost_one_is_a_fault() {
    let stage = Stage::new().await;
    for name in CHANNELS.into_iter().filter(|it| *it != "smtp") {
        let via = provider(name);
        stage.told(name, "slow").await.unwrap_or_else(|fault| panic!("{name}: {}", fault.message));
        for trouble in ["close", "lost"] {
            let fault = stage.told(name, trouble).await.unwrap_err();
            assert_ne!(fault.class, Class::Lasting, "{via}: {}", fault.message);
        }
    }
}

#[tokio::test]
async fn v1_takes_a_repeated_message_once() {
    let stage = Stage::new().await;
    stage.told("v1", "lost").await.unwrap_err();
    notify(&stage.world, "v1").await.unwrap();
    let by_bird = stage.sim.messages().into_iter().filter(|it| it.channel == "messagebird").count();
    assert_eq!((by_bird, stage.sim.notifiers().counted("messagebird", "repeated")), (1, 1));
}

/// With characters that every encoding changes.
const CANARY: &str = "CANARY:1/\"&%?+<";

fn canaries() -> [(&'static str, String); 8] {
    secrets(&Keys::default()).map(|(name, _)| (name, CANARY.to_owned()))
}

#[tokio::test]
async fn no_key_is_in_any_fault_or_log() {
    let log = Log::start();
    let stage = Stage::new().await;
    // Providers that do not know our keys, one that says all back to us, and one that hangs up.
    let wrong = channels_to(&stage.sim.providers_url, stage.sim.smtp_addr, &canaries());
    let echo = Server::new(|_, asked| {
        let said = json!({
            "ok": false, "description": asked, "code": asked, "message": asked, "status": "error",
            "name": asked, "error": asked, "errors": [{"code": 2, "description": asked, "message": asked}],
        });
        say(400, "Content-Type: application/json\r\n", &said.to_string())
    })
    .await;
    let gone = Server::new(|_, _| Act::Say(Vec::new())).await;
    let echoing = channels_to(&echo.url(""), echo.address, &canaries());
    let hanging = channels_to(&gone.url(""), gone.address, &canaries());
    for world in [&wrong, &echoing, &hanging] {
        let ask = |name: &str| Notification {
            channels: vec![name.to_owned()],
            subject: "Alarm".into(),
            text: "gone".into(),
            ..Notification::default()
        };
        for name in CHANNELS {
            let asked = world.perform(&effect(Request::Notify(ask(name)), Span::secs(2))).await;
            let message = asked.expect_err(name).message;
            assert!(!message.to_uppercase().contains("CANARY"), "{name}: {message}");
            assert!(!message.contains("QUMwM"), "{name}: {message}");
        }
    }
    let logged = log.text();
    assert!(logged.contains("not notified") && !logged.to_uppercase().contains("CANARY"), "{logged}");
    let asked = echo.asked().concat();
    assert!(asked.contains("bot") && asked.contains("AccessKey CANARY"), "{asked}");
}

#[tokio::test]
async fn half_a_key_is_not_said_either() {
    // So much before it that what is quoted ends within the key.
    for before in 150..200 {
        let echo = Server::new(move |_, _| {
            let said = format!("{} {CANARY}", "x".repeat(before));
            say(
                400,
                "Content-Type: application/json\r\n",
                &json!({"ok": false, "description": said}).to_string(),
            )
        })
        .await;
        let world = channels_to(&echo.url(""), echo.address, &canaries());
        let fault = notify(&world, "telegram").await.unwrap_err();
        assert!(!fault.message.contains("CA"), "{}", fault.message);
    }
}

#[tokio::test]
async fn a_webhook_is_signed_with_the_opened_secret() {
    let server = Server::saying(200, "Content-Type: application/json\r\n", r#"{"id":"h1"}"#).await;
    let resources = ResourceCache::default();
    resources.set_secrets([("s".to_owned(), SecretValue::new("opened"))].into());
    let Value::Object(config) = json!({"url": server.url("/in"), "secret": mark("s")}) else { panic!() };
    resources.set_channels([("webhook".to_owned(), ChannelConfig { via: "webhook".into(), config })].into());
    assert_eq!(notify(&world(resources), "webhook").await.unwrap(), "h1");
    let asked = server.asked().remove(0);
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    let signature = head.lines().find_map(|it| it.strip_prefix("beltline-signature: t=")).unwrap();
    let (seconds, proof) = signature.split_once(",v1=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"opened").unwrap();
    mac.update(format!("{seconds}.{body}").as_bytes());
    let expected: Vec<String> = mac.finalize().into_bytes().iter().map(|it| format!("{it:02x}")).collect();
    assert_eq!(proof, expected.concat());
    assert!(!asked.contains("opened"), "{asked}");
}
