//! A page behind a proxy that has nobody to ask for a while: one of ours, and a real one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::browser::browser::Browser;
use crate::browser::make::Make;
use crate::proxies::front::{ADMIN, Front, NGINX};
use crate::support::daemon::can_run;
use crate::support::house::{House, OPERATOR};

const NAP: &str = "process: nap\nnodes:\n  start: {kind: input, next: rest}\n  \
                   rest: {kind: wait, next: done}\n  done: {kind: end}\n";

/// Passes requests on, one a connection; the first `refused` for a stream of events are answered with 503.
async fn proxy(to: SocketAddr, refused: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, streams) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let asked = Arc::clone(&streams);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass(stream, to, refused, Arc::clone(&asked)));
        }
    });
    (address, streams)
}

async fn pass(mut stream: TcpStream, to: SocketAddr, refused: usize, asked: Arc<AtomicUsize>) -> Option<()> {
    let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
    while !head.windows(4).any(|it| it == b"\r\n\r\n") {
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        head.extend(&buffer[..read]);
    }
    let text = String::from_utf8_lossy(&head);
    if text.starts_with("GET /dashboard/events") && asked.fetch_add(1, Ordering::SeqCst) < refused {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return stream.write_all(answer).await.ok();
    }
    let head = text.replace("Connection: keep-alive", "Connection: close");
    let mut server = TcpStream::connect(to).await.ok()?;
    server.write_all(head.as_bytes()).await.ok()?;
    copy_bidirectional(&mut stream, &mut server).await.ok().map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_live_again_when_the_proxy_reaches_the_engine() {
    let house = House::open().await;
    house.deploy(NAP).await;
    let (proxy, streams) = proxy(house.address, 2).await;
    let browser = Browser::open(Make::Chromium).await;
    browser.go(&format!("http://{proxy}/dashboard/login")).await;
    browser.fill("Token", OPERATOR).await;
    browser.press("Log in").await;
    browser.find("#q").await;
    browser.go(&format!("http://{proxy}/dashboard/p/nap")).await;
    browser.until("it asks again", async || streams.load(Ordering::SeqCst) > 2).await;
    let notice = "return document.querySelector('.lost') === null";
    browser.until("the notice is gone", async || browser.ask(notice).await == json!(true)).await;
    house.submit("nap", "late-comer", json!({})).await;
    browser.reads("late-comer").await;
    browser.close().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_behind_nginx_is_live_again_after_a_restart() {
    if !can_run("nginx") {
        return;
    }
    let mut front = Front::open(&NGINX).await;
    let browser = Browser::open(Make::Chromium).await;
    browser.go(&front.by_number("/dashboard/login")).await;
    browser.fill("Name", ADMIN.0).await;
    browser.fill("Password", ADMIN.1).await;
    browser.press("Log in").await;
    browser.find("#q").await;
    browser.go(&front.by_number("/dashboard/p/hello")).await;
    let protocol = "return performance.getEntriesByType('navigation')[0].nextHopProtocol";
    assert_eq!(browser.ask(protocol).await, json!("h2"));
    let has_notice = "return document.querySelector('.lost') !== null";
    front.stop();
    browser.until("it says so", async || browser.ask(has_notice).await == json!(true)).await;
    front.start().await;
    browser.until("it listens again", async || browser.ask(has_notice).await == json!(false)).await;
    front.place.ok(&["submit", "hello", "--ref", "late-comer", "city=Riga"]);
    browser.reads("late-comer").await;
    browser.close().await;
}
