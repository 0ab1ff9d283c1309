//! [`Portal`]: the pure model of Bitrix24 as a partner in virtual time.

use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use beltline::model::effect::{
    Auth, Body, BodyFormat, Effect, ExternalAnswer as Got, HttpAnswer, HttpRequest, Outcome,
};
use beltline::model::fault::Fault;
use beltline::model::time::{Span, Timestamp};
use beltline::sim::answer::{Deliver, SimAnswer};
use beltline::sim::bitrix::{Bitrix, BitrixConfig};
use beltline::sim::config::{DEMO_CLIENT_ID, DEMO_CLIENT_SECRET};
use beltline::sim::request::SimRequest;
use beltline::sim::settings::{BitrixSettings, SimApp};
use beltline::sim::{portal, token_server};
use serde_json::{Map, Value, json};
use url::Url;

use crate::simulation::partners::{Partner, Reply};

pub(crate) const PORTAL: &str = "https://acme.bitrix24.ru";
pub(crate) const TOKEN_SERVER: &str = "https://oauth.bitrix24.tech";
pub(crate) const MEMBER: &str = "a223c6b3710f85df22e9377d6c4f7553";

/// A portal, its token server, and what the test holds of both.
#[derive(Clone)]
pub(crate) struct Portal {
    bitrix: Arc<Mutex<Bitrix>>,
    log: Arc<Mutex<Vec<Asked>>>,
}

/// One request to the token server, as it went.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) at: Timestamp,
    pub(crate) grant: String,
}

impl Portal {
    pub(crate) fn new(settings: BitrixSettings, seed: u64) -> Portal {
        let app = SimApp {
            client_id: DEMO_CLIENT_ID.to_owned(),
            client_secret: DEMO_CLIENT_SECRET.to_owned(),
            redirect_url: "https://beltline.test/oauth/callback".to_owned(),
            scope: "crm,user".to_owned(),
        };
        let bitrix = Bitrix::new(BitrixConfig {
            portal_url: PORTAL.to_owned(),
            token_url: TOKEN_SERVER.to_owned(),
            member_id: MEMBER.to_owned(),
            user_id: 1,
            seed,
            apps: vec![app],
            settings,
        });
        Portal { bitrix: Arc::new(Mutex::new(bitrix)), log: Arc::default() }
    }

    pub(crate) fn bitrix(&self) -> MutexGuard<'_, Bitrix> {
        self.bitrix.lock().unwrap()
    }

    /// The requests to the token server so far.
    pub(crate) fn log(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn code(&self, now: Timestamp) -> String {
        self.bitrix().code(DEMO_CLIENT_ID, now.0).unwrap()
    }

    /// What a process is submitted with.
    pub(crate) fn params() -> Value {
        json!({"portal": "acme", "client_id": DEMO_CLIENT_ID, "client_secret": DEMO_CLIENT_SECRET})
    }

    /// A person's browser opens the authorization link: the code and the state of the redirect.
    pub(crate) fn open(&self, link: &str, now: Timestamp) -> (String, String) {
        let link = Url::parse(link).unwrap();
        assert_eq!((link.host_str(), link.path()), (Some("acme.bitrix24.ru"), "/oauth/authorize/"), "{link}");
        let target = format!("{}?{}", link.path(), link.query().unwrap());
        let answer = portal::answer(&mut self.bitrix(), &SimRequest::get(&target), now.0);
        let back = Url::parse(answer.header("location").unwrap_or_else(|| panic!("{answer:?}"))).unwrap();
        let named = |name: &str| back.query_pairs().find(|it| it.0 == name).unwrap().1.into_owned();
        (named("code"), named("state"))
    }

    /// Whether the portal takes this access token.
    pub(crate) fn takes(&self, access: &str, now: Timestamp) -> bool {
        self.bitrix().is_valid(access, now.0)
    }
}

impl Partner for Portal {
    fn ask(&mut self, ask: &HttpRequest, effect: &Effect, now: Timestamp) -> Reply {
        let Ok(url) = Url::parse(&ask.url) else {
            return Reply::new(Err(Fault::lasting("bad_url", "it cannot be asked")));
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        let to_tokens = format!("https://{host}") == TOKEN_SERVER;
        if ask.oauth_hosts_only && !to_tokens {
            let message = format!("`{host}` is no OAuth token host");
            return Reply::new(Err(Fault::lasting("host_not_allowed", message)));
        }
        let request = request(ask, &url);
        let answer = match to_tokens {
            true => token_server::answer(&mut self.bitrix(), &request, now.0),
            false => portal::answer(&mut self.bitrix(), &request, now.0),
        };
        if to_tokens {
            let grant = request.fields().unwrap().text("grant_type").unwrap_or_default();
            self.log.lock().unwrap().push(Asked { at: now, grant });
        }
        self.deliver(&answer, ask, effect)
    }

    fn lose(&mut self, pair: u64) {
        self.bitrix().lose(pair);
    }
}

impl Portal {
    fn deliver(&self, answer: &SimAnswer, ask: &HttpRequest, effect: &Effect) -> Reply {
        let (outcome, took) = delivered(answer, ask, effect);
        let mut pair = answer.pair;
        if outcome.is_err()
            && let Some(lost) = pair.take()
        {
            self.bitrix().lose(lost);
        }
        Reply { outcome, took, pair }
    }
}

/// What arrives of an answer, and when.
pub(crate) fn delivered(answer: &SimAnswer, ask: &HttpRequest, effect: &Effect) -> (Outcome, Span) {
    let late = |took: u64| Span::millis(took) >= effect.timeout;
    let (outcome, took) = match answer.deliver {
        Deliver::Whole => (read(answer, ask), 100),
        Deliver::After(ms) if !late(ms) => (read(answer, ask), ms),
        Deliver::After(_) | Deliver::Endless => {
            (Err(Fault::passing("http_timeout", "no answer in time")), effect.timeout.0)
        }
        Deliver::Closed => (Err(Fault::passing("http_lost", "the connection was closed")), 100),
    };
    (outcome, Span::millis(took))
}

/// As the world reads an answer.
fn read(answer: &SimAnswer, ask: &HttpRequest) -> Outcome {
    if answer.body.len() as u64 > ask.bytes_max {
        return Err(Fault::lasting("response_too_large", "the answer is too large"));
    }
    let body = match (serde_json::from_str(&answer.body), ask.accept) {
        (Ok(body), BodyFormat::Auto | BodyFormat::Json) => body,
        _ => Value::from(answer.body.clone()),
    };
    let headers: Map<String, Value> =
        answer.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    Ok(Got::Http(HttpAnswer { status: answer.status, headers, body, broken: None }))
}

/// What is asked, as a simulated server gets it.
pub(crate) fn request(ask: &HttpRequest, url: &Url) -> SimRequest {
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let mut request = match &ask.body {
        Body::Form(form) => {
            let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (&**name, &**value)).collect();
            SimRequest::form(&target, &form)
        }
        Body::Json(json) => SimRequest::json(&target, json),
        Body::Text(text) => SimRequest { body: text.clone().into_bytes(), ..SimRequest::get(&target) },
        // Nobody here takes anything else.
        _ => SimRequest::get(&target),
    };
    if let Some((_, kind)) = ask.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        request.content_type.clone_from(kind);
    }
    request.method.clone_from(&ask.method);
    url.host_str().unwrap_or_default().clone_into(&mut request.host);
    match &ask.auth {
        Some(Auth::Bearer(token)) => request.authorized(&format!("Bearer {token}")),
        Some(Auth::Basic { user, password }) => {
            let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
            request.authorized(&format!("Basic {encoded}"))
        }
        Some(_) | None => request,
    }
}
