//! `schema`: what editors need to help with process files.

use anyhow::Result;
use clap::Args;

use crate::cli::session::CliSession;
use crate::process::schema::schema;

/// Print the JSON Schema of process files, for editors
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  beltline schema > beltline.schema.json
  # then, as the first line of a process file:
  # yaml-language-server: $schema=../beltline.schema.json")]
pub struct Schema {}

impl Schema {
    /// Prints.
    #[expect(clippy::unused_async, reason = "verbs have one shape")]
    pub async fn run(self, session: &CliSession) -> Result<()> {
        session.out.line(serde_json::to_string_pretty(&schema())?)
    }
}
