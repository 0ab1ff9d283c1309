//! [`Issuer`]: a small token server, and the process that keeps one of its tokens.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Renews its token when it is woken, and tells nobody when it cannot.
pub(crate) const KEEPER: &str = r#"
process: keeper
params:
  server: {type: string}
  token: {type: string, secret: true, shared: true, input: false, expiry: {at: dies, issued: born, warn: 10m}}
  born: {type: integer, input: false}
  dies: {type: integer, input: false}
nodes:
  start: {kind: input, next: renew}
  renew:
    kind: http
    method: POST
    url: "{{server}}"
    retry: {times: 1}
    save:
      token: = response.body.token
      born: = now - response.body.age
      dies: = now + response.body.lives
    next: nap
    on_error: rest
  nap: {kind: delay, for: 1d, wake: signal, next: renew}
  rest: {kind: delay, for: 1h, wake: signal, next: renew}
"#;

/// A small token server. Gives `token-1`, `token-2`, … as it is told.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    plan: Arc<Mutex<Plan>>,
    /// A permit is needed for each answer.
    gate: Arc<Semaphore>,
}

#[derive(Default)]
struct Plan {
    answers: VecDeque<(u16, i64, i64)>,
    asked: usize,
}

impl Issuer {
    /// One that gives tokens of `(age, lives)` seconds, the last for ever.
    pub(crate) async fn new(tokens: &[(i64, i64)]) -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let answers = tokens.iter().map(|(age, lives)| (200, *age, *lives)).collect();
        let plan = Arc::new(Mutex::new(Plan { answers, asked: 0 }));
        let issuer = Issuer { url, plan, gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)) };
        let app = Router::new().route("/token", post(answer)).with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        issuer
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.plan.lock().unwrap().asked
    }

    /// From now on it answers with that status and no token.
    pub(crate) fn fails(&self, status: u16) {
        self.plan.lock().unwrap().answers = VecDeque::from([(status, 0, 0)]);
    }

    /// From now on it does not answer, until it is opened.
    pub(crate) fn close(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn open(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn params(&self) -> Value {
        json!({"server": self.url})
    }
}

async fn answer(State(issuer): State<Issuer>) -> impl IntoResponse {
    let (number, (status, age, lives)) = {
        let mut plan = issuer.plan.lock().unwrap();
        plan.asked += 1;
        let answer = match plan.answers.len() {
            0 | 1 => *plan.answers.front().unwrap(),
            _ => plan.answers.pop_front().unwrap(),
        };
        (plan.asked, answer)
    };
    let _permit = issuer.gate.acquire().await.unwrap();
    let body = json!({"token": format!("token-{number}"), "age": age, "lives": lives});
    (StatusCode::from_u16(status).unwrap(), Json(body))
}
