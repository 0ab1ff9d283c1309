//! What is told of a process that is to be deployed: where secrets go, among those that are deployed.

use crate::process::problem::{FileProblem, settle};
use crate::process::process::Process;
use crate::process::secret_flow::{follow, troubles};
use crate::service::service::Service;

impl Service {
    /// What secrets reach by that process, and should not, and what is written in it and was most likely not
    /// meant: what must be mended, and what should be.
    pub(super) fn reached(&self, process: &Process, text: &str) -> (Vec<FileProblem>, Vec<FileProblem>) {
        let all = self.registry().all();
        let others = all.values().map(|it| &*it.process).filter(|it| it.id != process.id);
        let among: Vec<&Process> = others.chain([process]).collect();
        let (hard, mut soft) = troubles(&follow(&among), &process.id);
        soft.extend(process.warnings.iter().cloned());
        (settle(hard, text), settle(soft, text))
    }
}
