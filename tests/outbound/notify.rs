//! Telling a person: channels in their order, and what is said when none delivers.

use beltline::engine::ports::Outbound;
use beltline::engine::resources::{ChannelConfig, ResourceCache, SecretValue};
use beltline::model::effect::{
    Delivery, Effect, ExternalAnswer, Notification, NotificationSubject, Request, mark,
};
use beltline::model::fault::{Class, Fault};
use beltline::model::names::{NodeName, ProcessId, Ref};
use beltline::model::time::Span;
use beltline::outbound::outbound::OutboundClient;
use serde_json::{Value, json};

use super::servers::{Act, Server, effect, say, world};
use crate::support::log::Log;

fn channel(via: &str, config: Value) -> ChannelConfig {
    let Value::Object(config) = config else { panic!("no settings") };
    ChannelConfig { via: via.into(), config }
}

fn telegram(server: &Server) -> ChannelConfig {
    channel("telegram", json!({"chat_id": 1, "token": "12:CANARY", "base_url": server.url("")}))
}

fn twilio(server: &Server) -> ChannelConfig {
    let token = mark("twilio");
    channel(
        "twilio",
        json!({"account_sid": "AC1", "auth_token": token, "from": "+15017122661", "to": "+15558675310",
               "base_url": server.url("")}),
    )
}

fn with(channels: Vec<(&str, ChannelConfig)>) -> OutboundClient {
    let resources = ResourceCache::default();
    resources.set_secrets([("twilio".to_owned(), SecretValue::new("TOKEN-CANARY"))].into());
    resources.set_channels(channels.into_iter().map(|(name, it)| (name.to_owned(), it)).collect());
    world(resources)
}

async fn tell_as(
    world: &OutboundClient,
    names: &[&str],
    all: bool,
    text: &str,
) -> Result<Vec<Delivery>, Fault> {
    let channels = names.iter().map(|&it| it.to_owned()).collect();
    let ask =
        Notification { channels, all, subject: "Alarm".into(), text: text.into(), ..Notification::default() };
    match world.perform(&effect(Request::Notify(ask), Span::secs(2))).await? {
        ExternalAnswer::Notified(deliveries) => Ok(deliveries),
        ExternalAnswer::Http(_) | ExternalAnswer::Later(_) => panic!("not told"),
    }
}

async fn notify(world: &OutboundClient, names: &[&str]) -> Result<Vec<Delivery>, Fault> {
    tell_as(world, names, false, "the portal is gone").await
}

async fn delivering() -> Server {
    Server::saying(200, "Content-Type: application/json\r\n", r#"{"ok":true,"result":{"message_id":7}}"#)
        .await
}

async fn queueing() -> Server {
    Server::saying(201, "Content-Type: application/json\r\n", r#"{"sid":"SM1","status":"queued"}"#).await
}

async fn refusing() -> Server {
    let no = r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#;
    Server::saying(401, "Content-Type: application/json\r\n", no).await
}

#[tokio::test]
async fn the_first_that_delivers_is_enough() {
    let (sad, good, rest) = (refusing().await, queueing().await, delivering().await);
    let world = with(vec![("a", telegram(&sad)), ("b", twilio(&good)), ("c", telegram(&rest))]);
    let told = notify(&world, &["a", "b", "c"]).await.unwrap();
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].result.as_ref().unwrap_err().code, "channel_keys");
    assert_eq!(told[1].result.as_deref(), Ok("SM1"));
    assert_eq!(rest.asked(), Vec::<String>::new());
    assert!(sad.asked()[0].starts_with("POST /bot12:CANARY/sendMessage "), "{}", sad.asked()[0]);
    assert!(sad.asked()[0].ends_with(r#"{"chat_id":1,"text":"the portal is gone"}"#), "{}", sad.asked()[0]);
    assert!(good.asked()[0].ends_with("To=%2B15558675310&From=%2B15017122661&Body=the+portal+is+gone"));
    assert!(good.asked()[0].contains("QUMxOlRPS0VOLUNBTkFSWQ=="), "{}", good.asked()[0]);
    assert!(good.asked()[0].to_lowercase().contains("idempotency-key: the-key-b\r\n"));
}

#[tokio::test]
async fn all_means_all() {
    let (one, two) = (delivering().await, queueing().await);
    let world = with(vec![("a", telegram(&one)), ("b", twilio(&two))]);
    let told = tell_as(&world, &["a", "b", "b", "none"], true, "x").await.unwrap();
    let results: Vec<_> = told.iter().map(|it| it.result.as_ref().ok()).collect();
    assert_eq!(results, [Some(&"7".to_owned()), Some(&"SM1".to_owned()), None]);
    assert_eq!((one.asked().len(), two.asked().len()), (1, 1));
}

#[tokio::test]
async fn a_slow_channel_leaves_time_for_the_next() {
    let (slow, good) = (Server::new(|_, _| Act::Hang(Vec::new())).await, delivering().await);
    let world = with(vec![("a", telegram(&slow)), ("b", telegram(&good))]);
    let told = notify(&world, &["a", "b"]).await.unwrap();
    assert_eq!(told[0].result.as_ref().unwrap_err().code, "http_timeout");
    assert_eq!(told[1].result.as_deref(), Ok("7"));
}

#[tokio::test]
async fn what_reached_no_one_says_why_for_each() {
    let limited = Server::new(|_, _| {
        let no = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 5"}"#;
        say(429, "Content-Type: application/json\r\n", no)
    })
    .await;
    let refuses = refusing().await;
    let odd = channel("pigeon", json!({}));
    let world = with(vec![("a", telegram(&limited)), ("b", telegram(&refuses)), ("odd", odd)]);
    let fault = notify(&world, &["a", "b", "none", "odd"]).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.class), ("not_delivered", Class::Passing));
    assert_eq!(fault.retry_after, Some(Span::secs(5)));
    for part in [
        "`a`: Too Many Requests",
        "`b`: Unauthorized",
        "`none`: there is no channel",
        "`odd`: there is no way",
    ] {
        assert!(fault.message.contains(part), "{part} in {}", fault.message);
    }
    let fault = notify(&world, &["b", "none"]).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.class), ("not_delivered", Class::Lasting));
    let fault = notify(&world, &[]).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.class), ("no_channel", Class::Lasting));
}

#[tokio::test]
async fn no_key_of_a_channel_is_in_any_fault() {
    // A provider that says our own key back to us, in every form.
    let echo = Server::new(|_, asked| {
        let said = json!({"ok": false, "error_code": 400, "description": asked, "code": 1, "message": asked});
        say(400, "Content-Type: application/json\r\n", &said.to_string())
    })
    .await;
    let gone = Server::new(|_, _| Act::Say(Vec::new())).await;
    for server in [&echo, &gone] {
        let world = with(vec![("a", telegram(server)), ("b", twilio(server))]);
        let fault = notify(&world, &["a", "b"]).await.unwrap_err();
        for canary in ["CANARY", "QUMxOlRPS0V", "15558675310"] {
            assert!(!fault.message.contains(canary), "{}", fault.message);
        }
    }
    assert!(echo.asked()[0].contains("CANARY") && gone.asked()[0].contains("CANARY"));
}

#[tokio::test]
async fn no_secret_is_told_to_a_person() {
    let server = delivering().await;
    let world = with(vec![("a", telegram(&server))]);
    let text = format!("look: {} {}", mark("twilio"), mark("channel/a/token"));
    tell_as(&world, &["a"], false, &text).await.unwrap();
    assert!(server.asked()[0].ends_with(r#""text":"look: *** ***"}"#), "{}", server.asked()[0]);
}

#[tokio::test]
async fn the_log_tells_of_it_without_keys_or_links() {
    let log = Log::start();
    let server = refusing().await;
    let world = with(vec![("a", telegram(&server)), ("b", twilio(&server))]);
    let channels = vec!["a".to_owned(), "b".to_owned()];
    let text = "renew at https://x/?state=CANARY now".to_owned();
    let ask = Notification { channels, text, ..Notification::default() };
    world.perform(&effect(Request::Notify(ask), Span::secs(2))).await.unwrap_err();
    let logged = log.text();
    assert!(logged.contains("Unauthorized") && logged.contains("renew at (link) now"), "{logged}");
    assert!(!logged.contains("CANARY"), "{logged}");
}

#[tokio::test]
async fn the_fallback_is_told_only_if_nobody_else_can_be() {
    let (sad, good, rest) = (refusing().await, queueing().await, delivering().await);
    let world = with(vec![("a", telegram(&sad)), ("b", twilio(&good)), ("c", telegram(&rest))]);
    let ask = |channels: &[&str]| Notification {
        channels: channels.iter().map(|&it| it.to_owned()).collect(),
        all: true,
        fallback: vec!["a".into(), "c".into()],
        text: "it is over".into(),
        ..Notification::default()
    };
    let by = |told: ExternalAnswer| match told {
        ExternalAnswer::Notified(told) => {
            told.into_iter().filter(|it| it.result.is_ok()).map(|it| it.channel).collect()
        }
        ExternalAnswer::Http(_) | ExternalAnswer::Later(_) => Vec::new(),
    };
    let notify = |channels: &[&str]| effect(Request::Notify(ask(channels)), Span::secs(2));
    assert_eq!(by(world.perform(&notify(&["a", "b"])).await.unwrap()), ["b"]);
    assert_eq!(rest.asked().len(), 0);
    assert_eq!(by(world.perform(&notify(&["a"])).await.unwrap()), ["c"]);
    assert_eq!(sad.asked().len(), 2, "nobody is asked twice for one message");
}

#[tokio::test]
async fn a_reminder_is_another_message_than_the_first() {
    let good = queueing().await;
    let world = with(vec![("b", twilio(&good))]);
    for serial in ["", "one", "one", "two"] {
        let (channels, text) = (vec!["b".to_owned()], "help".to_owned());
        let ask = Notification { channels, text, serial: serial.into(), ..Notification::default() };
        world.perform(&effect(Request::Notify(ask), Span::secs(2))).await.unwrap();
    }
    let key = |asked: &String| {
        let asked = asked.to_lowercase();
        asked.split("idempotency-key: ").nth(1).unwrap().lines().next().unwrap().to_owned()
    };
    let keys: Vec<String> = good.asked().iter().map(key).collect();
    assert_eq!(keys, ["the-key-b", "the-key-one-b", "the-key-one-b", "the-key-two-b"]);
}

#[tokio::test]
async fn ten_thousand_messages_of_one_kind_are_a_handful() {
    const BURST: usize = 10_000;
    let person = delivering().await;
    let world = with(vec![("a", telegram(&person))]);
    let notify = |at: usize| {
        let about = NotificationSubject {
            process: ProcessId::new("flood").unwrap(),
            node: NodeName::new("notify").unwrap(),
            reference: Ref::new(&format!("t{at}")).unwrap(),
            code: "http_status".into(),
            why: "the answer's status is 503".into(),
            over: false,
            see: "http://localhost/dashboard/p/flood".into(),
        };
        let (channels, text) = (vec!["a".to_owned()], format!("t{at} is broken"));
        let ask = Notification { channels, text, about: Some(Box::new(about)), ..Notification::default() };
        Effect { key: format!("key-{at}"), ..effect(Request::Notify(ask), Span::mins(2)) }
    };
    let effects: Vec<Effect> = (0..BURST).map(notify).collect();
    let told = futures::future::join_all(effects.iter().map(|it| world.perform(it))).await;
    assert!(told.iter().all(Result::is_ok), "each of them was told");
    let asked = person.asked();
    assert!(asked.len() < 10, "{asked:#?}");
    assert!(asked[0].ends_with(r#""text":"t0 is broken"}"#), "{}", asked[0]);
    let counts = asked[1..].iter().map(|it| {
        let text = it.split("\"text\":\"").nth(1).unwrap();
        let (many, rest) = text.split_once(' ').unwrap();
        assert!(rest.starts_with("more tasks of flood stand at notify: http_status."), "{rest}");
        assert!(rest.contains("t9999") || asked.len() > 2, "the newest is named: {rest}");
        many.parse::<usize>().unwrap()
    });
    assert_eq!(1 + counts.sum::<usize>(), BURST);
}
