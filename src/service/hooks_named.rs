//! Named hooks: the ways in that a process declares. A request comes, proves that it may come in, and then
//! makes a task or is a signal to one. Whatever cannot be known is refused: a hook fails closed.

use std::borrow::Cow;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::channels::marks::{Piece, pieces};
use crate::engine::runner::{Idempotency, NewTask};
use crate::engine::waiters::{TaskReply, WaitHandle};
use crate::model::budget::{self, within};
use crate::model::charset_name::Charset;
use crate::model::fault::Fault;
use crate::model::names::Address;
use crate::model::params::Params;
use crate::model::scope::ReadSet;
use crate::model::signal::{Command, Signal, SignalKind, SignalTarget};
use crate::model::task::{Phase, Task};
use crate::model::text::StringTemplate;
use crate::model::time::Timestamp;
use crate::model::unpack::{Packed, unpacked};
use crate::process::hook::{First, Hook, HookAnswer, HookIfExists, HookProof, IfMissing};
use crate::process::hook_body::{self, UnreadableBody};
use crate::process::hook_fill::{HookRequest, view};
use crate::process::hook_proof::{Came, Signature, Unproven, prove, same};
use crate::process::validate::of_texts;
use crate::service::commands::writable;
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::hooks_receive::HookRoute;
use crate::service::replays::Held;
use crate::service::service::{LIGHT_BYTES, Service, lock};
use crate::service::submit::{admitted, digest};

/// How often a request looks again at a name that changes hands under it.
const TRIES_MAX: usize = 5;
/// Headers that no text sees: they carry what proves.
const UNSEEN: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// A request as it came, whole.
#[derive(Debug, Default)]
pub struct WebhookRequest {
    /// How it called: `POST`.
    pub method: String,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// What it says its body is, as it came.
    pub content_type: String,
    /// How it says its body is packed.
    pub encoding: String,
    /// The query of its address, without `?`.
    pub query: String,
    /// Its raw body.
    pub body: Vec<u8>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Hooked {
    /// It made a task, or was a signal to one.
    Taken {
        /// The task.
        address: Address,
        /// It is new.
        created: bool,
    },
    /// The very same request came before; nothing changed.
    Repeated {
        /// The task it was for.
        address: Address,
    },
    /// It does not count.
    Ignored,
    /// The task replied.
    Replied(Result<Params, Fault>),
    /// The task came to a bad end before it replied.
    Silent {
        /// The task.
        address: Address,
    },
}

impl Service {
    /// Makes what of the check can be made before the body is read: who may not come in, or comes too often,
    /// is not listened to.
    pub fn check_head(&self, route: &HookRoute, request: &WebhookRequest) -> ServiceResult<()> {
        let hook = route.hook().ok_or_else(ServiceError::no_hook)?;
        match hook.check.is_of_the_head() {
            true => {
                self.proved(route, hook, request)?;
                self.paced(route, hook)
            }
            false => Ok(()),
        }
    }

    /// Takes a request. What it made is on disk when this answers.
    pub async fn hooked(&self, route: &HookRoute, request: WebhookRequest) -> ServiceResult<Hooked> {
        let hook = route.hook().ok_or_else(ServiceError::no_hook)?;
        let done = self.come_in(route, hook, request).await;
        let outcome = match &done {
            Ok(Hooked::Ignored) => "ignored",
            Ok(Hooked::Repeated { .. }) => "repeated",
            Ok(_) => "taken",
            Err(_) => "refused",
        };
        route.count(outcome);
        done
    }

    async fn come_in(
        &self,
        route: &HookRoute,
        hook: &Hook,
        request: WebhookRequest,
    ) -> ServiceResult<Hooked> {
        let signature = self.proved(route, hook, &request)?;
        if !hook.check.is_of_the_head() {
            self.paced(route, hook)?;
        }
        let held = match &signature {
            Some(signature) => Some(self.hold(route, signature).await?),
            None => None,
        };
        if let Some(Held::Before(reference)) = &held {
            return Ok(Hooked::Repeated { address: route.address(reference) });
        }
        // What is packed may be much larger than it comes.
        let is_large = request.body.len() > LIGHT_BYTES || !request.encoding.is_empty();
        let (own, facts, now) = (route.clone(), self.facts(), self.now());
        let read = move || {
            own.hook()
                .ok_or_else(ServiceError::no_hook)
                .and_then(|hook| wanted(&own, hook, &request, &facts, now))
        };
        let Some(wanted) = self.apart(is_large, read).await?? else {
            return Ok(Hooked::Ignored);
        };
        let key = signature.as_ref().map(|it| format!("{}/{}/{}", route.process.id, hook.name, it.id));
        let done = self.delivered(route, hook, wanted, key).await?;
        if let Some(signature) = &signature {
            self.remember_signature(route, signature, &done.address().reference).await?;
        }
        drop(held);
        self.answered(route, hook, done).await
    }

    /// Makes the check, and tells the log why it was not good.
    fn proved(
        &self,
        route: &HookRoute,
        hook: &Hook,
        request: &WebhookRequest,
    ) -> ServiceResult<Option<Signature>> {
        let came = Came { headers: &request.headers, body: &request.body, now: self.now() };
        let facts = self.facts();
        let open = |text: &StringTemplate| self.opened(route, text, &facts);
        prove(&hook.check, came, &open).map_err(|why| self.unproven(route, hook, why))
    }

    /// A text of a check with its secrets in it.
    fn opened(
        &self,
        route: &HookRoute,
        text: &StringTemplate,
        facts: &ReadSet,
    ) -> Result<Zeroizing<String>, Fault> {
        let view = view(&route.process, HookRequest::default(), facts, self.now())?.with_secrets();
        let marked = text.fill(&view)?;
        let secrets = self.resources.secrets();
        let mut whole = Zeroizing::new(String::new());
        for piece in pieces(&marked) {
            match piece {
                Piece::Plain(text) => whole.push_str(text),
                Piece::Secret(name) => {
                    let missing = || Fault::lasting("missing_secret", format!("there is no secret `{name}`"));
                    let secret = &secrets.get(name).ok_or_else(missing)?.value;
                    if secret.is_empty() {
                        return Err(Fault::lasting("missing_secret", format!("secret `{name}` is empty")));
                    }
                    whole.push_str(secret);
                }
            }
        }
        Ok(whole)
    }

    fn facts(&self) -> ReadSet {
        (self.handle.processor().facts)()
    }

    /// Makes the task, or writes to the one that is there.
    async fn delivered(
        &self,
        route: &HookRoute,
        hook: &Hook,
        wanted: Wanted,
        key: Option<String>,
    ) -> ServiceResult<Delivered> {
        let Wanted { reference, params, brought } = wanted;
        let named = reference.is_some();
        let reference = self.reference(reference)?;
        writable(&params)?;
        let address = Address { process: route.process.id.clone(), reference };
        for _ in 0..TRIES_MAX {
            let live = if named { self.live(&address).await? } else { None };
            self.asked(route, hook, brought.as_deref(), live.as_ref())?;
            match (live, hook.if_exists, hook.if_missing) {
                (Some(task), HookIfExists::Refuse, _) => return Err(ServiceError::RefTaken(Box::new(task))),
                (Some(task), HookIfExists::Return, _) => return Ok(Delivered::Known(task.address())),
                (Some(task), HookIfExists::Modify, _) => {
                    match self.modify(hook, task, params.clone()).await {
                        // It ended between the look and the signal.
                        Err(ServiceError::Conflict { code: "task_ended", .. }) => {}
                        done => return done,
                    }
                }
                (None, _, IfMissing::Refuse) => {
                    return Err(ServiceError::missing("task", address.to_string()));
                }
                (None, _, IfMissing::Create) => {
                    match self.create(route, hook, &address, params.clone(), key.clone()).await {
                        // Somebody was faster with the name.
                        Err(ServiceError::Conflict { code: "ref_taken", .. }) => {}
                        done => return done,
                    }
                }
            }
        }
        Err(ServiceError::conflict("busy", "the task changes all the time; hint: try again"))
    }

    async fn create(
        &self,
        route: &HookRoute,
        hook: &Hook,
        address: &Address,
        params: Params,
        idempotency: Option<String>,
    ) -> ServiceResult<Delivered> {
        let idempotency = idempotency.map(|key| Idempotency { key, digest: digest(None, &params) });
        let known = idempotency.clone();
        let made = self.create_new(route, hook, address, params, idempotency).await;
        match (made, known) {
            (Err(refusal), Some(known)) => {
                let task = self.repeated(refusal, &known, None).await?;
                Ok(Delivered::Known(task.address()))
            }
            (made, _) => made,
        }
    }

    async fn create_new(
        &self,
        route: &HookRoute,
        hook: &Hook,
        address: &Address,
        params: Params,
        idempotency: Option<Idempotency>,
    ) -> ServiceResult<Delivered> {
        let params = admitted(&route.process, params)?;
        self.room(&route.process)?;
        let Address { process, reference } = address.clone();
        let entry = NewTask { process, reference, params, idempotency, by: Some(by(hook)) };
        let made = match hook.answer {
            HookAnswer::Reply => self.handle.ask(entry).await.map(|(task, reply)| (task, Some(reply))),
            HookAnswer::Accepted => self.handle.submit(entry).await.map(|task| (task, None)),
        };
        let (task, reply) = made?;
        Ok(Delivered::Created(Box::new(task), reply))
    }

    async fn modify(&self, hook: &Hook, task: Task, params: Params) -> ServiceResult<Delivered> {
        let address = task.address();
        let command = Command::Modify { params, revision: None };
        let kind = SignalKind::Command { command, by: by(hook) };
        let reading = self.handle.post(Signal { to: SignalTarget::Task(task.id), kind }).await?;
        self.read(reading).await?;
        Ok(Delivered::Modified(address))
    }

    /// What the caller is told.
    async fn answered(&self, route: &HookRoute, hook: &Hook, done: Delivered) -> ServiceResult<Hooked> {
        let (task, reply) = match done {
            Delivered::Modified(address) | Delivered::Known(address) => {
                return Ok(Hooked::Taken { address, created: false });
            }
            Delivered::Created(task, None) => {
                return Ok(Hooked::Taken { address: task.address(), created: true });
            }
            Delivered::Created(task, Some(reply)) => (task, reply),
        };
        let address = task.address();
        tokio::select! {
            biased;
            reply = reply => match reply {
                Some(Ok(reply)) if hook.is_public() && !reply.marks().is_empty() => {
                    let message = "the reply holds a secret, and anybody may ask this hook";
                    tracing::error!(process = %route.process.id, hook = hook.name, message);
                    let fault = Fault::lasting("secret_misplaced", message);
                    Ok(Hooked::Replied(Err(Fault { status: Some(500), ..fault })))
                }
                Some(reply) => Ok(Hooked::Replied(reply)),
                None => self.unreplied(*task, address).await,
            },
            () = self.clock().after(hook.timeout) => Ok(Hooked::Taken { address, created: true }),
        }
    }

    /// The task ended and did not reply: well, or not.
    async fn unreplied(&self, task: Task, address: Address) -> ServiceResult<Hooked> {
        let task = self.store().task(task.id).await?.unwrap_or(task);
        match task.state.phase() {
            Phase::Failed | Phase::Cancelled => Ok(Hooked::Silent { address }),
            Phase::Ready | Phase::Doing | Phase::Waiting | Phase::Done => {
                Ok(Hooked::Taken { address, created: true })
            }
        }
    }

    /// Tells the log why a request may not come in, and its caller only that. A stranger can ask as often as
    /// they like: the log is told once a minute, and how often it was.
    fn unproven(&self, route: &HookRoute, hook: &Hook, why: Unproven) -> ServiceError {
        let process = &route.process.id;
        match why {
            Unproven::Refused(why) => {
                let what = format!("{process}/{}: {why}", hook.name);
                if let Some(more) = lock(&self.quiet).happens(&what, self.clock().ticks()) {
                    tracing::warn!(%process, hook = hook.name, why, more, "a request to a hook was refused");
                }
                route.count("unproven");
                ServiceError::Unproven
            }
            Unproven::Unready(fault) => {
                let why = &fault.message;
                let what = format!("{process}/{} cannot check: {why}", hook.name);
                if let Some(more) = lock(&self.quiet).happens(&what, self.clock().ticks()) {
                    tracing::error!(%process, hook = hook.name, why, more, "a hook cannot make its check");
                }
                route.count("unready");
                ServiceError::Unready
            }
        }
    }

    /// Refuses what comes more often than the hook takes it. Who may not come in uses nothing up.
    fn paced(&self, route: &HookRoute, hook: &Hook) -> ServiceResult<()> {
        let Some(rate) = hook.rate else { return Ok(()) };
        let taken = lock(&self.pace).take(&route.place(), rate, self.clock().ticks());
        taken.map_err(|wait| {
            route.count("too_often");
            ServiceError::TooOften { rate, wait }
        })
    }

    /// Tells the log of what it was not told of while it went on.
    pub(super) fn tell_quiet(&self) {
        lock(&self.pace).sweep(self.clock().ticks());
        for (what, more) in lock(&self.quiet).ended(self.clock().ticks()) {
            tracing::warn!(more, "requests to a hook were refused: {what}");
        }
    }

    /// Makes the check that asks the task itself.
    fn asked(
        &self,
        route: &HookRoute,
        hook: &Hook,
        brought: Option<&str>,
        live: Option<&Task>,
    ) -> ServiceResult<()> {
        let HookProof::Param { name, first, .. } = &hook.check else { return Ok(()) };
        let refused = |why| Err(self.unproven(route, hook, Unproven::Refused(why)));
        let Some(brought) = brought else {
            return refused("it does not bring what must be the same");
        };
        let known = live.and_then(|it| it.params.get(name)).and_then(known_as);
        match (known, first) {
            (Some(known), _) if same(&known, brought) => Ok(()),
            (Some(_), _) => refused("it brings another value than the task has"),
            (None, First::Accept) if !brought.is_empty() => Ok(()),
            (None, First::Accept) => refused("what must be the same later is empty"),
            (None, First::Refuse) => refused("no task knows what it brings"),
        }
    }
}

/// What a request wants: all that the texts of its hook make of it.
struct Wanted {
    reference: Option<String>,
    params: Params,
    /// What must be the same as a param of the task, if that is the check.
    brought: Option<String>,
}

/// Reads a request; none if it does not count. All its texts share one budget.
fn wanted(
    route: &HookRoute,
    hook: &Hook,
    request: &WebhookRequest,
    facts: &ReadSet,
    now: Timestamp,
) -> ServiceResult<Option<Wanted>> {
    let query = hook_body::form(request.query.as_bytes(), "").map_err(bad_body)?;
    let packed = |why| match why {
        Packed::TooLarge => {
            bad_body(UnreadableBody::Form(format!("the body unfolds to more than {} bytes", hook.bytes_max)))
        }
        Packed::Broken => bad_body(UnreadableBody::Form("the body is not packed as it says".to_owned())),
        Packed::Unknown(coding) => bad_body(UnreadableBody::Kind(format!(
            "the body is packed by `{coding}`, which is not undone here"
        ))),
    };
    let body =
        unpacked(Cow::Borrowed(&request.body), &request.encoding, hook.bytes_max as u64).map_err(packed)?;
    let knows_texts = hook_body::is_of_texts(&hook.accept, &request.content_type, &body);
    let content_type = Charset::of(hook.charset, &request.content_type);
    let body = hook_body::read(&hook.accept, &content_type, &body, &request.query).map_err(bad_body)?;
    let proof = proof_header(hook);
    let open = |(name, _): &&(String, String)| !UNSEEN.contains(&name.as_str()) && proof != Some(name);
    let headers = request.headers.iter().filter(open);
    let headers: Map<String, Value> =
        headers.map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    let seen = HookRequest { method: request.method.clone(), headers, query, body };
    let view = view(&route.process, seen, facts, now).map_err(unfilled)?;
    within(&facts.budget, || {
        if !hook.wants(&view).map_err(unfilled)? {
            return Ok(None);
        }
        let brought = match &hook.check {
            HookProof::Param { value, .. } => value.text(&view).ok(),
            HookProof::Public | HookProof::Basic { .. } | HookProof::Header { .. } | HookProof::Hmac(_) => {
                None
            }
        };
        let reference = hook.reference(&view).map_err(unfilled)?;
        let mut params = hook.params(&route.process, &view).map_err(unfilled)?;
        if hook.params.is_none() && knows_texts {
            params = of_texts(&route.process, params);
        }
        Ok(Some(Wanted { reference, params, brought }))
    })
}

/// What was done with a request.
enum Delivered {
    Created(Box<Task>, Option<WaitHandle<TaskReply>>),
    Modified(Address),
    Known(Address),
}

impl Delivered {
    fn address(&self) -> Address {
        match self {
            Delivered::Created(task, _) => task.address(),
            Delivered::Modified(address) | Delivered::Known(address) => address.clone(),
        }
    }
}

/// A param as it is compared; what is empty is not known yet.
fn known_as(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|it| !it.is_empty()),
        other => Some(other.to_string()),
    }
}

/// As it stands in the history.
fn by(hook: &Hook) -> String {
    format!("hook {}", hook.name)
}

/// The header that proves: no text sees it.
fn proof_header(hook: &Hook) -> Option<&String> {
    match &hook.check {
        HookProof::Hmac(hmac) => Some(&hmac.header),
        HookProof::Header { name, .. } => Some(name),
        HookProof::Public | HookProof::Basic { .. } | HookProof::Param { .. } => None,
    }
}

fn bad_body(bad: UnreadableBody) -> ServiceError {
    match bad {
        UnreadableBody::Kind(message) => ServiceError::bad("unsupported_media_type", message),
        UnreadableBody::Form(message) => ServiceError::bad("bad_body", message),
    }
}

/// What a hook could not read of a request.
fn unfilled(fault: Fault) -> ServiceError {
    let code = match fault.code.as_str() {
        "missing_param" => "missing_field",
        budget::CODE => budget::CODE,
        _ => "bad_body",
    };
    ServiceError::bad(code, fault.message)
}
