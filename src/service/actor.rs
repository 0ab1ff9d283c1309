//! [`Actor`]: who asks. [`Rights`]: what they may do, and in which processes; a [`Role`] is a name for some
//! of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::names::ProcessId;

/// One right. Each opens what it says and nothing else; `admin` opens everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// To look: processes, tasks, histories, alarms, events.
    Read,
    /// To submit tasks and to give commands to them.
    Run,
    /// To deploy, pause and delete processes, and to set variables.
    Edit,
    /// To read secret params, and to set secrets and channels.
    Secrets,
    /// Everything, and to give rights to others.
    Admin,
}

impl Right {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Right::Read => "read",
            Right::Run => "run",
            Right::Edit => "edit",
            Right::Secrets => "secrets",
            Right::Admin => "admin",
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.as_str())
    }
}

/// What a person is to a process, or to all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks, submits tasks and gives commands to them.
    Operator,
    /// Besides, deploys, and handles secrets, variables and channels.
    Editor,
    /// Everything, and gives rights to others.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Operator, Role::Editor, Role::Admin];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Editor => "editor",
            Role::Admin => "admin",
        }
    }

    /// What it opens.
    pub fn rights(self) -> BTreeSet<Right> {
        let rights: &[Right] = match self {
            Role::Viewer => &[Right::Read],
            Role::Operator => &[Right::Read, Right::Run],
            Role::Editor => &[Right::Read, Right::Run, Right::Edit, Right::Secrets],
            Role::Admin => &[Right::Admin],
        };
        rights.iter().copied().collect()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.as_str())
    }
}

/// What somebody may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// In all processes, and for what belongs to no process.
    pub everywhere: BTreeSet<Right>,
    /// Beside these, in some processes.
    pub within: BTreeMap<ProcessId, BTreeSet<Right>>,
}

impl Rights {
    /// The same rights in each of `processes`; none: everywhere.
    pub fn of(scopes: &BTreeSet<Right>, processes: Option<&BTreeSet<ProcessId>>) -> Rights {
        match processes {
            None => Rights { everywhere: scopes.clone(), within: BTreeMap::new() },
            Some(processes) => Rights {
                everywhere: BTreeSet::new(),
                within: processes.iter().map(|it| (it.clone(), scopes.clone())).collect(),
            },
        }
    }
}

/// How it is known who somebody is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pass {
    /// It is the engine itself.
    Engine,
    /// By the token of the local operator.
    Local,
    /// By the token of that hash.
    Token(String),
    /// By their password; this is their name.
    User(String),
}

/// Somebody who asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// For the history and the audit.
    pub name: String,
    /// How that is known.
    pub pass: Pass,
    /// The session they came with, by the hash of its id.
    pub session: Option<String>,
    /// What they may do.
    pub rights: Rights,
}

impl Actor {
    /// Who may do everything: the engine, where nobody asked it.
    pub fn local(name: &str) -> Actor {
        Actor::new(name, Pass::Engine, Rights { everywhere: Role::Admin.rights(), ..Rights::default() })
    }

    /// Somebody who came without a session.
    pub fn new(name: &str, pass: Pass, rights: Rights) -> Actor {
        Actor { name: name.to_owned(), pass, session: None, rights }
    }

    /// Whether they have `right` in `process`.
    pub fn may(&self, right: Right, process: &ProcessId) -> bool {
        self.may_everywhere(right) || self.rights.within.get(process).is_some_and(|it| opens(it, right))
    }

    /// Whether they have `right` for what belongs to no process.
    pub fn may_everywhere(&self, right: Right) -> bool {
        opens(&self.rights.everywhere, right)
    }

    /// Whether they have `right` anywhere at all.
    pub fn has(&self, right: Right) -> bool {
        self.may_everywhere(right) || self.rights.within.values().any(|it| opens(it, right))
    }

    /// What they may do, in words: `read, run; shop: edit`.
    pub fn rights_line(&self) -> String {
        let words = |them: &BTreeSet<Right>| {
            let words: Vec<&str> = them.iter().map(|it| it.as_str()).collect();
            words.join(", ")
        };
        let everywhere = Some(words(&self.rights.everywhere)).filter(|it| !it.is_empty());
        let within = self.rights.within.iter().map(|(process, them)| format!("{process}: {}", words(them)));
        everywhere.into_iter().chain(within).collect::<Vec<_>>().join("; ")
    }
}

fn opens(rights: &BTreeSet<Right>, right: Right) -> bool {
    rights.contains(&right) || rights.contains(&Right::Admin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_holds_where_it_was_given() {
        let (shop, mill) = (ProcessId::new("shop").unwrap(), ProcessId::new("mill").unwrap());
        let within = BTreeMap::from([(shop.clone(), Role::Operator.rights())]);
        let ann = Actor::new(
            "ann",
            Pass::User("ann".to_owned()),
            Rights { everywhere: Role::Viewer.rights(), within },
        );
        assert!(ann.may(Right::Run, &shop) && !ann.may(Right::Run, &mill) && ann.may(Right::Read, &mill));
        assert!(ann.has(Right::Run) && !ann.may_everywhere(Right::Run) && !ann.has(Right::Edit));
        assert_eq!(ann.rights_line(), "read; shop: read, run");
        let owner =
            Rights { within: BTreeMap::from([(shop.clone(), Role::Admin.rights())]), ..Rights::default() };
        let owner = Actor::new("bob", Pass::User("bob".to_owned()), owner);
        assert!(owner.may(Right::Secrets, &shop) && !owner.may_everywhere(Right::Admin));
    }
}
