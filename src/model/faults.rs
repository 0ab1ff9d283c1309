//! All faults that the engine itself makes, for the manual. A process gives others names of its own, with
//! `fault` in `http`, and with `reply`.

use crate::model::entry::FaultEntry;
use crate::model::{faults_person, faults_request, faults_task, faults_value};

/// All of them, in the order of the manual.
pub fn all() -> impl Iterator<Item = &'static FaultEntry> {
    let all = [faults_request::FAULTS, faults_value::FAULTS, faults_task::FAULTS, faults_person::FAULTS];
    all.into_iter().flatten()
}

/// The one of that code.
pub fn find(code: &str) -> Option<&'static FaultEntry> {
    all().find(|it| it.code == code)
}
