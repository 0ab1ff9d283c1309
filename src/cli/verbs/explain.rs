//! `explain`: a page of the manual.

use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::json;

use crate::cli::out::{Look, Output, one_line};
use crate::cli::prose;
use crate::cli::session::CliSession;
use crate::model::near::nearest;
use crate::service::manual::{ManualPage, Topic, pages, text};

/// Print a page of the manual
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline explain                    # all that there is a page about
  beltline explain language
  beltline explain http
  beltline explain telegram
  beltline explain bitrix-oauth
  beltline explain outcome_unknown")]
pub struct Explain {
    /// Its name
    name: Option<String>,
}

impl Explain {
    /// Explains.
    pub fn run(self, session: &CliSession) -> Result<()> {
        let (all, out) = (pages(), &session.out);
        let Some(name) = self.name else {
            return out.answer(&json!({"items": all}), || contents(&all, out));
        };
        let found: Vec<&ManualPage> = all.iter().filter(|it| it.name == name).collect();
        if found.is_empty() {
            return Err(unknown(&name, &all));
        }
        let told = found.iter().map(|page| {
            let ManualPage { name, topic, about } = page;
            json!({"name": name, "topic": topic, "about": about, "text": text(page)})
        });
        out.answer(&json!({"items": told.collect::<Vec<_>>()}), || {
            found.iter().try_for_each(|page| prose::print(&text(page), out))
        })
    }
}

fn unknown(name: &str, all: &[ManualPage]) -> anyhow::Error {
    let shown = one_line(name);
    match nearest(name, all.iter().map(|it| it.name)) {
        Some(near) => anyhow!("there is no page about `{shown}`; hint: did you mean `{near}`?"),
        None => anyhow!("there is no page about `{shown}`; hint: `beltline explain` lists them all"),
    }
}

fn contents(all: &[ManualPage], out: &Output) -> Result<()> {
    for (topic, title) in [
        (Topic::Guide, "Manual"),
        (Topic::Kind, "Kinds of node"),
        (Topic::Channel, "Channels"),
        (Topic::Template, "Templates"),
        (Topic::Fault, "Faults"),
    ] {
        let of = all.iter().filter(|it| it.topic == topic);
        let rows = of.map(|it| vec![(it.name.to_owned(), Look::Bold), (it.about.clone(), Look::Plain)]);
        out.table(&[title, ""], rows.collect())?;
        out.line("")?;
    }
    out.line("`beltline explain NAME` prints a page.")
}
