//! Users: people who log in with a name and a password. What they may do is looked up each time they ask, so
//! that a change holds at once.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::engine::ports::Collection;
use crate::model::names::ProcessId;
use crate::service::actor::{Actor, Pass, Right, Rights, Role};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::kept::{KeptUser, record};
use crate::service::password::{LoginSource, good_password};
use crate::service::service::{Member, Service};
use crate::service::view::{ListPage, time};

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 64;
/// Who does things here and is no user.
const TAKEN: [&str; 12] = [
    "local", "engine", "deploy", "file", "link", "system", "schedule", "setup", "stranger", "hook",
    "beltline", "telegram",
];
/// How many there are at most: they are held in memory.
const USERS_MAX: usize = 10_000;
/// In how many processes somebody may have a role of their own.
const WITHIN_MAX: usize = 1_000;

/// What a new user is to be.
#[derive(Clone)]
pub struct NewUser {
    /// Their name.
    pub name: String,
    /// Their password.
    pub password: Zeroizing<String>,
    /// What they are to all processes.
    pub role: Option<Role>,
    /// What they are, beside that, to some.
    pub within: BTreeMap<ProcessId, Role>,
}

/// Another role of all processes, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NewRole {
    /// No role of all processes.
    None,
    /// That one.
    #[serde(untagged)]
    Role(Role),
}

/// What is to change about a user; what is none stays as it is.
#[derive(Clone, Default)]
pub struct UserChange {
    /// What they are to all processes.
    pub role: Option<NewRole>,
    /// What they are, beside that, to some: all of it.
    pub within: Option<BTreeMap<ProcessId, Role>>,
    /// Whether they may log in.
    pub disabled: Option<bool>,
    /// A new password.
    pub password: Option<Zeroizing<String>>,
}

/// A user.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    /// Their name.
    pub name: String,
    /// `viewer`, `operator`, `editor` or `admin` of all processes, or null.
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// The same, beside that, by process.
    #[schema(value_type = Object)]
    pub processes: BTreeMap<ProcessId, Role>,
    /// They may not log in.
    pub disabled: bool,
    /// Who made them.
    pub by: String,
    /// Made at.
    pub at: String,
    /// Logged in last at.
    pub seen: Option<String>,
}

impl Service {
    /// All users, by name.
    pub fn users(&self, by: &Actor) -> ServiceResult<ListPage<UserView>> {
        by.need_everywhere(Right::Admin)?;
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        Ok(ListPage::whole(users.iter().map(|(name, it)| view(name, &it.kept)).collect()))
    }

    /// One user.
    pub fn user(&self, by: &Actor, name: &str) -> ServiceResult<UserView> {
        by.need_everywhere(Right::Admin)?;
        Ok(view(name, &self.member(name)?.kept))
    }

    /// Makes a user.
    pub async fn make_user(&self, by: &Actor, new: NewUser) -> ServiceResult<UserView> {
        by.need_everywhere(Right::Admin)?;
        let name = good_user_name(&new.name)?;
        good_roles(new.role, &new.within)?;
        good_password(&name, &new.password)?;
        let password = self.passwords.hash(&new.password).await?;
        let _one = self.shelving.lock().await;
        if self.member(&name).is_ok() {
            return Err(ServiceError::conflict("user_exists", format!("there is a user `{name}` already")));
        }
        if self.token_named(&name) {
            let message = format!("a token is called `{name}`, and one could not tell who did what");
            return Err(ServiceError::conflict("name_taken", message));
        }
        if self.users.read().unwrap_or_else(PoisonError::into_inner).len() >= USERS_MAX {
            return Err(ServiceError::conflict(
                "too_many_users",
                format!("there are {USERS_MAX} users already"),
            ));
        }
        let kept = KeptUser {
            password,
            role: new.role,
            within: new.within,
            disabled: false,
            by: by.name.clone(),
            at: self.now(),
            known: Vec::new(),
            seen: None,
        };
        self.keep_user(&name, kept.clone()).await?;
        self.audit(by, "user.make", format!("{name} ({})", roles_line(&kept))).await?;
        Ok(view(&name, &kept))
    }

    /// Changes a user. A new password and being disabled end all their sessions.
    pub async fn change_user(&self, by: &Actor, name: &str, change: UserChange) -> ServiceResult<UserView> {
        by.need_everywhere(Right::Admin)?;
        let password = match &change.password {
            Some(password) => Some(self.new_password(name, password).await?),
            None => None,
        };
        let _one = self.shelving.lock().await;
        let mut kept = self.member(name)?.kept;
        let mut did = Vec::new();
        if change.role.is_some() || change.within.is_some() {
            kept.role = match change.role {
                Some(NewRole::Role(role)) => Some(role),
                Some(NewRole::None) => None,
                None => kept.role,
            };
            kept.within = change.within.unwrap_or(kept.within);
            good_roles(kept.role, &kept.within)?;
            did.push(("user.role", format!("{name} ({})", roles_line(&kept))));
        }
        if let Some(disabled) = change.disabled.filter(|it| *it != kept.disabled) {
            kept.disabled = disabled;
            did.push((if disabled { "user.disable" } else { "user.enable" }, name.to_owned()));
        }
        if let Some(password) = password {
            kept.password = password;
            did.push(("user.password", name.to_owned()));
        }
        if kept.disabled || kept.role != Some(Role::Admin) {
            self.not_the_last(name)?;
        }
        let ends = did.iter().any(|(it, _)| matches!(*it, "user.password" | "user.disable"));
        self.keep_user(name, kept.clone()).await?;
        if ends {
            self.end_all_of(&Pass::User(name.to_owned())).await?;
        }
        for (did, to) in did {
            self.audit(by, did, to).await?;
        }
        Ok(view(name, &kept))
    }

    /// Changes one's own password, which ends all one's sessions.
    pub async fn change_password(&self, by: &Actor, old: &str, new: &str) -> ServiceResult<()> {
        let Pass::User(name) = &by.pass else {
            let message = "only users have passwords; hint: log in with a name and a password";
            return Err(ServiceError::bad("no_user", message));
        };
        let kept = self.member(name)?.kept;
        if !self.passwords.fits(old, Some(&kept.password), LoginSource::Known).await? {
            return Err(ServiceError::bad("wrong_password", "the present password is another one"));
        }
        let password = self.new_password(name, new).await?;
        let _one = self.shelving.lock().await;
        let kept = KeptUser { password, ..self.member(name)?.kept };
        self.keep_user(name, kept).await?;
        self.end_all_of(&by.pass).await?;
        self.audit(by, "user.password", name.as_str()).await
    }

    /// Forgets a user.
    pub async fn forget_user(&self, by: &Actor, name: &str) -> ServiceResult<()> {
        by.need_everywhere(Right::Admin)?;
        let _one = self.shelving.lock().await;
        self.member(name)?;
        self.not_the_last(name)?;
        self.store().delete(Collection::User, name).await?;
        self.load_users().await?;
        self.end_all_of(&Pass::User(name.to_owned())).await?;
        self.audit(by, "user.forget", name).await
    }

    /// Whether somebody can log in who may do everything.
    pub fn has_admin(&self) -> bool {
        self.admins() > 0
    }

    fn admins(&self) -> usize {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        users.values().filter(|it| is_admin(&it.kept)).count()
    }

    /// Refuses to leave the house without anybody who may do everything.
    fn not_the_last(&self, name: &str) -> ServiceResult<()> {
        match is_admin(&self.member(name)?.kept) && self.admins() == 1 {
            true => {
                let message = format!("`{name}` is the last admin; hint: make another one first");
                Err(ServiceError::conflict("last_admin", message))
            }
            false => Ok(()),
        }
    }

    async fn new_password(&self, name: &str, password: &str) -> ServiceResult<String> {
        good_password(name, password)?;
        self.passwords.hash(password).await
    }

    pub(super) fn member(&self, name: &str) -> ServiceResult<Member> {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        users.get(name).cloned().ok_or_else(|| ServiceError::missing("user", name))
    }

    pub(super) async fn keep_user(&self, name: &str, kept: KeptUser) -> ServiceResult<()> {
        self.store().put(vec![record(Collection::User, name, &kept, self.now())?]).await?;
        let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        users.insert(name.to_owned(), member(name, kept));
        Ok(())
    }

    pub(super) async fn load_users(&self) -> ServiceResult<()> {
        let kept = self.kept_on(Collection::User).await?.into_iter();
        let users = kept.map(|(name, it)| (name.clone(), member(&name, it))).collect();
        *self.users.write().unwrap_or_else(PoisonError::into_inner) = users;
        Ok(())
    }
}

fn is_admin(kept: &KeptUser) -> bool {
    kept.role == Some(Role::Admin) && !kept.disabled
}

fn member(name: &str, kept: KeptUser) -> Member {
    let rights = Rights {
        everywhere: kept.role.map(Role::rights).unwrap_or_default(),
        within: kept.within.iter().map(|(process, role)| (process.clone(), role.rights())).collect(),
    };
    Member { actor: Arc::new(Actor::new(name, Pass::User(name.to_owned()), rights)), kept }
}

/// Checks the name of a user and gives it as it is kept: in small letters, for nobody remembers which were
/// large.
pub(super) fn good_user_name(name: &str) -> ServiceResult<String> {
    let name = name.trim().to_lowercase();
    let good = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "-_.@+".contains(it);
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(good) {
        let message =
            format!("a user's name has 1 to {NAME_CHARS_MAX} letters, digits, `-`, `_`, `.`, `@`, `+`");
        return Err(ServiceError::bad("bad_name", message));
    }
    match TAKEN.contains(&name.as_str()) {
        true => Err(ServiceError::bad(
            "bad_name",
            format!("`{name}` is what the engine calls itself or its operator"),
        )),
        false => Ok(name),
    }
}

fn good_roles(role: Option<Role>, within: &BTreeMap<ProcessId, Role>) -> ServiceResult<()> {
    match () {
        () if role.is_none() && within.is_empty() => Err(ServiceError::bad(
            "bad_role",
            "a user needs a role: viewer, operator, editor or admin, of all processes or of some",
        )),
        () if within.len() > WITHIN_MAX => {
            Err(ServiceError::bad("bad_role", format!("a user has roles in at most {WITHIN_MAX} processes")))
        }
        () => Ok(()),
    }
}

fn roles_line(kept: &KeptUser) -> String {
    let within = kept.within.iter().map(|(process, role)| format!("{role} of {process}"));
    kept.role.iter().map(Role::to_string).chain(within).collect::<Vec<_>>().join(", ")
}

fn view(name: &str, kept: &KeptUser) -> UserView {
    UserView {
        name: name.to_owned(),
        role: kept.role,
        processes: kept.within.clone(),
        disabled: kept.disabled,
        by: kept.by.clone(),
        at: time(kept.at),
        seen: kept.seen.map(time),
    }
}
