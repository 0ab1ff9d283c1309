//! The story, and the look at every place where a secret could have got to. Each place has a control: a word
//! that must be found there, so that a look at nothing fails.

use std::fs;
use std::path::{Path, PathBuf};

use reqwest::Client;

use crate::canary::canaries::holds;
use crate::canary::mine::Mine;
use crate::cli::place::Place;
use crate::support::call::Call;

/// What may be read, and a word that must be there.
const DOORS: &[(&str, &str)] = &[
    ("/api/v1/processes", "bitrix"),
    ("/api/v1/processes/shop", "shop"),
    ("/api/v1/processes/bitrix/versions", "\"items\""),
    ("/api/v1/processes/shop/graph", "refused"),
    ("/api/v1/tasks?limit=500", "shopping"),
    ("/api/v1/processes/bitrix/tasks", "echoed"),
    ("/api/v1/processes/bitrix/tasks/token", "granted_scope"),
    ("/api/v1/processes/bitrix/tasks/token/history", "renew"),
    ("/api/v1/processes/bitrix/tasks/wrong", "refuses the client_secret"),
    ("/api/v1/processes/bitrix/tasks/wrong/history", "invalid_client"),
    ("/api/v1/processes/bitrix/tasks/echoed", "cannot read"),
    ("/api/v1/processes/bitrix/tasks/echoed/history", "invalid_request"),
    ("/api/v1/processes/shop/tasks/shopping", "copied"),
    ("/api/v1/processes/shop/tasks/shopping/history", "gone"),
    ("/api/v1/processes/shop/tasks/nobody", "nobody"),
    ("/api/v1/alarms", "echoed"),
    ("/api/v1/channels", "careless"),
    ("/api/v1/vars", "\"items\""),
    ("/api/v1/status", "{"),
    ("/api/v1/templates", "bitrix-oauth"),
    ("/api/openapi.json", "openapi"),
    ("/metrics", "beltline_"),
];

/// What a reader is not let into, and who may do everything is.
const SHUT: &[(&str, &str)] =
    &[("/api/v1/secrets", "shop"), ("/api/v1/tokens", "reader"), ("/api/v1/audit", "channel.set")];

/// Params that hold a secret, or a copy of one.
const HIDDEN: &[&str] = &[
    "bitrix/tasks/token/params/access_token",
    "bitrix/tasks/token/params/client_secret",
    "shop/tasks/shopping/params/key",
    "shop/tasks/shopping/params/copied",
    "shop/tasks/shopping/params/nested/deep/0",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_appears_nowhere_but_in_the_request_it_is_meant_for() {
    let mut mine = Mine::open().await;
    mine.set_up();
    mine.keep_a_token();
    mine.fail();
    let mut seen = said_by_the_api(&mine).await;
    commands(&mut mine);
    seen.append(&mut mine.printed);
    let messages = mine.sim.messages();
    assert!(messages.iter().any(|it| it.text.contains("doesn't update")), "{messages:?}");
    seen.extend(messages.into_iter().map(|it| (format!("a message by {}", it.channel), it.text)));
    let heard = mine.echo.heard();
    let told = mine.canaries.in_bytes(heard.as_bytes());
    for what in ["secret.shop", "a secret param", "a wrong client_secret", "the careless bot's token"] {
        assert!(told.contains(what), "{what} did not reach the request it is meant for");
    }
    let mut files = kept_in_files(&mine.place);
    let Mine { place, served, canaries, .. } = mine;
    assert_eq!(served.stop(), Some(0));
    files.extend(kept_in_files(&place));
    let whole = seen.into_iter().map(|(place, text)| (place, text.into_bytes())).chain(files);
    let mut leaks = Vec::new();
    let mut looked = 0;
    for (place, bytes) in whole {
        looked += 1;
        let sings = canaries.in_bytes(&bytes);
        if !sings.is_empty() {
            leaks.push(format!("{place}: {sings:?}\n{}", String::from_utf8_lossy(&bytes)));
        }
    }
    assert!(leaks.is_empty(), "{} places leak:\n{}", leaks.len(), leaks.join("\n\n"));
    println!("{} canaries, {looked} places", canaries.count());
}

/// All that the API tells a reader, and an operator who does not ask for a secret by its name.
async fn said_by_the_api(mine: &Mine) -> Vec<(String, String)> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = Client::builder().no_proxy().build().unwrap();
    let operator = fs::read_to_string(mine.place.path("data/token")).unwrap();
    let base = format!("http://{}", mine.place.address());
    let mut seen = Vec::new();
    for (who, token) in [("a reader", mine.reader.as_str()), ("the operator", operator.trim())] {
        let get = |path: String| Call::new(&client, "GET", format!("{base}{path}")).token(token).send();
        for (path, control) in DOORS {
            let answer = get((*path).to_owned()).await;
            assert!(answer.text.contains(control), "no {control:?} at {path}: {}", answer.text);
            seen.push((format!("{path} to {who}"), answer.text));
        }
        for (path, control) in SHUT {
            let answer = get((*path).to_owned()).await;
            let may = who == "the operator";
            assert_eq!((answer.status == 200, answer.text.contains(control)), (may, may), "{path}");
            seen.push((format!("{path} to {who}"), answer.text));
        }
        seen.push((format!("the events to {who}"), events(&client, &base, token).await));
    }
    for path in HIDDEN {
        let url = format!("{base}/api/v1/processes/{path}");
        let answer = Call::new(&client, "GET", url).token(&mine.reader).send().await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text);
        seen.push((format!("{path} to a reader"), answer.text));
    }
    for path in ["said", "header"] {
        let url = format!("{base}/api/v1/processes/shop/tasks/shopping/params/{path}");
        let answer = Call::new(&client, "GET", url).token(&mine.reader).send().await;
        seen.push((format!("{path} to a reader"), answer.text));
    }
    seen
}

/// The events from the beginning to the last task.
async fn events(client: &Client, base: &str, token: &str) -> String {
    let url = format!("{base}/api/v1/events?after=0");
    let mut answer = client.get(url).bearer_auth(token).send().await.unwrap();
    let mut text = String::new();
    while !text.contains("\"closing\"") {
        text.push_str(&String::from_utf8_lossy(&answer.chunk().await.unwrap().expect("more events")));
    }
    text
}

fn commands(mine: &mut Mine) {
    let verbs: &[&[&str]] = &[
        &["list"][..],
        &["show", "bitrix", "token"],
        &["show", "bitrix", "wrong"],
        &["show", "bitrix", "echoed"],
        &["show", "shop", "shopping"],
        &["alarms"],
        &["processes"],
        &["processes", "shop"],
        &["graph", "processes/shop.yaml"],
        &["channel", "list"],
        &["secret", "list"],
        &["token", "list"],
        &["var", "list"],
        &["config"],
        &["doctor"],
    ];
    for args in verbs {
        mine.run(args, "");
        mine.run(&[args, &["--json"][..]].concat(), "");
    }
    let shown = |word: &str| mine.printed.iter().any(|(_, text)| text.contains(word));
    for control in ["shopping", "echoed", "careless", "cannot read", "refuses the client_secret"] {
        assert!(shown(control), "no command showed {control:?}");
    }
}

/// Every file below the folder, but the key and the token themselves and the file that the test wrote a
/// secret into.
fn kept_in_files(place: &Place) -> Vec<(String, Vec<u8>)> {
    let mut paths = Vec::new();
    walk(&place.path(""), &mut paths);
    let own = ["data/key", "data/token", "bad.yaml"].map(|it| place.path(it));
    paths.retain(|it| !own.contains(it));
    let read = |path: &PathBuf| (path.display().to_string(), fs::read(path).unwrap());
    let files: Vec<(String, Vec<u8>)> = paths.iter().map(read).collect();
    let found = |name: &str, word: &str| {
        let mut fitting = files.iter().filter(|(path, _)| path.contains(name));
        fitting.any(|(_, bytes)| holds(bytes, word.as_bytes()))
    };
    assert!(found("beltline.db", "shopping"), "the ref is in the store");
    assert!(found("serve.log", "asked in vain"), "everything is logged");
    files
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, into) } else { into.push(path) }
    }
}
