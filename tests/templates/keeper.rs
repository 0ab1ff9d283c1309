//! [`Keeper`]: a universe with one task of `bitrix-oauth`, its portal, and its author.

use beltline::model::time::{Span, Timestamp};
use beltline::sim::script::Plan;
use beltline::sim::settings::BitrixSettings;
use beltline::sim::troubles::SimTrouble;
use serde_json::{Value, json};

use crate::simulation::portal::Portal;
use crate::simulation::universe::{Universe, template};

pub(super) const TASK: &str = "bitrix-oauth/token";

pub(super) struct Keeper {
    pub(super) portal: Portal,
    pub(super) universe: Universe,
}

impl Keeper {
    /// A task without a code.
    pub(super) fn new(settings: BitrixSettings) -> Keeper {
        Keeper::given(settings, &json!({}))
    }

    /// The same, with more params.
    pub(super) fn given(settings: BitrixSettings, more: &Value) -> Keeper {
        let portal = Portal::new(settings, 1);
        let mut universe = Universe::new(Box::new(portal.clone()), &[&template("bitrix-oauth")]);
        let mut given = Portal::params();
        given.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        universe.submit(TASK, given);
        universe.run(Span::secs(1));
        Keeper { portal, universe }
    }

    /// One that has its first token, asked for a second ago.
    pub(super) fn with_token(settings: BitrixSettings) -> Keeper {
        let mut keeper = Keeper::new(settings);
        keeper.open_link();
        keeper.universe.run(Span::secs(1));
        keeper.is_well();
        keeper
    }

    /// The author taps the link that the task shows, and the callback brings the code.
    pub(super) fn open_link(&mut self) {
        let link = self.universe.task(TASK).link.expect("a link is shown");
        self.follow(&link);
    }

    /// The same with the link of the last message.
    pub(super) fn open_told_link(&mut self) {
        let text = self.last_told();
        let link = text.split_whitespace().find(|it| it.contains("/oauth/authorize/"));
        self.follow(link.unwrap_or_else(|| panic!("no link in {text}")));
    }

    fn follow(&mut self, link: &str) {
        let (code, state) = self.portal.open(link, self.universe.now());
        let task = self.universe.task(TASK);
        assert!(beltline::model::key::opens(&state, &task), "the link is for another visit of the task");
        self.universe.modify(TASK, json!({"code": code}));
    }

    /// From now on, every request to the token server fares so.
    pub(super) fn trouble(&self, plans: Vec<Plan<SimTrouble>>) {
        self.portal.bitrix().troubles.token.set(plans);
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

    /// What the author was told, oldest first.
    pub(super) fn told(&self) -> Vec<String> {
        self.universe.edges.author().told.iter().map(|it| it.text.clone()).collect()
    }

    pub(super) fn last_told(&self) -> String {
        self.told().pop().expect("somebody was told")
    }

    /// How often the token server was asked.
    pub(super) fn asked(&self) -> usize {
        self.portal.log().len()
    }

    pub(super) fn has_good_token(&self) -> bool {
        let access = self.param("access_token");
        access.as_str().is_some_and(|it| self.portal.takes(it, self.universe.now()))
    }

    /// At rest, with a good token and nothing open.
    pub(super) fn is_well(&self) {
        let way = self.universe.way(TASK).join(" ");
        assert_eq!(self.node(), "nap", "{way}\n{:#?}", self.universe.task(TASK).fault);
        assert!(self.has_good_token(), "{way}");
        assert!(self.universe.task(TASK).alarm.is_none());
        assert_eq!((self.param("state"), self.param("code")), (json!(""), json!("")));
    }

    /// No secret stands where people look.
    pub(super) fn tells_no_secret(&self) {
        let task = self.universe.task(TASK);
        let names = ["client_secret", "access_token", "refresh_token", "previous_refresh_token"];
        let secrets = names.iter().filter_map(|it| task.params.get(it)?.as_str()).filter(|it| !it.is_empty());
        let seen =
            format!("{:?} {:?} {:?} {:?}", self.told(), self.universe.history(TASK), task.fault, task.alarm);
        for secret in secrets {
            assert!(!seen.contains(secret), "{secret} is told");
        }
        let counts = self.portal.bitrix().counts.clone();
        assert_eq!((counts.url_secrets, counts.portal_secrets), (0, 0));
    }
}
