//! Coming in: the link of the first start, names and passwords, and who guesses at them.

use beltline::engine::ports::Collection;
use beltline::service::login::NotIn;
use beltline::service::sessions::SessionClient;
use serde_json::json;

use crate::dashboard::visitor::Visitor;
use crate::support::house::{House, PASSWORD, Plan};

async fn behind_a_proxy() -> House {
    House::build(Plan { proxies: vec!["127.0.0.1/32".parse().unwrap()], ..Plan::default() }).await
}

#[tokio::test]
async fn the_link_of_the_first_start_makes_one_admin() {
    let house = House::open().await;
    let stranger = Visitor::stranger(&house);
    assert!(stranger.page("/dashboard/login").await.contains("one-time link"));
    let first = house.service.open_setup().await.unwrap().unwrap();
    let key = house.service.open_setup().await.unwrap().unwrap();
    let link = |key: &str| format!("/dashboard/setup?key={key}");
    assert_eq!(stranger.get(&link(&first)).await.status, 410, "a later start has printed another one");
    let page = stranger.get(&link(&key)).await;
    assert_eq!((page.status, page.header("referrer-policy")), (200, "same-origin"));
    let kept = house.store.collection(Collection::Setup).await.unwrap();
    assert!(!format!("{kept:?}").contains(key.as_str()), "only its hash is kept");

    let fields = |name: &'static str, password: &'static str, again: &'static str| {
        [
            ("key", key.to_string()),
            ("name", name.into()),
            ("password", password.into()),
            ("again", again.into()),
        ]
    };
    let send = async |visitor: &Visitor, fields: &[(&str, String)]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        visitor.post("/dashboard/setup", &fields).await
    };
    for (fields, words) in [
        (fields("Ann", PASSWORD, "another one"), "not typed the same twice"),
        (fields("Ann", "short", "short"), "at least 10 characters"),
        (fields("a b", PASSWORD, PASSWORD), "1 to 64 letters"),
        (fields("local", PASSWORD, PASSWORD), "calls itself"),
    ] {
        let refused = send(&stranger, &fields).await;
        assert!(refused.status == 422 && refused.text.contains(words), "{words}: {}", refused.text);
    }
    let entered = send(&stranger, &fields("Ann", PASSWORD, PASSWORD)).await;
    assert_eq!((entered.status, entered.header("location")), (303, "/dashboard"), "{}", entered.text);
    let mut ann = Visitor::stranger(&house);
    ann.bring(entered.header("set-cookie").split(';').next().unwrap());
    assert!(ann.page("/dashboard/users").await.contains("ann"));

    let again = send(&stranger, &fields("eve", PASSWORD, PASSWORD)).await;
    assert_eq!(again.status, 410, "it opens once");
    assert!(house.service.open_setup().await.unwrap().is_none(), "there is an admin");
    assert_eq!(house.service.users(&admin()).unwrap().items.len(), 1);
}

fn admin() -> beltline::service::actor::Actor {
    beltline::service::actor::Actor::local("test")
}

#[tokio::test]
async fn of_two_who_open_the_link_at_once_one_is_the_admin() {
    let house = House::open().await;
    let key = house.service.open_setup().await.unwrap().unwrap();
    let caller = SessionClient { address: "127.0.0.1".parse().unwrap(), agent: String::new() };
    let come = |name: &'static str| {
        let password = PASSWORD.to_owned().into();
        house.service.set_up(&key, name, password, &caller)
    };
    let (ann, eve) = tokio::join!(come("ann"), come("eve"));
    assert_eq!(usize::from(ann.is_ok()) + usize::from(eve.is_ok()), 1);
    assert_eq!(house.service.users(&admin()).unwrap().items.len(), 1);
}

#[tokio::test]
async fn a_wrong_password_is_slowed_and_the_owner_comes_in_elsewhere() {
    let house = behind_a_proxy().await;
    house.user("ann", Some("admin"), json!({})).await;
    let mut guesser = Visitor::stranger(&house).at("6.6.6.6");
    let mut last = (0, String::new());
    for at in 0..8 {
        let answer = guesser.log_in_as("ann", &format!("a wrong guess {at}")).await;
        assert!(answer.header("set-cookie").is_empty());
        last = (answer.status, answer.header("retry-after").to_owned());
        if at < 3 {
            assert_eq!(last.0, 401, "people mistype");
        }
    }
    assert_eq!(last.0, 429);
    assert!(last.1.parse::<u64>().unwrap() >= 1, "{last:?}");
    let right = guesser.log_in_as("ann", PASSWORD).await;
    assert_eq!(right.status, 429, "also the right one is not looked at, or a guesser would see it");
    let mut ann = Visitor::stranger(&house).at("7.7.7.7");
    assert_eq!(ann.log_in_as(" ANN ", PASSWORD).await.status, 303);
    let audit = house.api("GET", "/audit").send().await.ok(200).to_string();
    assert!(audit.contains("login.wrong") && audit.contains("ann from 6.6.6.6"), "{audit}");
    assert!(!audit.contains("a wrong guess"));
}

#[tokio::test]
async fn guesses_from_everywhere_do_not_lock_out_who_was_here_before() {
    let house = behind_a_proxy().await;
    house.user("ann", Some("admin"), json!({})).await;
    let caller = |address: &str| SessionClient { address: address.parse().unwrap(), agent: String::new() };
    house.service.log_in("ann", PASSWORD, &caller("7.7.7.7")).await.unwrap();
    for at in 0..40 {
        let done = house.service.log_in("ann", "a wrong guess", &caller(&format!("6.6.6.{at}"))).await;
        assert!(matches!(done, Err(NotIn::Wrong | NotIn::Wait(_))));
    }
    let new = house.service.log_in("ann", PASSWORD, &caller("8.8.8.8")).await;
    assert!(matches!(new, Err(NotIn::Wait(_))), "where she never was she waits with the guessers");
    house.service.log_in("ann", PASSWORD, &caller("7.7.7.7")).await.unwrap();
}

#[tokio::test]
async fn nobody_is_told_who_is_a_user() {
    let house = House::open().await;
    house.user("ann", Some("viewer"), json!({})).await;
    house.user("bob", Some("viewer"), json!({})).await;
    house.api("PATCH", "/users/bob").json(&json!({"disabled": true})).send().await.ok(200);
    let mut texts = Vec::new();
    for (name, password) in [("ann", "a wrong guess"), ("nobody", PASSWORD), ("bob", PASSWORD)] {
        let answer = Visitor::stranger(&house).log_in_as(name, password).await;
        assert_eq!(answer.status, 401, "{name}");
        texts.push(answer.text.replace(name, "NAME"));
    }
    assert!(texts.iter().all(|it| *it == texts[0]), "{texts:?}");
    assert!(texts[0].contains("The name or the password is wrong."));
}

#[tokio::test]
async fn a_cookie_of_a_sealed_line_stays_on_sealed_lines() {
    let house = behind_a_proxy().await;
    house.user("ann", Some("viewer"), json!({})).await;
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.build().unwrap();
    let post = async |origin: String| {
        let request = client.post(format!("http://{}/dashboard/login", house.address));
        let request = request.header("x-forwarded-proto", "https").header("origin", origin);
        let answer = request.form(&[("name", "ann"), ("password", PASSWORD)]).send().await.unwrap();
        let cookie = answer.headers().get("set-cookie").map_or("", |it| it.to_str().unwrap()).to_owned();
        (answer.status().as_u16(), cookie)
    };
    let (status, cookie) = post(format!("https://{}", house.address)).await;
    assert!(status == 303 && cookie.contains("; Secure;"), "{status} {cookie}");
    let (status, cookie) = post(format!("http://{}", house.address)).await;
    assert_eq!((status, cookie.as_str()), (403, ""), "who reads along is not us");
}
