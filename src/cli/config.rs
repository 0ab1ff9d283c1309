//! [`Config`]: flags over `BELTLINE_*` over `beltline.yaml` over defaults. Every value remembers where it
//! came from.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Result, bail};
use ipnet::IpNet;
use serde_json::{Map, Value, json};
use url::Url;
use zeroize::Zeroizing;

use crate::cli::config_file::{self, ConfigFile};
use crate::cli::env::Env;
use crate::cli::failure::Usage;
use crate::cli::home::expanded;
use crate::cli::keys::{ConfigKey, ConfigValue, FILE_ENV, KEYS, ValueOrigin};
use crate::model::budget::Budget;
use crate::model::near::nearest;
use crate::model::rate::RateLimit;
use crate::model::time::Span;
use crate::outbound::batcher::Grouping;
use crate::outbound::clock::lived_ticks;

/// The file that is read if no other is named, and only if it is there.
const FILE_DEFAULT: &str = "beltline.yaml";

/// How long a stop takes at most if nothing is said.
const GRACE: Span = Span::secs(10);

/// A network of proxies that begins with fewer fixed bits is wider than any there is of private addresses.
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 7;

/// What is configured.
#[derive(Clone)]
pub struct Config {
    /// Where `serve` listens.
    pub listen: SocketAddr,
    /// What links are made of.
    pub public_url: Option<Url>,
    /// The files of the certificate and of its key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The proxies in front that are believed.
    pub proxies: Vec<IpNet>,
    /// The data folder.
    pub data: PathBuf,
    /// What keeps the tasks.
    pub store: StoreChoice,
    /// The folder that is deployed.
    pub processes: PathBuf,
    /// Private addresses that requests may reach.
    pub allow_addresses: Vec<IpNet>,
    /// OAuth token hosts beside the vendor's.
    pub oauth_hosts: Vec<String>,
    /// How long the alarms of many tasks are gathered into one message.
    pub grouping: Grouping,
    /// How long a stop takes at most.
    pub grace: Span,
    /// What one evaluation may cost.
    pub budget: Budget,
    /// Channels of the file, by name.
    pub channels: Map<String, Value>,
    /// The server that other verbs speak to, if one was named.
    pub server: Option<Url>,
    /// Who speaks to it.
    pub token: Option<Zeroizing<String>>,
    /// The file with that token, if it was not given itself.
    pub token_file: Option<PathBuf>,
    /// What seals secrets.
    pub key: Option<Zeroizing<String>>,
    /// What is logged.
    pub log: String,
    /// Logs are JSON.
    pub log_json: bool,
    /// All of it as it was written.
    pub held: Vec<ConfigValue>,
    /// What is strange, but no error.
    pub notes: Vec<String>,
    /// Where those channels stand.
    pub channels_origin: ValueOrigin,
    /// How much may happen at a host, by patterns of hosts.
    pub host_limits: Vec<(String, RateLimit)>,
    /// Where those limits stand.
    pub limits_origin: ValueOrigin,
}

/// What keeps the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreChoice {
    /// A file in the data folder.
    Sqlite,
    /// Nothing that lasts.
    Memory,
}

impl Config {
    /// Reads the file, and lays the environment and then the flags over it.
    pub fn gather(flags: &[(&'static str, Vec<String>)], file: Option<&Path>, env: &Env) -> Result<Config> {
        let named = file.map(|it| it.display().to_string()).or_else(|| env.get(FILE_ENV).map(str::to_owned));
        let file = match named {
            Some(path) => config_file::read(Path::new(&expanded("config", &path, env)?))?,
            None if Path::new(FILE_DEFAULT).is_file() => config_file::read(Path::new(FILE_DEFAULT))?,
            None => ConfigFile::default(),
        };
        let held = KEYS.iter().map(|key| found(hold(key, flags, env, &file), env));
        Config::typed(held.collect::<Result<_>>()?, file, notes(env))
    }

    fn typed(held: Vec<ConfigValue>, file: ConfigFile, notes: Vec<String>) -> Result<Config> {
        let one = |name: &str| held.iter().find(|it| it.key.name == name).filter(|it| !it.values.is_empty());
        let text = |name: &str| one(name).map(|it| it.values[0].clone());
        let proxies = one("proxy.trust").map_or(Ok(Vec::new()), addresses)?;
        let notes = notes.into_iter().chain(proxies.iter().filter_map(too_wide)).collect();
        Ok(Config {
            listen: one("listen").map_or_else(|| bail!("`listen` is empty"), listen)?,
            public_url: one("public_url").map(root).transpose()?,
            tls: tls(one("tls.cert"), one("tls.key"))?,
            proxies,
            data: PathBuf::from(text("data").unwrap_or_default()),
            store: one("store").map_or(Ok(StoreChoice::Sqlite), store)?,
            processes: PathBuf::from(text("processes").unwrap_or_default()),
            allow_addresses: one("allow.addresses").map_or(Ok(Vec::new()), addresses)?,
            oauth_hosts: one("allow.oauth_hosts").map(|it| it.values.clone()).unwrap_or_default(),
            grouping: Grouping::new(
                one("grouping.wait").map_or(Ok(Grouping::default().wait), span)?,
                one("grouping.interval").map_or(Ok(Grouping::MOST), span)?,
            ),
            grace: one("grace").map_or(Ok(GRACE), span)?,
            budget: budget(one)?,
            server: one("server").map(url).transpose()?,
            token: text("token").map(Zeroizing::new),
            token_file: text("token_file").map(PathBuf::from),
            key: text("key").map(Zeroizing::new),
            log: text("log").unwrap_or_default(),
            log_json: one("log_format").map_or(Ok(false), log_json)?,
            channels: file.channels,
            channels_origin: file.channels_origin.unwrap_or(ValueOrigin::Default),
            host_limits: file.host_limits,
            limits_origin: file.limits_origin.unwrap_or(ValueOrigin::Default),
            held,
            notes,
        })
    }

    /// What links and callbacks are made of.
    pub fn public_url(&self, address: SocketAddr) -> String {
        let url = self.public_url.as_ref().map(|it| it.as_str().trim_end_matches('/').to_owned());
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        url.unwrap_or_else(|| format!("{scheme}://{address}"))
    }

    /// Whether only this machine can come in.
    pub fn is_local(&self) -> bool {
        self.listen.ip().is_loopback()
    }

    /// Refuses to listen where strangers could read along.
    pub fn check_listen(&self) -> Result<()> {
        if self.is_local() || self.tls.is_some() || !self.proxies.is_empty() {
            return Ok(());
        }
        bail!(
            "`listen` is {}, which others can reach, and nothing seals what they say; hint: give a \
             certificate with --tls-cert and --tls-key, or name the proxy with TLS in front with \
             --behind-proxy",
            self.listen
        )
    }

    /// Key, what holds, and where it came from: secrets masked.
    pub fn rows(&self) -> Vec<(String, Value, String)> {
        let mut rows: Vec<(String, Value, String)> = self.held.iter().map(row).collect();
        for (name, channel) in &self.channels {
            // Whether a setting is a secret is the channel's to know; here only the way is shown.
            let via = channel.get("via").cloned().unwrap_or(Value::Null);
            rows.push((
                format!("channels.{name}"),
                json!({"via": via, "…": "***"}),
                self.channels_origin.to_string(),
            ));
        }
        for (host, limit) in &self.host_limits {
            let rate = limit.rate.map(|it| it.to_string());
            rows.push((
                format!("limits.hosts.{host}"),
                json!({"parallel": limit.parallel, "rate": rate}),
                self.limits_origin.to_string(),
            ));
        }
        rows
    }
}

fn row(held: &ConfigValue) -> (String, Value, String) {
    let value = if held.values.is_empty() { Value::Null } else { Value::String(held.shown()) };
    (held.key.name.to_owned(), value, held.origin.to_string())
}

fn hold(
    key: &'static ConfigKey,
    flags: &[(&'static str, Vec<String>)],
    env: &Env,
    file: &ConfigFile,
) -> ConfigValue {
    let flag = flags.iter().find(|(name, values)| *name == key.name && !values.is_empty());
    if let Some((_, values)) = flag {
        return ConfigValue { key, values: values.clone(), origin: ValueOrigin::Flag(key.flag) };
    }
    if let Some(value) = env.get(key.env) {
        let values = if key.many {
            value.split(',').map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect()
        } else {
            vec![value.to_owned()]
        };
        return ConfigValue { key, values, origin: ValueOrigin::Env(key.env) };
    }
    if let Some((_, values, origin)) = file.values.iter().find(|(name, ..)| *name == key.name) {
        return ConfigValue { key, values: values.clone(), origin: origin.clone() };
    }
    let values = [key.default].into_iter().filter(|it| !it.is_empty()).map(str::to_owned).collect();
    ConfigValue { key, values, origin: ValueOrigin::Default }
}

/// With the home in the place of `~`.
fn found(held: ConfigValue, env: &Env) -> Result<ConfigValue> {
    if !held.key.path {
        return Ok(held);
    }
    let name = format!("{} ({})", held.key.name, held.origin);
    let values = held.values.iter().map(|it| expanded(&name, it, env));
    Ok(ConfigValue { values: values.collect::<Result<_>>()?, ..held })
}

/// What is to be said of a proxy that is half the world.
fn too_wide(proxy: &IpNet) -> Option<String> {
    let least = if proxy.addr().is_ipv4() { WIDEST_V4 } else { WIDEST_V6 };
    (proxy.prefix_len() < least).then(|| {
        format!(
            "`proxy.trust` holds {proxy}: whoever comes from there is believed to speak for others, and can \
             give itself any address; hint: name the proxy's own"
        )
    })
}

/// Variables that look like ours and mean nothing.
fn notes(env: &Env) -> Vec<String> {
    let known: Vec<&str> =
        KEYS.iter().map(|it| it.env).filter(|it| !it.is_empty()).chain([FILE_ENV]).collect();
    let strange = env.names().filter(|name| !known.contains(name));
    let note = |name: &str| match nearest(name, known.iter().copied()) {
        Some(near) => format!("`{name}` means nothing; did you mean `{near}`?"),
        None => format!("`{name}` means nothing"),
    };
    strange.map(note).collect()
}

fn bad(held: &ConfigValue, is: &str, hint: &str) -> anyhow::Error {
    let (name, origin, value) = (held.key.name, &held.origin, held.shown());
    Usage(format!("`{name}` is `{value}` ({origin}), which is no {is}; hint: write {hint}")).into()
}

fn listen(held: &ConfigValue) -> Result<SocketAddr> {
    let text = held.values[0].as_str();
    let host_and_port = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    if let Ok(address) = host_and_port.as_deref().unwrap_or(text).parse() {
        return Ok(address);
    }
    Err(bad(held, "address", "127.0.0.1:7700"))
}

fn tls(cert: Option<&ConfigValue>, key: Option<&ConfigValue>) -> Result<Option<(PathBuf, PathBuf)>> {
    let path = |held: &ConfigValue| PathBuf::from(&held.values[0]);
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some((path(cert), path(key)))),
        (None, None) => Ok(None),
        (Some(one), None) => Err(lone(one, "tls.key")),
        (None, Some(one)) => Err(lone(one, "tls.cert")),
    }
}

fn lone(one: &ConfigValue, other: &str) -> anyhow::Error {
    Usage(format!("`{}` is given ({}) and `{other}` is not; hint: both or none", one.key.name, one.origin))
        .into()
}

fn url(held: &ConfigValue) -> Result<Url> {
    match Url::parse(&held.values[0]) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        Ok(_) | Err(_) => Err(bad(held, "URL", "https://beltline.example.org")),
    }
}

/// All pages and addresses begin at the root of a host.
fn root(held: &ConfigValue) -> Result<Url> {
    let url = url(held)?;
    if url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty() {
        return Ok(url);
    }
    let (name, origin) = (held.key.name, &held.origin);
    let host = url.origin().ascii_serialization();
    // Without what may be a password.
    let value = format!("{host}{}", url.path());
    Err(Usage(format!(
        "`{name}` is `{value}` ({origin}), and pages and links begin at the root of a host; hint: give \
         Beltline a name of its own, as {host}"
    ))
    .into())
}

fn span(held: &ConfigValue) -> Result<Span> {
    held.values[0].parse().map_err(|_| bad(held, "length of time", "`30s` or `5m`"))
}

/// The least an evaluation may be allowed: with less, processes that work elsewhere would not.
const STEPS_MIN: u64 = 100_000;
const BYTES_MIN: u64 = 16 << 20;

fn budget<'a>(one: impl Fn(&str) -> Option<&'a ConfigValue>) -> Result<Budget> {
    let default = Budget::default();
    Ok(Budget {
        steps: one("evaluation.steps").map_or(Ok(default.steps), steps)?,
        bytes: one("evaluation.bytes").map_or(Ok(default.bytes), bytes)?,
        time: one("evaluation.time").map_or(Ok(default.time), span)?,
        clock: Some(lived_ticks),
    })
}

fn steps(held: &ConfigValue) -> Result<u64> {
    let steps = held.values[0].parse().ok().filter(|it| *it >= STEPS_MIN);
    steps.ok_or_else(|| bad(held, "number of steps", "20000000; 100000 at least"))
}

fn bytes(held: &ConfigValue) -> Result<u64> {
    let text = held.values[0].trim();
    let unit = |unit: &str, shift: u32| {
        let number = text.strip_suffix(unit)?.trim().parse::<u64>().ok()?;
        number.checked_mul(1 << shift)
    };
    let bytes = unit("GiB", 30).or_else(|| unit("MiB", 20)).filter(|it| *it >= BYTES_MIN);
    bytes.ok_or_else(|| bad(held, "size", "`256MiB` or `1GiB`; 16MiB at least"))
}

fn store(held: &ConfigValue) -> Result<StoreChoice> {
    match held.values[0].as_str() {
        "sqlite" => Ok(StoreChoice::Sqlite),
        "memory" => Ok(StoreChoice::Memory),
        text if text.starts_with("postgres://") || text.starts_with("postgresql://") => {
            bail!(
                "`store` is PostgreSQL ({}), which this version does not have yet; hint: sqlite",
                held.origin
            )
        }
        _ => Err(bad(held, "store", "`sqlite` or `memory`")),
    }
}

fn addresses(held: &ConfigValue) -> Result<Vec<IpNet>> {
    let net = |text: &String| {
        let whole = IpAddr::from_str(text).map(IpNet::from);
        text.parse::<IpNet>().or(whole).map_err(|_| bad(held, "list of addresses", "10.20.0.0/16"))
    };
    held.values.iter().map(net).collect()
}

fn log_json(held: &ConfigValue) -> Result<bool> {
    match held.values[0].as_str() {
        "json" => Ok(true),
        "text" => Ok(false),
        _ => Err(bad(held, "format of logs", "`text` or `json`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(flags: &[(&'static str, Vec<String>)], env: &Env) -> Result<Config> {
        let held = KEYS.iter().map(|key| found(hold(key, flags, env, &file()), env));
        Config::typed(held.collect::<Result<_>>()?, file(), notes(env))
    }

    fn file() -> ConfigFile {
        let origin = |line| ValueOrigin::File("beltline.yaml".into(), line);
        let values = vec![
            ("listen", vec!["127.0.0.1:1".to_owned()], origin(1)),
            ("processes", vec!["p".to_owned()], origin(2)),
        ];
        ConfigFile { values, ..ConfigFile::default() }
    }

    fn origin(config: &Config, name: &str) -> String {
        config.held.iter().find(|it| it.key.name == name).unwrap().origin.to_string()
    }

    #[test]
    fn flags_stand_over_the_environment_over_the_file_over_defaults() {
        let env = Env::from([("BELTLINE_LISTEN", "127.0.0.1:2"), ("BELTLINE_DATA", "d")]);
        let flags = [("data", vec!["flagged".to_owned()])];
        let config = config(&flags, &env).unwrap();
        assert_eq!((config.listen.port(), origin(&config, "listen").as_str()), (2, "BELTLINE_LISTEN"));
        assert_eq!((config.data.to_str(), origin(&config, "data").as_str()), (Some("flagged"), "--data"));
        assert_eq!(origin(&config, "processes"), "beltline.yaml:2");
        assert_eq!(origin(&config, "store"), "default");
    }

    #[test]
    fn a_secret_is_masked_and_a_bad_value_names_its_origin() {
        let shown = config(&[], &Env::from([("BELTLINE_TOKEN", "hush")])).unwrap();
        assert!(!format!("{:?}", shown.rows()).contains("hush"));
        let token = config(&[], &Env::from([("BELTLINE_TOKEN", " hush\r\n")])).unwrap().token;
        assert_eq!(token.as_deref().map(String::as_str), Some("hush"));
        let error = config(&[], &Env::from([("BELTLINE_STORE", "sqlight")])).err().unwrap().to_string();
        assert!(error.contains("BELTLINE_STORE") && error.contains("sqlight"), "{error}");
    }

    #[test]
    fn others_cannot_reach_it() {
        let open = config(&[("listen", vec!["0.0.0.0:7700".to_owned()])], &Env::default()).unwrap();
        assert!(open.check_listen().is_err());
        let all = ("listen", vec!["0.0.0.0:7700".to_owned()]);
        let proxy = config(&[all.clone(), ("proxy.trust", vec!["10.0.0.1".to_owned()])], &Env::default());
        assert!(proxy.unwrap().check_listen().is_ok());
        let file = |name| (name, vec!["x.pem".to_owned()]);
        let tls = config(&[all.clone(), file("tls.cert"), file("tls.key")], &Env::default()).unwrap();
        assert!(tls.check_listen().is_ok());
        assert_eq!(tls.public_url(tls.listen), "https://0.0.0.0:7700");
        assert!(config(&[all, file("tls.cert")], &Env::default()).is_err());
        let here = config(&[("listen", vec!["[::1]:7700".to_owned()])], &Env::default()).unwrap();
        assert!(here.check_listen().is_ok());
    }

    #[test]
    fn a_variable_with_a_slip_is_noted() {
        let config = config(&[], &Env::from([("BELTLINE_LISTN", "x")])).unwrap();
        assert!(config.notes[0].contains("did you mean `BELTLINE_LISTEN`"), "{:?}", config.notes);
    }

    #[test]
    fn a_public_url_is_the_root_of_a_host() {
        let read = |url: &str| config(&[("public_url", vec![url.to_owned()])], &Env::default());
        for good in ["https://b.example.org", "http://10.1.2.3:7700/"] {
            assert!(read(good).is_ok(), "{good}");
        }
        for bad in ["https://b.example.org/flow", "https://b.example.org/?x=1", "https://me:pw@b.example.org"]
        {
            let error = read(bad).err().unwrap().to_string();
            assert!(error.contains("--public-url") && error.contains("a name of its own"), "{bad}: {error}");
            assert!(!error.contains("pw"), "{error}");
        }
    }

    #[test]
    fn a_tilde_in_the_file_is_a_home_too() {
        let env = Env::from([("HOME", "/home/ada")]);
        let config = config(&[("data", vec!["~/d".to_owned()])], &env).unwrap();
        assert_eq!(config.data.to_str(), Some("/home/ada/d"));
    }
}
