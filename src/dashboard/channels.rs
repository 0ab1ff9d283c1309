//! Channels: which there are, a new one, a test.

use askama::Template;
use axum::extract::State;
use axum::response::IntoResponse;
use serde_json::{Map, Value};

use crate::channels::spec::{COMMON, ChannelSpec, Field};
use crate::channels::{CHANNELS, find};
use crate::dashboard::dash::Dash;
use crate::dashboard::links;
use crate::dashboard::page::{Frame, Given, Page, Place, go, ok, status};
use crate::dashboard::show::{self, When, beside, sentence, when};
use crate::dashboard::take::{Asked, Form, Who};
use crate::model::marks::MASK;
use crate::service::actor::Right;
use crate::service::channels::ChannelView;
use crate::service::errors::ServiceError;

const PAGE: &str = "/dashboard/channels";
const SET: &str = "/dashboard/channels/set";
/// What stands before the name of a setting in the name of its field.
const PREFIX: &str = "s.";

#[derive(Template)]
#[template(path = "channels.html", config = ".askama.toml")]
struct ChannelsPage {
    f: Frame,
    items: Vec<ChannelCard>,
    kinds: Vec<KindCard>,
    sets: bool,
    tests: bool,
}

struct ChannelCard {
    name: String,
    via: String,
    settings: Vec<(String, String)>,
    fixed: bool,
    tested: Option<TestCard>,
    failing: Option<FailingCard>,
    delivered: Option<When>,
    canary: Option<When>,
    remedy: Option<String>,
    change: String,
}

struct FailingCard {
    since: When,
    many: u64,
    detail: String,
}

struct TestCard {
    at: When,
    good: bool,
    detail: String,
}

struct KindCard {
    name: &'static str,
    about: &'static str,
    to: String,
}

/// All of them.
pub(super) async fn list(State(dash): State<Dash>, Who(by): Who, asked: Asked) -> Given {
    let items = dash.service.channels(&by).await?.items;
    let kind = |it: &ChannelSpec| KindCard {
        name: it.name,
        about: it.about,
        to: links::with(SET, &[("via", it.name)]),
    };
    ok(ChannelsPage {
        f: Frame::new(&by, Place::Channels).said(asked.get("said")),
        items: items.iter().map(card).collect(),
        kinds: CHANNELS.iter().map(kind).collect(),
        sets: by.may_everywhere(Right::Secrets),
        tests: by.may_everywhere(Right::Run),
    })
}

fn card(it: &ChannelView) -> ChannelCard {
    let test = |it: &crate::service::channels::TestView| TestCard {
        at: When(it.at.clone()),
        good: it.delivered,
        detail: it.detail.clone(),
    };
    ChannelCard {
        name: it.name.clone(),
        via: it.via.clone(),
        settings: it.config.iter().map(|(name, value)| (name.clone(), show::shown(value))).collect(),
        fixed: it.fixed,
        tested: it.last.as_ref().map(test),
        failing: it.health.since.as_ref().map(|since| FailingCard {
            since: When(since.clone()),
            many: it.health.failures,
            detail: it.health.detail.clone().unwrap_or_default(),
        }),
        delivered: when(it.health.delivered_at.as_ref()),
        canary: when(it.canary_at.as_ref()),
        remedy: it.health.remedy.clone(),
        change: links::with(SET, &[("name", &it.name), ("via", &it.via)]),
    }
}

#[derive(Template)]
#[template(path = "channel.html", config = ".askama.toml")]
struct ChannelPage {
    f: Frame,
    via: String,
    about: &'static str,
    name: String,
    known: bool,
    name_wrong: Option<String>,
    settings: Vec<Setting>,
}

struct Setting {
    id: String,
    field: String,
    name: &'static str,
    about: &'static str,
    required: bool,
    secret: bool,
    /// A key is there, and stays if nothing is typed.
    kept: bool,
    value: String,
    placeholder: &'static str,
    wrong: Option<String>,
}

/// What was typed, and what is wrong with it.
type Typed<'a> = Option<(&'a Form, &'a ServiceError)>;

fn page(f: Frame, spec: &ChannelSpec, name: &str, old: Option<&ChannelView>, typed: Typed) -> ChannelPage {
    let refusal = typed.map(|(_, refusal)| refusal);
    let bad = typed.and_then(|(form, refusal)| field_of(spec, form, refusal));
    let setting = |(at, it): (usize, &Field)| {
        let field = format!("{PREFIX}{}", it.name);
        let before = old.and_then(|old| old.config.get(it.name)).map(show::text);
        let kept = it.secret && before.as_deref() == Some(MASK);
        let value = match typed {
            Some((form, _)) if !it.secret => form.get(&field).to_owned(),
            Some(_) => String::new(),
            None => before.filter(|_| !kept).unwrap_or_default(),
        };
        Setting {
            id: format!("s{at}"),
            field,
            name: it.name,
            about: it.about,
            required: it.required && !kept,
            secret: it.secret,
            kept,
            value,
            placeholder: it.default.unwrap_or_default(),
            wrong: refusal.filter(|_| bad == Some(it.name)).map(beside),
        }
    };
    let settings: Vec<Setting> = spec.fields.iter().chain(&COMMON).enumerate().map(setting).collect();
    let name_wrong = refusal.filter(|it| it.code() == "bad_name").map(beside);
    let told = name_wrong.is_some() || bad.is_some();
    ChannelPage {
        f: f.refused(refusal.filter(|_| !told)),
        via: spec.name.to_owned(),
        about: spec.about,
        name: name.to_owned(),
        known: old.is_some(),
        name_wrong,
        settings,
    }
}

/// The field that a refusal speaks of: the one it names first, or the one whose value it names.
fn field_of(spec: &ChannelSpec, form: &Form, refusal: &ServiceError) -> Option<&'static str> {
    if refusal.code() != "bad_channel" {
        return None;
    }
    let text = refusal.to_string();
    let at = |word: &str| text.find(&format!("`{word}`"));
    let fields = || spec.fields.iter().chain(&COMMON);
    let named = fields().filter_map(|it| Some((at(it.name)?, it.name))).min();
    let typed = |it: &Field| form.get(&format!("{PREFIX}{}", it.name)).trim().to_owned();
    let valued = || fields().find(|it| !it.secret && !typed(it).is_empty() && at(&typed(it)).is_some());
    named.map(|(_, name)| name).or_else(|| valued().map(|it| it.name))
}

/// The form of one, new or known.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who, asked: Asked) -> Given {
    let empty = String::new();
    let (via, name) = (asked.get("via").unwrap_or(&empty), asked.get("name").unwrap_or(&empty));
    let spec = find(via).ok_or_else(|| ServiceError::missing("kind of channel", via.as_str()))?;
    let items = dash.service.channels(&by).await?.items;
    let old = items.iter().find(|it| it.name == *name && it.via == *via);
    ok(page(Frame::new(&by, Place::Channels), spec, name, old, None))
}

/// Sets one up.
pub(super) async fn set(State(dash): State<Dash>, Who(by): Who, form: Form) -> Given {
    let (via, name) = (form.get("via"), form.get("name").trim());
    let spec = find(via).ok_or_else(|| ServiceError::missing("kind of channel", via))?;
    let items = dash.service.channels(&by).await?.items;
    let old = items.iter().find(|it| it.name == name && it.via == via);
    let mut config = Map::new();
    for field in spec.fields.iter().chain(&COMMON) {
        let typed = form.get(&format!("{PREFIX}{}", field.name)).trim();
        let kept = field.secret && old.and_then(|it| it.config.get(field.name)).is_some_and(|it| it == MASK);
        match typed {
            "" if kept => drop(config.insert(field.name.to_owned(), Value::from(MASK))),
            "" => {}
            typed => drop(config.insert(field.name.to_owned(), Value::from(typed))),
        }
    }
    match dash.service.set_channel(&by, name, via, config).await {
        Ok(_) => go(&links::with(PAGE, &[("said", "channel_set")])),
        Err(refusal) => {
            let f = Frame::new(&by, Place::Channels);
            Ok(Page(status(&refusal), page(f, spec, name, old, Some((&form, &refusal)))).into_response())
        }
    }
}

/// Sends a real message.
pub(super) async fn test(State(dash): State<Dash>, Who(by): Who, form: Form) -> Given {
    let name = form.get("name");
    let tested = dash.service.test_channel(&by, name).await?;
    let said = if tested.delivered { "delivered" } else { "undelivered" };
    go(&format!("{}#c-{name}", links::with(PAGE, &[("said", said)])))
}

/// Forgets one.
pub(super) async fn forget(State(dash): State<Dash>, Who(by): Who, form: Form) -> Given {
    match dash.service.forget_channel(&by, form.get("name")).await {
        Ok(()) => go(&links::with(PAGE, &[("said", "channel_forgotten")])),
        Err(refusal) => {
            let (text, _) = sentence(&refusal.to_string());
            Err(crate::dashboard::page::Oops::new(status(&refusal), &text))
        }
    }
}
