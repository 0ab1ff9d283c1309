//! [`Clients`]: one HTTP client for each way to speak TLS. The usual ones are always there; one with
//! certificates of its own is made when it is first asked with, and kept while it is of use.
//!
//! What may be asked only once goes out on a connection of its own: one that was kept may be closed by the
//! server in the very moment, and nobody could say whether it was heard.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, Identity, redirect};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::model::effect::ClientTls;
use crate::model::fault::Fault;
use crate::outbound::errors::{HEADERS_MAX, cause};
use crate::outbound::guard::{Guard, GuardedDns};
use crate::outbound::secrets::SecretResolver;

/// A server that takes longer to accept a connection is not there.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Idle connections kept per host; more are rarely of use at once.
const IDLE_MAX: usize = 16;
/// Most servers close idle connections after a minute or more.
const IDLE_TIME: Duration = Duration::from_secs(50);
/// Clients with certificates of their own that are kept; the one used longest ago goes first.
const CLIENTS_MAX: usize = 64;

const USER_AGENT: &str = concat!("beltline/", env!("CARGO_PKG_VERSION"));

/// One HTTP client for each way to speak TLS.
#[derive(Debug)]
pub struct Clients {
    usual: Client,
    usual_once: Client,
    guard: Arc<Guard>,
    own: Mutex<Vec<([u8; 32], Client)>>,
}

impl Clients {
    /// Clients behind `guard`.
    ///
    /// # Errors
    /// The system's certificates cannot be read.
    pub fn new(guard: Arc<Guard>) -> Result<Clients, reqwest::Error> {
        // One TLS stack for the whole program; whoever was first is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (usual, usual_once) = (builder(&guard, false).build()?, builder(&guard, true).build()?);
        Ok(Clients { usual, usual_once, guard, own: Mutex::default() })
    }

    /// The one without certificates of its own, for what may be asked only `once` or for all else.
    pub fn usual(&self, once: bool) -> Client {
        if once { self.usual_once.clone() } else { self.usual.clone() }
    }

    /// The one with these certificates.
    ///
    /// # Errors
    /// `bad_tls`, `missing_secret`.
    pub fn with(&self, tls: &ClientTls, once: bool, resolver: &mut SecretResolver) -> Result<Client, Fault> {
        let mut open =
            |text: &Option<String>| text.as_ref().map(|it| resolver.text(it).map(Zeroizing::new)).transpose();
        let (cert, key, ca) = (open(&tls.cert)?, open(&tls.key)?, open(&tls.ca)?);
        let mut hash = Sha256::new();
        hash.update([u8::from(once)]);
        for part in [&cert, &key, &ca] {
            let text = part.as_ref().map_or("", |it| it.as_str());
            hash.update(text.len().to_be_bytes());
            hash.update(text);
        }
        let id: [u8; 32] = hash.finalize().into();
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = own.iter().position(|(it, _)| *it == id) {
            let known = own.remove(at);
            let client = known.1.clone();
            own.push(known);
            return Ok(client);
        }
        let client = make(builder(&self.guard, once), cert.as_ref(), key.as_ref(), ca.as_ref())?;
        if own.len() >= CLIENTS_MAX {
            own.remove(0);
        }
        own.push((id, client.clone()));
        Ok(client)
    }
}

fn builder(guard: &Arc<Guard>, once: bool) -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .http1_max_headers(HEADERS_MAX)
        .dns_resolver(Arc::new(GuardedDns(Arc::clone(guard))))
        .connect_timeout(CONNECT_MAX)
        .pool_max_idle_per_host(if once { 0 } else { IDLE_MAX })
        .pool_idle_timeout(IDLE_TIME)
}

type Pem = Zeroizing<String>;

fn make(
    mut builder: ClientBuilder,
    cert: Option<&Pem>,
    key: Option<&Pem>,
    ca: Option<&Pem>,
) -> Result<Client, Fault> {
    if let Some(cert) = cert {
        let pem = Zeroizing::new(format!("{}\n{}\n", cert.as_str(), key.map_or("", |it| it.as_str())));
        let identity = Identity::from_pem(pem.as_bytes());
        builder = builder.identity(identity.map_err(|it| bad("the client's certificate and key", &it))?);
    }
    if let Some(ca) = ca {
        let found = Certificate::from_pem_bundle(ca.as_bytes()).map_err(|it| bad("the CA", &it))?;
        if found.is_empty() {
            let message = "there is no certificate in the CA; hint: it is PEM, and begins with `-----BEGIN";
            return Err(Fault::lasting("bad_tls", format!("{message} CERTIFICATE-----`")));
        }
        builder = builder.tls_certs_only(found);
    }
    builder.build().map_err(|it| bad("the certificates", &it))
}

/// What TLS says of a certificate names nothing of it.
fn bad(what: &str, error: &reqwest::Error) -> Fault {
    let why =
        cause::<rustls::Error>(error).map_or_else(|| "it is no PEM".to_owned(), rustls::Error::to_string);
    Fault::lasting("bad_tls", format!("{what} cannot be used: {why}"))
}
