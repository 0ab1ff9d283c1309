//! `user`: people who log in with a name and a password.

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use crate::cli::failure::Usage;
use crate::cli::moment::{far, now};
use crate::cli::out::{Look, text};
use crate::cli::pairs;
use crate::cli::remote::named;
use crate::cli::session::CliSession;

const PATH: &str = "/api/v1/users";
const SESSIONS: &str = "/api/v1/sessions";

/// People who log in, and what they may do
#[derive(Debug, Args)]
#[command(after_help = "\
A viewer looks. An operator also submits tasks and gives commands. An editor also deploys, and handles
secrets, variables and channels. An admin does everything.

Examples:
  beltline user add ann --role admin                # asks for the password without echo
  beltline user add bob --role viewer --in bitrix=operator
  beltline user role bob --role operator
  beltline user list")]
pub struct User {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add a user; asks for the password, or reads a line of stdin
    Add {
        /// Their name
        name: String,
        #[command(flatten)]
        roles: Roles,
    },
    /// List the users
    List,
    /// Give another role, in place of all they have
    Role {
        /// The user
        name: String,
        #[command(flatten)]
        roles: Roles,
    },
    /// Set a new password, which ends all their sessions
    Password {
        /// The user
        name: String,
    },
    /// Let a user log in no more, and end their sessions
    Disable {
        /// The user
        name: String,
    },
    /// Let a user log in again
    Enable {
        /// The user
        name: String,
    },
    /// Remove a user
    Remove {
        /// The user
        name: String,
    },
    /// List who is logged in on the dashboard, or end a session
    Sessions {
        /// End the one whose id begins so
        #[arg(long, value_name = "ID")]
        end: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Roles {
    /// What they are to all processes
    #[arg(long, value_name = "ROLE")]
    role: Option<Role>,
    /// What they are, beside that, to one process, as shop=operator; may be given again
    #[arg(long = "in", value_name = "PROCESS=ROLE")]
    within: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    /// Look
    Viewer,
    /// Submit tasks and give commands
    Operator,
    /// Deploy, and handle secrets and channels
    Editor,
    /// Everything
    Admin,
}

impl Roles {
    /// As the server has them.
    fn body(&self) -> Result<(Value, Map<String, Value>)> {
        let role = self.role.as_ref().and_then(ValueEnum::to_possible_value);
        let role = role.map_or(Value::Null, |it| Value::from(it.get_name()));
        if role.is_null() && self.within.is_empty() {
            return Err(
                Usage("a user needs a role; hint: --role viewer, or --in PROCESS=operator".into()).into()
            );
        }
        let mut within = Map::new();
        for pair in &self.within {
            let Some((process, role)) = pair.split_once('=') else {
                return Err(
                    Usage(format!("`{pair}` is no role in a process; hint: --in shop=operator")).into()
                );
            };
            within.insert(process.to_owned(), Value::from(role));
        }
        Ok((role, within))
    }
}

impl User {
    /// Does what was asked.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let (remote, out) = (session.remote()?, &session.out);
        let change = async |name: &str, body: Value, done: &str| {
            let answer = remote.patch(&path(name)?, &body).await?;
            out.answer(&answer, || out.line(format!("{name} {done}")))
        };
        match self.verb {
            Verb::Add { name, roles } => {
                let (role, within) = roles.body()?;
                let body = json!({"name": name, "password": asked()?, "role": role, "processes": within});
                let answer = remote.post(PATH, &body).await?;
                out.answer(&answer, || out.line(format!("{} can log in", text(&answer, "name"))))
            }
            Verb::List => list(session, &remote.get(PATH).await?),
            Verb::Role { name, roles } => {
                let (role, within) = roles.body()?;
                let role = if role.is_null() { Value::from("none") } else { role };
                change(&name, json!({"role": role, "processes": within}), "has the new role at once").await
            }
            Verb::Password { name } => {
                change(&name, json!({"password": asked()?}), "has a new password, and is logged out").await
            }
            Verb::Disable { name } => {
                change(&name, json!({"disabled": true}), "is logged out for good").await
            }
            Verb::Enable { name } => change(&name, json!({"disabled": false}), "can log in again").await,
            Verb::Remove { name } => {
                let answer = remote.delete(&path(&name)?).await?;
                out.answer(&answer, || out.line(format!("{name} is removed")))
            }
            Verb::Sessions { end: None } => sessions(session, &remote.get(SESSIONS).await?),
            Verb::Sessions { end: Some(begin) } => {
                let all = remote.get(SESSIONS).await?;
                let ids = all["items"].as_array().into_iter().flatten().map(|it| text(it, "id"));
                let [id] = ids.filter(|it| it.starts_with(&begin)).collect::<Vec<_>>()[..] else {
                    bail!(
                        "`{begin}` begins no session, or several; hint: `beltline user sessions` lists them"
                    )
                };
                let answer = remote.delete(&named(SESSIONS, id)?).await?;
                out.answer(&answer, || out.line("that session is over"))
            }
        }
    }
}

/// A new password; at a terminal twice, for nobody sees what they type.
fn asked() -> Result<String> {
    use std::io::IsTerminal;
    let password = pairs::asked("password")?;
    if std::io::stdin().is_terminal() && pairs::asked("the same again")? != password {
        bail!("it was not typed the same twice");
    }
    Ok(password)
}

fn path(name: &str) -> Result<String> {
    named(PATH, name)
}

fn list(session: &CliSession, answer: &Value) -> Result<()> {
    let out = &session.out;
    let row = |item: &Value| {
        let within = item["processes"].as_object().into_iter().flatten();
        let within = within.map(|(process, role)| format!("{process}={}", role.as_str().unwrap_or_default()));
        let roles = std::iter::once(text(item, "role").to_owned()).filter(|it| !it.is_empty()).chain(within);
        let state = if item["disabled"] == true { "disabled" } else { "" };
        vec![
            (text(item, "name").to_owned(), Look::Bold),
            (roles.collect::<Vec<_>>().join(", "), Look::Plain),
            (far(item.get("seen"), now()), Look::Dim),
            (state.to_owned(), Look::Warn),
        ]
    };
    out.answer(answer, || out.items(answer, "no users", &["USER", "ROLES", "LOGGED IN", ""], row))
}

fn sessions(session: &CliSession, answer: &Value) -> Result<()> {
    let out = &session.out;
    let row = |item: &Value| {
        vec![
            (text(item, "id").chars().take(8).collect(), Look::Dim),
            (text(item, "who").to_owned(), Look::Bold),
            (far(item.get("since"), now()), Look::Plain),
            (far(item.get("seen"), now()), Look::Plain),
            (text(item, "from").to_owned(), Look::Plain),
        ]
    };
    out.answer(answer, || out.items(answer, "nobody", &["ID", "WHO", "SINCE", "SEEN", "FROM"], row))
}
