//! [`Chart`]: how many tasks came in and ended in each of the last 24 hours, as bars above and below a line,
//! and as numbers.

use std::fmt::Write;

use crate::dashboard::show::When;
use crate::dashboard::words::Words;
use crate::service::flow::{FlowView, HourView};

/// How high the tallest bar is, and how wide a bar is with its gap.
const BAR_PX: f64 = 60.0;
const STEP_PX: f64 = 30.0;
const GAP_PX: f64 = 4.0;

/// What came in and what ended, ready to be shown.
pub(super) struct Chart {
    /// The picture; none if nothing happened.
    pub(super) svg: Option<String>,
    pub(super) hour: HourView,
    /// The most in one hour, in and out.
    pub(super) most: (u64, u64),
    /// In and out in all hours.
    pub(super) sum: (u64, u64),
    pub(super) rows: Vec<Row>,
    /// From when on it is counted, if that is less than a day ago.
    pub(super) since: Option<When>,
}

/// An hour, in numbers.
pub(super) struct Row {
    pub(super) from: When,
    pub(super) it: HourView,
}

impl Chart {
    pub(super) fn new(w: &Words, flow: &FlowView) -> Chart {
        let hours = &flow.hours;
        let most = |it: fn(&HourView) -> u64| hours.iter().map(it).max().unwrap_or(0);
        let sum = |it: fn(&HourView) -> u64| hours.iter().map(it).sum::<u64>();
        let most = (most(|it| it.came), most(|it| it.ended));
        let sum = (sum(|it| it.came), sum(|it| it.ended));
        let none = HourView { from: String::new(), came: 0, ended: 0, failed: 0 };
        let told = hours.last().is_some_and(|it| it.from >= flow.since);
        Chart {
            svg: (sum != (0, 0)).then(|| drawn(w, hours, most)),
            hour: hours.first().cloned().unwrap_or(none),
            most,
            sum,
            rows: hours.iter().map(|it| Row { from: When(it.from.clone()), it: it.clone() }).collect(),
            since: (!told).then(|| When(flow.since.clone())),
        }
    }
}

/// The oldest hour is on the left. What came in stands above the line, what ended hangs below: they are told
/// apart without colours.
fn drawn(w: &Words, hours: &[HourView], most: (u64, u64)) -> String {
    let wide = STEP_PX * f64::from(u32::try_from(hours.len()).unwrap_or(u32::MAX));
    let whole = most.0.max(most.1).max(1);
    let up = part(most.0, whole).max(0.08) * BAR_PX;
    let down = part(most.1, whole).max(0.08) * BAR_PX;
    let mut to = format!(
        "<svg viewBox=\"0 0 {wide} {:.1}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
        up + down + 1.0
    );
    for (at, it) in hours.iter().rev().enumerate() {
        let x = STEP_PX * f64::from(u32::try_from(at).unwrap_or(0)) + GAP_PX / 2.0;
        bars(&mut to, w, it, (x, up, whole)).expect("a String takes all that is written to it");
    }
    write!(to, "<path class=\"axis\" d=\"M0 {up:.1}H{wide}\"/></svg>")
        .expect("a String takes all that is written to it");
    to
}

fn bars(to: &mut String, w: &Words, it: &HourView, (x, up, whole): (f64, f64, u64)) -> std::fmt::Result {
    let high = |many: u64| if many == 0 { 0.0 } else { (part(many, whole) * BAR_PX).max(1.5) };
    let wide = STEP_PX - GAP_PX;
    let (came, ended, failed) = (high(it.came), high(it.ended), high(it.failed));
    // Moments are written by this program.
    let from = it.from.get(..16).unwrap_or_default().replace('T', " ");
    write!(to, "<g><title>{from} UTC: {} {}, {} {}", it.came, w.flow_in, it.ended, w.flow_out)?;
    if it.failed > 0 {
        write!(to, " ({} {})", it.failed, w.flow_failed)?;
    }
    write!(
        to,
        "</title><rect class=\"hover\" x=\"{x}\" y=\"0\" width=\"{wide}\" height=\"{}\"/>",
        BAR_PX * 2.0
    )?;
    for (class, y, height) in
        [("in", up - came, came), ("out", up, ended), ("failed", up + ended - failed, failed)]
    {
        if height > 0.0 {
            write!(
                to,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y:.1}\" width=\"{wide}\" height=\"{height:.1}\"/>"
            )?;
        }
    }
    to.write_str("</g>")
}

#[expect(clippy::cast_precision_loss, reason = "a bar has some tens of pixels")]
fn part(many: u64, whole: u64) -> f64 {
    many as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::words::ENGLISH;

    fn flow(hours: &[[u64; 3]]) -> FlowView {
        let hour = |(at, [came, ended, failed]): (usize, &[u64; 3])| HourView {
            from: format!("2026-11-05T{:02}:00:00Z", 23 - at),
            came: *came,
            ended: *ended,
            failed: *failed,
        };
        FlowView {
            process: "shop".to_owned(),
            since: "2026-11-05T22:30:00Z".to_owned(),
            hours: hours.iter().enumerate().map(hour).collect(),
        }
    }

    #[test]
    fn what_came_stands_above_the_line_and_what_ended_below() {
        let chart = Chart::new(&ENGLISH, &flow(&[[5, 10, 10], [10, 0, 0]]));
        let svg = chart.svg.unwrap();
        assert!(svg.contains("<rect class=\"in\" x=\"2\" y=\"0.0\" width=\"26\" height=\"60.0\"/>"), "{svg}");
        assert!(
            svg.contains("<rect class=\"out\" x=\"32\" y=\"60.0\" width=\"26\" height=\"60.0\"/>"),
            "{svg}"
        );
        assert!(svg.contains("<title>2026-11-05 23:00 UTC: 5 in, 10 out (10 failed)</title>"), "{svg}");
        assert_eq!((chart.most, chart.sum, chart.hour.came), ((10, 10), (15, 10), 5));
        assert!(chart.since.is_some());
    }

    #[test]
    fn where_nothing_happened_there_is_no_picture() {
        assert!(Chart::new(&ENGLISH, &flow(&[[0, 0, 0]; 24])).svg.is_none());
    }
}
