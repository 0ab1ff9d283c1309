//! What the providers answer, in all the shapes their failures take. Nothing here touches the network.

use beltline::channels::spec::{ChannelSpec, Field, MailAsk, MailTls, Message, Post, Reply};
use beltline::channels::{CHANNELS, find};
use beltline::model::effect::{Auth, Body, HttpAnswer, HttpRequest, mark};
use beltline::model::fault::{Class, Fault};
use beltline::model::time::Span;
use beltline::process::yaml;
use serde_json::{Map, Value, json};

fn spec(name: &str) -> &'static ChannelSpec {
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

fn http(name: &str, given: &Value, text: &str) -> HttpRequest {
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
    match (spec(name).read)(&HttpAnswer { status, headers: Map::new(), body, broken: None })? {
        Reply::Taken(id) => Ok(id),
        Reply::Moved { .. } | Reply::Partly { .. } => panic!("not simply taken"),
    }
}

fn form_of(ask: HttpRequest) -> Vec<(String, String)> {
    match ask.body {
        Body::Form(form) => form,
        _ => panic!("no form"),
    }
}

fn json_of(ask: HttpRequest) -> Value {
    match ask.body {
        Body::Json(body) => body,
        _ => panic!("no JSON"),
    }
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
fn the_example_in_every_head_can_be_set_up() {
    for spec in CHANNELS {
        let head: Vec<&str> = spec.source.lines().map_while(|it| it.strip_prefix("//!")).collect();
        let head: Vec<&str> = head.iter().map(|it| it.strip_prefix(' ').unwrap_or(it)).collect();
        let text = head.join("\n");
        let example = text.split("```").nth(1).unwrap().strip_prefix("yaml\n").unwrap();
        let (tree, problems) = yaml::read(example);
        assert!(problems.is_empty(), "{problems:?}");
        let mut author = config(&tree.unwrap().to_value()["author"]);
        assert_eq!(author.shift_remove("via"), Some(Value::from(spec.name)));
        assert!((spec.request)(&author, &message("x")).is_ok(), "{}", spec.name);
        let plain = |it: &&Field| it.secret && !author[it.name].as_str().unwrap().starts_with("{{secret.");
        assert_eq!(spec.fields.iter().find(plain), None, "{}", spec.name);
        let cut = spec.fields.iter().filter(|it| it.required);
        for field in cut {
            let mut less = author.clone();
            less.shift_remove(field.name);
            let fault = (spec.request)(&less, &message("x")).unwrap_err();
            assert_eq!(fault.message, format!("the setting `{}` is missing", field.name));
        }
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
    let moved = HttpAnswer { status: 400, headers: Map::new(), body: moved, broken: None };
    let to = "-1001234567890".to_owned();
    assert_eq!((spec("telegram").read)(&moved), Ok(Reply::Moved { setting: "chat_id", to }));
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
    let waits = |headers: Value| {
        let body = json!({"code": 20_429, "message": "x"});
        let answer = HttpAnswer { status: 429, headers: config(&headers), body, broken: None };
        (spec("twilio").read)(&answer).unwrap_err().retry_after
    };
    assert_eq!(waits(json!({"retry-after": "30"})), Some(Span::secs(30)));
    assert_eq!(waits(json!({"retry-after": "99999999999"})), Some(Span::days(1)));
    assert_eq!(waits(json!({"retry-after": "soon"})), None);
    // A date is by the provider's clock, which `Date` tells.
    let date = |at: &str, now: &str| waits(json!({"retry-after": at, "date": now}));
    let now = "Thu, 24 Aug 2023 05:01:45 GMT";
    assert_eq!(date("Thu, 24 Aug 2023 05:02:45 GMT", now), Some(Span::mins(1)));
    assert_eq!(date("Thu, 24 Aug 2023 04:00:00 GMT", now), Some(Span::secs(0)));
    assert_eq!(date("Mon, 24 Aug 2099 04:00:00 GMT", now), Some(Span::days(1)));
    assert_eq!(waits(json!({"retry-after": now})), None);
}

#[test]
fn messagebird_is_asked_by_either_of_its_apis() {
    let given = json!({"access_key": mark("k"), "from": "Belt", "to": "31612345678, +37120000000"});
    let ask = http("messagebird", &given, "привет");
    assert_eq!(ask.url, "https://rest.messagebird.com/messages");
    assert_eq!(ask.headers, [("Authorization".to_owned(), format!("AccessKey {}", mark("k")))]);
    let body = json_of(ask);
    assert_eq!(body["recipients"], json!(["31612345678", "+37120000000"]));
    assert_eq!((&body["body"], &body["datacoding"]), (&json!("привет"), &json!("auto")));
    let v1 = json!({"api": "v1", "access_key": mark("k"), "from": "Belt", "to": "+31612345678"});
    let ask = http("messagebird", &v1, "x");
    assert_eq!(
        (ask.url.as_str(), ask.auth.clone()),
        ("https://api.bird.com/v1/sms", Some(Auth::Bearer(mark("k"))))
    );
    assert_eq!(json_of(ask), json!({"from": "Belt", "to": "+31612345678", "text": "x"}));
    for (setting, value) in [("api", "v2"), ("to", "+31612345678, +37120000000"), ("to", ",")] {
        let mut bad = v1.clone();
        bad[setting] = value.into();
        let fault = (spec("messagebird").request)(&config(&bad), &message("x")).unwrap_err();
        assert_eq!(fault.code, "bad_channel", "{setting}: {value}");
    }
}

#[test]
fn unisender_is_asked_by_forms_with_the_key_in_the_body() {
    let sms = json!({"api_key": mark("k"), "from": "Belt", "to": "79261234567", "lang": "ru"});
    let ask = http("unisender-sms", &sms, &"x".repeat(2_000));
    assert_eq!(ask.url, "https://api.unisender.com/ru/api/sendSms?format=json");
    let form = form_of(ask);
    assert_eq!(form[0], ("api_key".into(), mark("k")));
    assert_eq!(form[3].1.chars().count(), 1_000);
    let mail = json!({"api_key": mark("k"), "list_id": 7, "from": "bot@example.org", "to": "a@example.org"});
    let ask = http("unisender-email", &mail, "1 < 2\n{{Name}}");
    assert_eq!(ask.url, "https://api.unisender.com/en/api/sendEmail?format=json");
    let form = form_of(ask);
    let field = |name: &str| form.iter().find(|(it, _)| it == name).map(|(_, it)| it.as_str());
    assert_eq!(field("body"), Some("1 &lt; 2<br>\n{&#123;Name}}"));
    assert_eq!((field("sender_name"), field("sender_email")), (Some("Beltline"), Some("bot@example.org")));
    assert_eq!((field("list_id"), field("error_checking")), (Some("7"), Some("1")));
}

#[test]
fn mandrill_is_asked_with_or_without_a_template() {
    let mut given = json!({"key": mark("k"), "from": "Bot <bot@example.org>", "to": "a@b.org, C <c@d.org>"});
    let ask = http("mandrill", &given, "hello");
    assert_eq!(ask.url, "https://mandrillapp.com/api/1.0/messages/send.json");
    let body = json_of(ask);
    assert_eq!((&body["key"], &body["message"]["from_name"]), (&json!(mark("k")), &json!("Bot")));
    assert_eq!(body["message"]["to"][1], json!({"email": "c@d.org", "name": "C", "type": "to"}));
    assert_eq!(body["message"]["metadata"], json!({"key": "k/1"}));
    given["template"] = "alarm".into();
    let ask = http("mandrill", &given, "hello");
    assert!(ask.url.ends_with("/messages/send-template.json"), "{}", ask.url);
    let body = json_of(ask);
    assert_eq!((&body["template_name"], &body["template_content"]), (&json!("alarm"), &json!([])));
    let text = &body["message"]["global_merge_vars"][1];
    assert_eq!(*text, json!({"name": "text", "content": "hello"}));
}

#[test]
fn a_webhook_is_plain_json_signed_if_there_is_a_secret() {
    let ask = http("webhook", &json!({"url": "https://example.org/a?b=c", "secret": mark("s")}), "hello");
    assert!(ask.unread, "2xx is a message taken, whatever else is answered");
    assert_eq!(
        (ask.url.as_str(), ask.auth.clone()),
        ("https://example.org/a?b=c", Some(Auth::Signed(mark("s"))))
    );
    assert_eq!(json_of(ask), json!({"subject": "Subject", "text": "hello", "key": "k/1"}));
    assert_eq!(http("webhook", &json!({"url": "https://example.org"}), "x").auth, None);
    assert_eq!(read("webhook", 204, Value::Null).unwrap(), "");
    assert_eq!(read("webhook", 200, json!({"id": 7})).unwrap(), "7");
    assert_eq!(read("webhook", 200, json!("ok")).unwrap(), "");
}

#[test]
fn mail_is_safe_by_default() {
    let ask = mail(&smtp(), &message("hello"));
    assert_eq!((ask.tls, ask.port, ask.message_id.as_str()), (MailTls::Implicit, 465, "<k-1@example.org>"));
    let mut starttls = smtp();
    starttls["tls"] = "starttls".into();
    assert_eq!(mail(&starttls, &message("x")).port, 587);
    starttls["port"] = 2525.into();
    assert_eq!(mail(&starttls, &message("x")).port, 2525);
    for (port, tls) in [
        (465, MailTls::Implicit),
        (587, MailTls::Starttls),
        (25, MailTls::Starttls),
        (2525, MailTls::Implicit),
    ] {
        let mut by_port = smtp();
        by_port["port"] = port.into();
        assert_eq!(mail(&by_port, &message("x")).tls, tls, "{port}");
    }
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
