//! [`Sim`]: the simulation over real HTTP and SMTP on loopback: one listener for the portal, one for the
//! token server, one for the providers and the control API, one for mail.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::MutexGuard;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::sim::answer::SimAnswer;
use crate::sim::bitrix::{Bitrix, BitrixConfig};
use crate::sim::config::SimConfig;
use crate::sim::counts::Counts;
use crate::sim::deliver::{deliver, received};
use crate::sim::inbox::InboxMessage;
use crate::sim::listen::{accept, serve_http};
use crate::sim::notifiers::Notifiers;
use crate::sim::oauth2::Provider;
use crate::sim::request::SimRequest;
use crate::sim::settings::SimApp;
use crate::sim::shared::Shared;
use crate::sim::{control, portal, smtp, token_server};

/// A simulation that runs. Dropping it stops it too, without waiting.
pub struct Sim {
    /// The portal, such as `http://127.0.0.1:43210`.
    pub portal_url: String,
    /// The token server.
    pub token_url: String,
    /// The base URL of all providers and of the control API.
    pub providers_url: String,
    /// The mail server.
    pub smtp_addr: SocketAddr,
    shared: Shared,
    stop: DropGuard,
    listeners: TaskTracker,
}

/// Picks the answer of one HTTP server.
type Respond = fn(&Shared, &SimRequest) -> SimAnswer;

impl Sim {
    /// Listens on loopback and answers.
    pub async fn start(config: SimConfig) -> io::Result<Sim> {
        let settings = config.settings.checked().map_err(io::Error::other)?;
        let apps: Result<Vec<SimApp>, String> = config.apps.into_iter().map(SimApp::checked).collect();
        let apps = apps.map_err(io::Error::other)?;
        let (portal, portal_addr) = listener(config.portal_port).await?;
        let (token, token_addr) = listener(config.token_port).await?;
        let (providers, providers_addr) = listener(config.providers_port).await?;
        let (mail, smtp_addr) = listener(config.smtp_port).await?;
        let (portal_url, token_url) = (url(portal_addr), url(token_addr));
        let bitrix = Bitrix::new(BitrixConfig {
            portal_url: portal_url.clone(),
            token_url: token_url.clone(),
            member_id: format!("{:032x}", config.seed),
            user_id: 1,
            seed: config.seed,
            apps,
            settings,
        });
        let shared = Shared::new(bitrix, Notifiers::new(config.keys), config.now);
        let (stop, listeners) = (CancellationToken::new(), TaskTracker::new());
        let routers = [
            (portal, router(&shared, portal_answer)),
            (token, router(&shared, token_answer)),
            (providers, router(&shared, providers_answer).merge(control::routes(shared.clone()))),
        ];
        for (listener, router) in routers {
            let stopped = stop.clone();
            let serve = move |stream: TcpStream| serve_http(stream, router.clone(), stopped.clone());
            listeners.spawn(accept(listener, stop.clone(), serve));
        }
        let (state, stopped) = (shared.clone(), stop.clone());
        let serve = move |stream: TcpStream| smtp::serve(stream, state.clone(), stopped.clone());
        listeners.spawn(accept(mail, stop.clone(), serve));
        listeners.close();
        Ok(Sim {
            portal_url,
            token_url,
            providers_url: url(providers_addr),
            smtp_addr,
            shared,
            stop: stop.drop_guard(),
            listeners,
        })
    }

    /// The portal and the token server. Not to be held across an await, where the servers wait for it, nor
    /// taken twice in one statement, which waits for itself; see [`Sim::counts`].
    pub fn bitrix(&self) -> MutexGuard<'_, Bitrix> {
        self.shared.bitrix()
    }

    /// What was asked of Bitrix24 so far, and how it went.
    pub fn counts(&self) -> Counts {
        self.shared.bitrix().counts.clone()
    }

    /// The messages that the providers took and still keep, oldest first.
    pub fn messages(&self) -> Vec<InboxMessage> {
        self.shared.notifiers().inbox.all()
    }

    /// The providers and their messages; held as shortly as [`Sim::bitrix`].
    pub fn notifiers(&self) -> MutexGuard<'_, Notifiers> {
        self.shared.notifiers()
    }

    /// The OAuth 2.0 provider; held as shortly as [`Sim::bitrix`].
    pub fn oauth2(&self) -> MutexGuard<'_, Provider> {
        self.shared.oauth2()
    }

    /// The state, for whoever must keep it beside the simulation.
    pub fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// The simulation's time.
    pub fn now(&self) -> i64 {
        self.shared.now()
    }

    /// Stops listening, lets answers under way end for a moment, then closes all connections.
    pub async fn stop(self) {
        drop(self.stop);
        self.listeners.wait().await;
    }
}

async fn listener(port: u16) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

fn url(addr: SocketAddr) -> String {
    format!("http://{addr}")
}

fn router(shared: &Shared, respond: Respond) -> Router {
    let handle = async move |State(shared): State<Shared>, request: axum::extract::Request| -> Response {
        match received(request).await {
            Ok(request) => {
                let answer = respond(&shared, &request);
                deliver(answer, &shared).await
            }
            Err(refusal) => refusal,
        }
    };
    Router::new().fallback(handle).with_state(shared.clone())
}

fn portal_answer(shared: &Shared, request: &SimRequest) -> SimAnswer {
    let now = shared.now();
    portal::answer(&mut shared.bitrix(), request, now)
}

fn token_answer(shared: &Shared, request: &SimRequest) -> SimAnswer {
    let now = shared.now();
    token_server::answer(&mut shared.bitrix(), request, now)
}

fn providers_answer(shared: &Shared, request: &SimRequest) -> SimAnswer {
    let now = shared.now();
    let answer = shared.oauth2().answer(request, now);
    answer.unwrap_or_else(|| shared.notifiers().answer(request, now))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lettre::transport::smtp::authentication::Credentials;
    use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::sim::config::{DEMO_CLIENT_ID, DEMO_CLIENT_SECRET};
    use crate::sim::notifiers::{Keys, MailTrouble};
    use crate::sim::script::Plan;
    use crate::sim::settings::BitrixSettings;
    use crate::sim::troubles::SimTrouble;

    fn client() -> reqwest::Client {
        // Another test may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        client.no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
    }

    async fn sim() -> Sim {
        Sim::start(SimConfig::default()).await.unwrap()
    }

    async fn ask(sim: &Sim, fields: &[(&str, &str)]) -> reqwest::Result<reqwest::Response> {
        let keys = [("client_id", DEMO_CLIENT_ID), ("client_secret", DEMO_CLIENT_SECRET)];
        let form = [&keys, fields].concat();
        client().post(format!("{}/oauth/token/", sim.token_url)).form(&form).send().await
    }

    /// The first pair, by way of the browser.
    async fn first(sim: &Sim) -> Value {
        let url = format!("{}/oauth/authorize/?client_id={DEMO_CLIENT_ID}&state=s", sim.portal_url);
        let redirect = client().get(url).send().await.unwrap();
        assert_eq!(redirect.status(), 302);
        let to = url::Url::parse(redirect.headers()["location"].to_str().unwrap()).unwrap();
        let code = to.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let fields = [("grant_type", "authorization_code"), ("code", code.as_str())];
        ask(sim, &fields).await.unwrap().json().await.unwrap()
    }

    async fn renew(sim: &Sim, pair: &Value) -> reqwest::Result<reqwest::Response> {
        let refresh = pair["refresh_token"].as_str().unwrap();
        ask(sim, &[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await
    }

    #[tokio::test]
    async fn a_token_goes_all_the_way_to_a_lead() {
        let sim = sim().await;
        let pair = first(&sim).await;
        let next: Value = renew(&sim, &pair).await.unwrap().json().await.unwrap();
        let endpoint = next["client_endpoint"].as_str().unwrap();
        let call = client()
            .post(format!("{endpoint}crm.lead.add"))
            .bearer_auth(next["access_token"].as_str().unwrap())
            .json(&json!({"fields": {"TITLE": "From the demo"}}));
        let made: Value = call.send().await.unwrap().json().await.unwrap();
        assert_eq!(made["result"], 1);
        assert_eq!(sim.bitrix().leads()[0].fields["TITLE"], "From the demo");
        let counts = sim.counts();
        assert_eq!((counts.portal_secrets, counts.url_secrets), (0, 0));
        sim.stop().await;
    }

    #[tokio::test]
    async fn an_answer_may_be_no_answer() {
        let sim = sim().await;
        let pair = first(&sim).await;
        sim.bitrix().troubles.token.push(Plan::times(SimTrouble::Close, 1));
        assert!(renew(&sim, &pair).await.is_err());
        sim.bitrix().troubles.token.push(Plan::times(SimTrouble::Lost, 1));
        assert!(renew(&sim, &pair).await.is_err());
        assert_eq!(renew(&sim, &pair).await.unwrap().status(), 400);
        let counts = sim.counts();
        assert_eq!((counts.rotations, counts.reuses_after_loss), (1, 1));
        assert_eq!(counts.of("token/refresh_token", "close"), 1);
        assert_eq!(counts.of("token/refresh_token", "lost"), 1);
        sim.stop().await;
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the other side notices in its own time, and tells nobody")]
    async fn a_client_that_leaves_before_a_late_answer_has_lost_it() {
        let sim = sim().await;
        let pair = first(&sim).await;
        sim.bitrix().troubles.token.push(Plan::times(SimTrouble::Slow, 1).ms(60_000));
        let left = tokio::time::timeout(Duration::from_millis(300), renew(&sim, &pair)).await;
        assert!(left.is_err());
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if !sim.bitrix().tokens.latest(DEMO_CLIENT_ID).unwrap().delivered {
                return sim.stop().await;
            }
        }
        panic!("the loss was not noticed");
    }

    #[tokio::test]
    async fn an_endless_body_goes_on_until_the_client_leaves() {
        let sim = sim().await;
        let pair = first(&sim).await;
        sim.bitrix().troubles.token.push(Plan::times(SimTrouble::Endless, 1));
        let mut answer = renew(&sim, &pair).await.unwrap();
        let mut bytes = 0;
        while bytes < 200_000 {
            bytes += answer.chunk().await.unwrap().unwrap().len();
        }
        drop(answer);
        sim.stop().await;
    }

    #[tokio::test]
    async fn it_is_steered_while_it_runs() {
        let sim = sim().await;
        let put = |path: &str, body: Value| {
            client().put(format!("{}/sim/{path}", sim.providers_url)).json(&body).send()
        };
        let wish = json!({"access_life_s": 7, "fail": {"token": {"what": "wrong_client", "times": 1}}});
        assert_eq!(put("bitrix", wish).await.unwrap().status(), 200);
        let refused = ask(&sim, &[]).await.unwrap();
        assert_eq!(refused.status(), 200);
        assert_eq!(refused.text().await.unwrap(), r#"{"error":"wrong_client"}"#);
        assert_eq!(first(&sim).await["expires_in"], 7);
        assert_eq!(put("telegram", json!({"fail": "gremlins"})).await.unwrap().status(), 400);
        let state = client().get(format!("{}/sim/state", sim.providers_url)).send();
        let state = state.await.unwrap().text().await.unwrap();
        assert!(!state.contains(DEMO_CLIENT_SECRET), "{state}");
        let reset = client().post(format!("{}/sim/reset", sim.providers_url)).send();
        assert_eq!(reset.await.unwrap().status(), 200);
        assert_eq!(sim.bitrix().settings, BitrixSettings::default());
        sim.stop().await;
    }

    #[tokio::test]
    async fn a_strange_page_cannot_steer_it() {
        let sim = sim().await;
        let url = format!("{}/sim/reset", sim.providers_url);
        let strange = client().post(&url).header("origin", "http://evil.test").send();
        assert_eq!(strange.await.unwrap().status(), 403);
        let rebound = client().post(&url).header("host", "evil.test").send();
        assert_eq!(rebound.await.unwrap().status(), 403);
        sim.stop().await;
    }

    #[tokio::test]
    async fn mail_is_taken_and_decoded() {
        let sim = sim().await;
        let keys = Keys::default();
        let mailer = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
            .port(sim.smtp_addr.port())
            .credentials(Credentials::new(keys.smtp_user, keys.smtp_password))
            .build();
        let mail = lettre::Message::builder()
            .from("Beltline <belt@line.test>".parse().unwrap())
            .to("author@line.test".parse().unwrap())
            .subject("Token не обновляется")
            .body("Привет,\n.\nthe token does not update".to_owned())
            .unwrap();
        mailer.send(mail.clone()).await.unwrap();
        let taken = sim.messages().pop().unwrap();
        assert_eq!(taken.subject, "Token не обновляется");
        assert_eq!((taken.to.as_str(), taken.channel.as_str()), ("author@line.test", "smtp"));
        assert_eq!(taken.text.replace('\r', ""), "Привет,\n.\nthe token does not update");
        sim.notifiers().mail.script.push(Plan::times(MailTrouble::NoMailbox, 1));
        assert!(mailer.send(mail.clone()).await.unwrap_err().is_permanent());
        sim.notifiers().mail.script.push(Plan::times(MailTrouble::Busy, 1));
        assert!(mailer.send(mail).await.unwrap_err().is_transient());
        assert_eq!(sim.notifiers().counted("smtp", "550"), 1);
        sim.stop().await;
    }

    #[tokio::test]
    async fn nonsense_on_the_wire_is_survived() {
        let sim = sim().await;
        for addr in [&sim.portal_url[7..], &sim.token_url[7..], &sim.smtp_addr.to_string()] {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.write_all(&[0xff, 0x00, b'\n', b'\r', b'\n']).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
        }
        assert!(first(&sim).await["access_token"].is_string());
        sim.stop().await;
    }

    #[tokio::test]
    async fn a_stop_closes_what_is_open() {
        let sim = sim().await;
        let mut idle = TcpStream::connect(sim.smtp_addr).await.unwrap();
        let pair = first(&sim).await;
        sim.bitrix().troubles.token.push(Plan::always(SimTrouble::Slow).ms(60_000));
        let (url, late) = (sim.portal_url.clone(), renew(&sim, &pair));
        let _ = tokio::time::timeout(Duration::from_millis(200), late).await;
        tokio::time::timeout(Duration::from_secs(5), sim.stop()).await.unwrap();
        let mut rest = Vec::new();
        idle.read_to_end(&mut rest).await.unwrap();
        assert!(client().get(url).send().await.is_err());
    }
}
