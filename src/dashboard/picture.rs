//! [`Pictures`]: the picture of a process, drawn once for each version, and what a page lays over it: how
//! many tasks stand where, where a task is and was.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::model::names::ProcessId;
use crate::process::layout::layout;
use crate::process::process::Process;
use crate::process::svg::{escaped as svg_text, svg};
use crate::service::actor::Actor;
use crate::service::errors::ServiceResult;
use crate::service::processes::Picture;
use crate::service::service::Service;

/// How many are remembered; beyond, all are drawn anew.
const KEPT_MAX: usize = 256;
/// The largest that a page shows, in bytes: a page stays light.
const BYTES_MAX: usize = 90 * 1024;

/// The pictures that were drawn, by process and version.
#[derive(Debug, Default)]
pub(super) struct Pictures(Mutex<HashMap<(String, String), Arc<Drawn>>>);

/// A picture without its style, which is in the style of the page.
#[derive(Debug)]
pub(super) struct Drawn {
    svg: String,
    boxes: Vec<(String, [f64; 4])>,
}

/// A way that a task took.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Walked {
    pub(super) from: String,
    pub(super) to: String,
    /// `plain`, `error` or `limit`.
    pub(super) class: &'static str,
}

/// What stands over a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Mark {
    /// Tasks that can still move.
    pub(super) live: u64,
    /// Tasks that came to a bad end.
    pub(super) failed: u64,
    /// Where a click leads.
    pub(super) to: Option<String>,
    /// `now`, `been` or nothing.
    pub(super) class: &'static str,
}

impl Pictures {
    /// The picture of a template.
    pub(super) fn of_template(&self, name: &str, process: &Process) -> Arc<Drawn> {
        // No process has a dot in its id.
        let key = (format!("template.{name}"), process.version.clone());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(key).or_insert_with(|| Arc::new(Drawn::plain(process))))
    }

    /// The picture of that version of a process.
    pub(super) fn of(
        &self,
        service: &Service,
        by: &Actor,
        id: &ProcessId,
        version: &str,
    ) -> ServiceResult<Arc<Drawn>> {
        let key = (id.to_string(), version.to_owned());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(drawn) = all.get(&key) {
            return Ok(Arc::clone(drawn));
        }
        let (svg, json) = (service.picture(by, id, Picture::Svg)?, service.picture(by, id, Picture::Json)?);
        let drawn = Arc::new(Drawn::new(&svg, &serde_json::from_str(&json).unwrap_or_default()));
        if all.len() >= KEPT_MAX {
            all.clear();
        }
        all.insert(key, Arc::clone(&drawn));
        Ok(drawn)
    }
}

impl Drawn {
    /// Of a process that is not deployed.
    pub(super) fn plain(process: &Process) -> Drawn {
        let layout = layout(process);
        Drawn::new(&svg(&layout, &process.title), &serde_json::json!(layout))
    }

    fn new(svg: &str, layout: &Value) -> Drawn {
        let svg = match (svg.split_once("<style>"), svg.split_once("</style>")) {
            (Some((before, _)), Some((_, after))) => format!("{before}{after}"),
            _ => svg.to_owned(),
        };
        let number = |node: &Value, name: &str| node[name].as_f64().unwrap_or_default();
        let nodes = layout["nodes"].as_array().into_iter().flatten();
        let boxes = nodes.map(|node| {
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|name| number(node, name));
            (node["name"].as_str().unwrap_or_default().to_owned(), [x, y, w, h])
        });
        // The links over the nodes are to be found by who cannot see them.
        Drawn { svg: svg.replacen("role=\"img\"", "role=\"group\"", 1), boxes: boxes.collect() }
    }

    /// The picture with marks; none if it is too large for a page.
    pub(super) fn with(&self, marks: &BTreeMap<String, Mark>) -> Option<String> {
        self.lit(marks, &BTreeSet::new())
    }

    /// The same, with the ways that were walked.
    pub(super) fn lit(&self, marks: &BTreeMap<String, Mark>, ways: &BTreeSet<Walked>) -> Option<String> {
        let bare = self.svg.strip_suffix("</svg>")?;
        let mut to = bare.to_owned();
        for Walked { from, to: into, class } in ways {
            let ends = format!("\" data-from=\"{}\" data-to=\"{}\"", svg_text(from), svg_text(into));
            let way = format!("<g class=\"edge {class}{ends}");
            to = to.replace(&way, &format!("<g class=\"edge {class} been{ends}"));
        }
        for (name, place) in &self.boxes {
            if let Some(mark) = marks.get(name) {
                put(&mut to, name, *place, mark).expect("a String takes all that is written to it");
            }
        }
        to.push_str("</svg>");
        (to.len() <= BYTES_MAX).then_some(to)
    }
}

fn put(to: &mut String, name: &str, [x, y, w, h]: [f64; 4], mark: &Mark) -> std::fmt::Result {
    let (left, top) = (x - w / 2.0, y - h / 2.0);
    if let Some(link) = &mark.to {
        write!(to, "<a href=\"{}\" aria-label=\"{}\">", escaped(link), escaped(name))?;
    }
    write!(
        to,
        "<rect class=\"hit {}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" rx=\"6\">\
         <title>{}</title></rect>",
        mark.class,
        escaped(name)
    )?;
    let mut right = left + w + 6.0;
    for (class, many) in [("failed", mark.failed), ("live", mark.live)] {
        if many > 0 {
            let text = brief(many);
            let wide = f64::from(u32::try_from(text.len()).unwrap_or(0)) * 7.5 + 11.0;
            right -= wide;
            write!(
                to,
                "<g class=\"badge {class}\"><rect x=\"{right:.1}\" y=\"{:.1}\" width=\"{wide:.1}\" \
                 height=\"18\" rx=\"9\"/><text x=\"{:.1}\" y=\"{:.1}\">{text}</text></g>",
                top - 9.0,
                right + wide / 2.0,
                top + 4.0
            )?;
            right -= 3.0;
        }
    }
    if mark.to.is_some() {
        to.push_str("</a>");
    }
    Ok(())
}

/// A number that fits on a badge.
fn brief(many: u64) -> String {
    match many {
        0..10_000 => many.to_string(),
        10_000..1_000_000 => format!("{}k", many / 1_000),
        _ => format!("{}M", many / 1_000_000),
    }
}

fn escaped(text: &str) -> String {
    askama::filters::escape(text, askama::filters::Html).map(|it| it.to_string()).unwrap_or_default()
}
