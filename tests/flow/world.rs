//! A set of processes that has run: what was asked, told and kept.

use std::sync::{Arc, Mutex};

use beltline::engine::ports::{HistoryEntry, Store, TaskQuery};
use beltline::model::effect::{Auth, Effect, HttpRequest};
use beltline::model::params::Params;
use beltline::model::task::{HistoryEvent, Task};
use beltline::model::time::{Span, Timestamp};
use beltline::scenario::record::{Guess, RecordedTask, record};
use beltline::service::actor::Actor;
use beltline::service::view::{EventView, TaskView};
use futures::FutureExt;
use serde_json::{Value, json};

use crate::flow::made::{MANY, Made};
use crate::simulation::edges::at_once;
use crate::simulation::partners::{Partner, Reply, answer};
use crate::simulation::universe::Universe;

/// Keeps what it is asked, and says nothing of it back.
struct Host(Arc<Mutex<Vec<HttpRequest>>>);

impl Partner for Host {
    fn ask(&mut self, ask: &HttpRequest, _: &Effect, _: Timestamp) -> Reply {
        self.0.lock().unwrap().push(ask.clone());
        let is_bad = ask.url.contains("-bad.example");
        Reply::new(answer(if is_bad { 404 } else { 200 }, json!({"r": "an answer"})))
    }
}

/// What there is after a run.
pub(super) struct Ran {
    /// Where a value went: process, node or nothing, and the place; and what went there.
    pub(super) went: Vec<(String, String, String, String)>,
    /// What people see.
    pub(super) seen: Vec<String>,
}

impl Ran {
    pub(super) fn of(made: &Made) -> Ran {
        let asked = Arc::<Mutex<Vec<HttpRequest>>>::default();
        let texts: Vec<&str> = made.texts.iter().map(String::as_str).collect();
        let mut universe = Universe::new(Box::new(Host(Arc::clone(&asked))), &texts);
        let mut ran = Ran { went: Vec::new(), seen: Vec::new() };
        for number in (0..MANY).rev() {
            let reply = universe.next_reply();
            universe.submit(&format!("p{number}/main"), json!({}));
            universe.run(Span::mins(5));
            // A task that takes a fault there replies nothing.
            if let Some(Some(Ok(reply))) = reply.now_or_never() {
                ran.replied(&format!("p{number}"), &reply);
            }
        }
        for task in tasks(&universe) {
            ran.link(&task);
            ran.look(&universe, &task, made);
        }
        universe.run(Span::hours(4));
        for task in tasks(&universe) {
            ran.kept(&task);
            ran.look(&universe, &task, made);
        }
        asked.lock().unwrap().iter().for_each(|ask| ran.asked(ask));
        for told in &universe.edges.author().told {
            let (node, text) = told.text.split_once(": ").unwrap_or(("", &told.text));
            let (process, node) = node.split_once('-').unwrap_or(("?", "?"));
            ran.went(process, node, "message", text);
            ran.went(process, node, "message", &told.subject);
        }
        ran
    }

    fn went(&mut self, process: &str, node: &str, place: &str, what: &str) {
        self.went.push((process.to_owned(), node.to_owned(), place.to_owned(), what.to_owned()));
    }

    fn link(&mut self, task: &Task) {
        if let Some(link) = &task.link {
            self.went(task.process.as_str(), "", "link", link);
        }
    }

    /// What a task replies: to its caller, and to a hook. Of a hook that anybody may ask a person sees it, if
    /// nothing in it is marked.
    fn replied(&mut self, process: &str, reply: &Params) {
        for (name, value) in reply.map() {
            self.went(process, "", &format!("reply {name}"), &value.to_string());
        }
        if reply.marks().is_empty() {
            self.seen.push(json!(reply.map()).to_string());
        }
    }

    /// What a task holds.
    fn kept(&mut self, task: &Task) {
        for (name, value) in task.params.map() {
            self.went(task.process.as_str(), "", &format!("param {name}"), &value.to_string());
        }
        if let Some(result) = &task.result {
            self.went(task.process.as_str(), "", "result", &result.to_string());
        }
    }

    fn asked(&mut self, ask: &HttpRequest) {
        let host = ask.url.strip_prefix("https://").and_then(|it| it.split('.').next()).unwrap_or("?");
        let mut names = host.split('-');
        let (process, node) = (names.next().unwrap_or("?"), names.next().unwrap_or("?"));
        let mut places = vec![("url".to_owned(), ask.url.clone())];
        places.extend(ask.query.iter().map(|(_, value)| ("query".to_owned(), value.clone())));
        places.extend(ask.headers.iter().map(|(name, value)| (format!("header {name}"), value.clone())));
        if let Some(Auth::Bearer(token)) = &ask.auth {
            places.push(("auth".to_owned(), token.clone()));
        }
        places.push(("body".to_owned(), serde_json::to_string(&ask.body).unwrap()));
        for (place, what) in places {
            self.went(process, node, &place, &what);
        }
    }

    /// All that people see of a task: in the API and on the pages, in the history, in what is recorded of it.
    fn look(&mut self, universe: &Universe, task: &Task, made: &Made) {
        let process = universe.registry.get(&task.process).unwrap().process;
        let entries: Vec<HistoryEntry> =
            at_once(universe.edges.disk.history(task.id, 0, usize::MAX)).unwrap();
        let events: Vec<HistoryEvent> = entries.iter().flat_map(|it| it.events.clone()).collect();
        let view = TaskView::seen_by(&Actor::local("ann"), task, Some(&process), universe.now());
        // Who may read secrets sees a link that is one.
        let view = json!(TaskView { link: None, ..view });
        let history: Vec<Value> = events.iter().map(|event| json!(event)).collect();
        let source = made.texts.iter().find(|it| it.starts_with(&format!("process: {}\n", process.id)));
        let seen = RecordedTask {
            process: &process,
            source: source.unwrap(),
            task: &view,
            events: history.iter().collect(),
        };
        self.seen.push(record(&seen, &Guess::default()));
        self.seen.extend(entries.into_iter().map(|it| json!(EventView::from(it)).to_string()));
        self.seen.push(view.to_string());
        self.seen.push(task.reference.to_string());
    }
}

fn tasks(universe: &Universe) -> Vec<Task> {
    at_once(universe.edges.disk.tasks(&TaskQuery { limit: usize::MAX, ..TaskQuery::default() })).unwrap()
}
