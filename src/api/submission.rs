//! [`SubmitBody`]: a task as it is handed in, alone or as a line among many.

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::model::params::Params;
use crate::model::time::Span;
use crate::service::submit::{Submission, SubmitIfExists, SubmitKey};

/// A task to take in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitBody {
    /// Its name; a UUID if none is given.
    pub r#ref: Option<String>,
    /// Its params.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub params: Map<String, Value>,
    /// What to do when the name is taken: `return` or `modify`; refused if nothing is said.
    pub if_exists: Option<IfExistsWord>,
}

/// What to do when the name is taken.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum IfExistsWord {
    /// Answer with the task that has it.
    Return,
    /// Lay the params over it.
    Modify,
}

impl SubmitBody {
    /// As the service takes it.
    pub fn submission(self, key: Option<SubmitKey>, wait: Option<Span>) -> Submission {
        let if_exists = match self.if_exists {
            None => SubmitIfExists::Refuse,
            Some(IfExistsWord::Return) => SubmitIfExists::Return,
            Some(IfExistsWord::Modify) => SubmitIfExists::Modify,
        };
        Submission { reference: self.r#ref, params: Params::from(self.params), if_exists, key, wait }
    }
}
