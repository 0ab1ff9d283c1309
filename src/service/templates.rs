//! The templates that are built into the binary: `templates/*.yaml`, gathered when it is built.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::process::parse::{parse, version};
use crate::process::process::Process;

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// What they are as processes, read once.
static PROCESSES: LazyLock<BTreeMap<&str, Process>> =
    LazyLock::new(|| TEMPLATES.iter().filter_map(|(name, text)| Some((*name, parse(text).ok()?))).collect());

/// A process to clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its name: that of its file.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// All of them, by name.
pub fn all() -> impl Iterator<Item = Template> {
    TEMPLATES.iter().map(|(name, text)| Template { name, text })
}

/// The one of that name.
pub fn find(name: &str) -> Option<Template> {
    all().find(|it| it.name == name)
}

impl Template {
    /// The hash of its text.
    pub fn version(&self) -> String {
        version(self.text)
    }

    /// What it is as a process; none only if it was built in with mistakes, which a test forbids.
    pub fn process(&self) -> Option<&'static Process> {
        PROCESSES.get(self.name)
    }
}
