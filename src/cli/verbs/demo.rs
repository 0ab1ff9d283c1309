//! `demo`: the flagship at work, against a simulated Bitrix24 and a simulated Telegram, step by step.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::cli::logs;
use crate::cli::moment::{now, rest, rough};
use crate::cli::out::{Look, Output, text};
use crate::cli::remote::process_path;
use crate::cli::session::CliSession;
use crate::cli::stage::DemoStage;
use crate::model::time::Span;
use crate::sim::config::{DEMO_CLIENT_ID, DEMO_CLIENT_SECRET};
use crate::sim::notifiers::Keys;

/// How many steps there are.
const STEPS: usize = 9;
/// How often it is looked whether something has happened.
const LOOK_PAUSE: Span = Span::millis(100);
/// What happens at once happens within that.
const SOON: Span = Span::secs(15);
/// What has to wait for the next renewal, or two, happens within that.
const LATER: Span = Span::secs(60);
/// The quickest rhythm that the template takes.
const RENEW_EVERY: &str = "10s";

/// See it work: a token kept alive against a simulated Bitrix24, lost, and healed
#[derive(Debug, Args)]
#[command(after_help = "\
Takes about a minute; nothing leaves this machine, and nothing stays.

Examples:
  beltline demo
  beltline demo --once                              # ends by itself, with 0 if all of it happened")]
pub struct Demo {
    /// End when all of it happened, with 0, or when anything did not, with 1
    #[arg(long)]
    once: bool,
}

/// The stage, and what is told while the play goes on.
struct Play<'a> {
    stage: DemoStage,
    out: &'a Output,
    steps: Vec<Value>,
}

impl Demo {
    /// Plays.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let mut config = session.config.clone();
        // What the engine says would stand between the lines of the tale; the history has it all.
        "error".clone_into(&mut config.log);
        logs::begin(&config, session.no_color)?;
        let mut play = Play { stage: DemoStage::set(&config).await?, out: &session.out, steps: Vec::new() };
        let played = tokio::select! {
            played = play.all() => played,
            stopped = tokio::signal::ctrl_c() => stopped.map_err(Into::into).and_then(|()| bail!("stopped")),
        };
        if let Ok(()) = played
            && !self.once
        {
            play.curtain()?;
            tokio::signal::ctrl_c().await?;
        }
        if session.out.json {
            session.out.json(&json!({"ok": played.is_ok(), "steps": play.steps}))?;
        }
        play.stage.strike().await;
        played
    }
}

impl Play<'_> {
    async fn all(&mut self) -> Result<()> {
        self.sets().await?;
        self.clones().await?;
        self.submits().await?;
        self.authorizes().await?;
        self.renews().await?;
        self.leads().await?;
        self.breaks().await?;
        self.escalates().await?;
        self.heals().await
    }

    async fn sets(&mut self) -> Result<()> {
        self.step("An engine, a simulated Bitrix24 and a simulated Telegram are running")?;
        self.note(&format!("engine    {}", self.stage.remote.base()))?;
        self.note(&format!("portal    {}", self.stage.sim.portal_url))?;
        self.note(&format!("tokens    {}", self.stage.sim.token_url))?;
        let config = json!({
            "chat_id": "1234", "token": Keys::default().telegram_token,
            "base_url": self.stage.sim.providers_url,
        });
        let channel = json!({"via": "telegram", "config": config});
        self.stage.remote.put("/api/v1/channels/author", &channel).await?;
        self.note("channel   author, by Telegram").map(drop)
    }

    async fn clones(&mut self) -> Result<()> {
        self.step("Two templates become processes: `bitrix` keeps a token, `bitrix-lead` uses it")?;
        for (template, name) in [("bitrix-oauth", "bitrix"), ("bitrix-lead", "bitrix-lead")] {
            let path = format!("/api/v1/templates/{template}/clone");
            let cloned = self.stage.remote.post(&path, &json!({"as": name})).await?;
            self.note(&format!("{name:<12} {}", text(&cloned, "path")))?;
        }
        Ok(())
    }

    async fn submits(&mut self) -> Result<()> {
        self.step("A task called `token` enters `bitrix`; without a code it asks for authorization")?;
        let params = json!({
            "portal": self.stage.sim.portal_url, "client_id": DEMO_CLIENT_ID,
            "client_secret": DEMO_CLIENT_SECRET, "scope": "crm", "renew_every": RENEW_EVERY,
            "oauth_host": self.stage.sim.token_url,
        });
        let path = format!("{}/tasks", process_path("bitrix"));
        self.stage.remote.post(&path, &json!({"ref": "token", "params": params})).await?;
        let task = self.until("the task shows an authorization link", SOON, has_link).await?;
        self.note(&format!("waits at  {}", text(&task, "title")))?;
        self.note(&format!("link      {}", text(&task, "link")))
    }

    async fn authorizes(&mut self) -> Result<()> {
        self.step("A person opens the link; the portal's redirect brings the code, and the pair is there")?;
        let link = text(&self.token().await?, "link").to_owned();
        self.follow(&link).await?;
        let task = self.until("the task has an access token", SOON, is_well).await?;
        self.note(&format!(
            "access_token {} (sealed, masked everywhere)",
            text(&task["params"], "access_token")
        ))
    }

    async fn renews(&mut self) -> Result<()> {
        self.step(&format!("The token is renewed every {RENEW_EVERY} (25m by default)"))?;
        for _ in 0..2 {
            let before = renewed_at(&self.token().await?);
            self.note("awaiting the next renewal …")?;
            let another = |task: &Value| is_well(task) && renewed_at(task) > before;
            self.until("the token is renewed", LATER, another).await?;
            self.note("renewed: another pair, the one before is kept")?;
        }
        Ok(())
    }

    async fn leads(&mut self) -> Result<()> {
        self.step("`bitrix-lead` reads the token by reference and creates a lead")?;
        self.note("{{conv[bitrix].ref[token].access_token}}")?;
        let path = format!("{}/tasks?wait=30s", process_path("bitrix-lead"));
        let body = json!({"ref": "lead-1", "params": {"title": "From the demo", "name": "Ann"}});
        let task = self.stage.remote.post(&path, &body).await?;
        if text(&task, "state") != "done" || self.stage.leads().await? != 1 {
            bail!("the lead was not created: {} at {}", text(&task, "state"), text(&task, "node"));
        }
        self.note(&format!("lead {} is on the portal", task["result"]))
    }

    async fn breaks(&mut self) -> Result<()> {
        self.step("The token server now refuses every token: invalid_grant")?;
        self.stage.refuse(true).await?;
        self.note("awaiting the next renewal, and then one try with the pair before …")?;
        let task = self.until("the task escalates", LATER, is_alarmed).await?;
        self.note(&format!("escalates at  {}", text(&task, "title")))
    }

    async fn escalates(&mut self) -> Result<()> {
        self.step("The author gets a message by Telegram")?;
        let message = self.message("a message that the token doesn't update", "doesn't update").await?;
        message.lines().try_for_each(|line| self.note(&format!("> {line}")))
    }

    async fn heals(&mut self) -> Result<()> {
        self.step("The server is well again, the author taps the link, and the same task goes on")?;
        self.stage.refuse(false).await?;
        let message = self.message("the message with the link", "/oauth/authorize/").await?;
        let link = message.split_whitespace().find(|it| it.contains("/oauth/authorize/"));
        self.follow(link.unwrap_or_default()).await?;
        let healed = |task: &Value| is_well(task) && task["alarm"].is_null();
        let task = self.until("the task is well again", LATER, healed).await?;
        self.note(&format!(
            "task {}, the same as before, {} visits to nodes behind it",
            text(&task, "id"),
            task["visit"]
        ))?;
        let message = self.message("a message that it is resolved", "Resolved").await?;
        message.lines().try_for_each(|line| self.note(&format!("> {line}")))
    }

    /// What there is to look at when the play is over.
    fn curtain(&self) -> Result<()> {
        let data = self.stage.data();
        let data = data.display();
        let (engine, state) =
            (self.stage.remote.base(), format!("{}/sim/state", self.stage.sim.providers_url));
        for line in [
            String::new(),
            format!("All of it happened. The engine stays up at {engine} until Ctrl-C:"),
            format!("  beltline --data {data} show bitrix token"),
            format!("  beltline --data {data} get bitrix token access_token"),
            format!("  beltline --data {data} submit bitrix-lead title='Another one' --wait 30s"),
            format!("  beltline --data {data} tail"),
            format!("  curl {state}"),
        ] {
            self.say(&line)?;
        }
        // Last, so that it is seen.
        let link = self.stage.setup().map_or_else(|| format!("{engine}/dashboard"), str::to_owned);
        self.say("\nAll of it as pages; the link opens once, for a name and a password of yours:")?;
        self.say(&format!("  {link}"))
    }

    fn step(&mut self, title: &str) -> Result<()> {
        self.steps.push(Value::from(title));
        let number = format!("[{}/{STEPS}]", self.steps.len());
        self.say(&format!("{} {title}", self.out.paint(Look::Bold, &number)))
    }

    fn note(&self, line: &str) -> Result<()> {
        self.say(&format!("      {}", self.out.paint(Look::Dim, line)))
    }

    fn say(&self, line: &str) -> Result<()> {
        if self.out.json { Ok(()) } else { self.out.line(line) }
    }

    async fn token(&self) -> Result<Value> {
        self.stage.task("bitrix", "token").await
    }

    async fn follow(&self, link: &str) -> Result<()> {
        match self.stage.open(link).await? {
            200..=299 => Ok(()),
            status => bail!("the link ended at a page with status {status}"),
        }
    }

    /// The task, as soon as it is as it should be.
    async fn until(&self, what: &str, within: Span, so: impl Fn(&Value) -> bool) -> Result<Value> {
        let end = now() + within;
        loop {
            let task = self.token().await?;
            if so(&task) {
                return Ok(task);
            }
            if now() >= end {
                let (state, node) = (text(&task, "state"), text(&task, "node"));
                let fault = text(&task["fault"], "message");
                bail!(
                    "did not happen within {}: {what}; the task is {state} at `{node}`: {fault}",
                    rough(within)
                );
            }
            rest(LOOK_PAUSE).await;
        }
    }

    /// The newest message that says so.
    async fn message(&self, what: &str, says: &str) -> Result<String> {
        let end = now() + SOON;
        loop {
            let found = self.stage.messages().await?.into_iter().rfind(|it| it.contains(says));
            if let Some(message) = found {
                return Ok(message);
            }
            if now() >= end {
                bail!("did not happen within {}: {what}", rough(SOON));
            }
            rest(LOOK_PAUSE).await;
        }
    }
}

fn has_link(task: &Value) -> bool {
    !text(task, "link").is_empty()
}

fn is_alarmed(task: &Value) -> bool {
    !task["alarm"].is_null() && has_link(task)
}

/// It has a pair and rests until the next renewal.
fn is_well(task: &Value) -> bool {
    renewed_at(task) > 0 && text(task, "node") == "nap" && text(task, "state") == "waiting"
}

fn renewed_at(task: &Value) -> i64 {
    task["params"]["renewed_at"].as_i64().unwrap_or(0)
}
