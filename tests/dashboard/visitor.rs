//! [`Visitor`]: a browser without a screen. It keeps a cookie, says where its forms come from, and follows
//! nothing by itself.

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::json;
use url::form_urlencoded::Serializer;

use crate::support::call::Answer;
use crate::support::house::{House, OPERATOR};

/// The heaviest a page may be, in bytes.
const PAGE_BYTES_MAX: usize = 150 * 1024;

/// A process with everything a page shows: secrets, types, a rest, a fault, a link.
pub(crate) const SHOP: &str = r#"process: shop
title: Orders of the <b>shop</b>
about: Takes an order & waits for a person.
params:
  city: {type: string, required: true, about: Where it goes, example: Riga}
  many: {type: integer, default: 3, about: How many}
  gift: {type: boolean}
  lines: {type: array}
  key: {type: string, secret: true, about: Opens the door}
nodes:
  start: {kind: input, next: ask}
  ask:
    kind: wait
    title: Waits for a person
    about: Whoever opens the link lets the order go on.
    link: true
    for: 7d
    next_on_timeout: gone
    next: pack
  pack: {kind: set, title: Pack it, set: {copy: "= key"}, next: rest, on_error: gone}
  rest: {kind: delay, title: Rests for a day, for: 1d, next: done}
  gone: {kind: end, ok: false, title: Nobody came}
  done: {kind: end, title: Sent}
"#;

pub(crate) struct Visitor {
    client: Client,
    base: String,
    cookie: String,
    from: Option<String>,
}

impl Visitor {
    /// Somebody who is not logged in.
    pub(crate) fn stranger(house: &House) -> Visitor {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Visitor { client, base: format!("http://{}", house.address), cookie: String::new(), from: None }
    }

    /// The operator, logged in.
    pub(crate) async fn operator(house: &House) -> Visitor {
        Visitor::with(house, OPERATOR).await
    }

    /// Whoever has that token, logged in.
    pub(crate) async fn with(house: &House, token: &str) -> Visitor {
        let mut visitor = Visitor::stranger(house);
        let answer = visitor.log_in(token).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/dashboard"), "{}", answer.text);
        visitor
    }

    /// Logs in, and keeps the cookie.
    pub(crate) async fn log_in(&mut self, token: &str) -> Answer {
        let answer = self.post("/dashboard/login", &[("token", token)]).await;
        let cookie = answer.header("set-cookie");
        cookie.split(';').next().unwrap_or_default().clone_into(&mut self.cookie);
        answer
    }

    /// Logs in as a user, and keeps the cookie.
    pub(crate) async fn log_in_as(&mut self, name: &str, password: &str) -> Answer {
        let answer = self.post("/dashboard/login", &[("name", name), ("password", password)]).await;
        let cookie = answer.header("set-cookie");
        if !cookie.is_empty() {
            cookie.split(';').next().unwrap_or_default().clone_into(&mut self.cookie);
        }
        answer
    }

    /// A user, logged in.
    pub(crate) async fn user(house: &House, name: &str, password: &str) -> Visitor {
        let mut visitor = Visitor::stranger(house);
        let answer = visitor.log_in_as(name, password).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/dashboard"), "{}", answer.text);
        visitor
    }

    /// As somebody behind a declared proxy, at that address.
    pub(crate) fn at(mut self, address: &str) -> Visitor {
        self.from = Some(address.to_owned());
        self
    }

    /// What it keeps.
    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Without its cookie.
    pub(crate) fn forget(&mut self) -> String {
        std::mem::take(&mut self.cookie)
    }

    /// With that cookie.
    pub(crate) fn bring(&mut self, cookie: &str) {
        cookie.clone_into(&mut self.cookie);
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.client.get(format!("{}{path}", self.base)).header("accept", "text/html")).await
    }

    /// A page that is as it should be.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        whole(path, answer)
    }

    /// A form, from a page of ours.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_from(&self.base, path, fields).await
    }

    /// The same, from a page of `origin`.
    pub(crate) async fn post_from(&self, origin: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.client.post(format!("{}{path}", self.base)).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = if origin.is_empty() { request } else { request.header("origin", origin) };
        self.send(request).await
    }

    /// A form, and the page it leads to.
    pub(crate) async fn done(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.post(path, fields).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.text);
        let to = answer.header("location").split('#').next().unwrap().to_owned();
        self.page(&to).await
    }

    /// A form whose page says why not.
    pub(crate) async fn refused(&self, status: u16, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.post(path, fields).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        whole(path, answer)
    }

    /// A stream.
    pub(crate) async fn listen(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        let response = request.header("accept", "text/event-stream").send().await.unwrap();
        assert_eq!(response.status(), 200);
        response
    }

    async fn send(&self, request: RequestBuilder) -> Answer {
        let request = if self.cookie.is_empty() { request } else { request.header("cookie", &self.cookie) };
        let request = match &self.from {
            Some(address) => request.header("x-forwarded-for", address),
            None => request,
        };
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }
}

/// Every page is light, whole, strict, and runs nothing that stands in it.
#[track_caller]
pub(crate) fn whole(path: &str, answer: Answer) -> String {
    assert!(answer.text.len() < PAGE_BYTES_MAX, "{path} weighs {} bytes", answer.text.len());
    assert!(answer.header("content-type").starts_with("text/html"), "{path}");
    let policy = answer.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'; "),
        "{path}: {policy}"
    );
    assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
    assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    let html = answer.text;
    assert_eq!(
        html.matches("<script").count(),
        1,
        "{path}: one script, and none that was written by a stranger"
    );
    assert!(!html.contains("<style") && !html.contains(" style=\"") && !html.contains(" onclick"), "{path}");
    assert!(
        html.contains("<main id=\"main\"") && html.trim_end().ends_with("</html>"),
        "{path} is not whole"
    );
    html
}

/// A shop with a task that waits.
pub(crate) async fn shop() -> House {
    let house = House::open().await;
    house.deploy(SHOP).await;
    let params = json!({"city": "Riga", "key": "open-sesame-17"});
    house.submit("shop", "one", params).await;
    house.until("/processes/shop/tasks/one", |it| it["node"] == "ask").await;
    house
}
