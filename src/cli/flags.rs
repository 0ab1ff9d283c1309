//! The flags that several verbs share, and which key of the configuration each one is.

use std::path::PathBuf;

use clap::Args;

const SERVER_HELP: &str = "The server to speak to, instead of the local one [env: BELTLINE_SERVER]";
const TOKEN_HELP: &str = "Speak with the token in this file [env: BELTLINE_TOKEN_FILE]";
const DATA_HELP: &str =
    "The data folder, where the local server's address and token are [env: BELTLINE_DATA; default: ./data]";
const CONFIG_HELP: &str =
    "The configuration file [env: BELTLINE_CONFIG; default: beltline.yaml if it is there]";

/// Flags that every verb takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct CommonFlags {
    /// Answer in JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Speak to this server.
    #[arg(long, global = true, value_name = "URL", help = SERVER_HELP)]
    pub server: Option<String>,
    /// Speak with the token in this file.
    #[arg(long, global = true, value_name = "FILE", help = TOKEN_HELP)]
    pub token_file: Option<String>,
    /// Use this data folder.
    #[arg(long, global = true, value_name = "DIR", help = DATA_HELP)]
    pub data: Option<String>,
    /// Use this configuration file.
    #[arg(long, global = true, value_name = "FILE", help = CONFIG_HELP)]
    pub config: Option<PathBuf>,
}

/// Flags of the engine.
#[derive(Clone, Debug, Default, Args)]
pub struct EngineFlags {
    /// Where to listen; beyond loopback only with users, and TLS or a proxy [default: 127.0.0.1:7700]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// What links and OAuth callbacks are made of [default: http:// and the address]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// The certificate to show, with its chain, as PEM; read again when it changes
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<String>,
    /// The certificate's key, as PEM
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<String>,
    /// A proxy in front whose X-Forwarded-For and -Proto are believed, such as 127.0.0.1; may be given again
    #[arg(long, value_name = "NETWORK")]
    pub behind_proxy: Vec<String>,
    /// The folder whose processes are deployed, now and when they change [default: ./processes]
    #[arg(long, value_name = "DIR")]
    pub processes: Option<String>,
    /// `sqlite` in the data folder, or `memory`, which forgets [default: sqlite]
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
    /// A private address or network that requests may reach, such as 10.20.0.0/16; may be given again
    #[arg(long, value_name = "NETWORK")]
    pub allow_address: Vec<String>,
    /// An OAuth token host beside the vendor's two; may be given again
    #[arg(long, value_name = "HOST")]
    pub allow_oauth_host: Vec<String>,
    /// How long a stop takes at most; what is not done then goes on at the next start [default: 10s]
    #[arg(long, value_name = "TIME")]
    pub grace: Option<String>,
    /// What is logged [default: warn,beltline=info]
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// `text` or `json` [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

/// What flags say, by key.
pub type Said = Vec<(&'static str, Vec<String>)>;

impl CommonFlags {
    /// By key of the configuration.
    pub fn said(&self) -> Said {
        said([("server", &self.server), ("token_file", &self.token_file), ("data", &self.data)])
    }
}

impl EngineFlags {
    /// By key of the configuration.
    pub fn said(&self) -> Said {
        let mut all = said([
            ("listen", &self.listen),
            ("public_url", &self.public_url),
            ("tls.cert", &self.tls_cert),
            ("tls.key", &self.tls_key),
            ("processes", &self.processes),
            ("store", &self.store),
            ("grace", &self.grace),
            ("log", &self.log),
            ("log_format", &self.log_format),
        ]);
        all.push(("proxy.trust", self.behind_proxy.clone()));
        all.push(("allow.addresses", self.allow_address.clone()));
        all.push(("allow.oauth_hosts", self.allow_oauth_host.clone()));
        all
    }
}

fn said<const N: usize>(flags: [(&'static str, &Option<String>); N]) -> Said {
    flags.into_iter().filter_map(|(key, value)| Some((key, vec![value.clone()?]))).collect()
}
