//! A secret appears nowhere but in the request it is meant for: made-up ones are sent through the real
//! binary, with everything logged that can be, through good days and bad ones, and looked for wherever
//! something is written.

use std::fs;
use std::net::TcpListener;

use beltline::sim::config::{DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, SimConfig};
use beltline::sim::script::Plan;
use beltline::sim::server::Sim;
use beltline::sim::settings::App;
use beltline::sim::troubles::Trouble;

use crate::cli::place::{Place, until};
use crate::kill::partner::client;

const BOT_TOKEN: &str = "4242:canary-bot-token-7f3a";
const WRONG_SECRET: &str = "canary-wrong-secret-9b1c";
const SEALED: &str = "canary-sealed-secret-2d4e";
const PASTED: &str = "canary-pasted-code-5c6f";

/// What was written somewhere, and a word that must be in it: a check that cannot find anything finds
/// nothing.
struct Seen {
    place: &'static str,
    bytes: Vec<u8>,
    control: &'static str,
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|it| it == word.as_bytes())
}

/// Gets a token, renews it, loses it to every kind of refusal, and gives all pairs there were.
async fn live(place: &Place, sim: &Sim) -> Vec<String> {
    place.ok(&["clone", "bitrix-oauth", "--as", "bitrix", "--defaults"]);
    let token = format!("token={BOT_TOKEN}");
    let base = format!("base_url={}", sim.providers_url);
    place.ok(&["channel", "add", "author", "--via", "telegram", "chat_id=1", &token, &base]);
    assert_eq!(place.run_with(&["secret", "set", "sealed"], &format!("{SEALED}\n")).code, Some(0));
    place.run(&["channel", "test", "author"]);
    let (portal, host) = (format!("portal={}", sim.portal_url), format!("oauth_host={}", sim.token_url));
    let (id, secret) = (format!("client_id={DEMO_CLIENT_ID}"), format!("client_secret={DEMO_CLIENT_SECRET}"));
    place.ok(&["submit", "bitrix", "--ref", "token", &portal, &host, &id, &secret, "renew_every=10s"]);
    let link = until("a link", || {
        place.json(&["show", "bitrix", "token"])["task"]["link"].as_str().map(str::to_owned)
    });
    client().get(link).send().await.unwrap();
    let mut pairs = Vec::new();
    let latest =
        || sim.bitrix().tokens.latest(DEMO_CLIENT_ID).map(|it| [it.access.clone(), it.refresh.clone()]);
    pairs.extend(until("a pair", latest));
    pairs.extend(until("a second pair", || latest().filter(|it| !pairs.contains(&it[0]))));
    sim.bitrix().troubles.token.push(Plan::times(Trouble::Html502, 1));
    place.run(&["modify", "bitrix", "token", &format!("client_secret={WRONG_SECRET}")]);
    place.run(&["wake", "bitrix", "token"]);
    until("an alarm", || place.json(&["show", "bitrix", "token"])["task"]["alarm"].is_object().then_some(()));
    place.run(&["modify", "bitrix", "token", &format!("code={PASTED}")]);
    let text = format!(
        "process: broken\nparams: {{key: {{type: string, secret: true, default: {SEALED}}}}}\nnodes: {{}}\n"
    );
    place.write("broken.yaml", &text);
    place.run(&["submit", "bitrix", "--ref", "token", "portal=x", "client_id=y", &secret]);
    pairs
}

fn said(place: &Place) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut ask = |args: &[&str], control| {
        for args in [args.to_vec(), [args, &["--json"]].concat()] {
            let ran = place.run(&args);
            seen.push(Seen { place: "the command line", bytes: (ran.out + &ran.err).into_bytes(), control });
        }
    };
    ask(&["show", "bitrix", "token"], "bitrix");
    ask(&["list"], "token");
    ask(&["alarms"], "token");
    ask(&["processes", "bitrix"], "client_secret");
    ask(&["channel", "list"], "author");
    ask(&["secret", "list"], "sealed");
    ask(&["doctor"], "server");
    ask(&["config"], "listen");
    seen
}

async fn answered(place: &Place) -> Vec<Seen> {
    let token = fs::read_to_string(place.path("data/token")).unwrap();
    let base = format!("http://{}", place.address());
    let mut seen = Vec::new();
    for (path, control) in [
        ("/api/v1/processes/bitrix/tasks/token", "client_secret"),
        ("/api/v1/processes/bitrix/tasks/token/trail", "client_secret"),
        ("/api/v1/processes/bitrix/tasks", "client_secret"),
        ("/api/v1/alarms", "token"),
        ("/api/v1/processes/bitrix", "client_secret"),
        ("/api/v1/channels", "author"),
        ("/api/v1/secrets", "sealed"),
        ("/api/v1/audit", "bitrix"),
        ("/api/v1/status", "version"),
        ("/metrics", "beltline_"),
        ("/api/v1/processes/bitrix/tasks/nobody", "nobody"),
    ] {
        let answer = client().get(format!("{base}{path}")).bearer_auth(token.trim()).send().await.unwrap();
        seen.push(Seen { place: path, bytes: answer.bytes().await.unwrap().to_vec(), control });
    }
    seen
}

fn written(place: &Place, log: String) -> Vec<Seen> {
    let mut seen = vec![Seen { place: "the log", bytes: log.into_bytes(), control: "asked method=POST" }];
    for name in ["data/beltline.db", "data/beltline.db-wal"] {
        // The log file is folded into the database at times; whichever is there has the name of the process.
        if let Ok(bytes) = fs::read(place.path(name)) {
            seen.push(Seen { place: "the database", bytes, control: "" });
        }
    }
    let whole: Vec<u8> = seen[1..].iter().flat_map(|it| it.bytes.clone()).collect();
    assert!(holds(&whole, "bitrix"), "what is not secret is found in the database");
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_written_anywhere() {
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let app = App {
        client_id: DEMO_CLIENT_ID.to_owned(),
        client_secret: DEMO_CLIENT_SECRET.to_owned(),
        redirect_url: format!("http://{listen}/oauth/callback"),
        scope: "crm".to_owned(),
    };
    let sim = Sim::start(SimConfig { apps: vec![app], ..SimConfig::default() }).await.unwrap();
    let place = Place::new();
    let allow = ["--allow-address", "127.0.0.0/8", "--allow-oauth-host", &sim.token_url, "--log", "trace"];
    let served = place.serve_at(&listen, &allow);
    let pairs = live(&place, &sim).await;
    assert!(pairs.len() >= 4, "two pairs were received");
    let mut canaries: Vec<String> = pairs;
    canaries.extend([BOT_TOKEN, WRONG_SECRET, SEALED, PASTED, DEMO_CLIENT_SECRET].map(str::to_owned));
    for file in ["data/token", "data/key"] {
        canaries.push(fs::read_to_string(place.path(file)).unwrap().trim().to_owned());
    }
    let mut seen = said(&place);
    seen.extend(answered(&place).await);
    seen.extend(written(&place, served.log()));
    drop(served);
    for Seen { place, bytes, control } in &seen {
        let text = String::from_utf8_lossy(bytes);
        assert!(
            control.is_empty() || holds(bytes, control),
            "{place} does not even hold `{control}`: {text}"
        );
        for canary in &canaries {
            assert!(!holds(bytes, canary), "{place} holds a secret");
        }
    }
}
