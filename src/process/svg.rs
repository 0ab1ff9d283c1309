//! A [`Layout`] as SVG: complete in itself, light or dark as the reader's system is, with a class for
//! everything a page may want to colour.

use std::fmt::Write;

use crate::process::layout::{Arrow, LINE_PX, Layout, NodeBox};

/// The rules of the picture. `$names` are colours of a [`LIGHT`] or a [`DARK`] palette: literal ones, for
/// not every program that shows a picture knows CSS variables.
const RULES: &str = "\
.bl text{fill:$ink;text-anchor:middle}\
.bl .kind{fill:$dim;font-size:11px}\
.bl .node .shape{fill:$box;stroke:$line;stroke-width:1.5}\
.bl .k-input .shape{stroke:$start}\
.bl .k-end .shape{stroke:$end}\
.bl .k-delay .shape,.bl .k-wait .shape{stroke:$rest;stroke-dasharray:6 3}\
.bl .k-http .shape,.bl .k-call .shape,.bl .k-send .shape,.bl .k-each .shape,.bl .k-sql .shape{stroke:$ask}\
.bl .back{fill:$box;stroke:$ask;stroke-width:1.5}\
.bl .k-escalation .shape,.bl .k-raise .shape,.bl .trouble .shape{stroke:$bad}\
.bl .edge path{fill:none;stroke:$line;stroke-width:1.5}\
.bl .edge text{font-size:12px;fill:$dim;paint-order:stroke;stroke:$bg;stroke-width:4px}\
.bl .error path{stroke:$bad;stroke-dasharray:5 4}\
.bl .error text{fill:$bad}\
.bl .limit path{stroke:$rest;stroke-dasharray:2 4}\
.bl .alarm path{stroke:$bad;stroke-dasharray:1 4;stroke-linecap:round}\
.bl .alarm text{fill:$bad}\
.bl marker path{fill:$line}.bl #bl-error path,.bl #bl-alarm path{fill:$bad}.bl #bl-limit path{fill:$rest}";

type Palette = [(&'static str, &'static str); 10];

const FONT: &str = ".bl{font:14px/1 system-ui,-apple-system,'Segoe UI',sans-serif}";

const LIGHT: Palette = [
    ("$bg", "#fff"),
    ("$ink", "#1d2430"),
    ("$dim", "#667085"),
    ("$box", "#f7f8fa"),
    ("$line", "#98a2b3"),
    ("$start", "#1570ef"),
    ("$end", "#067647"),
    ("$bad", "#d92d20"),
    ("$rest", "#7a5af8"),
    ("$ask", "#dc6803"),
];

const DARK: Palette = [
    ("$bg", "#11151c"),
    ("$ink", "#e6e9ef"),
    ("$dim", "#98a2b3"),
    ("$box", "#1b212c"),
    ("$line", "#667085"),
    ("$start", "#53b1fd"),
    ("$end", "#47cd89"),
    ("$bad", "#f97066"),
    ("$rest", "#a48afb"),
    ("$ask", "#fdb022"),
];

/// The style sheet of a picture that stands alone.
pub fn style() -> String {
    let painted = |palette: Palette| {
        palette.into_iter().fold(RULES.to_owned(), |rules, (name, colour)| rules.replace(name, colour))
    };
    let (light, dark) = (painted(LIGHT), painted(DARK));
    format!("{FONT}{light}@media(prefers-color-scheme:dark){{{dark}}}")
}

/// The size of type, and the height of the line with the kind.
const KIND_PX: f64 = 14.0;
/// How far the corners of a condition are cut, and the nose of an escalation sticks out.
const CUT_PX: f64 = 12.0;
/// How far the corners of a stop sign are cut, and how far a box behind another looks out.
const STOP_PX: f64 = 9.0;
const BEHIND_PX: f64 = 4.0;

/// The picture.
pub fn svg(layout: &Layout, title: &str) -> String {
    let Layout { width, height, .. } = layout;
    let mut to = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"bl\" role=\"img\" \
         viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\
         <title>{}</title><style>{}</style><defs>",
        escaped(title),
        style()
    );
    for name in ["plain", "error", "limit", "alarm"] {
        put(
            &mut to,
            format_args!(
                "<marker id=\"bl-{name}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
                 markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">\
                 <path d=\"M0 0L8 4L0 8Z\"/></marker>"
            ),
        );
    }
    to.push_str("</defs>");
    layout.edges.iter().for_each(|arrow| put_arrow(&mut to, arrow));
    layout.nodes.iter().for_each(|node| put_node(&mut to, node));
    layout.edges.iter().for_each(|arrow| put_label(&mut to, arrow));
    to.push_str("</svg>");
    to
}

fn put(to: &mut String, what: std::fmt::Arguments) {
    to.write_fmt(what).expect("a String takes all that is written to it");
}

fn class(arrow: &Arrow) -> &'static str {
    match (arrow.is_error, arrow.is_limit, arrow.is_alarm) {
        (true, ..) => "error",
        (false, true, _) => "limit",
        (false, false, true) => "alarm",
        (false, false, false) => "plain",
    }
}

fn put_arrow(to: &mut String, arrow: &Arrow) {
    let class = class(arrow);
    let (from, into) = (escaped(&arrow.from), escaped(&arrow.to));
    put(
        to,
        format_args!(
            "<g class=\"edge {class}\" data-from=\"{from}\" data-to=\"{into}\"><path d=\"{}\" \
             marker-end=\"url(#bl-{class})\"/></g>",
            curve(&arrow.points)
        ),
    );
}

fn put_label(to: &mut String, arrow: &Arrow) {
    if !arrow.label.is_empty() {
        let (x, y) = arrow.label_at;
        let (class, label, whole) = (class(arrow), escaped(&arrow.label), escaped(&arrow.whole_label));
        let y = y + 4.0;
        put(
            to,
            format_args!(
                "<g class=\"edge {class}\"><title>{whole}</title><text x=\"{x}\" y=\"{y}\">{label}</text></g>"
            ),
        );
    }
}

fn put_node(to: &mut String, node: &NodeBox) {
    let trouble = if node.is_trouble { " trouble" } else { "" };
    let (name, kind) = (escaped(&node.name), escaped(&node.kind));
    put(to, format_args!("<g class=\"node k-{kind}{trouble}\" data-node=\"{name}\">"));
    put(to, format_args!("<title>{name}: {kind}</title>"));
    put_shape(to, node);
    let top = node.y - node.h / 2.0;
    put(to, format_args!("<text class=\"kind\" x=\"{}\" y=\"{:.1}\">{kind}</text>", node.x, top + KIND_PX));
    for (at, line) in node.lines.iter().enumerate() {
        let y = top + KIND_PX + LINE_PX * f64::from(u32::try_from(at + 1).unwrap_or(u32::MAX)) - 1.0;
        put(to, format_args!("<text x=\"{}\" y=\"{y:.1}\">{}</text>", node.x, escaped(line)));
    }
    to.push_str("</g>");
}

/// Each sort of kind has its outline: where tasks enter and leave is round, what decides is cut, what tells a
/// person has a nose, what rests is rounded, what raises a fault is a stop sign, what asks many times has
/// another box behind it; all else is a box.
fn put_shape(to: &mut String, node: &NodeBox) {
    let (x, y) = (node.x - node.w / 2.0, node.y - node.h / 2.0);
    let (right, below) = (x + node.w, y + node.h);
    let middle = node.y;
    let cut = CUT_PX;
    let outline = match node.kind.as_str() {
        "condition" => {
            [(x + cut, y), (right - cut, y), (right, middle), (right - cut, below), (x + cut, below)]
                .into_iter()
                .chain([(x, middle)])
                .collect()
        }
        "escalation" | "notify" => {
            vec![(x, y), (right - cut, y), (right, middle), (right - cut, below), (x, below)]
        }
        "raise" => {
            let (left, cut) = (x, STOP_PX);
            let (far, low) = (right - cut, below - cut);
            let upper = [(left + cut, y), (far, y), (right, y + cut), (right, low)];
            upper
                .into_iter()
                .chain([(far, below), (left + cut, below), (left, low), (left, y + cut)])
                .collect()
        }
        _ => Vec::new(),
    };
    if !outline.is_empty() {
        let points: Vec<String> = outline.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        put(to, format_args!("<polygon class=\"shape\" points=\"{}\"/>", points.join(" ")));
        return;
    }
    let radius = match node.kind.as_str() {
        "input" | "end" => node.h / 2.0,
        "delay" | "wait" => CUT_PX,
        _ => 3.0,
    };
    if node.kind == "each" {
        put_box(to, "back", (x + BEHIND_PX, y + BEHIND_PX), (node.w, node.h), radius);
    }
    put_box(to, "shape", (x, y), (node.w, node.h), radius);
    if node.kind == "end" {
        put_box(to, "shape", (x + 4.0, y + 4.0), (node.w - 8.0, node.h - 8.0), radius - 4.0);
    }
}

fn put_box(to: &mut String, class: &str, (x, y): (f64, f64), (w, h): (f64, f64), radius: f64) {
    put(
        to,
        format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" \
             width=\"{w:.1}\" height=\"{h:.1}\" rx=\"{radius:.1}\"/>"
        ),
    );
}

/// A smooth line near the points, from the first to the last: a uniform cubic B-spline.
fn curve(points: &[(f64, f64)]) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return "M0 0".to_owned() };
    let mut path = format!("M{} {}", first.0, first.1);
    let mix = |a: (f64, f64), b: (f64, f64), part: f64| (a.0 + (b.0 - a.0) * part, a.1 + (b.1 - a.1) * part);
    if points.len() > 2 {
        let start = mix(*first, points[1], 1.0 / 6.0);
        put(&mut path, format_args!("L{:.1} {:.1}", start.0, start.1));
        for pair in points.windows(3) {
            let (a, b) = (mix(pair[0], pair[1], 2.0 / 3.0), mix(pair[1], pair[2], 1.0 / 3.0));
            let near = mix(pair[0], pair[1], 1.0 / 3.0);
            let end = mix(a, b, 0.5);
            put(
                &mut path,
                format_args!("C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}", near.0, near.1, a.0, a.1, end.0, end.1),
            );
        }
    }
    put(&mut path, format_args!("L{} {}", last.0, last.1));
    path
}

/// Text as XML and HTML show it; characters that XML cannot hold are left out.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\u{FFFE}' | '\u{FFFF}' => {}
            it if it.is_control() => {}
            it => safe.push(it),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::layout::layout;
    use crate::process::parse::parse_with;
    use crate::process::sample::{HELLO, KINDS};

    #[test]
    fn a_process_is_a_picture() {
        let process = parse_with(KINDS, HELLO).unwrap();
        let svg = svg(&layout(&process), &process.title);
        assert!(svg.contains("&quot;whatever&quot;") && svg.contains("&lt;it&gt;") && !svg.contains("<it>"));
        assert!(svg.contains("prefers-color-scheme") && svg.contains("class=\"edge error\""));
        assert!(well_formed(&svg));
    }

    #[test]
    fn what_asks_many_times_and_what_raises_a_fault_have_outlines_of_their_own() {
        let node = |kind: &str| NodeBox {
            name: "n".to_owned(),
            kind: kind.to_owned(),
            title: "N".to_owned(),
            layer: 0,
            lines: vec!["N".to_owned()],
            x: 50.0,
            y: 30.0,
            w: 80.0,
            h: 40.0,
            is_trouble: false,
        };
        let drawn = |kind: &str| {
            let mut to = String::new();
            put_node(&mut to, &node(kind));
            to
        };
        let each = drawn("each");
        assert!(each.contains("k-each") && each.matches("<rect").count() == 2, "{each}");
        assert!(each.find("class=\"back\"") < each.find("class=\"shape\""), "{each}");
        let raise = drawn("raise");
        assert!(raise.contains("k-raise") && raise.contains("<polygon class=\"shape\""), "{raise}");
        let points = raise.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(points.split(' ').count(), 8, "{points}");
        for rule in [".bl .k-each .shape", ".bl .k-raise .shape"] {
            assert_eq!(style().matches(rule).count(), 2, "{rule}: light and dark");
        }
    }

    /// Whether every tag is closed by its like.
    fn well_formed(xml: &str) -> bool {
        let mut open = Vec::new();
        for tag in xml.split('<').skip(1).filter_map(|it| it.split('>').next()) {
            match (tag.strip_prefix('/'), tag.ends_with('/')) {
                (Some(name), _) if open.pop() != Some(name) => return false,
                (Some(_), _) | (None, true) => {}
                (None, false) => open.push(tag.split(' ').next().unwrap_or_default()),
            }
        }
        open.is_empty()
    }

    #[test]
    fn text_cannot_break_out() {
        assert_eq!(escaped("a\u{1b}<b c=\"d\">&'\u{FFFF}"), "a&lt;b c=&quot;d&quot;&gt;&amp;&#39;");
    }
}
