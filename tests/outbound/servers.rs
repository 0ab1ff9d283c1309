//! Small servers that answer as ugly as they are told, and what the tests ask them with.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use beltline::engine::ports::Outbound;
use beltline::engine::resources::ResourceCache;
use beltline::model::effect::{Body, BodyFormat, Effect, ExternalAnswer, HttpAnswer, HttpRequest, Request};
use beltline::model::fault::Fault;
use beltline::model::time::Span;
use beltline::outbound::outbound::{OutboundClient, OutboundConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a server does with a connection once it has read a request.
#[derive(Clone)]
pub(super) enum Act {
    /// Says this and hangs up.
    Say(Vec<u8>),
    /// Says this and then nothing more.
    Hang(Vec<u8>),
    /// Says this over and over.
    Endless(Vec<u8>),
}

/// An answer with a status line, headers and a body.
pub(super) fn say(status: u16, headers: &str, body: &str) -> Act {
    Act::Say(bytes(status, headers, body.as_bytes()))
}

pub(super) fn bytes(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

/// A server, and all that it was asked.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each request, given its number and its text.
    pub(super) async fn new(answer: impl Fn(usize, &str) -> Act + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut stream = stream;
                    let request = request(&mut stream).await;
                    let n = {
                        let mut log = log.lock().unwrap();
                        log.push(request.clone());
                        log.len() - 1
                    };
                    let _ = act(&mut stream, answer(n, &request)).await;
                });
            }
        });
        Server { address, asked }
    }

    /// Always answers the same.
    pub(super) async fn saying(status: u16, headers: &str, body: &str) -> Server {
        let act = say(status, headers, body);
        Server::new(move |_, _| act.clone()).await
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn request(stream: &mut TcpStream) -> String {
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&got).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length.lines().find_map(|it| it.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |it| it.trim().parse().unwrap()) {
                return text;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return text,
            Ok(n) => got.extend_from_slice(&buffer[..n]),
        }
    }
}

async fn act(stream: &mut TcpStream, act: Act) -> std::io::Result<()> {
    match act {
        Act::Say(bytes) => stream.write_all(&bytes).await,
        Act::Hang(bytes) => {
            stream.write_all(&bytes).await?;
            stream.read_to_end(&mut Vec::new()).await.map(|_| ())
        }
        Act::Endless(bytes) => loop {
            stream.write_all(&bytes).await?;
        },
    }
}

/// A server whose certificate nobody signed.
pub(super) fn self_signed() -> SocketAddr {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = include_bytes!("cert.der").to_vec().into();
    let key = include_bytes!("key.der").to_vec().try_into().unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate], key).unwrap());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(&bytes(200, "", b"hello"));
        }
    });
    address
}

/// A world that may reach loopback.
pub(super) fn world(resources: ResourceCache) -> OutboundClient {
    let allow_addresses = vec!["127.0.0.0/8".parse().unwrap()];
    let config = OutboundConfig { allow_addresses, ..OutboundConfig::default() };
    OutboundClient::new(config, Arc::new(resources)).unwrap()
}

pub(super) fn get(url: &str) -> HttpRequest {
    HttpRequest {
        method: "GET".into(),
        url: url.into(),
        query: Vec::new(),
        headers: Vec::new(),
        auth: None,
        body: Body::None,
        accept: BodyFormat::Auto,
        bytes_max: 1 << 20,
        redirects_max: 5,
        oauth_hosts_only: false,
        tls: None,
        pace: None,
        page: None,
        unread: false,
        keeps_unread: false,
        charset: None,
        fresh: false,
        as_get: false,
    }
}

pub(super) fn effect(ask: Request, timeout: Span) -> Effect {
    Effect { key: "the-key".into(), request: ask, timeout, once: false }
}

/// Asks within two seconds.
pub(super) async fn ask(world: &OutboundClient, ask: HttpRequest) -> Result<HttpAnswer, Fault> {
    match world.perform(&effect(Request::Http(Box::new(ask)), Span::secs(2))).await? {
        ExternalAnswer::Http(answer) => Ok(answer),
        other => panic!("{other:?}"),
    }
}

/// The fault of a GET, as `code class`.
pub(super) async fn fault_of(url: &str) -> Fault {
    ask(&world(ResourceCache::default()), get(url)).await.unwrap_err()
}
