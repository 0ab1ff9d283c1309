//! [`Mine`]: the engine with everything logged that can be, the simulated world and a careless server, and
//! all that goes on between them.

use beltline::sim::config::{DEMO_CLIENT_ID, SimConfig};
use beltline::sim::notifiers::Keys;
use beltline::sim::server::Sim;
use beltline::sim::settings::SimApp;
use serde_json::Value;

use crate::canary::canaries::Canaries;
use crate::canary::echo::Echo;
use crate::cli::place::{Place, Served, until};

/// Copies its secret everywhere it can, and tells it to those who say it back.
const SHOP: &str = r#"
process: shop
params:
  city: {type: string, required: true}
  key: {type: string, secret: true}
  size: {type: integer}
nodes:
  start: {kind: input, next: copy}
  copy: {kind: set, set: {copied: "Bearer {{key}}", nested: {deep: ["{{key}}"]}}, next: ask}
  ask:
    kind: http
    method: POST
    url: "ECHO/echo/{{city}}?key={{key}}"
    headers: {x-shop: "{{secret.shop}}"}
    auth: {basic: {user: bot, password: "{{secret.shop}}"}}
    json: {key: "{{key}}", shop: "{{secret.shop}}"}
    save: {said: "= response.body.said", header: "= response.headers['x-said']"}
    next: refused
  refused:
    kind: http
    url: "ECHO/refuse?key={{key}}"
    headers: {x-shop: "{{secret.shop}}", x-key: "{{key}}"}
    fault: {code: "{{response.body.said}}", message: "{{response.body.said}}"}
    next: gone
    on_error: tell
  tell:
    kind: escalation
    message: "{{city}}: {{fault.code}} {{fault.message}}"
    notify: [careless, author]
    next: gone
    on_error: gone
  gone: {kind: http, url: "http://127.0.0.1:1/{{key}}?shop={{secret.shop}}", next: nap, on_error: nap}
  nap: {kind: delay, for: 1h, next: done}
  done: {kind: end, result: "{{copied}}"}
"#;

pub(super) struct Mine {
    pub(super) place: Place,
    pub(super) served: Served,
    pub(super) sim: Sim,
    pub(super) echo: Echo,
    pub(super) canaries: Canaries,
    /// What commands printed.
    pub(super) printed: Vec<(String, String)>,
    pub(super) reader: String,
}

impl Mine {
    pub(super) async fn open() -> Mine {
        let mut canaries = Canaries::default();
        let keys = Keys {
            telegram_token: canaries.add("the bot's token", "1000000001:Canary-bot-token-71c0d2"),
            smtp_password: canaries.add("the mail password", "canary mail password \"e1\"/+"),
            ..Keys::default()
        };
        let app = SimApp {
            client_id: DEMO_CLIENT_ID.to_owned(),
            client_secret: canaries.add("client_secret", "CanaryClientSecret0000000000000009f3"),
            redirect_url: "http://127.0.0.1:1/oauth/callback".to_owned(),
            scope: "crm".to_owned(),
        };
        let config = SimConfig { apps: vec![app], keys, ..SimConfig::default() };
        let (sim, echo) = (Sim::start(config).await.unwrap(), Echo::start().await);
        let place = Place::new().env("BELTLINE_LOG", "trace");
        place.write("processes/shop.yaml", &SHOP.replace("ECHO", &echo.url));
        let served = place.serve_with(&[
            "--allow-address",
            "127.0.0.0/8",
            "--allow-oauth-host",
            &sim.token_url,
            "--allow-oauth-host",
            &echo.url,
        ]);
        for (what, file) in [("the key of the store", "data/key"), ("the operator's token", "data/token")] {
            canaries.add(what, std::fs::read_to_string(place.path(file)).unwrap().trim());
        }
        let reader = place.ok(&["token", "create", "reader", "--scope", "read"]).trim().to_owned();
        canaries.add("a reader's token", &reader);
        Mine { place, served, sim, echo, canaries, printed: Vec::new(), reader }
    }

    /// Runs a command, with a secret on stdin if need be; what it says is looked at later.
    pub(super) fn run(&mut self, args: &[&str], secret: &str) -> Option<i32> {
        let ran = self.place.run_with(args, &format!("{secret}\n"));
        self.printed.push((format!("`{}`", args.join(" ")), ran.out + ran.err.as_str()));
        ran.code
    }

    #[track_caller]
    fn ok(&mut self, args: &[&str], secret: &str) {
        let code = self.run(args, secret);
        assert_eq!(code, Some(0), "{:?}", self.printed.last());
    }

    fn node(&self, process: &str, reference: &str) -> String {
        let task: Value = self.place.json(&["show", process, reference])["task"].take();
        task["node"].as_str().unwrap().to_owned()
    }

    fn until_at(&self, process: &str, reference: &str, node: &str) {
        until(&format!("{reference} at {node}"), || (self.node(process, reference) == node).then_some(()));
    }

    /// Secrets and channels, good and bad ones.
    pub(super) fn set_up(&mut self) {
        let shop = self.canaries.add("secret.shop", "Canary+shop/secret=5d2a&x y");
        self.ok(&["secret", "set", "shop"], &shop);
        let mail = self.canaries.add("the mail password", "canary mail password \"e1\"/+");
        self.ok(&["secret", "set", "mail"], &mail);
        let base = format!("base_url={}", self.sim.providers_url);
        let bot = "1000000001:Canary-bot-token-71c0d2";
        self.ok(&["channel", "add", "author", "--via", "telegram", "chat_id=1", &base, "token=-"], bot);
        let careless = format!("base_url={}", self.echo.url);
        let token = self.canaries.add("the careless bot's token", "1000000002:Canary-careless-token-0b");
        self.ok(
            &["channel", "add", "careless", "--via", "telegram", "chat_id=1", &careless, "token=-"],
            &token,
        );
        let phone = self.canaries.add("a wrong auth_token", "CanaryWrongTwilioAuthToken42");
        let (sid, from) = ("account_sid=AC00000000000000000000000000000001", "from=+15017122661");
        let args = ["channel", "add", "phone", "--via", "twilio", sid, from, "to=+15558675310", &base];
        self.ok(&[&args[..], &["auth_token=-"]].concat(), &phone);
        let port = format!("port={}", self.sim.smtp_addr.port());
        let args = ["channel", "add", "mail", "--via", "smtp", "host=127.0.0.1", &port, "tls=none"];
        let rest = ["user=sim", "password={{secret.mail}}", "from=b@line.test", "to=a@line.test"];
        self.ok(&[&args[..], &rest].concat(), "");
        self.ok(&["channel", "test", "author"], "");
        self.ok(&["channel", "test", "mail"], "");
        assert_eq!(self.run(&["channel", "test", "careless"], ""), Some(1));
        assert_eq!(self.run(&["channel", "test", "phone"], ""), Some(1));
    }

    /// A first pair, and the next one.
    pub(super) fn keep_a_token(&mut self) {
        self.ok(&["clone", "bitrix-oauth", "--as", "bitrix", "--defaults"], "");
        let host = self.sim.token_url.clone();
        self.submit_token("token", &host, "CanaryClientSecret0000000000000009f3");
        self.until_at("bitrix", "token", "nap");
        self.note_pair();
        self.ok(&["modify", "bitrix", "token", "asked_at:=0"], "");
        until("a renewal", || (self.sim.counts().rotations == 1).then_some(()));
        self.until_at("bitrix", "token", "nap");
        self.note_pair();
    }

    fn submit_token(&mut self, reference: &str, token_url: &str, secret: &str) {
        let portal = format!("portal={}", self.sim.portal_url);
        let (host, id) = (format!("oauth_host={token_url}"), format!("client_id={DEMO_CLIENT_ID}"));
        let args = ["submit", "bitrix", "--ref", reference, &portal, &host, &id, "client_secret=-"];
        self.ok(&args, secret);
        let now = self.sim.now();
        let code = self.sim.bitrix().code(DEMO_CLIENT_ID, now).unwrap();
        self.canaries.add("code", &code);
        self.ok(&["modify", "bitrix", reference, "code=-"], &code);
    }

    fn note_pair(&mut self) {
        let pair = self.sim.bitrix().tokens.latest(DEMO_CLIENT_ID).unwrap().clone();
        self.canaries.add("access_token", &pair.access);
        self.canaries.add("refresh_token", &pair.refresh);
    }

    /// Everything that can go wrong with a secret in hand.
    pub(super) fn fail(&mut self) {
        let (host, careless) = (self.sim.token_url.clone(), self.echo.url.clone());
        let wrong = self.canaries.add("a wrong client_secret", "Canary/wrong+client secret=7");
        self.submit_token("wrong", &host, &wrong);
        self.until_at("bitrix", "wrong", "escalate");
        self.submit_token("echoed", &careless, &wrong);
        self.until_at("bitrix", "echoed", "escalate");
        let key = self.canaries.add("a secret param", "Canary+key/of a \"shop\"=77?");
        self.ok(&["submit", "shop", "--ref", "shopping", "city=Riga", "key=-"], &key);
        self.until_at("shop", "shopping", "nap");
        assert_ne!(self.run(&["submit", "shop", "city=Riga", "size=big", "key=-"], &key), Some(0));
        assert_ne!(self.run(&["submit", "shop", "size:=1", "key=-"], &key), Some(0));
        assert_ne!(self.run(&["submit", "shop", "--ref", "shopping", "city=Oslo", "key=-"], &key), Some(0));
        assert_ne!(self.run(&["modify", "shop", "nobody", "key=-"], &key), Some(0));
        let inside = self.canaries.add("a secret in a bad file", "CanaryInBadYaml0123456789");
        let bad = format!(
            "process: bad\nnodes:\n  start: {{kind: input, next: x}}\n# {inside}\n  x: {{kind: sett}}\n"
        );
        self.place.write("bad.yaml", &bad);
        assert_eq!(self.run(&["deploy", "bad.yaml"], ""), Some(1));
        assert_eq!(self.run(&["check", "bad.yaml"], ""), Some(1));
        self.ok(&["submit", "hello", "--ref", "closing", "city=Riga", "key=-"], &key);
    }
}
