//! `licenses`: what the binary is made of, and the licences of all of it.

use std::io::Read;

use anyhow::{Context, Result};
use clap::Args;
use flate2::read::GzDecoder;
use serde_json::json;

use crate::cli::out::Look;
use crate::cli::session::CliSession;

/// As the build gathered them.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/notices.gz"));
const OWN: [&str; 2] = [include_str!("../../../LICENSE-MIT"), include_str!("../../../LICENSE-APACHE")];

/// Show the licences of all that is in this program
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline licenses
  beltline licenses --texts > NOTICES")]
pub struct Licenses {
    /// Show their texts, too
    #[arg(long)]
    texts: bool,
}

/// A package that the program is made of.
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    license: &'a str,
    texts: Vec<usize>,
}

impl Licenses {
    /// Shows them.
    pub fn run(self, session: &CliSession) -> Result<()> {
        let mut all = String::new();
        GzDecoder::new(PACKED).read_to_string(&mut all).context("the notices cannot be read")?;
        let (lines, texts) = all.split_once('\0').unwrap_or((&all, ""));
        let texts: Vec<&str> = texts.split('\0').collect();
        let packages: Vec<Package<'_>> = lines.lines().filter_map(package).collect();
        let out = &session.out;
        let item = |it: &Package<'_>| {
            let own: Vec<&str> = it.texts.iter().filter_map(|at| texts.get(*at).copied()).collect();
            json!({"name": it.name, "version": it.version, "license": it.license, "texts": own})
        };
        let items: Vec<_> = if out.json { packages.iter().map(item).collect() } else { Vec::new() };
        out.answer(&json!({"license": env!("CARGO_PKG_LICENSE"), "items": items}), || {
            let about = concat!("Beltline ", env!("CARGO_PKG_VERSION"), " is ", env!("CARGO_PKG_LICENSE"));
            out.line(format!("{about}, and is made of {} packages:\n", packages.len()))?;
            let row = |it: &Package<'_>| {
                let look = [(it.name, Look::Bold), (it.version, Look::Plain), (it.license, Look::Plain)];
                look.map(|(text, look)| (text.to_owned(), look)).to_vec()
            };
            out.table(&["PACKAGE", "VERSION", "LICENSE"], packages.iter().map(row).collect())?;
            if !self.texts {
                return out.line("\nTheir texts: `beltline licenses --texts`");
            }
            OWN.iter().try_for_each(|text| out.line(format!("\n==== beltline\n\n{}", text.trim_end())))?;
            texts.iter().enumerate().try_for_each(|(at, text)| {
                let of = packages.iter().filter(|it| it.texts.contains(&at)).map(|it| it.name);
                let of: Vec<&str> = of.collect();
                out.line(format!("\n==== {}\n\n{text}", of.join(", ")))
            })
        })
    }
}

fn package(line: &str) -> Option<Package<'_>> {
    let mut parts = line.split('\t');
    let (name, version, license) = (parts.next()?, parts.next()?, parts.next()?);
    let texts = parts.next()?.split(',').filter_map(|it| it.parse().ok()).collect();
    Some(Package { name, version, license, texts })
}
