//! [`Office`]: a universe with one task of `oauth2-keeper`, a provider of some habits, and its author.

use std::sync::{Arc, Mutex, MutexGuard};

use beltline::model::effect::{Effect, HttpRequest};
use beltline::model::fault::Fault;
use beltline::model::key;
use beltline::model::time::{Span, Timestamp};
use beltline::sim::habits::{ClientAuth, Habits};
use beltline::sim::oauth2::{CLIENT_ID, CLIENT_SECRET, Provider};
use beltline::sim::request::SimRequest;
use beltline::sim::script::Plan;
use beltline::sim::troubles::SimTrouble;
use serde_json::{Map, Value, json};
use url::Url;

use crate::simulation::partners::{Partner, Reply};
use crate::simulation::portal::{delivered, request};
use crate::simulation::universe::{Universe, template};

pub(super) const TASK: &str = "oauth2-keeper/token";
const HOST: &str = "provider.test";
const CALLBACK: &str = "https://beltline.test/oauth/callback";

/// The provider as a partner in virtual time.
#[derive(Clone)]
struct Partnered(Arc<Mutex<Provider>>);

impl Partner for Partnered {
    fn ask(&mut self, ask: &HttpRequest, effect: &Effect, now: Timestamp) -> Reply {
        let url = Url::parse(&ask.url).unwrap();
        if ask.oauth_hosts_only && url.host_str() != Some(HOST) {
            let message = format!("`{}` is no OAuth token host", url.host_str().unwrap_or_default());
            return Reply::new(Err(Fault::lasting("host_not_allowed", message)));
        }
        let answer = self.0.lock().unwrap().answer(&request(ask, &url), now.0).unwrap();
        let (outcome, took) = delivered(&answer, ask, effect);
        Reply { outcome, took, pair: None }
    }
}

pub(super) struct Office {
    provider: Arc<Mutex<Provider>>,
    pub(super) universe: Universe,
}

impl Office {
    /// A task that waits for a person.
    pub(super) fn new(habits: Habits) -> Office {
        Office::given(habits, &json!({}))
    }

    /// The same, with more params.
    pub(super) fn given(habits: Habits, more: &Value) -> Office {
        let mut given = json!({
            "authorize_url": format!("https://{HOST}/oauth2/authorize"),
            "token_url": format!("https://{HOST}/oauth2/token"),
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scope": "read write",
        });
        match habits.client_auth {
            ClientAuth::Body => {}
            ClientAuth::Basic => given["client_auth"] = json!("basic"),
            ClientAuth::None => given["client_secret"] = json!(""),
        }
        given.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut provider = Provider::new(habits, 1);
        CALLBACK.clone_into(&mut provider.redirect_uri);
        let provider = Arc::new(Mutex::new(provider));
        let text = template("oauth2-keeper");
        let mut universe = Universe::new(Box::new(Partnered(provider.clone())), &[&text]);
        universe.submit(TASK, with_defaults(&text, given));
        universe.run(Span::secs(1));
        Office { provider, universe }
    }

    /// One that has its first token, asked for a second ago.
    pub(super) fn with_token(habits: Habits) -> Office {
        let mut office = Office::new(habits);
        office.open_link();
        office.universe.run(Span::secs(1));
        office.is_well();
        office
    }

    pub(super) fn provider(&self) -> MutexGuard<'_, Provider> {
        self.provider.lock().unwrap()
    }

    /// From now on, every request to the token endpoint fares so.
    pub(super) fn trouble(&self, plans: Vec<Plan<SimTrouble>>) {
        self.provider().script.set(plans);
    }

    /// The author taps the link that the task shows, and the callback brings what the provider says.
    pub(super) fn open_link(&mut self) {
        let link = self.universe.task(TASK).link.expect("a link is shown");
        self.follow(&link);
    }

    /// The same with the link of the last message.
    pub(super) fn open_told_link(&mut self) {
        let text = self.last_told();
        let link = text.split_whitespace().find(|it| it.contains("/oauth2/authorize")).map(str::to_owned);
        self.follow(&link.unwrap_or_else(|| panic!("no link in {text}")));
    }

    /// What the provider's redirect carries, for a link.
    pub(super) fn redirect(&self, link: &str) -> Map<String, Value> {
        let url = Url::parse(link).unwrap();
        let target = format!("{}?{}", url.path(), url.query().unwrap());
        let answer = self.provider().answer(&SimRequest::get(&target), self.universe.now().0).unwrap();
        let back = answer.header("location").unwrap_or_else(|| panic!("{answer:?}"));
        assert!(back.starts_with(CALLBACK), "{back}");
        let back = Url::parse(back).unwrap();
        back.query_pairs().map(|(name, value)| (name.into_owned(), Value::from(value))).collect()
    }

    fn follow(&mut self, link: &str) {
        let mut brought = self.redirect(link);
        let state = brought.remove("state").unwrap();
        let task = self.universe.task(TASK);
        assert!(key::opens(state.as_str().unwrap(), &task), "the link is for another visit of the task");
        let code = brought.remove("code");
        let mut signal = json!({"callback": brought});
        if let Some(code) = code {
            signal["code"] = code;
        }
        self.universe.modify(TASK, signal);
    }

    /// Goes on to half a minute after the next renewal has begun.
    pub(super) fn renewal(&mut self) {
        let begins = Timestamp(self.param("renew_at").as_i64().unwrap() * 1_000);
        self.universe.run_until(begins + Span::secs(30));
    }

    pub(super) fn node(&self) -> String {
        self.universe.node(TASK)
    }

    pub(super) fn param(&self, name: &str) -> Value {
        self.universe.param(TASK, name)
    }

    pub(super) fn told(&self) -> Vec<String> {
        self.universe.edges.author().told.iter().map(|it| it.text.clone()).collect()
    }

    pub(super) fn last_told(&self) -> String {
        self.told().pop().expect("somebody was told")
    }

    /// How often the token endpoint was asked for this grant.
    pub(super) fn asked(&self, grant: &str) -> u64 {
        self.provider().counts.total(&format!("token/{grant}"))
    }

    pub(super) fn has_good_token(&self) -> bool {
        let access = self.param("access_token");
        access.as_str().is_some_and(|it| self.provider().is_valid(it, self.universe.now().0))
    }

    /// At rest, with a good token and nothing open.
    pub(super) fn is_well(&self) {
        let way = self.universe.way(TASK).join(" ");
        assert!(
            ["nap", "keep"].contains(&self.node().as_str()),
            "{way}\n{:#?}",
            self.universe.task(TASK).fault
        );
        assert!(self.has_good_token(), "{way}");
        assert!(self.universe.task(TASK).alarm.is_none());
        assert_eq!((self.param("state"), self.param("code")), (json!(""), json!("")));
    }

    /// No secret stands where people look.
    pub(super) fn tells_no_secret(&self) {
        let task = self.universe.task(TASK);
        let names = ["client_secret", "access_token", "refresh_token", "previous_refresh_token", "verifier"];
        let secrets = names.iter().filter_map(|it| task.params.get(it)?.as_str()).filter(|it| !it.is_empty());
        let (told, history) = (self.told(), self.universe.history(TASK));
        let seen = format!("{told:?} {history:?} {:?} {:?} {:?}", task.fault, task.alarm, task.link);
        for secret in secrets {
            assert!(!seen.contains(secret), "a secret is told");
        }
        assert_eq!(self.provider().counts.url_secrets, 0);
    }
}

/// As a submit does it: what has a default and is not given has its default.
pub(super) fn with_defaults(text: &str, given: Value) -> Value {
    let process = crate::simulation::universe::process(text);
    let mut all = Map::new();
    for param in &process.params {
        if let Some(default) = &param.default {
            all.insert(param.name.clone(), default.clone());
        }
    }
    let Value::Object(given) = given else { unreachable!("params are an object") };
    all.extend(given);
    Value::Object(all)
}
