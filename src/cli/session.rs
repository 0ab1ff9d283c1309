//! [`CliSession`]: what every verb has: the configuration, where its answer goes, and the server it speaks
//! to.

use anyhow::{Context, Result};
use url::Url;

use crate::cli::config::Config;
use crate::cli::data::DataDir;
use crate::cli::out::Output;
use crate::cli::remote::{Remote, is_local};
use crate::cli::secret_file::token_in;

/// What every verb has.
#[derive(Clone)]
pub struct CliSession {
    /// What is configured.
    pub config: Config,
    /// Where the answer goes.
    pub out: Output,
    /// Colors are unwanted.
    pub no_color: bool,
}

impl CliSession {
    /// The server: the one that was named, or the one that runs on the data folder.
    ///
    /// The folder's token is read only for a server on this machine, so that it can go nowhere else.
    pub fn remote(&self) -> Result<Remote> {
        let data = DataDir::at(&self.config.data);
        let here = || {
            let text = data.address().unwrap_or_else(|| format!("http://{}", self.config.listen));
            Url::parse(&text).with_context(|| format!("`{text}` in the data folder is no address"))
        };
        let base = self.config.server.clone().map_or_else(here, Ok)?;
        let in_file = self.config.token_file.as_deref().filter(|_| self.config.token.is_none());
        let token = match in_file {
            Some(path) => Some(token_in(path)?),
            None => self.config.token.clone(),
        };
        let token = token.or_else(|| is_local(&base).then(|| data.read_token()).flatten());
        Remote::new(base, token)
    }
}
