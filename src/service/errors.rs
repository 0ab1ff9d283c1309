//! [`ServiceError`]: why the service did not do what was asked. Every one has a stable code and a sentence
//! for a person.

use thiserror::Error;

use crate::engine::apart::NotDone;
use crate::engine::batch::SubmitError;
use crate::engine::ports::StoreError;
use crate::model::fault::Fault;
use crate::model::names::{NodeName, ProcessId};
use crate::model::rate::Rate;
use crate::model::task::Task;
use crate::model::time::{Span, Timestamp};
use crate::process::problem::FileProblem;
use crate::service::actor::{Actor, Right};
use crate::service::merge::Unmerged;
use crate::service::view::TaskView;

/// Why something was not done.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The actor has not the right.
    #[error("this needs the right `{right}`{}", place(.process.as_ref()))]
    Denied {
        /// Which right.
        right: Right,
        /// In which process; none: everywhere.
        process: Option<ProcessId>,
    },
    /// It needs a right that the actor has not, for a reason that has to be told.
    #[error("{message}")]
    Forbidden {
        /// A stable word.
        code: &'static str,
        /// Why.
        message: String,
    },
    /// There is no such thing.
    #[error("there is no {what} `{name}`")]
    Missing {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
        /// What would help.
        hint: Option<String>,
    },
    /// What was asked for is not well formed.
    #[error("{message}")]
    Bad {
        /// A stable word.
        code: &'static str,
        /// What is wrong.
        message: String,
    },
    /// The params are not what the process takes.
    #[error("{}", fields_line(.0))]
    Fields(Vec<FieldMistake>),
    /// The text of a process has problems.
    #[error("{}", problems_line(.problems))]
    Problems {
        /// All of them.
        problems: Vec<FileProblem>,
        /// The same as a compiler shows them.
        text: String,
    },
    /// A new version would leave tasks without a node to stand on.
    #[error(
        "live tasks stand on nodes that this version has no more; \
         hint: say where they go, `move: {{old: new}}`"
    )]
    Stranded(Vec<Stranded>),
    /// A process and its template changed the same lines.
    #[error("{}", unmerged_line(.0))]
    Unmerged(Unmerged),
    /// The name is taken.
    #[error("process `{}` has a live task `{}` already", .0.process, .0.reference)]
    RefTaken(Box<Task>),
    /// Too many ask for the same at once.
    #[error("{0}")]
    Busy(&'static str),
    /// It cannot be done as things stand.
    #[error("{message}")]
    Conflict {
        /// A stable word.
        code: &'static str,
        /// Why not.
        message: String,
    },
    /// The task is not the one that was looked at.
    #[error("{0}")]
    Changed(String),
    /// The process has as many tasks as it may have.
    #[error("process `{process}` has {tasks} live tasks, and no more are taken")]
    TooManyTasks {
        /// The process.
        process: ProcessId,
        /// Its limit.
        tasks: u64,
    },
    /// A hook takes no more requests for now.
    #[error("this hook takes {rate}; hint: try again later")]
    TooOften {
        /// So many.
        rate: Rate,
        /// In so long there is room for one.
        wait: Span,
    },
    /// There is no value as fresh as was asked for.
    #[error("{}", .0.message)]
    NotFresh(Box<NotFresh>),
    /// It was there, and is not any more.
    #[error("{0}")]
    Gone(String),
    /// A request to a hook did not prove that it may come in. What was wrong only the log says.
    #[error("the request does not prove that it may come in")]
    Unproven,
    /// A hook cannot check who comes in, and so lets nobody in. The log says why.
    #[error("this hook is not set up yet")]
    Unready,
    /// The disk has no room for new work.
    #[error("{0}")]
    NoRoom(String),
    /// The store cannot do its work now.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine does not do its work.
    #[error("{message}")]
    NotReady {
        /// A stable word.
        code: &'static str,
        /// Why.
        message: String,
    },
    /// A file could not be read or written.
    #[error("`{path}`: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// The engine is stopping.
    #[error("the engine is stopping; hint: try again in a moment")]
    Stopping,
}

/// Why there is no value as fresh as was asked for.
#[derive(Debug)]
pub struct NotFresh {
    /// In a sentence.
    pub message: String,
    /// When the present value dies, or died.
    pub expires_at: Option<Timestamp>,
    /// In how long the task is looked at next.
    pub retry_after: Option<Span>,
    /// The task, as the one who asks may see it.
    pub task: TaskView,
}

/// What is wrong with one param.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldMistake {
    /// The param.
    pub name: String,
    /// A stable word.
    pub code: String,
    /// For a person.
    pub message: String,
}

/// How many live tasks a node holds that would go.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Stranded {
    /// The node.
    pub node: NodeName,
    /// How many.
    pub tasks: u64,
}

/// Most verbs answer with this.
pub type ServiceResult<T> = Result<T, ServiceError>;

impl Actor {
    /// Refuses who has not `right` in `process`.
    pub fn need(&self, right: Right, process: &ProcessId) -> ServiceResult<()> {
        match self.may(right, process) {
            true => Ok(()),
            false => Err(ServiceError::Denied { right, process: Some(process.clone()) }),
        }
    }

    /// Refuses who has not `right` everywhere.
    pub fn need_everywhere(&self, right: Right) -> ServiceResult<()> {
        match self.may_everywhere(right) {
            true => Ok(()),
            false => Err(ServiceError::Denied { right, process: None }),
        }
    }
}

impl ServiceError {
    /// There is no `what` called `name`.
    pub fn missing(what: &'static str, name: impl Into<String>) -> ServiceError {
        ServiceError::Missing { what, name: name.into(), hint: None }
    }

    /// Neither a hook nor a key. Which there are, only those are told who may look at the process.
    pub fn no_hook() -> ServiceError {
        let hint = "the address is /hooks/PROCESS/HOOK; `beltline processes PROCESS` shows those there are";
        let hint = Some(hint.to_owned());
        ServiceError::Missing { what: "hook", name: "of that name or key".to_owned(), hint }
    }

    /// Not well formed.
    pub fn bad(code: &'static str, message: impl Into<String>) -> ServiceError {
        ServiceError::Bad { code, message: message.into() }
    }

    /// Cannot be done as things stand.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> ServiceError {
        ServiceError::Conflict { code, message: message.into() }
    }

    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            ServiceError::Denied { .. } => "denied",
            ServiceError::Missing { what, .. } => match *what {
                "process" => "no_such_process",
                "task" => "no_such_task",
                "template" => "no_such_template",
                "param" => "no_such_param",
                "schedule" => "no_such_schedule",
                _ => "not_found",
            },
            ServiceError::Forbidden { code, .. }
            | ServiceError::Bad { code, .. }
            | ServiceError::Conflict { code, .. }
            | ServiceError::NotReady { code, .. } => code,
            ServiceError::Busy(_) => "busy",
            ServiceError::Fields(_) => "invalid_params",
            ServiceError::Problems { .. } => "problems",
            ServiceError::Stranded(_) => "stranded",
            ServiceError::Unmerged(_) => "merge_conflicts",
            ServiceError::RefTaken(_) => "ref_taken",
            ServiceError::Changed(_) => "revision_mismatch",
            ServiceError::TooManyTasks { .. } => "too_many_tasks",
            ServiceError::TooOften { .. } => "too_many_requests",
            ServiceError::NotFresh(_) => "not_fresh",
            ServiceError::Gone(_) => "gone",
            ServiceError::Unproven => "not_proven",
            ServiceError::Unready => "hook_not_ready",
            ServiceError::NoRoom(_) => "disk_full",
            ServiceError::Store(StoreError::Lost(_)) => "store_out_of_reach",
            ServiceError::Store(StoreError::Corrupt(_)) => "damaged",
            ServiceError::File { .. } => "file_error",
            ServiceError::Stopping => "stopping",
        }
    }

    /// Why a command, or another signal, changed nothing.
    pub fn of_signal(fault: Fault) -> ServiceError {
        match fault.code.as_str() {
            "revision_mismatch" => ServiceError::Changed(fault.message),
            "task_ended" => ServiceError::conflict("task_ended", fault.message),
            "no_such_node" => ServiceError::bad("no_such_node", fault.message),
            "params_too_large" => ServiceError::bad("params_too_large", fault.message),
            "ref_taken" => ServiceError::conflict("ref_taken", fault.message),
            "no_alarm" => ServiceError::conflict("no_alarm", fault.message),
            "acknowledged" => ServiceError::conflict("acknowledged", fault.message),
            _ => ServiceError::Conflict { code: "refused", message: fault.message },
        }
    }
}

impl From<NotDone> for ServiceError {
    fn from(not: NotDone) -> ServiceError {
        let (code, message) = match not {
            NotDone::Busy => ("busy", "too much is being worked out at present; hint: try again in a moment"),
            NotDone::Panicked => {
                ("engine_error", "the engine failed at this, by a mistake of its own: see its log")
            }
        };
        ServiceError::NotReady { code, message: message.to_owned() }
    }
}

impl From<SubmitError> for ServiceError {
    fn from(not: SubmitError) -> ServiceError {
        match not {
            SubmitError::RefTaken(address) => {
                let message = format!("`{address}` is taken");
                ServiceError::conflict("ref_taken", message)
            }
            SubmitError::Repeated(id) => {
                let message = format!("submitted before as task {id}, which is gone");
                ServiceError::conflict("repeated", message)
            }
            SubmitError::NoProcess(id) => ServiceError::missing("process", id.as_str()),
            SubmitError::NoTask(name) => {
                ServiceError::conflict("task_ended", format!("task `{name}` has ended, or is gone"))
            }
            SubmitError::Full { process, tasks } => ServiceError::TooManyTasks { process, tasks },
            no_room @ SubmitError::NoRoom(_) => ServiceError::NoRoom(no_room.to_string()),
            SubmitError::Store(error) => ServiceError::Store(error),
            SubmitError::Stopping => ServiceError::Stopping,
        }
    }
}

fn place(process: Option<&ProcessId>) -> String {
    match process {
        Some(process) => format!(" in process `{process}`"),
        None => " for all processes".to_owned(),
    }
}

fn fields_line(fields: &[FieldMistake]) -> String {
    let lines: Vec<&str> = fields.iter().map(|it| it.message.as_str()).collect();
    lines.join("; ")
}

fn unmerged_line(unmerged: &Unmerged) -> String {
    let lines: Vec<String> = unmerged.clashes.iter().map(|it| it.line.to_string()).collect();
    let (s, them) = if lines.len() == 1 { ("", "it") } else { ("s", "them") };
    format!(
        "the process and its template have both changed what stands at line{s} {}, so nothing is written; \
         hint: change {them} by hand, as one of the two has {them}",
        lines.join(", ")
    )
}

fn problems_line(problems: &[FileProblem]) -> String {
    match problems {
        [] => "the text is not a process".to_owned(),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}
