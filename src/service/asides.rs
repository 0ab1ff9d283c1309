//! Tasks that the engine died under twice are set aside, and a person is told: nobody else looks at them.

use std::sync::Arc;

use crate::engine::runtime_state::Aside;
use crate::model::effect::{Effect, Notification, NotificationSubject, Request};
use crate::model::time::Span;
use crate::service::service::Service;

/// How long all channels together may take.
const TELL_TIMEOUT: Span = Span::mins(2);

impl Service {
    /// Has told of what was set aside since the last look.
    pub(super) fn tell_asides(self: &Arc<Self>) {
        for aside in self.board().asides() {
            let service = Arc::clone(self);
            tokio::spawn(async move { service.tell_aside(&aside).await });
        }
    }

    async fn tell_aside(&self, aside: &Aside) {
        let (address, node) = (&aside.address, &aside.node);
        let see = format!("{}/dashboard/p/{}", self.public_url(), address.process);
        let why = format!("the engine died twice while it decided the task at node `{node}`");
        let subject = format!("{address} is set aside");
        let text = format!(
            "{subject}: {why}, so it is not tried a third time.\nWhat to do: look at what that node works \
             out, mend it, then retry the task.\n{see}"
        );
        let about = NotificationSubject {
            process: address.process.clone(),
            node: node.clone(),
            reference: address.reference.clone(),
            code: "engine_error".to_owned(),
            why,
            over: false,
            see,
        };
        let channels = self.alerts_of(&address.process);
        let ask =
            Notification { channels, subject, text, about: Some(Box::new(about)), ..Notification::default() };
        let key = format!("aside-{}", aside.id);
        let effect = Effect { key, request: Request::Notify(ask), timeout: TELL_TIMEOUT, once: false };
        if let Err(fault) = self.handle.processor().world.perform(&effect).await {
            tracing::error!(task = %address, why = fault.message, "nobody was told that it is set aside");
        }
    }
}
