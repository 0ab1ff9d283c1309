//! Every form of every page is pressed as a person does, and what comes of it is looked at: the page that
//! answers, and what the API says then. `forms.yaml` is the table; a form in none of its rows fails, as does
//! a row whose form is on no page.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use beltline::dashboard::router::doors;
use beltline::process::yaml;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use thirtyfour::error::WebDriverResult;
use thirtyfour::prelude::*;

use crate::browser::browser::Browser;
use crate::browser::make::Make;
use crate::browser::pages::{lived_in, look};
use crate::dashboard::visitor::Visitor;
use crate::support::house::{House, PASSWORD};

/// What is on a page, as a script for it.
const FORMS: &str = include_str!("forms.js");
/// Clicks what folds a form away; says whether anything did.
const UNFOLD: &str = "let it = arguments[0].closest('details:not([open])'), outer = null; \
    while (it) { outer = it; it = it.parentElement.closest('details:not([open])'); } \
    return outer && outer.querySelector('summary');";
const MIDDLE: &str = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})";
const PASTE: &str = "arguments[0].focus(); arguments[0].select(); \
    document.execCommand('insertText', false, arguments[1]);";
/// Pages of one kind that are looked at: of those that differ by how a task or a process stands enough for
/// each to have been seen in all of its states, and of the others a few.
const STATES_MAX: usize = 12;
const ALIKE_MAX: usize = 2;
/// How long the API may take to say what was done.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process whose alarms nobody hears, and one that fails at once.
const MORE: [&str; 2] = [
    "process: ring\nnodes:\n  start: {kind: input, next: tell}\n  tell: {kind: escalation, \
     message: it rings, notify: [nobody], retry: {times: 1}, wait: {}, next: done}\n  done: {kind: end}\n",
    "process: once\nparams: {city: {type: string}}\nnodes:\n  start: {kind: input, next: say}\n  \
     say: {kind: set, set: {copy: \"{{city}}\"}, next: done}\n  done: {kind: end}\n",
];

/// A form, how it is filled in, and what its answer must show.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// What it is known by: `POST /dashboard/users/change: role within`.
    form: String,
    /// The page it is pressed on.
    page: String,
    /// What stands around it, where there are several.
    #[serde(default)]
    beside: String,
    /// What does not.
    #[serde(default)]
    not_beside: String,
    /// What is typed, chosen and ticked, by name.
    #[serde(default)]
    fill: Map<String, Value>,
    /// What the button says, where there are several.
    #[serde(default)]
    button: String,
    /// What the page says that answers, and where that is.
    says: String,
    at: String,
    /// What the API says then, by path: at least that.
    #[serde(default)]
    then: BTreeMap<String, Value>,
    /// What it says no more.
    #[serde(default)]
    no_more: BTreeMap<String, Value>,
    /// What is refused, and pressed before.
    wrong: Option<Wrong>,
    /// Why nothing of it can be refused.
    #[serde(default)]
    never_refused: String,
}

/// The same form filled in so that it is refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrong {
    fill: Map<String, Value>,
    says: String,
    status: u64,
    /// The fields that still hold what was typed.
    #[serde(default)]
    keeps: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Found {
    at: i64,
    method: String,
    action: String,
    names: Vec<String>,
    hidden: BTreeMap<String, String>,
    said: String,
}

#[derive(Debug, Deserialize)]
struct Seen {
    forms: Vec<Found>,
    links: Vec<String>,
    status: u64,
    path: String,
    text: String,
}

fn rows() -> Vec<Row> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/forms.yaml");
    let (tree, problems) = yaml::read(&std::fs::read_to_string(path).unwrap());
    assert!(problems.is_empty(), "{problems:?}");
    tree.unwrap().read().unwrap()
}

/// The route that takes that path; one that names it whole goes before one with placeholders.
fn route(method: &str, path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |route: &str| {
        let own: Vec<&str> = route.split('/').collect();
        own.len() == parts.len() && own.iter().zip(&parts).all(|(own, it)| own.starts_with('{') || own == it)
    };
    let doors = doors().into_iter().filter(|it| it.method.as_str() == method && fits(&it.path));
    let route = doors.map(|it| it.path).min_by_key(|it| it.matches('{').count());
    route.unwrap_or_else(|| path.to_owned())
}

impl Found {
    /// What it is known by. The fields of params, scopes and settings are as many as there are.
    fn key(&self) -> String {
        let own = |it: &&String| !it.starts_with("p.") && !it.starts_with("s.") && !it.starts_with("scope.");
        let names: BTreeSet<&str> = self.names.iter().filter(own).map(String::as_str).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let key = format!("{} {}: {}", self.method, route(&self.method, &self.action), names.join(" "));
        key.trim_end_matches([' ', ':']).to_owned()
    }
}

async fn see(browser: &Browser) -> Seen {
    serde_json::from_value(browser.ask(FORMS).await).unwrap()
}

async fn go(browser: &Browser, house: &House, path: &str) -> Seen {
    browser.go(&format!("http://{}{path}", house.address)).await;
    see(browser).await
}

/// All forms of all pages that links lead to, and the pages.
async fn walk(browser: &Browser, house: &House) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let (mut forms, mut routes) = (BTreeMap::new(), BTreeMap::<String, usize>::new());
    let (mut queue, mut known) = (VecDeque::from(["/dashboard".to_owned()]), BTreeSet::new());
    while let Some(path) = queue.pop_front() {
        let seen = go(browser, house, &path).await;
        assert_eq!(seen.status, 200, "a link leads to {path}: {}", seen.text);
        for form in &seen.forms {
            forms.entry(form.key()).or_insert_with(|| path.clone());
        }
        for link in seen.links {
            let (bare, query) = link.split_once('?').unwrap_or((&link, ""));
            // The same page asked for otherwise is looked at as well.
            let names: Vec<&str> = query.split('&').filter_map(|it| it.split('=').next()).collect();
            let kind = route("GET", bare);
            let states = ["/dashboard/p/{process}", "/dashboard/p/{process}/task"].contains(&kind.as_str());
            let most = if states { STATES_MAX } else { ALIKE_MAX };
            let alike = routes.entry(format!("{kind} {}", names.join(" "))).or_default();
            if known.insert(link.clone()) && *alike < most {
                *alike += 1;
                queue.push_back(link);
            }
        }
    }
    let routes = routes.into_keys().map(|it| it.split(' ').next().unwrap().to_owned()).collect();
    (forms, routes)
}

/// More for the pages to show: what rings, what failed, what can be taken back.
async fn furnish(house: &House) {
    for text in MORE {
        house.deploy(text).await;
    }
    for (process, reference) in [("ring", "one"), ("once", "one"), ("shop", "two"), ("shop", "three")] {
        let params =
            if process == "shop" { json!({"city": "Riga", "key": "open-sesame-18"}) } else { json!({}) };
        house.submit(process, reference, params).await;
    }
    house.until("/processes/ring/tasks/one", |it| it["alarm"].is_object()).await;
    house.until("/processes/once/tasks/one", |it| it["state"] == "failed").await;
    house.user("bob", Some("viewer"), json!({"shop": "operator"})).await;
    house.user("zoe", Some("viewer"), json!({})).await;
    house.token("ci", &["run"], Some(&["shop"])).await;
    Visitor::user(house, "bob", PASSWORD).await;
    house.api("POST", "/processes/kinds/pause").send().await.ok(200);
}

/// Whether `seen` has all that `wanted` has; of a list each that is wanted is one of those.
fn has(seen: &Value, wanted: &Value) -> bool {
    match (seen, wanted) {
        (Value::Object(seen), Value::Object(wanted)) => {
            wanted.iter().all(|(name, it)| has(seen.get(name).unwrap_or(&Value::Null), it))
        }
        (Value::Array(seen), Value::Array(wanted)) => {
            wanted.iter().all(|it| seen.iter().any(|seen| has(seen, it)))
        }
        (seen, wanted) => seen == wanted,
    }
}

/// A row at work.
struct Press<'a> {
    browser: &'a Browser,
    house: &'a House,
    row: &'a Row,
}

impl Press<'_> {
    async fn whole(&self) -> Result<(), String> {
        if let Some(wrong) = &self.row.wrong {
            self.refused(wrong).await.map_err(|it| format!("filled in wrongly: {it}"))?;
        }
        let row = self.row;
        let seen = self.send(&row.fill).await?;
        if seen.status >= 400 || !seen.text.contains(&row.says) || seen.path != row.at {
            return Err(format!("it was answered with {} at {}:\n{}", seen.status, seen.path, seen.text));
        }
        for (path, wanted) in &row.then {
            self.becomes(path, wanted, true).await?;
        }
        for (path, wanted) in &row.no_more {
            self.becomes(path, wanted, false).await?;
        }
        Ok(())
    }

    async fn becomes(&self, path: &str, wanted: &Value, so: bool) -> Result<(), String> {
        let wait = self.house.becomes(path, |it| has(it, wanted) == so);
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(_) => Ok(()),
            Err(_) => {
                let seen = self.house.api("GET", path).send().await.text;
                Err(format!("{path} is {seen}, and {wanted} is wanted: {so}"))
            }
        }
    }

    async fn refused(&self, wrong: &Wrong) -> Result<(), String> {
        let seen = self.send(&wrong.fill).await?;
        if seen.status != wrong.status || !seen.text.contains(&wrong.says) {
            return Err(format!("it was answered with {}:\n{}", seen.status, seen.text));
        }
        let bad = look(self.browser).await;
        if !bad.is_empty() {
            return Err(format!("the answer is hard to use: {bad:?}"));
        }
        if wrong.keeps.is_empty() {
            return Ok(());
        }
        let form = self.form(&seen).await?;
        for name in &wrong.keeps {
            let field = by_name(&form, name).await.map_err(|it| format!("`{name}`: {it}"))?;
            let kept = match field.attr("type").await.ok().flatten().as_deref() {
                Some("checkbox") => Value::from(field.is_selected().await.unwrap_or_default()),
                _ => Value::from(field.prop("value").await.ok().flatten().unwrap_or_default()),
            };
            if kept != wrong.fill[name] {
                return Err(format!("`{name}` was {}, and is {kept} now", wrong.fill[name]));
            }
            if !field.is_displayed().await.unwrap_or_default() {
                return Err(format!("`{name}` is folded away"));
            }
        }
        Ok(())
    }

    /// Fills it in and presses its button; what is to be seen then.
    async fn send(&self, fill: &Map<String, Value>) -> Result<Seen, String> {
        let seen = go(self.browser, self.house, &self.row.page).await;
        let form = self.form(&seen).await?;
        self.filled(&form, fill).await.map_err(|it| format!("it cannot be filled in: {it}"))?;
        let here = "window.here = true; arguments[0].noValidate = true";
        let driver = &self.browser.driver;
        driver.execute(here, vec![form.to_json().unwrap()]).await.map_err(|it| it.to_string())?;
        self.pressed(&form).await.map_err(|it| format!("it cannot be pressed: {it}"))?;
        let gone = "return !window.here && document.readyState === 'complete'";
        self.browser
            .until(&format!("`{}` is answered", self.row.form), async || {
                // The page may just be going.
                driver.execute(gone, Vec::new()).await.is_ok_and(|it| *it.json() == json!(true))
            })
            .await;
        Ok(see(self.browser).await)
    }

    /// Itself on the page that is seen.
    async fn form(&self, seen: &Seen) -> Result<WebElement, String> {
        let row = self.row;
        let fits = |it: &&Found| {
            it.key() == row.form
                && it.said.contains(&row.beside)
                && (row.not_beside.is_empty() || !it.said.contains(&row.not_beside))
        };
        let found = seen.forms.iter().find(fits);
        let found = found.ok_or_else(|| format!("it is not on the page:\n{}", seen.text))?;
        let all = self.browser.driver.find_all(By::Tag("form")).await.map_err(|it| it.to_string())?;
        let at = usize::try_from(found.at).map_err(|_| "it asks by itself".to_owned())?;
        all.into_iter().nth(at).ok_or_else(|| format!("there is no form number {at}: {:?}", found.hidden))
    }

    async fn filled(&self, form: &WebElement, fill: &Map<String, Value>) -> WebDriverResult<()> {
        let driver = &self.browser.driver;
        self.unfolded(form).await?;
        for (name, value) in fill {
            let field = by_name(form, name).await?;
            self.unfolded(&field).await?;
            driver.execute(MIDDLE, vec![field.to_json()?]).await?;
            match (field.tag_name().await?.as_str(), value) {
                (_, Value::Bool(on)) => {
                    if field.is_selected().await? != *on {
                        field.click().await?;
                    }
                }
                ("select", Value::String(text)) => {
                    for option in field.find_all(By::Tag("option")).await? {
                        if option.prop("value").await?.as_ref() == Some(text) {
                            option.click().await?;
                        }
                    }
                }
                ("textarea", Value::String(text)) => {
                    driver.execute(PASTE, vec![field.to_json()?, json!(text)]).await?;
                }
                (_, value) => {
                    field.clear().await?;
                    field.send_keys(value.as_str().unwrap_or_default()).await?;
                }
            }
        }
        Ok(())
    }

    /// Opens what folds it away, as a person does.
    async fn unfolded(&self, it: &WebElement) -> WebDriverResult<()> {
        let driver = &self.browser.driver;
        loop {
            let folded = driver.execute(UNFOLD, vec![it.to_json()?]).await?;
            let Ok(summary) = folded.element() else { return Ok(()) };
            driver.execute(MIDDLE, vec![summary.to_json()?]).await?;
            summary.click().await?;
        }
    }

    async fn pressed(&self, form: &WebElement) -> WebDriverResult<()> {
        let buttons = form.find_all(By::Css("button:not([type=button])")).await?;
        for button in &buttons {
            if self.row.button.is_empty() || button.text().await?.trim() == self.row.button {
                self.browser.driver.execute(MIDDLE, vec![button.to_json()?]).await?;
                return button.click().await;
            }
        }
        form.find(By::Css("input:not([type=hidden])")).await?.send_keys(Key::Enter).await
    }
}

async fn by_name(form: &WebElement, name: &str) -> WebDriverResult<WebElement> {
    form.find(By::Css(format!("[name='{name}']"))).await
}

/// What no link leads to: pictures and streams, what a page asks for by itself, what is not for who is in.
const NOT_WALKED: [&str; 7] = [
    "/",
    "/dashboard/assets/{name}",
    "/dashboard/events",
    "/dashboard/login",
    "/dashboard/setup",
    "/dashboard/templates/{template}/graph",
    "/dashboard/{*rest}",
];
/// What no link leads to but a form, which is pressed.
const BY_FORM: &str = "/dashboard/search";

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_every_page_is_pressed() {
    press_all(Make::Chromium).await;
}

/// What forms there are is the same in every browser, and what a press sends may not be.
#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_every_page_is_pressed_in_firefox() {
    press_all(Make::Firefox).await;
}

async fn press_all(make: Make) {
    let house = lived_in().await;
    furnish(&house).await;
    let browser = Browser::open(make).await;
    let mut rows = rows();
    let key = house.service.open_setup().await.unwrap().unwrap();
    for row in &mut rows {
        row.page = row.page.replace("{key}", &key);
    }
    let mut wrong = Vec::new();
    let press = async |row: &Row| {
        let press = Press { browser: &browser, house: &house, row };
        press.whole().await.err().map(|it| format!("{}: {it}", row.form))
    };
    // The first admin is made by a form, and walks.
    let mut outside: Vec<Found> = go(&browser, &house, &rows[0].page).await.forms;
    wrong.extend(press(&rows[0]).await);
    // At home on another machine as well.
    Visitor::user(&house, "ada", PASSWORD).await;
    outside.extend(go(&browser, &house, "/dashboard/login").await.forms);
    if make == Make::Chromium {
        wrong.extend(not_matched(&browser, &house, &rows, &outside).await);
    }
    for row in rows.iter().skip(1).filter(|it| it.form != ASKS_ITSELF) {
        wrong.extend(press(row).await);
        let said = row.wrong.is_some() != row.never_refused.is_empty();
        wrong.extend(said.then(|| format!("{}: what of it is refused?", row.form)));
    }
    browser.close().await;
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Forms without a row, rows without a form, and routes that nothing leads to.
async fn not_matched(browser: &Browser, house: &House, rows: &[Row], outside: &[Found]) -> Vec<String> {
    let (mut forms, pages) = walk(browser, house).await;
    forms.extend(outside.iter().map(|it| (it.key(), "outside".to_owned())));
    let table: BTreeSet<&str> = rows.iter().map(|it| it.form.as_str()).collect();
    let unknown = forms.iter().filter(|(form, _)| !table.contains(form.as_str()));
    let unknown = unknown.map(|(form, page)| format!("in no row of forms.yaml: `{form}`, on {page}"));
    let stale = table.iter().filter(|it| !forms.contains_key(**it));
    let mut wrong: Vec<String> = unknown.chain(stale.map(|it| format!("on no page: `{it}`"))).collect();
    for door in doors() {
        let (is_form, path) = (door.method.as_str() == "POST", door.path.as_str());
        let reached = match is_form {
            true => forms.keys().any(|it| it.split(": ").next() == Some(&format!("POST {path}"))),
            false => pages.contains(path) || NOT_WALKED.contains(&path) || path == BY_FORM,
        };
        wrong.extend((!reached).then(|| format!("nothing leads to {} {path}", door.method)));
    }
    wrong
}

/// The editor asks what is wrong as one types; `work.rs` types.
const ASKS_ITSELF: &str = "POST /dashboard/p/{process}/check";
