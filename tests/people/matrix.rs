//! The authorization matrix: every route there is, and everybody there may be. What each route asks is
//! written here once more; a route that is not in the table fails the test.

use std::collections::{BTreeMap, BTreeSet};

use beltline::api::router::described;
use beltline::dashboard::router::doors;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::dashboard::visitor::Visitor;
use crate::support::house::{House, PASSWORD};

/// What a route asks: `open`; `key` (the key in the address is the right); `known`; `RIGHT here` (in the
/// process of the address), `RIGHT somewhere`, `RIGHT everywhere`.
const API: &[(&str, &str, &str)] = &[
    ("GET", "/api/openapi.json", "known"),
    ("GET", "/api/v1/alarms", "read somewhere"),
    ("GET", "/api/v1/audit", "admin everywhere"),
    ("GET", "/api/v1/audit/verify", "admin everywhere"),
    ("GET", "/api/v1/channels", "read everywhere"),
    ("PUT", "/api/v1/channels/{name}", "secrets everywhere"),
    ("DELETE", "/api/v1/channels/{name}", "secrets everywhere"),
    ("POST", "/api/v1/channels/{name}/test", "run everywhere"),
    ("POST", "/api/v1/check", "known"),
    ("GET", "/api/v1/events", "read somewhere"),
    ("GET", "/api/v1/expiring", "read somewhere"),
    ("GET", "/api/v1/me", "known"),
    ("GET", "/api/v1/processes", "read somewhere"),
    ("GET", "/api/v1/processes/{id}", "read here"),
    ("PUT", "/api/v1/processes/{id}", "edit here"),
    ("DELETE", "/api/v1/processes/{id}", "edit here"),
    // And an editor of the process that the body names, which is neither of ours.
    ("POST", "/api/v1/processes/{id}/clone", "read here + edit everywhere"),
    ("GET", "/api/v1/processes/{id}/diff", "read here"),
    ("GET", "/api/v1/processes/{id}/flow", "read here"),
    ("GET", "/api/v1/processes/{id}/graph", "read here"),
    ("POST", "/api/v1/processes/{id}/pause", "edit here"),
    ("POST", "/api/v1/processes/{id}/resume", "edit here"),
    ("GET", "/api/v1/processes/{id}/schedule", "read here"),
    ("POST", "/api/v1/processes/{id}/schedule/{name}/pause", "edit here"),
    ("POST", "/api/v1/processes/{id}/schedule/{name}/resume", "edit here"),
    ("GET", "/api/v1/processes/{id}/tasks", "read here"),
    ("POST", "/api/v1/processes/{id}/tasks", "run here"),
    ("GET", "/api/v1/processes/{id}/tasks/{ref}", "read here"),
    ("POST", "/api/v1/processes/{id}/tasks/{ref}/ack", "run here"),
    ("POST", "/api/v1/processes/{id}/tasks/{ref}/cancel", "run here"),
    ("POST", "/api/v1/processes/{id}/tasks/{ref}/modify", "run here"),
    ("POST", "/api/v1/processes/{id}/tasks/{ref}/move", "run here"),
    ("GET", "/api/v1/processes/{id}/tasks/{ref}/params/{*path}", "read here"),
    ("POST", "/api/v1/processes/{id}/tasks/{ref}/retry", "run here"),
    ("GET", "/api/v1/processes/{id}/tasks/{ref}/history", "read here"),
    ("POST", "/api/v1/processes/{id}/tasks/{ref}/wake", "run here"),
    ("GET", "/api/v1/processes/{id}/template", "read here"),
    ("POST", "/api/v1/processes/{id}/template/update", "edit here"),
    ("GET", "/api/v1/processes/{id}/versions", "read here"),
    ("GET", "/api/v1/processes/{id}/versions/{version}", "read here"),
    ("GET", "/api/v1/schema", "known"),
    ("GET", "/api/v1/secrets", "secrets everywhere"),
    ("PUT", "/api/v1/secrets/{name}", "secrets everywhere"),
    ("DELETE", "/api/v1/secrets/{name}", "secrets everywhere"),
    ("GET", "/api/v1/sessions", "known"),
    ("DELETE", "/api/v1/sessions/{session}", "known"),
    ("GET", "/api/v1/status", "read everywhere"),
    ("POST", "/api/v1/status/check", "run everywhere"),
    ("GET", "/api/v1/tasks", "read somewhere"),
    ("GET", "/api/v1/templates", "known"),
    ("GET", "/api/v1/templates/{name}", "known"),
    // Of the process that the body names, which is neither of ours.
    ("POST", "/api/v1/templates/{name}/clone", "edit everywhere"),
    ("GET", "/api/v1/tokens", "admin everywhere"),
    ("POST", "/api/v1/tokens", "admin everywhere"),
    ("DELETE", "/api/v1/tokens/{name}", "admin everywhere"),
    ("GET", "/api/v1/users", "admin everywhere"),
    ("POST", "/api/v1/users", "admin everywhere"),
    ("GET", "/api/v1/users/{name}", "admin everywhere"),
    ("PATCH", "/api/v1/users/{name}", "admin everywhere"),
    ("DELETE", "/api/v1/users/{name}", "admin everywhere"),
    ("GET", "/api/v1/vars", "read everywhere"),
    ("PUT", "/api/v1/vars/{name}", "edit everywhere"),
    ("DELETE", "/api/v1/vars/{name}", "edit everywhere"),
    ("GET", "/healthz", "open"),
    ("GET", "/hooks/{process}/{key}", "key"),
    ("POST", "/hooks/{process}/{key}", "key"),
    ("PUT", "/hooks/{process}/{key}", "key"),
    ("GET", "/hooks/{process}/{key}/ack", "key"),
    ("POST", "/hooks/{process}/{key}/ack", "key"),
    ("GET", "/metrics", "read everywhere"),
    ("GET", "/oauth/callback", "key"),
    ("GET", "/readyz", "open"),
];

const PAGES: &[(&str, &str, &str)] = &[
    ("GET", "/", "open"),
    ("GET", "/dashboard", "read somewhere"),
    ("GET", "/dashboard/about", "read everywhere"),
    ("GET", "/dashboard/account", "known"),
    ("POST", "/dashboard/account/end", "known"),
    ("POST", "/dashboard/account/password", "known"),
    ("GET", "/dashboard/assets/{name}", "open"),
    ("GET", "/dashboard/audit", "admin everywhere"),
    ("GET", "/dashboard/channels", "read everywhere"),
    ("GET", "/dashboard/channels/set", "read everywhere"),
    ("POST", "/dashboard/channels/set", "secrets everywhere"),
    ("POST", "/dashboard/channels/test", "run everywhere"),
    ("POST", "/dashboard/channels/forget", "secrets everywhere"),
    ("GET", "/dashboard/events", "read somewhere"),
    ("GET", "/dashboard/faults/{code}", "known"),
    ("GET", "/dashboard/manual", "known"),
    ("GET", "/dashboard/manual/{page}", "known"),
    ("GET", "/dashboard/login", "open"),
    ("POST", "/dashboard/login", "open"),
    ("GET", "/dashboard/p/{process}", "read here"),
    ("GET", "/dashboard/p/{process}/add", "read here"),
    ("POST", "/dashboard/p/{process}/add", "run here"),
    ("POST", "/dashboard/p/{process}/check", "edit here"),
    ("POST", "/dashboard/p/{process}/again", "edit here"),
    ("GET", "/dashboard/p/{process}/clone", "read here"),
    ("POST", "/dashboard/p/{process}/clone", "read here + edit everywhere"),
    ("GET", "/dashboard/p/{process}/diff", "read here"),
    ("GET", "/dashboard/p/{process}/edit", "edit here"),
    ("POST", "/dashboard/p/{process}/edit", "edit here"),
    ("POST", "/dashboard/p/{process}/pause", "edit here"),
    ("POST", "/dashboard/p/{process}/resume", "edit here"),
    ("GET", "/dashboard/p/{process}/task", "read here"),
    ("POST", "/dashboard/p/{process}/task/ack", "run here"),
    ("POST", "/dashboard/p/{process}/task/cancel", "run here"),
    ("POST", "/dashboard/p/{process}/task/modify", "run here"),
    ("POST", "/dashboard/p/{process}/task/move", "run here"),
    ("POST", "/dashboard/p/{process}/task/retry", "run here"),
    // It shows the page around the secret, too.
    ("POST", "/dashboard/p/{process}/task/reveal", "secrets here"),
    ("POST", "/dashboard/p/{process}/task/wake", "run here"),
    ("GET", "/dashboard/p/{process}/template", "read here"),
    ("POST", "/dashboard/p/{process}/template", "edit here"),
    ("GET", "/dashboard/p/{process}/yaml", "read here"),
    ("GET", "/dashboard/search", "read somewhere"),
    ("GET", "/dashboard/secrets", "read everywhere"),
    ("POST", "/dashboard/secrets/forget", "secrets everywhere"),
    ("GET", "/dashboard/secrets/set", "secrets everywhere"),
    ("POST", "/dashboard/secrets/set", "secrets everywhere"),
    ("GET", "/dashboard/setup", "key"),
    ("POST", "/dashboard/setup", "key"),
    ("GET", "/dashboard/templates", "known"),
    ("GET", "/dashboard/templates/{template}", "known"),
    ("GET", "/dashboard/templates/{template}/graph", "known"),
    ("POST", "/dashboard/templates/{template}", "edit everywhere"),
    ("POST", "/dashboard/tokens/forget", "admin everywhere"),
    ("POST", "/dashboard/tokens/make", "admin everywhere"),
    ("GET", "/dashboard/users", "admin everywhere"),
    ("POST", "/dashboard/users/change", "admin everywhere"),
    ("POST", "/dashboard/users/end", "admin everywhere"),
    ("POST", "/dashboard/users/forget", "admin everywhere"),
    ("POST", "/dashboard/users/make", "admin everywhere"),
    ("POST", "/dashboard/vars/forget", "edit everywhere"),
    ("GET", "/dashboard/vars/set", "edit everywhere"),
    ("POST", "/dashboard/vars/set", "edit everywhere"),
    ("GET", "/dashboard/{*rest}", "known"),
    ("POST", "/dashboard/language", "open"),
    ("POST", "/dashboard/logout", "known"),
];

/// A process that waits.
const HOLD: &str = "process: hold
params:
  city: {type: string, required: true}
nodes:
  start: {kind: input, next: rest}
  rest: {kind: wait, next: done}
  done: {kind: end}
";
const SCOPES: [&str; 5] = ["read", "run", "edit", "secrets", "admin"];
const ROLES: [(&str, &[&str]); 4] = [
    ("viewer", &["read"]),
    ("operator", &["read", "run"]),
    ("editor", &["read", "run", "edit", "secrets"]),
    ("admin", &["admin"]),
];
/// The process that addresses name, and the other one.
const PLACES: [Option<&str>; 3] = [None, Some("hold"), Some("other")];

/// Somebody: what they have, where (none: everywhere), and what they show at the door.
struct Somebody {
    name: String,
    rights: Vec<&'static str>,
    place: Option<&'static str>,
    shows: (&'static str, String),
}

impl Somebody {
    /// Whether the table lets them in.
    fn may(&self, asks: &str) -> bool {
        asks.split(" + ").all(|asks| self.may_one(asks))
    }

    fn may_one(&self, asks: &str) -> bool {
        let Some((right, place)) = asks.split_once(' ') else { return true };
        let has = self.rights.contains(&right) || self.rights.contains(&"admin");
        let there = match place {
            "here" => self.place.is_none_or(|it| it == "hold"),
            "somewhere" => true,
            "everywhere" => self.place.is_none(),
            other => panic!("what is {other}?"),
        };
        has && there
    }
}

fn concrete(path: &str) -> String {
    let path = path.replace("{id}", "hold").replace("{process}", "hold").replace("{ref}", "one");
    let path = path.replace("{*path}", "city").replace("{*rest}", "nowhere");
    let path = path.replace("{template}", "bitrix-oauth").replace("{key}", "1-none");
    let path = if path.contains("templates") { path.replace("{name}", "bitrix-oauth") } else { path };
    let path = path.replace("{name}", "nobody").replace("{version}", "1").replace("{session}", "none");
    match path.as_str() {
        "/dashboard/channels/set" => format!("{path}?via=telegram"),
        "/dashboard/p/hold/task" => format!("{path}?ref=one"),
        _ => path,
    }
}

/// A body that is good enough to be refused for the right alone.
fn body(path: &str) -> (&'static str, String) {
    let json = |it: Value| ("application/json", it.to_string());
    match path.rsplit('/').next().unwrap_or_default() {
        "{id}" => ("application/yaml", HOLD.to_owned()),
        _ if path.starts_with("/dashboard") || path.starts_with("/hooks") => {
            let fields = "ref=one&param=city&to=rest&auto=1&p.city=Oslo&via=telegram&name=nobody&id=mine";
            ("application/x-www-form-urlencoded", fields.to_owned())
        }
        "update" => json(json!({})),
        "clone" => json(json!({"as": "mine"})),
        "modify" => json(json!({"params": {"city": "Oslo"}})),
        "move" => json(json!({"to": "rest"})),
        "tasks" => json(json!({"params": {"city": "Riga"}})),
        "tokens" => json(json!({"name": "x", "scopes": ["read"]})),
        "users" => json(json!({"name": "x", "password": "short", "role": "viewer"})),
        _ if path.contains("/users/") => json(json!({"disabled": true})),
        _ if path.contains("/channels/") => json(json!({"via": "telegram", "config": {}})),
        _ if path.contains("/secrets/") || path.contains("/vars/") => json(json!({"value": "x"})),
        _ => ("text/plain", String::new()),
    }
}

struct Asker {
    client: Client,
    base: String,
}

impl Asker {
    fn new(house: &House) -> Asker {
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        Asker { client: client.build().unwrap(), base: format!("http://{}", house.address) }
    }

    async fn ask(&self, method: &str, path: &str, shows: Option<&(&str, String)>) -> (StatusCode, String) {
        let url = format!("{}{}", self.base, concrete(path));
        let method: Method = method.parse().unwrap();
        let mut request = self.client.request(method.clone(), url).header("accept", "text/html");
        if method != Method::GET && method != Method::DELETE {
            let (kind, body) = body(path);
            request = request.header("content-type", kind).body(body);
        }
        if path.starts_with("/dashboard") {
            request = request.header("origin", &self.base);
        }
        if let Some((name, value)) = shows {
            request = request.header(*name, value);
        }
        // The body is not waited for: some never end.
        let answer = request.send().await.unwrap();
        let to = answer.headers().get("location").map_or("", |it| it.to_str().unwrap()).to_owned();
        (answer.status(), to)
    }
}

/// The table has every route that there is, and none that there is not.
fn whole(table: &[(&str, &str, &str)], doors: Vec<beltline::middleware::routes::Route>) {
    let told: BTreeSet<(String, String)> =
        table.iter().map(|(method, path, _)| ((*path).to_owned(), (*method).to_owned())).collect();
    let there: BTreeSet<(String, String)> =
        doors.into_iter().map(|it| (it.path, it.method.to_string())).collect();
    let missing: Vec<_> = there.difference(&told).collect();
    assert!(missing.is_empty(), "say in the table whom these are for: {missing:?}");
    let gone: Vec<_> = told.difference(&there).collect();
    assert!(gone.is_empty(), "these are in the table and nowhere else: {gone:?}");
    assert_eq!(told.len(), table.len(), "each stands there once");
}

async fn house() -> House {
    let house = House::open().await;
    for name in ["hold", "other"] {
        house.deploy(&HOLD.replace("process: hold", &format!("process: {name}"))).await;
        house.submit(name, "one", json!({"city": "Riga"})).await;
    }
    house
}

/// Everybody against every line of the table. Those who may not come first, so that nothing is there no more.
async fn walk(house: &House, table: &[(&str, &str, &str)], all: &[Somebody]) {
    let asker = Asker::new(house);
    let mut let_in = 0;
    for (method, path, asks) in table {
        let stranger = asker.ask(method, path, None).await;
        match *asks {
            "open" => continue,
            "key" => {
                assert!(!stranger.0.is_success(), "{method} {path} without a good key: {stranger:?}");
                continue;
            }
            _ if stranger.0 == StatusCode::SEE_OTHER => {
                assert!(stranger.1.starts_with("/dashboard/login?"), "{method} {path}: {stranger:?}");
            }
            _ => assert_eq!(stranger.0, StatusCode::UNAUTHORIZED, "{method} {path} for a stranger"),
        }
        for (right, who) in [false, true].iter().flat_map(|it| all.iter().map(move |who| (*it, who))) {
            if who.may(asks) != right {
                continue;
            }
            let (status, to) = asker.ask(method, path, Some(&who.shows)).await;
            let refused = [StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED].contains(&status);
            let asked_in = to.starts_with("/dashboard/login") && !path.ends_with("/logout");
            assert_eq!(
                refused || asked_in,
                !right,
                "{method} {path} ({asks}) by {}: {status} {to}",
                who.name
            );
            let_in += usize::from(right);
        }
    }
    assert!(let_in > table.len(), "only {let_in} were let in");
}

#[tokio::test]
async fn the_api_lets_in_whom_the_table_says() {
    whole(API, described().2.list());
    let house = house().await;
    let mut all = Vec::new();
    for (scope, place) in SCOPES.iter().flat_map(|it| PLACES.map(|place| (*it, place))) {
        let name = format!("{scope}-{}", place.unwrap_or("all"));
        let token = house.token(&name, &[scope], place.as_ref().map(std::slice::from_ref)).await;
        all.push(Somebody {
            name,
            rights: vec![scope],
            place,
            shows: ("authorization", format!("Bearer {token}")),
        });
    }
    walk(&house, API, &all).await;
    // Nobody else is somebody.
    let asker = Asker::new(&house);
    house.user("ann", Some("admin"), json!({})).await;
    let ann = Visitor::user(&house, "ann", PASSWORD).await;
    let shows = [
        ("authorization", "Bearer blt_wrong".to_owned()),
        ("authorization", "Basic YW5uOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==".to_owned()),
        ("cookie", ann.cookie().to_owned()),
    ];
    for (method, path, asks) in API.iter().filter(|it| !["open", "key"].contains(&it.2)) {
        for shows in &shows {
            let status = asker.ask(method, path, Some(shows)).await.0;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path} ({asks}) with a {}", shows.0);
        }
    }
}

#[tokio::test]
async fn the_pages_let_in_whom_the_table_says() {
    whole(PAGES, doors());
    let house = house().await;
    let mut all = Vec::new();
    for (role, rights) in ROLES {
        for place in PLACES {
            let name = format!("{role}-{}", place.unwrap_or("all"));
            let within: BTreeMap<&str, &str> = place.iter().map(|it| (*it, role)).collect();
            house.user(&name, place.is_none().then_some(role), json!(within)).await;
            let visitor = Visitor::user(&house, &name, PASSWORD).await.cookie().to_owned();
            all.push(Somebody { name, rights: rights.to_vec(), place, shows: ("cookie", visitor) });
        }
    }
    for (scope, place) in SCOPES.iter().flat_map(|it| PLACES.map(|place| (*it, place))) {
        let name = format!("{scope}-{}", place.unwrap_or("all"));
        let name = format!("token-{name}");
        // Pages show things around what is done, so who does it there looks as well.
        let scopes: Vec<&str> = BTreeSet::from(["read", scope]).into_iter().collect();
        let token = house.token(&name, &scopes, place.as_ref().map(std::slice::from_ref)).await;
        let visitor = Visitor::with(&house, &token).await;
        all.push(Somebody {
            name,
            rights: vec!["read", scope],
            place,
            shows: ("cookie", visitor.cookie().to_owned()),
        });
    }
    walk(&house, PAGES, &all).await;
}
