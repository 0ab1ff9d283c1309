//! `sim`: a simulated Bitrix24 and the providers that tell people, on this machine.

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use crate::cli::out::Look;
use crate::cli::session::CliSession;
use crate::sim::config::{DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, SimConfig};
use crate::sim::notifiers::Keys;
use crate::sim::server::Sim;
use crate::sim::settings::SimApp;

/// Run a simulated Bitrix24, Telegram, Twilio and mail server, until Ctrl-C
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline sim                                      # on ports 7801 and after
  beltline serve --allow-address 127.0.0.1 --allow-oauth-host http://127.0.0.1:7802")]
pub struct Simulate {
    /// The portal's port; 0 takes a free one, here and below
    #[arg(long, default_value_t = 7801)]
    portal_port: u16,
    /// The token server's
    #[arg(long, default_value_t = 7802)]
    token_port: u16,
    /// The providers' and the control API's
    #[arg(long, default_value_t = 7803)]
    providers_port: u16,
    /// The mail server's
    #[arg(long, default_value_t = 7804)]
    smtp_port: u16,
    /// Where the portal sends codes
    #[arg(long, default_value = "http://127.0.0.1:7700/oauth/callback", value_name = "URL")]
    redirect: String,
    /// The same seed, the same codes and tokens
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Simulate {
    /// Runs until Ctrl-C.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let app = SimApp {
            client_id: DEMO_CLIENT_ID.to_owned(),
            client_secret: DEMO_CLIENT_SECRET.to_owned(),
            redirect_url: self.redirect,
            scope: "crm,user".to_owned(),
        };
        let config = SimConfig {
            portal_port: self.portal_port,
            token_port: self.token_port,
            providers_port: self.providers_port,
            smtp_port: self.smtp_port,
            seed: self.seed,
            apps: vec![app],
            ..SimConfig::default()
        };
        let sim = Sim::start(config).await.context("the simulation cannot listen")?;
        let keys = Keys::default();
        let out = &session.out;
        let answer = json!({
            "portal": sim.portal_url, "token": sim.token_url, "providers": sim.providers_url,
            "smtp": sim.smtp_addr.to_string(), "client_id": DEMO_CLIENT_ID,
            "client_secret": DEMO_CLIENT_SECRET, "telegram_token": keys.telegram_token,
        });
        out.answer(&answer, || {
            for (label, value) in [
                ("portal", sim.portal_url.as_str()),
                ("token server", &sim.token_url),
                ("providers", &sim.providers_url),
                ("mail server", &sim.smtp_addr.to_string()),
                ("client_id", DEMO_CLIENT_ID),
                ("client_secret", DEMO_CLIENT_SECRET),
                ("bot token", &keys.telegram_token),
                ("state", &format!("{}/sim/state", sim.providers_url)),
            ] {
                out.line(format!("{}  {value}", out.paint(Look::Dim, &format!("{label:>13}"))))?;
            }
            let (address, host) =
                ("--allow-address 127.0.0.1", format!("--allow-oauth-host {}", sim.token_url));
            let (portal, token) = (&sim.portal_url, &sim.token_url);
            let (bot, providers, mail) = (&keys.telegram_token, &sim.providers_url, sim.smtp_addr);
            let bot = format!("--via telegram chat_id=1234 token={bot} base_url={providers}");
            let mail = format!("--via smtp host={} port={} tls=none", mail.ip(), mail.port());
            let keys = format!("client_id={DEMO_CLIENT_ID} client_secret={DEMO_CLIENT_SECRET}");
            for line in [
                String::new(),
                "let an engine reach it:".to_owned(),
                format!("  beltline serve {address} {host}"),
                "tell a person by its Telegram, and by its mail server:".to_owned(),
                format!("  beltline channel add author {bot}"),
                format!("  beltline channel add mail {mail} from=bot@x.org to=you@x.org"),
                "keep a token of its portal:".to_owned(),
                "  beltline clone bitrix-oauth --as bitrix --defaults".to_owned(),
                format!("  beltline submit bitrix --ref token portal={portal} oauth_host={token} {keys}"),
                String::new(),
            ] {
                out.line(line)?;
            }
            out.line("Ctrl-C stops it")
        })?;
        tokio::signal::ctrl_c().await?;
        sim.stop().await;
        Ok(())
    }
}
