//! [`KEYS`]: everything that can be configured, one line each. [`ConfigValue`]: what holds, and where it came
//! from.

use std::fmt;

/// One thing that can be configured.
#[derive(Clone, Copy, Debug)]
pub struct ConfigKey {
    /// As it stands in `beltline.yaml`, with a dot for each level.
    pub name: &'static str,
    /// The variable; empty if there is none.
    pub env: &'static str,
    /// The flag; empty if there is none.
    pub flag: &'static str,
    /// What holds if nothing is said; empty for nothing.
    pub default: &'static str,
    /// For people.
    pub about: &'static str,
    /// Shown to no one.
    pub secret: bool,
    /// A list, with commas between in a variable.
    pub many: bool,
    /// A file or a folder.
    pub path: bool,
}

const fn key(name: &'static str, env: &'static str, flag: &'static str, default: &'static str) -> ConfigKey {
    ConfigKey { name, env, flag, default, about: "", secret: false, many: false, path: false }
}

impl ConfigKey {
    const fn about(self, about: &'static str) -> ConfigKey {
        ConfigKey { about, ..self }
    }
    const fn secret(self) -> ConfigKey {
        ConfigKey { secret: true, ..self }
    }
    const fn path(self) -> ConfigKey {
        ConfigKey { path: true, ..self }
    }
    const fn many(self) -> ConfigKey {
        ConfigKey { many: true, ..self }
    }
}

/// All of them, in the order they are shown.
pub const KEYS: &[ConfigKey] = &[
    key("listen", "BELTLINE_LISTEN", "--listen", "127.0.0.1:7700")
        .about("where `serve` listens; beyond loopback only with users, and TLS or a proxy"),
    key("public_url", "BELTLINE_PUBLIC_URL", "--public-url", "")
        .about("what links and OAuth callbacks are made of; else http:// and `listen`"),
    key("tls.cert", "BELTLINE_TLS_CERT", "--tls-cert", "")
        .about("the certificate `serve` shows, with its chain, as PEM; read again when it changes")
        .path(),
    key("tls.key", "BELTLINE_TLS_KEY", "--tls-key", "").about("the certificate's key, as PEM").path(),
    key("proxy.trust", "BELTLINE_PROXY_TRUST", "--behind-proxy", "")
        .about("the proxies in front, as 127.0.0.1/32: whom they speak for is believed")
        .many(),
    key("data", "BELTLINE_DATA", "--data", "./data").about("the folder of beltline.db, key and token").path(),
    key("store", "BELTLINE_STORE", "--store", "sqlite").about("`sqlite`, or `memory`, which forgets"),
    key("processes", "BELTLINE_PROCESSES", "--processes", "./processes")
        .about("the folder that is deployed")
        .path(),
    key("allow.addresses", "BELTLINE_ALLOW_ADDRESSES", "--allow-address", "")
        .about("private addresses that requests may reach, as 10.20.0.0/16")
        .many(),
    key("allow.oauth_hosts", "BELTLINE_ALLOW_OAUTH_HOSTS", "--allow-oauth-host", "")
        .about("token hosts beside the vendor's two")
        .many(),
    key("grouping.wait", "BELTLINE_GROUPING_WAIT", "", "5s")
        .about("how long alarms of one kind are gathered into one message, after the first"),
    key("grouping.interval", "BELTLINE_GROUPING_INTERVAL", "", "1m")
        .about("the same at most, while more come; up to 1m"),
    key("grace", "BELTLINE_GRACE", "--grace", "10s")
        .about("how long a stop takes at most; what is not done then goes on at the next start"),
    key("evaluation.steps", "BELTLINE_EVALUATION_STEPS", "", "20000000").about(
        "how many steps of work one evaluation may take: an expression, a text, all that a node works out",
    ),
    key("evaluation.bytes", "BELTLINE_EVALUATION_BYTES", "", "256MiB")
        .about("how much memory it may take, all in all"),
    key("evaluation.time", "BELTLINE_EVALUATION_TIME", "", "5s")
        .about("how long it may take, whatever it does"),
    key("server", "BELTLINE_SERVER", "--server", "")
        .about("the server other verbs speak to; else the local one"),
    key("token", "BELTLINE_TOKEN", "", "").about("who speaks to it; else the data folder's token").secret(),
    key("token_file", "BELTLINE_TOKEN_FILE", "--token-file", "")
        .about("the file that holds the token, for its owner alone, in place of `token`")
        .path(),
    key("key", "BELTLINE_KEY", "", "")
        .about("what seals secrets, base64; else the data folder's key")
        .secret(),
    key("log", "BELTLINE_LOG", "--log", "warn,beltline=info").about("what is logged, as tracing has it"),
    key("log_format", "BELTLINE_LOG_FORMAT", "--log-format", "text").about("`text` or `json`"),
];

/// The variable that names the configuration file.
pub const FILE_ENV: &str = "BELTLINE_CONFIG";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueOrigin {
    /// The command line.
    Flag(&'static str),
    /// The environment.
    Env(&'static str),
    /// The file, and the line.
    File(String, usize),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for ValueOrigin {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueOrigin::Flag(flag) => to.write_str(flag),
            ValueOrigin::Env(name) => to.write_str(name),
            ValueOrigin::File(path, line) => write!(to, "{path}:{line}"),
            ValueOrigin::Default => to.write_str("default"),
        }
    }
}

/// What holds for a key, as it was written.
#[derive(Clone)]
pub struct ConfigValue {
    /// The key.
    pub key: &'static ConfigKey,
    /// One text, or several for a list; none if nothing holds.
    pub values: Vec<String>,
    /// Where they came from.
    pub origin: ValueOrigin,
}

impl ConfigValue {
    /// For people: a secret is masked.
    pub fn shown(&self) -> String {
        if self.key.secret && !self.values.is_empty() { "***".to_owned() } else { self.values.join(", ") }
    }
}
