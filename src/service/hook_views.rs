//! Named hooks as people see them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::names::ProcessId;
use crate::process::hook::{Hook, Method};
use crate::service::service::Service;

/// A named hook of a process.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Hook)]
pub struct HookView {
    /// Its name.
    pub name: String,
    /// One line.
    pub about: String,
    /// Where it is called.
    pub url: String,
    /// How it may be called.
    #[schema(value_type = Vec<String>)]
    pub methods: Vec<Method>,
    /// How a request proves that it may come in: `public`, `hmac`, `header`, `basic` or `param`.
    #[schema(value_type = String)]
    pub check: &'static str,
}

impl Service {
    pub(super) fn hook_view(&self, process: &ProcessId, hook: &Hook) -> HookView {
        HookView {
            name: hook.name.clone(),
            about: hook.about.clone(),
            url: format!("{}/hooks/{process}/{}", self.public_url(), hook.name),
            methods: hook.methods.clone(),
            check: hook.check.as_str(),
        }
    }
}
