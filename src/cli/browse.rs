//! [`Browse`]: what a browser on the dashboard asks of the server, without a screen: pages with their style
//! and script, and the stream that tells when a page is old.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use reqwest::header::{ACCEPT, COOKIE, ORIGIN, SET_COOKIE};
use reqwest::{Client, RequestBuilder, StatusCode};
use tokio::task::JoinSet;

use crate::cli::moment::rest;
use crate::cli::remote::Remote;
use crate::model::time::Span;

/// How long a page rests between two looks at it, as the script has it.
const REST: Span = Span::secs(1);

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub struct Browse {
    client: Client,
    base: String,
    cookie: String,
}

/// Dashboards that stay open and keep themselves fresh, until this is dropped.
#[derive(Debug)]
pub struct OpenDashboards {
    looks: Arc<AtomicU64>,
    /// They end with it.
    _all: JoinSet<Result<()>>,
}

impl OpenDashboards {
    /// How many pages they have asked for.
    pub fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }
}

impl Browse {
    /// Logs in with the token.
    pub async fn login(remote: &Remote) -> Result<Browse> {
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let client = client.build().context("the HTTP client cannot be made")?;
        let base = remote.base().to_owned();
        let form = client.post(format!("{base}/dashboard/login")).form(&[("token", remote.token())]);
        let answer = form.header(ORIGIN, &base).send().await?;
        let cookie = answer.headers().get(SET_COOKIE).and_then(|it| it.to_str().ok());
        let Some((cookie, _)) = cookie.and_then(|it| it.split_once(';')) else {
            bail!("the dashboard does not let this token in: {}", answer.status())
        };
        let cookie = cookie.to_owned();
        Ok(Browse { client, base, cookie })
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base)).header(COOKIE, &self.cookie)
    }

    /// A page as text.
    pub async fn page(&self, path: &str) -> Result<String> {
        let answer = self.get(path).header(ACCEPT, "text/html").send().await?;
        if answer.status() != StatusCode::OK {
            bail!("`{path}` answered {}", answer.status());
        }
        Ok(answer.text().await?)
    }

    /// How many bytes a browser loads for that page: itself, its style, its script and its picture.
    pub async fn weight(&self, page: &str) -> Result<u64> {
        let mut bytes = page.len() as u64;
        for asset in assets(page) {
            bytes += self.get(asset).send().await?.error_for_status()?.bytes().await?.len() as u64;
        }
        Ok(bytes)
    }

    /// Opens as many dashboards, on these pages in turn. Returns when all of them listen.
    pub async fn open(&self, many: usize, paths: &[(String, String)]) -> Result<OpenDashboards> {
        let (looks, mut all) = (Arc::new(AtomicU64::new(0)), JoinSet::new());
        for (page, stream) in paths.iter().cycle().take(many) {
            self.page(page).await?;
            let events = self.get(stream).header(ACCEPT, "text/event-stream").send().await?;
            let events = events.error_for_status()?;
            let (browse, page, looks) = (self.clone(), page.clone(), Arc::clone(&looks));
            all.spawn(async move { browse.keep_fresh(events, &page, &looks).await });
        }
        Ok(OpenDashboards { looks, _all: all })
    }

    /// Asks for the page again whenever it is old, and rests then, as the script does.
    async fn keep_fresh(&self, events: reqwest::Response, page: &str, looks: &AtomicU64) -> Result<()> {
        let mut events = events.bytes_stream();
        while let Some(piece) = events.next().await {
            if piece?.windows(10).any(|it| it == b"event: old") {
                self.page(page).await?;
                looks.fetch_add(1, Ordering::Relaxed);
                rest(REST).await;
            }
        }
        Ok(())
    }
}

/// What a page loads beside itself.
fn assets(page: &str) -> BTreeSet<&str> {
    let quoted = page.split('"').filter(|it| it.starts_with("/dashboard/assets/"));
    quoted.collect()
}
