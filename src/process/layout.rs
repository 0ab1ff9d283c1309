//! [`Layout`]: where the boxes and arrows of a process stand. Layers from top to bottom, few crossings,
//! arrows around the boxes: Sugiyama's method, by `dagre`.

use std::collections::BTreeMap;

use dagre::graph::{Graph, GraphOptions};
use dagre::layout::types::LabelPos;
use dagre::{EdgeLabel, LayoutOptions, NodeLabel, Ranker};
use serde::Serialize;

use crate::process::layers::layers;
use crate::process::parsed::{EdgeKind, ways};
use crate::process::process::{Node, Process};

/// The most characters of a title on one line.
const LINE_CHARS_MAX: usize = 26;
/// The mean width of a character in a wide font, in pixels, at the sizes of the style in `svg`.
const TITLE_CHAR_PX: f64 = 9.2;
const LABEL_CHAR_PX: f64 = 7.0;
/// The height of a line of a title.
pub const LINE_PX: f64 = 18.0;
const LABEL_PX: f64 = 16.0;
/// What a box has around its title: the name of its kind stands above.
const BOX_X_PX: f64 = 36.0;
const BOX_Y_PX: f64 = 32.0;
const BOX_MIN_PX: f64 = 96.0;
const MARGIN_PX: f64 = 16.0;
/// How much may be laid out well: nodes, and every layer that an arrow crosses. Beyond, where a picture would
/// take seconds and tell nobody anything, the boxes stand in rows.
const WORK_MAX: usize = 2_000;
/// The gap between boxes and between rows.
const GAP_PX: f64 = 36.0;

/// Where everything stands, in pixels; a box by its middle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layout {
    /// Of the whole picture.
    pub width: f64,
    /// Of the whole picture.
    pub height: f64,
    /// The boxes, in the order of the process.
    pub nodes: Vec<NodeBox>,
    /// The arrows.
    pub edges: Vec<Arrow>,
}

/// A node in the picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeBox {
    /// Its name.
    pub name: String,
    /// The middle.
    pub x: f64,
    /// The middle.
    pub y: f64,
    /// The width.
    pub w: f64,
    /// The height.
    pub h: f64,
    /// The whole title.
    pub title: String,
    /// The title as it is wrapped.
    pub lines: Vec<String>,
    /// The name of its kind.
    pub kind: String,
    /// Counted from the top.
    pub layer: usize,
    /// Only arrows of errors lead here, or a task fails here.
    pub is_trouble: bool,
}

/// A way in the picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arrow {
    /// The name of the node it leaves.
    pub from: String,
    /// The name of the node it leads to.
    pub to: String,
    /// The word on it, shortened.
    pub label: String,
    /// The word on it, whole.
    pub whole_label: String,
    /// Where the middle of the word is.
    pub label_at: (f64, f64),
    /// From border to border.
    pub points: Vec<(f64, f64)>,
    /// Taken after a fault.
    pub is_error: bool,
    /// Taken after too long a stay.
    pub is_limit: bool,
    /// Taken by a task that is born when too many stand there.
    pub is_alarm: bool,
}

type Picture = Graph<NodeLabel, EdgeLabel>;

/// Lays a process out.
pub fn layout(process: &Process) -> Layout {
    let mut arrows = arrows(process);
    let mut next = vec![Vec::new(); process.nodes.len()];
    for (_, from, to) in &arrows {
        next[*from].push(*to);
    }
    let layers = layers(&next);
    let crossed: usize = arrows.iter().map(|(_, from, to)| layers[*from].abs_diff(layers[*to])).sum();
    let places = if crossed + layers.len() <= WORK_MAX {
        well(process, &mut arrows)
    } else {
        in_rows(process, &mut arrows, &layers)
    };
    let arrows: Vec<Arrow> = arrows.into_iter().map(|(arrow, ..)| arrow).collect();
    let nodes = boxes(process, &places, &arrows);
    let reach = |of: fn(&NodeBox) -> f64| nodes.iter().map(of).fold(0.0, f64::max);
    let right = reach(|it| it.x + it.w / 2.0).max(arrows.iter().map(Arrow::right).fold(0.0, f64::max));
    let below = reach(|it| it.y + it.h / 2.0).max(arrows.iter().map(Arrow::below).fold(0.0, f64::max));
    Layout { width: round(right + MARGIN_PX), height: round(below + MARGIN_PX), nodes, edges: arrows }
}

impl Arrow {
    fn right(&self) -> f64 {
        let label = self.label_at.0 + label_width(&self.label) / 2.0;
        self.points.iter().map(|point| point.0).fold(label, f64::max)
    }

    fn below(&self) -> f64 {
        self.points.iter().map(|point| point.1).fold(0.0, f64::max)
    }
}

fn label_width(label: &str) -> f64 {
    match label.chars().count() {
        0 => 0.0,
        many => px(many) * LABEL_CHAR_PX + 8.0,
    }
}

/// Few crossings, short arrows, around the boxes. The middles of the boxes.
fn well(process: &Process, arrows: &mut [(Arrow, usize, usize)]) -> Vec<(f64, f64)> {
    let mut picture: Picture =
        Graph::with_options(GraphOptions { directed: true, multigraph: true, compound: false });
    for (at, node) in process.nodes.iter().enumerate() {
        let (width, height) = size(&wrapped(&node.title), node.kind_name);
        picture.set_node(at.to_string(), Some(NodeLabel { width, height, ..NodeLabel::default() }));
    }
    for (at, (arrow, from, to)) in arrows.iter().enumerate() {
        let height = if arrow.label.is_empty() { 0.0 } else { LABEL_PX };
        let label = EdgeLabel {
            width: label_width(&arrow.label),
            height,
            labelpos: LabelPos::Center,
            ..EdgeLabel::default()
        };
        picture.set_edge(from.to_string(), to.to_string(), Some(label), Some(&at.to_string()));
    }
    dagre::layout(&mut picture, Some(options()));
    for (at, (arrow, from, to)) in arrows.iter_mut().enumerate() {
        place(arrow, picture.edge(&from.to_string(), &to.to_string(), Some(&at.to_string())));
    }
    let middle = |at: usize| {
        let label = picture.node(&at.to_string());
        label.map_or((0.0, 0.0), |it| (it.x.unwrap_or_default(), it.y.unwrap_or_default()))
    };
    (0..process.nodes.len()).map(middle).collect()
}

/// One row for each layer, arrows straight from box to box.
fn in_rows(process: &Process, arrows: &mut [(Arrow, usize, usize)], layers: &[usize]) -> Vec<(f64, f64)> {
    let sizes: Vec<(f64, f64)> =
        process.nodes.iter().map(|node| size(&wrapped(&node.title), node.kind_name)).collect();
    let row_px = sizes.iter().map(|it| it.1).fold(0.0, f64::max) + GAP_PX;
    let mut filled = vec![MARGIN_PX; layers.iter().max().map_or(0, |most| most + 1)];
    let mut middles = Vec::new();
    for ((w, _), layer) in sizes.iter().zip(layers) {
        middles.push((filled[*layer] + w / 2.0, MARGIN_PX + px(*layer) * row_px + row_px / 2.0));
        filled[*layer] += w + GAP_PX;
    }
    for (arrow, from, to) in arrows {
        let ((x1, y1), (x2, y2)) = (middles[*from], middles[*to]);
        let down = if y2 > y1 { 1.0 } else { -1.0 };
        let (start, end) = (y1 + down * sizes[*from].1 / 2.0, y2 - down * sizes[*to].1 / 2.0);
        arrow.points = vec![(round(x1), round(start)), (round(x2), round(end))];
        arrow.label_at = (round(f64::midpoint(x1, x2)), round(f64::midpoint(start, end)));
    }
    middles
}

fn options() -> LayoutOptions {
    LayoutOptions {
        nodesep: GAP_PX,
        edgesep: 18.0,
        ranksep: 34.0,
        marginx: MARGIN_PX,
        marginy: MARGIN_PX,
        ranker: Ranker::NetworkSimplex,
        ..LayoutOptions::default()
    }
}

/// The ways of the process, with the places of the nodes they join.
/// The longest word on an arrow, in characters: a long condition would tear the picture apart.
const LABEL_CHARS_MAX: usize = 28;

fn short(label: &str) -> String {
    match label.char_indices().nth(LABEL_CHARS_MAX) {
        Some((cut, _)) => format!("{}…", label[..cut].trim_end()),
        None => label.to_owned(),
    }
}

fn arrows(process: &Process) -> Vec<(Arrow, usize, usize)> {
    let places: BTreeMap<&str, usize> =
        process.nodes.iter().enumerate().map(|(at, node)| (node.name.as_str(), at)).collect();
    let mut arrows = Vec::new();
    for (from, node) in process.nodes.iter().enumerate() {
        for way in ways(node) {
            let Some(to) = places.get(way.to.as_str()) else { continue };
            let arrow = Arrow {
                from: node.name.to_string(),
                to: way.to.to_string(),
                label: short(&way.label),
                whole_label: way.label,
                label_at: (0.0, 0.0),
                points: Vec::new(),
                is_error: way.kind == EdgeKind::Error,
                is_limit: way.kind == EdgeKind::Limit,
                is_alarm: way.kind == EdgeKind::Alarm,
            };
            arrows.push((arrow, from, *to));
        }
    }
    arrows
}

fn place(arrow: &mut Arrow, label: Option<&EdgeLabel>) {
    let Some(label) = label else { return };
    arrow.points = label.points.iter().map(|point| (round(point.x), round(point.y))).collect();
    let middle = arrow.points.get(arrow.points.len() / 2).copied().unwrap_or_default();
    arrow.label_at = (label.x.map_or(middle.0, round), label.y.map_or(middle.1, round));
}

fn boxes(process: &Process, places: &[(f64, f64)], arrows: &[Arrow]) -> Vec<NodeBox> {
    let mut layers: Vec<i64> = places.iter().map(|(_, y)| tenths(*y)).collect();
    layers.sort_unstable();
    layers.dedup();
    let mut into: BTreeMap<&str, bool> = BTreeMap::new();
    for arrow in arrows.iter().filter(|arrow| arrow.to != arrow.from) {
        *into.entry(&arrow.to).or_insert(true) &= arrow.is_error || arrow.is_limit || arrow.is_alarm;
    }
    let boxed = |(node, (x, y)): (&Node, &(f64, f64))| {
        let lines = wrapped(&node.title);
        let (w, h) = size(&lines, node.kind_name);
        NodeBox {
            name: node.name.to_string(),
            x: round(*x),
            y: round(*y),
            w,
            h,
            title: node.title.clone(),
            lines,
            kind: node.kind_name.to_owned(),
            layer: layers.partition_point(|layer| *layer < tenths(*y)),
            is_trouble: node.kind.ends_badly() || into.get(node.name.as_str()).copied().unwrap_or(false),
        }
    };
    process.nodes.iter().zip(places).map(boxed).collect()
}

/// The size of a box.
fn size(lines: &[String], kind: &str) -> (f64, f64) {
    let longest = lines.iter().map(|line| line.chars().count()).chain([kind.len()]).max().unwrap_or(0);
    let width = (px(longest) * TITLE_CHAR_PX + BOX_X_PX).max(BOX_MIN_PX);
    (round(width), round(px(lines.len()) * LINE_PX + BOX_Y_PX))
}

/// A title in lines, whole.
fn wrapped(title: &str) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in title.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let line = lines.last().map_or(0, |line| line.chars().count());
            let gap = usize::from(line > 0);
            if line > 0 && line + gap + rest.len().min(LINE_CHARS_MAX) > LINE_CHARS_MAX {
                lines.push(String::new());
                continue;
            }
            let part: String = rest.drain(..rest.len().min(LINE_CHARS_MAX)).collect();
            if let Some(line) = lines.last_mut() {
                line.push_str(&" "[..gap]);
                line.push_str(&part);
            }
        }
    }
    lines
}

fn px(many: usize) -> f64 {
    f64::from(u32::try_from(many).unwrap_or(u32::MAX))
}

/// To a tenth of a pixel: what the eye cannot see need not be sent.
fn round(px: f64) -> f64 {
    if px.is_finite() { (px * 10.0).round() / 10.0 } else { 0.0 }
}

#[expect(clippy::cast_possible_truncation, reason = "a picture is no larger than an i64")]
fn tenths(px: f64) -> i64 {
    (px * 10.0).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::parse::parse_with;
    use crate::process::sample::{HELLO, KINDS};

    fn of(text: &str) -> Layout {
        layout(&parse_with(KINDS, text).unwrap())
    }

    #[test]
    fn boxes_do_not_overlap_and_arrows_join_them() {
        let layout = of(HELLO);
        for (at, one) in layout.nodes.iter().enumerate() {
            for two in &layout.nodes[..at] {
                let apart = (one.x - two.x).abs() >= f64::midpoint(one.w, two.w)
                    || (one.y - two.y).abs() >= f64::midpoint(one.h, two.h);
                assert!(apart, "{} and {}", one.name, two.name);
            }
            assert!(one.x - one.w / 2.0 >= 0.0 && one.x + one.w / 2.0 <= layout.width, "{}", one.name);
            assert!(one.y - one.h / 2.0 >= 0.0 && one.y + one.h / 2.0 <= layout.height, "{}", one.name);
        }
        let near = |name: &str, (x, y): (f64, f64)| {
            let it = layout.nodes.iter().find(|it| it.name == name).unwrap();
            (it.x - x).abs() <= it.w / 2.0 + 1.0 && (it.y - y).abs() <= it.h / 2.0 + 1.0
        };
        for arrow in &layout.edges {
            assert!(near(&arrow.from, arrow.points[0]), "{arrow:?}");
            assert!(near(&arrow.to, *arrow.points.last().unwrap()), "{arrow:?}");
        }
        assert_eq!(layout.nodes[0].layer, 0);
        assert!(layout.nodes.iter().find(|it| it.name == "gone").unwrap().is_trouble);
    }

    #[test]
    fn titles_are_whole() {
        let title = "\"access_token\" doesn't update. Escalation to the process author";
        assert_eq!(wrapped(title).join(" "), title);
        assert!(wrapped(title).iter().all(|line| line.chars().count() <= LINE_CHARS_MAX));
        assert_eq!(wrapped(&"é".repeat(60)).concat(), "é".repeat(60));
        assert_eq!(wrapped(""), [""]);
    }

    /// A ring of nodes with two more ways from each.
    fn ring(more: &[(usize, usize)]) -> String {
        let mut text = "process: p\nnodes:\n  start: {kind: input, next: n0}\n".to_owned();
        let many = more.len();
        for (at, (error, limit)) in more.iter().enumerate() {
            let (next, error, limit) = ((at + 1) % many, error % many, limit % many);
            let limit = format!("limit: {{time: 1h, next: n{limit}}}");
            let ways = format!("next: n{next}, on_error: n{error}, {limit}");
            text = format!("{text}  n{at}: {{kind: http, url: x, {ways}}}\n");
        }
        text
    }

    #[test]
    fn any_process_can_be_laid_out() {
        // Each takes a while without optimization.
        let config = proptest::test_runner::Config::with_cases(24);
        proptest::proptest!(config, |(more in proptest::collection::vec((0..40_usize, 0..40_usize), 1..20))| {
            let layout = of(&ring(&more));
            assert!(layout.width > 0.0 && layout.edges.iter().all(|it| it.points.len() >= 2));
        });
    }

    #[test]
    fn the_largest_process_can_be_laid_out() {
        let more: Vec<(usize, usize)> = (0..999).map(|at| (at / 2, at / 10)).collect();
        assert_eq!(of(&ring(&more)).nodes.len(), 1_000);
    }
}
