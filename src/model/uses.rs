//! [`Uses`]: what a text or an expression reads, found without running it. For the check of a process.

use std::collections::BTreeSet;

/// What is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// Top-level names: params as they are called, and the reserved names (`task`, `response`, …) but
    /// `secret` and `conv`. `params.x` counts as `x`.
    pub roots: BTreeSet<String>,
    /// `secret.NAME`.
    pub secrets: BTreeSet<String>,
    /// Other tasks: process and ref, each if it is written literally.
    pub convs: Vec<(Option<String>, Option<String>)>,
    /// `var.NAME`.
    pub vars: BTreeSet<String>,
    /// `response.NAME`; "" for all of it.
    pub answers: BTreeSet<String>,
    /// `task.NAME` and `fault.NAME`: which of the two, and the name.
    pub facts: BTreeSet<(String, String)>,
    /// `response.body.NAME`; none for all of it.
    pub fields: BTreeSet<Option<String>>,
    /// Params of other tasks: process and param, each if it is written literally. No param: all of them.
    pub others: BTreeSet<(Option<String>, Option<String>)>,
}

impl Uses {
    /// Both together.
    pub fn add(&mut self, other: Uses) {
        self.roots.extend(other.roots);
        self.secrets.extend(other.secrets);
        self.vars.extend(other.vars);
        self.answers.extend(other.answers);
        self.facts.extend(other.facts);
        self.fields.extend(other.fields);
        self.others.extend(other.others);
        for conv in other.convs {
            if !self.convs.contains(&conv) {
                self.convs.push(conv);
            }
        }
    }

    /// Notes the path that begins at `root` with these keys, each if it is literal.
    pub fn path(&mut self, root: &str, first: Option<&str>, second: Option<&str>) {
        if root == "response" && first.is_none_or(|it| it == "body") {
            self.fields.insert(second.map(str::to_owned));
        }
        match (root, first) {
            ("params", Some(name)) => {
                self.roots.insert(name.to_owned());
            }
            ("var", Some(name)) => {
                self.vars.insert(name.to_owned());
                self.roots.insert("var".to_owned());
            }
            ("task" | "fault", Some(name)) => {
                self.facts.insert((root.to_owned(), name.to_owned()));
                self.roots.insert(root.to_owned());
            }
            ("response", first) => {
                self.answers.insert(first.unwrap_or_default().to_owned());
                self.roots.insert("response".to_owned());
            }
            _ => {
                self.roots.insert(root.to_owned());
            }
        }
    }
}
