//! [`LoadPlan`]: many clients that ask the same thing again and again, and how long it took them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::cli::http1::Connection;

/// The longest time that is told apart, in microseconds: a minute.
const MICROS_MAX: u64 = 60_000_000;
/// The part of the time, or of the count, that warms up and is not counted.
const WARM_PART: u32 = 10;
/// A client whose requests fail again and again is stopped.
const ERRORS_MAX: u64 = 1_000;

/// What is asked, by how many, and for how long.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// `host:port`.
    pub host: String,
    /// The request.
    pub request: Vec<u8>,
    /// How many ask at once.
    pub clients: usize,
    /// They stop after this time.
    pub time: Duration,
    /// Or after so many requests in all.
    pub count: u64,
}

/// How it went.
#[derive(Debug)]
pub struct Measured {
    /// Times in microseconds.
    pub times: Histogram<u64>,
    /// From the first counted request to the last.
    pub elapsed: Duration,
    /// Answers that were no success.
    pub errors: u64,
}

/// The moment, from the one clock that never goes back.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn instant() -> Instant {
    Instant::now()
}

impl LoadPlan {
    /// Asks, first to warm up, then counted.
    pub async fn run(&self) -> Result<Measured> {
        self.round(self.time / WARM_PART, self.count / u64::from(WARM_PART)).await?;
        self.round(self.time, self.count).await
    }

    async fn round(&self, time: Duration, count: u64) -> Result<Measured> {
        let left = Arc::new(AtomicU64::new(count));
        let start = instant();
        let end = start + time;
        let clients = (0..self.clients).map(|_| {
            let (host, request, left) = (self.host.clone(), self.request.clone(), Arc::clone(&left));
            tokio::spawn(async move { client(&host, &request, end, &left).await })
        });
        let clients: Vec<_> = clients.collect();
        let mut times = histogram()?;
        let mut errors = 0;
        for client in clients {
            let (own_times, own_errors) = client.await??;
            times.add(own_times)?;
            errors += own_errors;
        }
        Ok(Measured { times, elapsed: start.elapsed(), errors })
    }
}

fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, MICROS_MAX, 3)?)
}

async fn client(host: &str, request: &[u8], end: Instant, left: &AtomicU64) -> Result<(Histogram<u64>, u64)> {
    let mut connection = Connection::open(host).await?;
    let (mut times, mut errors) = (histogram()?, 0);
    let one_less = |it: u64| it.checked_sub(1);
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
        let begin = instant();
        if begin >= end {
            break;
        }
        match connection.ask(request).await {
            Ok(200..=299) => {
                let micros = u64::try_from(begin.elapsed().as_micros()).unwrap_or(MICROS_MAX);
                times.saturating_record(micros);
            }
            Ok(status) => {
                errors += 1;
                if errors > ERRORS_MAX {
                    let body = String::from_utf8_lossy(connection.body()).into_owned();
                    bail!("more than {ERRORS_MAX} requests failed; the last with {status}: {body}");
                }
            }
            Err(_) => {
                errors += 1;
                connection = Connection::open(host).await?;
            }
        }
    }
    Ok((times, errors))
}

impl Measured {
    /// Successful answers in a second.
    pub fn rate(&self) -> f64 {
        let count = u32::try_from(self.times.len()).map_or(f64::MAX, f64::from);
        count / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// The time that so many percent stay within, in milliseconds.
    pub fn millis(&self, percent: f64) -> f64 {
        millis(self.times.value_at_quantile(percent / 100.0))
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "count": self.times.len(), "errors": self.errors, "elapsed_s": self.elapsed.as_secs_f64(),
            "per_s": self.rate(), "p50_ms": self.millis(50.0), "p90_ms": self.millis(90.0),
            "p99_ms": self.millis(99.0), "max_ms": millis(self.times.max()),
        })
    }
}

fn millis(micros: u64) -> f64 {
    // A minute in microseconds fits.
    f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1_000.0
}
