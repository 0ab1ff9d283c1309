//! [`FaultEntry`]: what the manual says of one fault. [`Group`]: of what it speaks.

use crate::model::fault::Class;

/// Of what a fault speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Of a request to the outside.
    Request,
    /// Of a value that a node reads or writes.
    Value,
    /// Of another task or process.
    Task,
    /// Of telling a person.
    Person,
}

impl Group {
    /// All of them, in the order of the manual.
    pub const ALL: [Group; 4] = [Group::Request, Group::Value, Group::Task, Group::Person];

    /// As it stands before a list of them.
    pub fn title(self) -> &'static str {
        match self {
            Group::Request => "of a request",
            Group::Value => "of a value",
            Group::Task => "of another task",
            Group::Person => "of telling a person",
        }
    }
}

/// What the manual says of one fault.
#[derive(Clone, Copy, Debug)]
pub struct FaultEntry {
    /// The stable word.
    pub code: &'static str,
    /// Of what it speaks.
    pub group: Group,
    /// What may help; none if it depends.
    pub class: Option<Class>,
    /// What happened.
    pub about: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// Where it happens: one node, as YAML.
    pub example: &'static str,
    /// Whether the world makes it: a network, a provider. Else the example does so by itself.
    pub outside: bool,
}

impl FaultEntry {
    /// A fault that an example makes by itself.
    pub const fn new(code: &'static str, class: Class, about: &'static str) -> FaultEntry {
        let (group, class) = (Group::Value, Some(class));
        FaultEntry { code, group, class, about, remedy: "", example: "", outside: false }
    }

    /// The same, of a request that the world performs.
    #[must_use]
    pub const fn of_request(self) -> FaultEntry {
        FaultEntry { group: Group::Request, outside: true, ..self }
    }

    /// The same, of a message that the world brings.
    #[must_use]
    pub const fn of_person(self) -> FaultEntry {
        FaultEntry { group: Group::Person, outside: true, ..self }
    }

    /// The same, of another task.
    #[must_use]
    pub const fn of_task(self) -> FaultEntry {
        FaultEntry { group: Group::Task, ..self }
    }

    /// The same; the example makes it without the world's help.
    #[must_use]
    pub const fn inside(self) -> FaultEntry {
        FaultEntry { outside: false, ..self }
    }

    /// The same, with a class that depends on what happened.
    #[must_use]
    pub const fn of_any_class(self) -> FaultEntry {
        FaultEntry { class: None, ..self }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub const fn remedy(self, remedy: &'static str) -> FaultEntry {
        FaultEntry { remedy, ..self }
    }

    /// The same, with a node in which it happens.
    #[must_use]
    pub const fn example(self, example: &'static str) -> FaultEntry {
        FaultEntry { example, ..self }
    }
}
