//! [`Front`]: an engine, a proxy in front of it, and somebody on the other side of that.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, RequestBuilder};

use crate::cli::place::{Place, Served, until};
use crate::support::daemon::{Daemon, address_of_its_own};
use crate::support::manual;

/// What happens at all happens within that, on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// The name that the manual's lines give the engine.
pub(crate) const HOST: &str = "beltline.example.org";
/// Where the visitors come from.
pub(crate) const VISITOR: Ipv4Addr = Ipv4Addr::new(127, 9, 9, 9);
/// The name and the password of the admin.
pub(crate) const ADMIN: (&str, &str) = ("ann", "correct horse battery");

/// A proxy: how its lines are marked in the manual, what stands around them, and how it is started.
pub(crate) struct Proxy {
    pub(crate) language: &'static str,
    before: &'static str,
    after: &'static str,
    /// What becomes of some words of the manual's lines: `ADDRESS` is one that only this test has.
    changes: &'static [(&'static str, &'static str)],
    command: &'static [&'static str],
}

pub(crate) const NGINX: Proxy = Proxy {
    language: "nginx",
    before: "daemon off; error_log stderr; pid /run/nginx.pid;\nevents {}\nhttp {\naccess_log off;\n\
             include /etc/nginx/mime.types;\n",
    after: "}\n",
    changes: &[("listen 443", "listen ADDRESS:443")],
    command: &["nginx", "-c", "/here/proxy.conf"],
};

pub(crate) const APACHE: Proxy = Proxy {
    language: "apache",
    before: "ServerRoot /usr/lib/apache2\nPidFile /run/apache.pid\nErrorLog /dev/stderr\nListen ADDRESS:443\n\
             ServerName localhost\nUser www-data\nGroup www-data\n\
             LoadModule mpm_event_module modules/mod_mpm_event.so\n\
             LoadModule authz_core_module modules/mod_authz_core.so\n\
             LoadModule filter_module modules/mod_filter.so\n\
             LoadModule proxy_module modules/mod_proxy.so\n\
             LoadModule ssl_module modules/mod_ssl.so\n\
             LoadModule http2_module modules/mod_http2.so\n\
             LoadModule proxy_http_module modules/mod_proxy_http.so\n\
             LoadModule headers_module modules/mod_headers.so\n\
             LoadModule deflate_module modules/mod_deflate.so\n",
    after: "",
    changes: &[("*:443", "ADDRESS:443")],
    command: &["apache2", "-f", "/here/proxy.conf", "-DFOREGROUND"],
};

pub(crate) const HAPROXY: Proxy = Proxy {
    language: "haproxy",
    before: "",
    after: "",
    changes: &[("bind :443", "bind ADDRESS:443")],
    command: &["haproxy", "-f", "/here/proxy.conf"],
};

pub(crate) const CADDY: Proxy = Proxy {
    language: "caddyfile",
    // It would ask the world for a certificate otherwise.
    before: "{\nadmin off\nauto_https disable_redirects\ndefault_bind ADDRESS\n}\n",
    after: "",
    changes: &[("    encode gzip\n", "    encode gzip\n    tls /here/fullchain.pem /here/privkey.pem\n")],
    command: &["caddy", "run", "--config", "/here/proxy.conf", "--adapter", "caddyfile"],
};

/// The manual's lines in that language.
fn lines_of(language: &str) -> String {
    let page = manual::page("proxies");
    let (_, rest) = page.split_once(&format!("```{language}\n")).expect("the manual has lines for it");
    rest.split_once("```").unwrap().0.to_owned()
}

pub(crate) struct Front {
    // The folder goes last, when nobody is in it any more.
    served: Option<Served>,
    _proxy: Daemon,
    address: Ipv4Addr,
    client: Client,
    pub(crate) place: Place,
}

impl Front {
    /// An engine behind that proxy, with an admin.
    pub(crate) async fn open(proxy: &Proxy) -> Front {
        let (place, address) = (Place::new(), address_of_its_own());
        let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).unwrap();
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        place.write("proxy/fullchain.pem", &cert);
        place.write("proxy/privkey.pem", &key);
        place.write("proxy/both.pem", &format!("{cert}{key}"));
        let mut lines = lines_of(proxy.language);
        for (from, to) in proxy.changes {
            assert!(lines.contains(from), "{from} in {lines}");
            lines = lines.replace(from, to);
        }
        let text = format!("{}{lines}{}", proxy.before, proxy.after);
        let text = text.replace("/etc/ssl/beltline/", "/here/").replace("ADDRESS", &address.to_string());
        assert!(text.contains("//127.0.0.1:7700") || text.contains(" 127.0.0.1:7700"), "{text}");
        let text = text.replace("127.0.0.1:7700", &format!("{address}:7700"));
        place.write("proxy/proxy.conf", &text);
        let mut daemon = Daemon::start(&place.path("proxy"), proxy.command);
        until("the proxy listens", || {
            daemon.lives();
            std::net::TcpStream::connect((address, 443)).ok()
        });
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .local_address(IpAddr::from(VISITOR))
            .tls_certs_only([Certificate::from_pem(cert.as_bytes()).unwrap()])
            .resolve(HOST, SocketAddr::from((address, 0)))
            .build()
            .unwrap();
        let mut front = Front { place, served: None, _proxy: daemon, address, client };
        front.start().await;
        let add = ["user", "add", ADMIN.0, "--role", "admin"];
        let ran = front.place.run_with(&add, &format!("{}\n", ADMIN.1));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        front
    }

    /// Starts the engine, and waits until it is seen through the proxy.
    pub(crate) async fn start(&mut self) {
        let args = ["--behind-proxy", "127.0.0.1", "--public-url", &format!("https://{HOST}")];
        self.served = Some(self.place.serve_at(&format!("{}:7700", self.address), &args));
        let ready = async { while self.ask(Method::GET, "/readyz").send().await.unwrap().status() != 200 {} };
        tokio::time::timeout(PATIENCE, ready).await.expect("it is seen through the proxy");
    }

    /// Stops the engine. The proxy goes on.
    pub(crate) fn stop(&mut self) {
        assert_eq!(self.served.take().unwrap().stop(), Some(0));
    }

    /// A request through the proxy.
    pub(crate) fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("https://{HOST}{path}"))
    }

    /// The same with the operator's token.
    pub(crate) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let token = fs::read_to_string(self.place.path("data/token")).unwrap();
        self.ask(method, path).bearer_auth(token.trim())
    }

    /// An address of the proxy for those who know no names.
    pub(crate) fn by_number(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// A request around the proxy.
    pub(crate) fn around(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{HOST}:7700{path}"))
    }

    /// Sends the form of the login.
    pub(crate) fn log_in(request: RequestBuilder, password: &str) -> RequestBuilder {
        let form = [("name", ADMIN.0), ("password", password), ("to", "/dashboard")];
        request.header("origin", format!("https://{HOST}")).form(&form)
    }

    /// The cookie of the admin, logged in through the proxy.
    pub(crate) async fn cookie(&self) -> String {
        let answer = Front::log_in(self.ask(Method::POST, "/dashboard/login"), ADMIN.1).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.starts_with("__Host-beltline") && cookie.contains("; Secure"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }
}
