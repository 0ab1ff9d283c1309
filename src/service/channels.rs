//! Channels as people set them up: list, set, forget, test.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;
use utoipa::ToSchema;

use crate::channels::spec::{COMMON, ChannelSettings, ChannelSpec, Field, Message, Post};
use crate::channels::{find, smtp};
use crate::engine::health::Tested;
use crate::engine::ports::Collection;
use crate::engine::resources::{ChannelConfig, Channels};
use crate::model::effect::{Effect, ExternalAnswer, MARK_OPEN, Notification, Request, mark};
use crate::model::look::has_mark;
use crate::model::marks::MASK;
use crate::model::time::Span;
use crate::service::actor::{Actor, Right};
use crate::service::canary::Canary;
use crate::service::collections::good_name;
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::hash::chance;
use crate::service::health::HealthView;
use crate::service::kept::{KeptChannel, record, value};
use crate::service::service::Service;
use crate::service::view::{ListPage, time};

/// How long a test may take.
const TEST_TIMEOUT: Span = Span::secs(30);

/// A channel. Its keys are `***`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Channel)]
pub struct ChannelView {
    /// Its name.
    pub name: String,
    /// The kind of channel.
    pub via: String,
    /// Its settings.
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
    /// It stands in the configuration file, and is changed there.
    pub fixed: bool,
    /// The last test.
    pub last: Option<TestView>,
    /// When its canary sings next; none: it is off.
    pub canary_at: Option<String>,
    /// How it fares, by what became of its messages.
    pub health: HealthView,
}

/// A test of a channel.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TestView {
    /// When.
    pub at: String,
    /// Whether it arrived.
    pub delivered: bool,
    /// What the provider said.
    pub detail: String,
}

impl Service {
    /// All channels.
    pub async fn channels(&self, by: &Actor) -> ServiceResult<ListPage<ChannelView>> {
        by.need_everywhere(Right::Read)?;
        let mut all = BTreeMap::new();
        for (name, channel) in self.kept_channels().await? {
            all.insert(name.clone(), self.channel_view(&name, &channel.via, &channel.config, false));
        }
        for (name, channel) in &self.config.channels {
            all.insert(name.clone(), self.channel_view(name, &channel.via, &channel.config, true));
        }
        Ok(ListPage::whole(all.into_values().collect()))
    }

    /// Sets up a channel.
    pub async fn set_channel(
        &self,
        by: &Actor,
        name: &str,
        via: &str,
        config: Map<String, Value>,
    ) -> ServiceResult<ChannelView> {
        by.need_everywhere(Right::Secrets)?;
        good_name(name)?;
        self.not_fixed(name)?;
        let config = self.with_old_keys(name, via, config).await?;
        check(via, &config).map_err(|it| ServiceError::bad("bad_channel", it))?;
        let _one = self.shelving.lock().await;
        let kept = KeptChannel { via: via.to_owned(), config };
        self.store().put(vec![record(Collection::Channel, name, &kept, self.now())?]).await?;
        self.load_channels().await?;
        self.forget_health(name).await?;
        self.audit(by, "channel.set", name).await?;
        Ok(self.channel_view(name, via, &kept.config, false))
    }

    /// Forgets a channel.
    pub async fn forget_channel(&self, by: &Actor, name: &str) -> ServiceResult<()> {
        by.need_everywhere(Right::Secrets)?;
        self.not_fixed(name)?;
        let _one = self.shelving.lock().await;
        self.forget(Collection::Channel, "channel", name).await?;
        self.load_channels().await?;
        self.forget_health(name).await?;
        self.audit(by, "channel.forget", name).await
    }

    /// Sends a real message and says what came back.
    pub async fn test_channel(&self, by: &Actor, name: &str) -> ServiceResult<TestView> {
        by.need_everywhere(Right::Run)?;
        if !self.resources.channels().contains_key(name) {
            return Err(ServiceError::missing("channel", name));
        }
        let now = self.now();
        let text = format!("A test of the channel `{name}`, sent by {} at {}.", by.name, time(now));
        let ask = Notification {
            channels: vec![name.to_owned()],
            subject: "Beltline: a test".to_owned(),
            text,
            ..Notification::default()
        };
        // Every test is a message of its own, so its key is another each time.
        let key = format!("test-{name}-{}-{:08x}", now.0, chance());
        let effect = Effect { key, request: Request::Notify(ask), timeout: TEST_TIMEOUT, once: true };
        let outcome = self.handle.processor().world.perform(&effect).await;
        let said = match outcome {
            Ok(ExternalAnswer::Notified(mut deliveries)) => match deliveries.pop().map(|it| it.result) {
                Some(Ok(id)) if id.is_empty() => Ok("delivered".to_owned()),
                Some(Ok(id)) => Ok(format!("delivered as {id}")),
                Some(Err(fault)) => Err(fault.message),
                None => Err("nobody was told".to_owned()),
            },
            Ok(ExternalAnswer::Http(answer)) => Err(format!("the answer is of status {}", answer.status)),
            Ok(ExternalAnswer::Later(later)) => Err(format!("there is no room before {}", later.until)),
            Err(fault) => Err(fault.message),
        };
        let (delivered, detail) = match said {
            Ok(detail) => (true, detail),
            Err(detail) => (false, detail),
        };
        let tested = Tested { at: now, delivered, detail };
        self.resources.health().tested(name, tested.clone());
        let standing = self.resources.health().of(name);
        self.store().put(vec![record(Collection::Health, name, &standing, now)?]).await?;
        self.audit(by, "channel.test", name).await?;
        Ok(TestView::from(tested))
    }

    pub(super) async fn load_channels(&self) -> ServiceResult<()> {
        let mut channels: Channels = BTreeMap::new();
        for (name, kept) in self.kept_channels().await? {
            channels.insert(name, ChannelConfig { via: kept.via, config: with_marks(kept.config) });
        }
        for (name, channel) in &self.config.channels {
            let config = with_marks(channel.config.clone());
            channels.insert(name.clone(), ChannelConfig { via: channel.via.clone(), config });
        }
        self.resources.set_channels(channels);
        Ok(())
    }

    async fn kept_channels(&self) -> ServiceResult<Vec<(String, KeptChannel)>> {
        Ok(self.kept_on(Collection::Channel).await?)
    }

    fn not_fixed(&self, name: &str) -> ServiceResult<()> {
        match self.config.channels.contains_key(name) {
            true => {
                let message =
                    format!("channel `{name}` stands in the configuration file; hint: change it there");
                Err(ServiceError::conflict("channel_in_file", message))
            }
            false => Ok(()),
        }
    }

    /// A form shows keys as `***`; sent back so, they stay what they are.
    async fn with_old_keys(
        &self,
        name: &str,
        via: &str,
        mut config: Map<String, Value>,
    ) -> ServiceResult<Map<String, Value>> {
        if !config.values().any(|it| it == MASK) {
            return Ok(config);
        }
        let old =
            self.store().record(Collection::Channel, name).await?.map(value::<KeptChannel>).transpose()?;
        let old = old.filter(|it| it.via == via);
        for (field, text) in config.iter_mut().filter(|(_, it)| **it == MASK) {
            let known = old.as_ref().and_then(|it| it.config.get(field));
            let known = known.ok_or_else(|| {
                ServiceError::bad("bad_channel", format!("the setting `{field}` is missing"))
            })?;
            *text = known.clone();
        }
        Ok(config)
    }

    fn channel_view(&self, name: &str, via: &str, config: &Map<String, Value>, fixed: bool) -> ChannelView {
        let spec = find(via);
        let canary = Canary::read(config).ok().flatten();
        let canary_at = canary.and_then(|it| it.after(self.now())).map(time);
        let show = |(field, value): (&String, &Value)| (field.clone(), shown(spec, field, value));
        let config = config.iter().map(show).collect();
        let standing = self.resources.health().of(name);
        let health = HealthView::new(name, &standing, fixed);
        let last = standing.tested.map(TestView::from);
        ChannelView { name: name.to_owned(), via: via.to_owned(), config, fixed, last, canary_at, health }
    }
}

impl From<Tested> for TestView {
    fn from(it: Tested) -> TestView {
        TestView { at: time(it.at), delivered: it.delivered, detail: it.detail }
    }
}

/// Refuses settings of which no message could ever be made, such as a port that is no number.
///
/// # Errors
/// What is wrong with them.
pub fn check(via: &str, config: &Map<String, Value>) -> Result<(), String> {
    let spec = find(via).ok_or_else(|| no_via(via))?;
    let settings = with_marks(config.clone());
    ChannelSettings::read(spec.fields, config).map_err(|it| it.message)?;
    if let Some((field, written)) = settings.iter().find_map(|(field, it)| Some((field, unfilled(it)?))) {
        let hint = "hint: only `{{secret.NAME}}` is filled in here";
        return Err(format!("the setting `{field}` would be `{written}` as it is written; {hint}"));
    }
    Canary::read(config)?;
    let message = Message { subject: "x".to_owned(), text: "x".to_owned(), key: "x".to_owned() };
    match (spec.request)(&settings, &message) {
        Err(fault) if fault.code == "bad_channel" => Err(fault.message),
        Ok(Post::Http(ask)) => check_url(spec, &ask.url),
        Ok(Post::Mail(ask)) => smtp::check(&ask),
        Err(_) => Ok(()),
    }
}

/// What of a setting looks as if something were put there, and is not.
fn unfilled(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    let placeholder = text.find("{{").and_then(|at| Some(&text[at..=at + text[at..].find("}}")? + 1]));
    let shell = text.strip_prefix("${").and_then(|it| it.strip_suffix('}')).map(|_| text);
    placeholder.or(shell).map(str::to_owned)
}

/// Whether a provider could be asked there. What a secret makes of it is not known yet. It is not told: it
/// may be a key.
fn check_url(spec: &ChannelSpec, url: &str) -> Result<(), String> {
    let is_good = |it: Url| matches!(it.scheme(), "http" | "https") && it.has_host();
    match has_mark(url) || Url::parse(url).is_ok_and(is_good) {
        true => Ok(()),
        false => {
            let setting = spec.fields.iter().find(|it| it.name.ends_with("url")).map_or("url", |it| it.name);
            Err(format!("the setting `{setting}` is no URL; hint: it begins with `https://`"))
        }
    }
}

fn no_via(via: &str) -> String {
    let names: Vec<&str> = crate::channels::CHANNELS.iter().map(|it| it.name).collect();
    format!("there is no kind of channel `{via}`; hint: there are {}", names.join(", "))
}

/// A setting as it may be shown. What is not known to be open is masked; `{{secret.NAME}}` is a name, no
/// secret.
fn shown(spec: Option<&ChannelSpec>, field: &str, value: &Value) -> Value {
    let open = |it: &Field| it.name == field && !it.secret;
    let named = value.as_str().is_some_and(|it| secret_name(it.trim()).is_some());
    match named || spec.is_some_and(|spec| spec.fields.iter().chain(&COMMON).any(open)) {
        true => value.clone(),
        false => Value::from(MASK),
    }
}

/// The name in a text that is `{{secret.NAME}}` and nothing else.
fn secret_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?.trim().strip_prefix("secret.")?;
    good_name(name).is_ok().then_some(name)
}

/// The settings with the marks of secrets where their names stood.
fn with_marks(mut config: Map<String, Value>) -> Map<String, Value> {
    for value in config.values_mut() {
        let Value::String(text) = value else { continue };
        // A mark that was typed names a secret nobody meant.
        let mut marked = text.replace(MARK_OPEN, "");
        let mut from = 0;
        while let Some(start) = marked[from..].find("{{").map(|it| it + from) {
            let Some(end) = marked[start..].find("}}").map(|it| it + start + 2) else { break };
            match secret_name(&marked[start..end]).map(mark) {
                Some(mark) => {
                    marked.replace_range(start..end, &mark);
                    from = start + mark.len();
                }
                None => from = end,
            }
        }
        *value = Value::from(marked);
    }
    config
}
