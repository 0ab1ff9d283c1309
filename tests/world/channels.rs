//! What the providers answer, in all the shapes their failures take. Nothing here touches the network.

use beltline::channels::spec::{MailAsk, Message, Post, Spec, Tls};
use beltline::channels::{CHANNELS, find};
use beltline::model::effect::{Body, HttpAnswer, HttpAsk, mark};
use beltline::model::fault::{Class, Fault};
use beltline::model::time::Span;
use serde_json::{Map, Value, json};

fn spec(name: &str) -> &'static Spec {
    find(name).unwrap()
}

fn message(text: &str) -> Message {
    Message { subject: "Subject".into(), text: text.into(), key: "k/1".into() }
}

fn config(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn telegram() -> Value {
    json!({"chat_id": 1234, "token": mark("t")})
}

fn twilio() -> Value {
    json!({"account_sid": "AC1", "auth_token": mark("t"), "from": "+15017122661", "to": "+15558675310"})
}

fn smtp() -> Value {
    json!({"host": "mail.example.org", "from": "Bot <bot@example.org>", "to": "a@example.org"})
}

fn http(name: &str, given: &Value, text: &str) -> HttpAsk {
    match (spec(name).request)(&config(given), &message(text)).unwrap() {
        Post::Http(ask) => *ask,
        Post::Mail(_) => panic!("mail"),
    }
}

fn mail(given: &Value, message: &Message) -> MailAsk {
    match (spec("smtp").request)(&config(given), message).unwrap() {
        Post::Mail(ask) => *ask,
        Post::Http(_) => panic!("http"),
    }
}

fn read(name: &str, status: u16, body: Value) -> Result<String, Fault> {
    (spec(name).read)(&HttpAnswer { status, headers: Map::new(), body })
}

fn failure(name: &str, status: u16, body: Value) -> (String, Class) {
    let fault = read(name, status, body).unwrap_err();
    (fault.code, fault.class)
}

#[test]
fn every_channel_has_a_page_and_checks_its_settings() {
    for spec in CHANNELS {
        assert!(spec.source.starts_with(&format!("//! `{}`: ", spec.name)), "{}", spec.name);
        assert!(spec.source.contains("//! ```yaml"), "{}", spec.name);
        let fault = (spec.request)(&Map::new(), &message("x")).unwrap_err();
        assert_eq!((fault.code.as_str(), fault.class), ("bad_channel", Class::Lasting));
        let first = spec.fields.iter().find(|it| it.required).unwrap().name;
        assert!(fault.message.contains(&format!("`{first}`")), "{}", fault.message);
        let fault = (spec.request)(&config(&json!({"nonsense": 1})), &message("x")).unwrap_err();
        assert!(fault.message.contains("`nonsense`"), "{}", fault.message);
    }
}

#[test]
fn telegram_is_asked_by_its_bot_api() {
    let ask = http("telegram", &telegram(), "a_b*c");
    assert_eq!(ask.url, format!("https://api.telegram.org/bot{}/sendMessage", mark("t")));
    assert_eq!(ask.body, Body::Json(json!({"chat_id": 1234, "text": "a_b*c"})));
    let own = json!({"chat_id": "@news", "token": "1:a/b", "base_url": "http://127.0.0.1:7/"});
    let ask = http("telegram", &own, "x");
    assert_eq!(ask.url, "http://127.0.0.1:7/bot1:a%2Fb/sendMessage");
    let Body::Json(body) = http("telegram", &own, &"я".repeat(5_000)).body else { panic!() };
    let text = body["text"].as_str().unwrap();
    assert_eq!((text.chars().count(), text.ends_with('…'), &body["chat_id"]), (4_096, true, &json!("@news")));
}

#[test]
fn telegrams_answers_are_understood() {
    let ok = json!({"ok": true, "result": {"message_id": 42}});
    assert_eq!(read("telegram", 200, ok).unwrap(), "42");
    let no = |status: u16, said: &str| {
        failure("telegram", status, json!({"ok": false, "error_code": status, "description": said}))
    };
    assert_eq!(no(401, "Unauthorized"), ("channel_keys".into(), Class::Lasting));
    assert_eq!(no(404, "Not Found"), ("channel_keys".into(), Class::Lasting));
    assert_eq!(no(403, "Forbidden: bot was blocked by the user"), ("channel_refused".into(), Class::Lasting));
    assert_eq!(no(400, "Bad Request: chat not found"), ("channel_refused".into(), Class::Lasting));
    assert_eq!(no(500, "Internal Server Error"), ("channel_failed".into(), Class::Passing));
    assert_eq!(no(429, "Too Many Requests: retry after 5"), ("channel_limited".into(), Class::Passing));
    // A 200 with ok: false is a failure too.
    let hidden = json!({"ok": false, "error_code": 403, "description": "Forbidden"});
    assert_eq!(failure("telegram", 200, hidden), ("channel_refused".into(), Class::Lasting));
    assert_eq!(failure("telegram", 502, json!("<html>")), ("channel_failed".into(), Class::Passing));
    assert_eq!(failure("telegram", 200, json!("<html>")), ("bad_response".into(), Class::Lasting));
}

#[test]
fn telegram_says_how_long_to_wait_and_where_a_group_went() {
    let limited = |more: Value| {
        let mut body =
            json!({"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 5"});
        body.as_object_mut().unwrap().extend(config(&more));
        read("telegram", 429, body).unwrap_err().retry_after
    };
    assert_eq!(limited(json!({"parameters": {"retry_after": 9}})), Some(Span::secs(9)));
    assert_eq!(limited(json!({})), Some(Span::secs(5)));
    let moved = json!({
        "ok": false, "error_code": 400,
        "description": "Bad Request: group chat was upgraded to a supergroup chat",
        "parameters": {"migrate_to_chat_id": -1_001_234_567_890_i64}
    });
    let fault = read("telegram", 400, moved).unwrap_err();
    assert_eq!((fault.code.as_str(), fault.class), ("channel_moved", Class::Lasting));
    assert!(fault.message.ends_with("set chat_id to -1001234567890"), "{}", fault.message);
}

#[test]
fn twilio_is_asked_by_a_form() {
    let ask = http("twilio", &twilio(), &"x".repeat(2_000));
    assert_eq!(ask.url, "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json");
    let Body::Form(form) = ask.body else { panic!() };
    assert_eq!(form[0], ("To".into(), "+15558675310".into()));
    assert_eq!(form[1], ("From".into(), "+15017122661".into()));
    assert_eq!(form[2].1.chars().count(), 1_600);
    let service =
        json!({"account_sid": "AC1", "auth_token": "t", "messaging_service_sid": "MG1", "to": "+1"});
    let Body::Form(form) = http("twilio", &service, "x").body else { panic!() };
    assert_eq!(form[1], ("MessagingServiceSid".into(), "MG1".into()));
}

#[test]
fn twilios_answers_are_understood() {
    assert_eq!(read("twilio", 201, json!({"sid": "SM1", "status": "queued"})).unwrap(), "SM1");
    for status in ["failed", "undelivered"] {
        let body = json!({"sid": "SM1", "status": status, "error_code": 30_006, "error_message": "Landline"});
        let fault = read("twilio", 201, body).unwrap_err();
        assert_eq!((fault.code.as_str(), fault.class), ("channel_refused", Class::Lasting));
        assert!(fault.message.contains("30006 Landline"), "{}", fault.message);
    }
    let no = |status: u16, code: u64| {
        failure("twilio", status, json!({"code": code, "message": "No", "status": status}))
    };
    assert_eq!(no(401, 20_003), ("channel_keys".into(), Class::Lasting));
    assert_eq!(no(404, 20_404), ("channel_keys".into(), Class::Lasting));
    assert_eq!(no(400, 21_211), ("channel_refused".into(), Class::Lasting));
    assert_eq!(no(400, 20_429), ("channel_limited".into(), Class::Passing));
    assert_eq!(no(429, 20_429), ("channel_limited".into(), Class::Passing));
    assert_eq!(no(503, 20_503), ("channel_failed".into(), Class::Passing));
    let newer =
        json!({"type": "https://x", "title": "Bad Request", "status": 400, "detail": "no such +15558675310"});
    let fault = read("twilio", 400, newer).unwrap_err();
    assert_eq!(fault.message, "no such *** (status 400)");
    assert_eq!(failure("twilio", 502, json!("<html>")), ("channel_failed".into(), Class::Passing));
    assert_eq!(failure("twilio", 200, json!("<html>")), ("bad_response".into(), Class::Lasting));
}

#[test]
fn a_wait_in_the_headers_is_carried() {
    let headers = config(&json!({"retry-after": "30"}));
    let answer = HttpAnswer { status: 429, headers, body: json!({"code": 20_429, "message": "x"}) };
    assert_eq!((spec("twilio").read)(&answer).unwrap_err().retry_after, Some(Span::secs(30)));
}

#[test]
fn mail_is_safe_by_default() {
    let ask = mail(&smtp(), &message("hello"));
    assert_eq!((ask.tls, ask.port, ask.message_id.as_str()), (Tls::Implicit, 465, "<k-1@example.org>"));
    let mut starttls = smtp();
    starttls["tls"] = "starttls".into();
    assert_eq!(mail(&starttls, &message("x")).port, 587);
    starttls["port"] = 2525.into();
    assert_eq!(mail(&starttls, &message("x")).port, 2525);
    starttls["tls"] = "opportunistic".into();
    assert!((spec("smtp").request)(&config(&starttls), &message("x")).is_err());
    let evil = Message { subject: "a\r\nBcc: evil@example.org".into(), ..message("x") };
    assert_eq!(mail(&smtp(), &evil).subject, "a  Bcc: evil@example.org");
    let none = Message { subject: String::new(), ..message("\nfirst line\nsecond") };
    assert_eq!(mail(&smtp(), &none).subject, "first line");
}

#[test]
fn a_mail_servers_answers_are_understood() {
    assert_eq!(read("smtp", 250, json!("2.0.0 Ok: queued as ABC")).unwrap(), "2.0.0 Ok: queued as ABC");
    for (status, code, class) in [
        (421, "channel_failed", Class::Passing),
        (450, "channel_failed", Class::Passing),
        (535, "channel_keys", Class::Lasting),
        (550, "channel_refused", Class::Lasting),
        (554, "channel_refused", Class::Lasting),
    ] {
        assert_eq!(failure("smtp", status, json!("no <a@example.org>")), (code.into(), class));
    }
}
