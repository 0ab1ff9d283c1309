//! YAML text → [`Scenario`], or *all* that is wrong with it.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::model::expr::Expr;
use crate::model::fault::{Class, Fault};
use crate::model::names::Ref;
use crate::model::near;
use crate::model::params::Params;
use crate::model::time::Timestamp;
use crate::model::tree::{Branch, Spot, Tree};
use crate::model::value::ValueTemplate;
use crate::process::problem::{FileProblem, settle};
use crate::process::yaml;
use crate::scenario::file::{
    Act, Case, Come, Expect, ExpectedRequests, ExpectedValue, RequestMatch, RequestPart, Scenario,
    ScenarioStep, ScriptedAnswer, ScriptedReply, Spotted, SubmitStep, ValueCheck,
};
use crate::scenario::shapes::{
    AddressWord, CaseShape, ExpectShape, FaultShape, FileShape, LineShape, Moment, PARTS, PartsShape,
    ReplyShape, StepShape, SubmitShape, fault_of, fault_words,
};

/// When a case begins that does not say: a Thursday at midnight, UTC.
const START_DEFAULT: Timestamp = Timestamp(1_767_225_600_000);
/// What a task is called whose scenario does not say.
const REF_DEFAULT: &str = "try";
/// A value that is not there.
const ABSENT: &str = "absent";
/// What an expression calls the value it speaks of.
pub(super) const IT: &str = "it";
/// What happens without anything more to say.
const WORDS: [&str; 4] = ["wake", "retry", "cancel", "restart"];

/// The answers that are a word.
const ANSWERS: &str = "`delivered`, `lost`, or the code of a fault, such as `http_timeout`";

/// Whether that text is a scenario, and not a process or something else.
pub fn is_scenario(text: &str) -> bool {
    let (tree, _) = yaml::read(text);
    tree.is_some_and(|tree| tree.get("nodes").is_none() && STORIES.iter().any(|it| tree.get(it).is_some()))
}

/// What only a scenario has.
const STORIES: [&str; 2] = ["cases", "then"];

/// Reads a scenario.
///
/// # Errors
/// All that is wrong with it, in the order of the text.
pub fn read(text: &str) -> Result<Scenario, Vec<FileProblem>> {
    let (tree, problems) = yaml::read(text);
    let mut reader = Reader { problems };
    let scenario = match &tree {
        Some(tree) => Some(reader.scenario(tree)),
        None => {
            if reader.problems.is_empty() {
                let spot = Spot { line: 1, column: 1, start: 0, end: 0 };
                reader.wrong(spot, "the file is empty", Some("begin with `process: name`"));
            }
            None
        }
    };
    match scenario {
        Some(scenario) if reader.problems.is_empty() => Ok(scenario),
        _ => Err(settle(reader.problems, text)),
    }
}

/// What a file says for all its cases, and a case for itself.
#[derive(Default)]
struct Setting {
    title: Option<String>,
    start: Option<Moment>,
    vars: Option<Map<String, Value>>,
    secrets: Option<BTreeMap<String, String>>,
    others: Option<BTreeMap<AddressWord, Map<String, Value>>>,
    submit: Option<SubmitShape>,
    submit_spot: Spot,
    world: Vec<ScriptedAnswer>,
}

impl From<FileShape> for Setting {
    fn from(shape: FileShape) -> Setting {
        let FileShape { title, start, vars, secrets, others, submit, .. } = shape;
        Setting { title, start, vars, secrets, others, submit, ..Setting::default() }
    }
}

impl From<CaseShape> for Setting {
    fn from(shape: CaseShape) -> Setting {
        let CaseShape { case, start, vars, secrets, others, submit, .. } = shape;
        Setting { title: Some(case), start, vars, secrets, others, submit, ..Setting::default() }
    }
}

struct Reader {
    problems: Vec<FileProblem>,
}

impl Reader {
    fn wrong(&mut self, spot: Spot, message: impl Into<String>, hint: Option<&str>) {
        self.problems.push(FileProblem::new(spot, message).hint_if(hint.map(str::to_owned)));
    }

    fn shape<T: DeserializeOwned>(&mut self, tree: &Tree) -> Option<T> {
        let errors = match tree.read::<T>() {
            Ok(shape) => return Some(shape),
            Err(errors) => errors,
        };
        self.problems.extend(errors.into_iter().map(FileProblem::from));
        None
    }

    fn scenario(&mut self, tree: &Tree) -> Scenario {
        let whole = self.setting::<FileShape>(tree);
        let mut cases = Vec::new();
        if let Some(then) = tree.get("then") {
            let title = whole.title.clone().unwrap_or_else(|| "the case".to_owned());
            cases.push(self.case(title, tree.spot, then, &whole, Setting::default()));
        }
        for tree in tree.get("cases").map(items).unwrap_or_default() {
            let own = self.setting::<CaseShape>(tree);
            let title = own.title.clone().unwrap_or_default();
            if let Some(then) = tree.get("then") {
                cases.push(self.case(title, tree.spot, then, &whole, own));
            }
        }
        self.told_apart(&cases);
        if cases.is_empty() && self.problems.is_empty() {
            let hint = "write `cases:` and `- case: …` with `then:` for each";
            self.wrong(tree.spot, "there is no case", Some(hint));
        }
        let name = |tree: &Tree| Some(Spotted { spot: tree.spot, it: tree.name()? });
        let process = tree.get("process").and_then(name);
        let with = tree.get("with").map(items).unwrap_or_default().iter().filter_map(name).collect();
        Scenario { process, with, cases }
    }

    fn told_apart(&mut self, cases: &[Case]) {
        for (n, case) in cases.iter().enumerate() {
            if cases[..n].iter().any(|it| it.title == case.title) {
                let message = format!("two cases are called `{}`", case.title);
                self.wrong(case.spot, message, Some("their names tell them apart"));
            }
        }
    }

    fn setting<T: DeserializeOwned + Into<Setting>>(&mut self, tree: &Tree) -> Setting {
        let world = self.world(tree);
        let setting = self.shape::<T>(tree).map(T::into).unwrap_or_default();
        Setting { submit_spot: spot_of(tree, "submit"), world, ..setting }
    }

    /// A case: what it says itself, over what the file says for all.
    fn case(&mut self, title: String, spot: Spot, then: &Tree, whole: &Setting, own: Setting) -> Case {
        let start = own.start.or(whole.start).map_or(START_DEFAULT, |it| it.0);
        let mut vars = whole.vars.clone().unwrap_or_default();
        vars.extend(own.vars.unwrap_or_default());
        let mut secrets = whole.secrets.clone().unwrap_or_default();
        secrets.extend(own.secrets.unwrap_or_default());
        let mut others = BTreeMap::new();
        for (address, params) in whole.others.clone().into_iter().chain(own.others).flatten() {
            others.insert(address.0, Params::from(params));
        }
        let submit_spot = if own.submit.is_some() { own.submit_spot } else { whole.submit_spot };
        let submits = [whole.submit.clone(), own.submit];
        let reference = submits.iter().rev().flatten().find_map(|it| it.reference.clone());
        let params = submits.into_iter().flatten().flat_map(|it| it.params);
        let submit = SubmitStep {
            spot: submit_spot,
            reference: reference.unwrap_or_else(ref_default),
            params: params.collect(),
        };
        let world = own.world.into_iter().chain(whole.world.iter().cloned()).collect();
        let then: Vec<ScenarioStep> = items(then).iter().filter_map(|it| self.step(it)).collect();
        if self.problems.is_empty() && then.iter().all(|step| step.expect.is_none()) {
            self.wrong(spot, format!("case `{title}` expects nothing"), Some("add `- expect: {…}`"));
        }
        Case { title, spot, start, vars, secrets, others, submit, world, then }
    }

    fn world(&mut self, tree: &Tree) -> Vec<ScriptedAnswer> {
        let lines = tree.get("world").map(items).unwrap_or_default();
        lines.iter().filter_map(|line| self.line(line)).collect()
    }

    fn line(&mut self, tree: &Tree) -> Option<ScriptedAnswer> {
        let parts = tree.get("expect").map(|it| self.parts(it)).unwrap_or_default();
        let answers = self.answers(tree);
        let shape: LineShape = self.shape(tree)?;
        let mut to = RequestMatch { tell: shape.tell, ..RequestMatch::default() };
        match shape.node.as_deref().map(|node| node.split_once('/').ok_or(node)) {
            Some(Ok((process, node))) => {
                to.process = Some(process.to_owned());
                to.node = Some(node.to_owned());
            }
            Some(Err(node)) => to.node = Some(node.to_owned()),
            None => {}
        }
        match shape.ask.as_deref().map(|ask| ask.trim().split_once(' ').ok_or(ask)) {
            Some(Ok((method, url))) => {
                to.method = Some(method.to_uppercase());
                to.url = Some(url.trim().to_owned());
            }
            Some(Err(url)) => to.url = Some(url.to_owned()),
            None => {}
        }
        if to.node.is_none() && to.url.is_none() && to.tell.is_none() {
            self.wrong(
                tree.spot,
                "this line does not say what it answers",
                Some("write `node: name`, `ask: POST https://host/*` or `tell: channel`"),
            );
        }
        if to.url.is_some() && to.tell.is_some() {
            self.wrong(tree.spot, "a request is either `ask` or `tell`", None);
        }
        Some(ScriptedAnswer { spot: tree.spot, to, parts, times: shape.times, answers })
    }

    fn answers(&mut self, tree: &Tree) -> Vec<ScriptedReply> {
        let (one, many) = (tree.get("answer"), tree.get("answers"));
        let all: Vec<&Tree> = match (one, many) {
            (Some(one), None) => vec![one],
            (None, Some(many)) => items(many).iter().collect(),
            (Some(_), Some(_)) | (None, None) => Vec::new(),
        };
        if all.is_empty() {
            self.wrong(
                tree.spot,
                "a line has one `answer`, or a list of `answers`",
                Some("write `answer: {json: {…}}`, `answer: {status: 503}` or `answer: lost`"),
            );
        }
        all.into_iter().filter_map(|it| self.reply(it)).collect()
    }

    fn reply(&mut self, tree: &Tree) -> Option<ScriptedReply> {
        if let Branch::Text(word) = &tree.branch {
            let come = match word.as_str() {
                "delivered" => Some(Come::Delivered { by: None }),
                word => self.fault(word, tree.spot).map(Come::Fault),
            };
            return come.map(|come| ScriptedReply { took: None, come });
        }
        let shape: ReplyShape = self.shape(tree)?;
        let took = shape.took;
        if let Some(fault) = shape.fault {
            let spot = tree.get("fault").map_or(tree.spot, |it| it.spot);
            return Some(ScriptedReply { took, come: Come::Fault(self.whole_fault(fault, spot)?) });
        }
        if shape.by.is_some() {
            return Some(ScriptedReply { took, come: Come::Delivered { by: shape.by } });
        }
        let nothing = Tree { spot: tree.spot, branch: Branch::Null };
        let body = tree.get("json").or_else(|| tree.get("text")).unwrap_or(&nothing);
        let headers = shape.headers.unwrap_or_default().into_iter();
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value)).collect();
        let body = self.shape::<ValueTemplate>(body)?;
        Some(ScriptedReply { took, come: Come::Http { status: shape.status.unwrap_or(200), headers, body } })
    }

    fn fault(&mut self, word: &str, spot: Spot) -> Option<Fault> {
        let word = if word == "lost" { "http_lost" } else { word };
        let fault = fault_of(word);
        if fault.is_none() {
            let known = fault_words().into_iter().chain(["delivered", "lost"]);
            let near = near::nearest(word, known).map(|near| format!("did you mean `{near}`?"));
            let hint = near.unwrap_or_else(|| ANSWERS.to_owned());
            self.problems.push(FileProblem::new(spot, format!("no answer is called `{word}`")).hint(hint));
        }
        fault
    }

    fn whole_fault(&mut self, shape: FaultShape, spot: Spot) -> Option<Fault> {
        match shape {
            FaultShape::Word(word) => self.fault(&word, spot),
            FaultShape::Whole { code, class, message, retry_after } => {
                let known = fault_of(&code);
                let class = class.map_or(known.as_ref().map(|it| it.class), |it| Class::named(&it));
                let Some(class) = class else {
                    let message = format!("the class of the fault `{code}` is not known");
                    self.wrong(spot, message, Some("add `class: passing`, `lasting` or `unsure`"));
                    return None;
                };
                let notified = known.map(|it| it.message);
                let message = message.or(notified).unwrap_or_else(|| "as the scenario has it".to_owned());
                Some(Fault { class, retry_after, ..Fault::lasting(&code, message) })
            }
        }
    }

    fn step(&mut self, tree: &Tree) -> Option<ScenarioStep> {
        let spot = tree.spot;
        if let Branch::Text(word) = &tree.branch {
            let act = match word.as_str() {
                "wake" => Act::Wake,
                "retry" => Act::Retry,
                "cancel" => Act::Cancel,
                "restart" => Act::Restart,
                _ => {
                    let hint = near::hint(word, &WORDS, "the words are");
                    let message = format!("nothing that happens is called `{word}`");
                    self.problems.push(FileProblem::new(spot, message).hint_if(hint));
                    return None;
                }
            };
            return Some(ScenarioStep { spot, act, task: None, expect: None });
        }
        let expect = tree.get("expect").and_then(|it| self.expect(it));
        let shape: StepShape = self.shape(tree)?;
        let task = shape.task.clone().map(|it| it.0);
        let mut acts = acts(shape, spot_of(tree, "submit"));
        if acts.len() > 1 {
            self.wrong(spot, "one thing happens at a time", Some("write each after a `-` of its own"));
        }
        let act = acts.pop().unwrap_or(Act::Look);
        if matches!(act, Act::Look) && tree.get("expect").is_none() {
            self.wrong(
                spot,
                "nothing happens in this step",
                Some("such as `- after: 25m` or `- expect: {…}`"),
            );
        }
        Some(ScenarioStep { spot, act, task, expect })
    }

    fn expect(&mut self, tree: &Tree) -> Option<Expect> {
        let spot = |key: &str| spot_of(tree, key);
        if tree.entries().is_empty() {
            self.wrong(tree.spot, "nothing is expected here", Some("such as `expect: {node: done}`"));
        }
        let params = tree.get("params").map(Tree::entries).unwrap_or_default();
        let params = params.iter().filter_map(|(key, it)| Some((key.text.clone(), self.want(it)?)));
        let params = params.collect();
        let that = tree.get("that").map(items).unwrap_or_default();
        let that =
            that.iter().filter_map(|it| Some(Spotted { spot: it.spot, it: self.truth(it)? })).collect();
        let asked = tree.get("asked").map(Tree::entries).unwrap_or_default();
        let asked = asked.iter().filter_map(|(key, it)| self.asked(&key.text, key.spot, it)).collect();
        let notified =
            tree.get("notified").and_then(|it| Some(Spotted { spot: it.spot, it: self.notified(it)? }));
        let mut want = |key: &str| tree.get(key).and_then(|it| self.want(it));
        let (result, fault, link) = (want("result"), want("fault"), want("link"));
        let shape: ExpectShape = self.shape(tree)?;
        Some(Expect {
            result,
            fault,
            link,
            state: shape.state.map(|it| Spotted { spot: spot("state"), it }),
            node: shape.node.map(|it| Spotted { spot: spot("node"), it }),
            params,
            that,
            asked,
            notified,
            alarm: shape.alarm.map(|it| Spotted { spot: spot("alarm"), it }),
            path: shape.path.map(|it| Spotted { spot: spot("path"), it }),
            due: shape.due.map(|it| Spotted { spot: spot("due"), it }),
        })
    }

    fn truth(&mut self, tree: &Tree) -> Option<Expr> {
        let Branch::Text(text) = &tree.branch else {
            self.wrong(tree.spot, "this is an expression, such as `\"expires_at > now\"`", None);
            return None;
        };
        let text = text.strip_prefix('=').unwrap_or(text);
        Expr::parse(text).map_err(|mistake| self.problems.push(problem(tree.spot, text, mistake))).ok()
    }

    fn want(&mut self, tree: &Tree) -> Option<ExpectedValue> {
        let spot = tree.spot;
        if let Branch::Text(text) = &tree.branch {
            if text == ABSENT {
                return Some(ExpectedValue { spot, what: ValueCheck::Absent });
            }
            if let Some(expr) = text.strip_prefix('=').and_then(|it| Expr::parse(it).ok())
                && expr.uses().roots.contains(IT)
            {
                return Some(ExpectedValue { spot, what: ValueCheck::Such(expr) });
            }
        }
        Some(ExpectedValue { spot, what: ValueCheck::Is(self.shape::<ValueTemplate>(tree)?) })
    }

    fn asked(&mut self, node: &str, spot: Spot, tree: &Tree) -> Option<ExpectedRequests> {
        let node = node.to_owned();
        if !matches!(tree.branch, Branch::Map(_)) {
            let times = Some(self.shape::<u64>(tree)?);
            return Some(ExpectedRequests { spot, node, times, parts: Vec::new() });
        }
        let times = self.shape::<PartsShape>(tree)?.times;
        Some(ExpectedRequests { spot, node, times, parts: self.parts(tree) })
    }

    fn parts(&mut self, tree: &Tree) -> Vec<RequestPart> {
        let mut parts = Vec::new();
        for (key, tree) in tree.entries().iter().filter(|(key, _)| PARTS.contains(&key.text.as_str())) {
            let part = key.text.clone();
            match &tree.branch {
                Branch::Map(pairs) => parts.extend(pairs.iter().filter_map(|(name, tree)| {
                    let name = Some(name.text.clone());
                    Some(RequestPart { part: part.clone(), name, want: self.want(tree)? })
                })),
                Branch::Null | Branch::Bool(_) | Branch::Number(_) | Branch::Text(_) | Branch::List(_) => {
                    parts.extend(self.want(tree).map(|want| RequestPart { part, name: None, want }));
                }
            }
        }
        parts
    }

    /// Pieces of messages, or how many there were.
    fn notified(&mut self, tree: &Tree) -> Option<Vec<Spotted<String>>> {
        let spotted = |tree: &Tree, it: String| Spotted { spot: tree.spot, it };
        match &tree.branch {
            Branch::Number(_) => {
                let many = usize::try_from(self.shape::<u64>(tree)?).unwrap_or(usize::MAX);
                Some(std::iter::repeat_n(spotted(tree, String::new()), many).collect())
            }
            Branch::Text(text) => Some(vec![spotted(tree, text.clone())]),
            _ => {
                let texts: Vec<String> = self.shape(tree)?;
                Some(items(tree).iter().zip(texts).map(|(tree, text)| spotted(tree, text)).collect())
            }
        }
    }
}

/// What a step says that happens.
fn acts(shape: StepShape, submit_spot: Spot) -> Vec<Act> {
    let word = |said: Option<bool>, act: Act| (said == Some(true)).then_some(act);
    let submit = |it: SubmitShape| {
        let reference = it.reference.unwrap_or_else(ref_default);
        Act::Submit(SubmitStep { spot: submit_spot, reference, params: it.params.into() })
    };
    [
        shape.after.map(Act::After),
        shape.until.map(|it| Act::Until(it.0)),
        shape.submit.map(submit),
        shape.modify.map(|it| Act::Modify(it.into())),
        word(shape.wake, Act::Wake),
        word(shape.retry, Act::Retry),
        shape.r#move.map(Act::Move),
        word(shape.cancel, Act::Cancel),
        shape.hook.map(Act::Hook),
        word(shape.restart, Act::Restart),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn problem(spot: Spot, text: &str, mistake: crate::model::mistake::Mistake) -> FileProblem {
    let spot = mistake.at.map_or(spot, |at| spot.within(text, at));
    FileProblem::new(spot, mistake.message).hint_if(mistake.hint)
}

fn ref_default() -> Ref {
    Ref::new(REF_DEFAULT).expect("the name is a good one")
}

fn spot_of(tree: &Tree, key: &str) -> Spot {
    tree.get(key).map_or(tree.spot, |it| it.spot)
}

fn items(tree: &Tree) -> &[Tree] {
    match &tree.branch {
        Branch::List(items) => items,
        Branch::Null | Branch::Bool(_) | Branch::Number(_) | Branch::Text(_) | Branch::Map(_) => &[],
    }
}
