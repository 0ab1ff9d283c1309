//! Limits of hosts and nodes, with real servers: what is asked, and what comes again when.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use beltline::engine::ports::{Clock, Outbound};
use beltline::engine::resources::ResourceCache;
use beltline::model::effect::{EarlierUntil, Effect, ExternalAnswer, HttpRequest, Outcome, Pace, Request};
use beltline::model::rate::RateLimit;
use beltline::model::time::{Span, Timestamp};
use beltline::outbound::clock::SystemClock;
use beltline::outbound::outbound::{OutboundClient, OutboundConfig, OutboundError};
use futures::future::join_all;

use super::servers::{Server, get, say, world};

async fn perform(world: &OutboundClient, key: &str, ask: HttpRequest) -> Outcome {
    let ask = Request::Http(Box::new(ask));
    world.perform(&Effect { key: key.into(), request: ask, timeout: Span::secs(30), once: false }).await
}

fn later(outcome: Outcome) -> EarlierUntil {
    match outcome {
        Ok(ExternalAnswer::Later(later)) => later,
        other => panic!("{other:?}"),
    }
}

fn status(outcome: Outcome) -> u16 {
    match outcome {
        Ok(ExternalAnswer::Http(answer)) => answer.status,
        other => panic!("{other:?}"),
    }
}

/// Asks until there is room, as the engine does.
async fn ask(world: &OutboundClient, key: &str, ask: &HttpRequest) -> (u16, usize) {
    for rounds in 0.. {
        match perform(world, key, ask.clone()).await {
            Ok(ExternalAnswer::Later(later)) => SystemClock.at(later.until).await,
            outcome => return (status(outcome), rounds),
        }
    }
    unreachable!("a loop without an end")
}

#[tokio::test]
async fn a_host_that_wants_to_be_left_alone_is_asked_by_nobody() {
    let server = Server::new(|n, _| match n {
        0 => say(429, "Retry-After: 2\r\n", ""),
        _ => say(200, "", ""),
    })
    .await;
    let other = Server::saying(200, "", "").await;
    let world = world(ResourceCache::default());
    let before = SystemClock.now();
    assert_eq!(status(perform(&world, "a", get(&server.url("/"))).await), 429);
    let closed_until = before + Span::secs(2);
    for key in ["b", "c"] {
        let later = later(perform(&world, key, get(&server.url("/"))).await);
        assert_eq!(later.place, format!("`127.0.0.1:{}`", server.address.port()));
        assert!(later.until >= closed_until, "{} {}", later.until, closed_until);
    }
    assert_eq!(server.asked().len(), 1);
    // Another host is not meant.
    assert_eq!(status(perform(&world, "d", get(&other.url("/"))).await), 200);
    let asks = get(&server.url("/"));
    let all = join_all(["c", "b", "a", "e"].map(|key| ask(&world, key, &asks))).await;
    assert!(all.iter().all(|(status, _)| *status == 200), "{all:?}");
    // Each came once to hear when to come, and once to ask.
    assert!(all.iter().all(|(_, rounds)| *rounds <= 1), "{all:?}");
    assert!(SystemClock.now() >= closed_until);
    assert_eq!(server.asked().len(), 5);
}

#[tokio::test]
async fn a_503_without_a_time_closes_nothing() {
    let server = Server::saying(503, "", "").await;
    let world = world(ResourceCache::default());
    for key in ["a", "b", "c"] {
        assert_eq!(status(perform(&world, key, get(&server.url("/"))).await), 503);
    }
}

/// A server that counts how many it serves at once.
async fn counting() -> (std::net::SocketAddr, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (most, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let now = Arc::new(AtomicUsize::new(0));
    let (seen, count) = (Arc::clone(&most), Arc::clone(&all));
    let answer = move || {
        let (now, seen, count) = (Arc::clone(&now), Arc::clone(&seen), Arc::clone(&count));
        async move {
            seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // So long that others would be seen beside it.
            SystemClock.at(SystemClock.now() + Span::millis(30)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            count.fetch_add(1, Ordering::SeqCst);
            "ok"
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().route("/", axum::routing::get(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, most, all)
}

#[tokio::test]
async fn a_node_asks_no_more_at_once_than_it_may() {
    let (address, most, all) = counting().await;
    let world = world(ResourceCache::default());
    let pace = |parallel| Pace { node: "p/ask".into(), parallel, rate: None };
    let limited = HttpRequest { pace: Some(pace(Some(3))), ..get(&format!("http://{address}/")) };
    let keys: Vec<String> = (0..40).map(|n| format!("k{n}")).collect();
    let asked = join_all(keys.iter().map(|key| ask(&world, key, &limited))).await;
    assert!(asked.iter().all(|(status, _)| *status == 200));
    assert_eq!((most.load(Ordering::SeqCst), all.load(Ordering::SeqCst)), (3, 40));
    // The control: without it they all go at once.
    let free = get(&format!("http://{address}/"));
    join_all(keys.iter().map(|key| ask(&world, key, &free))).await;
    assert!(most.load(Ordering::SeqCst) > 3);
}

#[tokio::test]
async fn a_host_is_asked_as_often_as_its_operator_says() {
    let (address, most, _) = counting().await;
    let limit =
        |parallel, rate: Option<&str>| RateLimit { parallel, rate: rate.map(|it| it.parse().unwrap()) };
    let with = |pattern: String, given| {
        let config = OutboundConfig {
            allow_addresses: vec!["127.0.0.0/8".parse().unwrap()],
            host_limits: vec![("api.example.org".into(), limit(Some(1), None)), (pattern, given)],
            ..OutboundConfig::default()
        };
        OutboundClient::new(config, Arc::new(ResourceCache::default())).unwrap()
    };
    let url = get(&format!("http://{address}/"));
    let keys: Vec<String> = (0..12).map(|n| format!("k{n}")).collect();
    let world = with(address.to_string(), limit(Some(2), None));
    join_all(keys.iter().map(|key| ask(&world, key, &url))).await;
    assert_eq!(most.load(Ordering::SeqCst), 2);
    // Ten in a second: the twelfth is not asked before 1.1 seconds are over.
    let world = with("127.0.0.1".into(), limit(None, Some("10/s")));
    let begin: Timestamp = SystemClock.now();
    join_all(keys.iter().map(|key| ask(&world, key, &url))).await;
    assert!(SystemClock.now().since(begin) >= Span::millis(1_099));
    let world = with(address.to_string(), limit(None, Some("1/h")));
    assert_eq!(status(perform(&world, "a", url.clone()).await), 200);
    assert!(later(perform(&world, "b", url).await).until >= begin + Span::mins(59));
}

#[tokio::test]
async fn a_limit_that_can_mean_nothing_is_refused() {
    let rate = RateLimit { parallel: None, rate: "1/s".parse().ok() };
    for (pattern, limit) in [
        ("http//x", rate),
        ("", rate),
        ("x/y", rate),
        ("x.org", RateLimit::default()),
        ("x.org", RateLimit { parallel: Some(0), rate: None }),
    ] {
        let config =
            OutboundConfig { host_limits: vec![(pattern.into(), limit)], ..OutboundConfig::default() };
        let error = OutboundClient::new(config, Arc::new(ResourceCache::default())).unwrap_err();
        assert!(matches!(error, OutboundError::HostLimit(ref it, _) if it == pattern), "{error}");
    }
}

#[tokio::test]
async fn one_503_shuts_out_nobody_for_longer_than_a_minute() {
    let server = Server::saying(503, "Retry-After: 3600\r\n", "").await;
    let world = world(ResourceCache::default());
    let before = SystemClock.now();
    assert_eq!(status(perform(&world, "a", get(&server.url("/"))).await), 503);
    for key in ["b", "c"] {
        let until = later(perform(&world, key, get(&server.url("/"))).await).until;
        assert!(until < before + Span::secs(70), "{until}");
    }
    let busy = Server::saying(429, "Retry-After: 3600\r\n", "").await;
    assert_eq!(status(perform(&world, "a", get(&busy.url("/"))).await), 429);
    let until = later(perform(&world, "b", get(&busy.url("/"))).await).until;
    assert!(until >= before + Span::hours(1), "{until}");
}
