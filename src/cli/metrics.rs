//! What is counted and measured, each with its help: the list that `/metrics` and the manual are made of.

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::api::app::Metrics;

/// How a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows, from the start of the program on.
    Counter,
    /// It is what it is now.
    Gauge,
    /// Single values, told as quantiles with their sum and number.
    Histogram,
}
use MetricKind::{Counter, Gauge, Histogram};

/// All that the program measures: its name, how it counts, and what it is. The lives of values come beside
/// them, with helps of their own.
pub const METRICS: [(&str, MetricKind, &str); 33] = [
    ("beltline_ready", Gauge, "1 if the runner's heart beats and the store takes writes"),
    (
        "beltline_runner_heartbeat_age_seconds",
        Gauge,
        "since when the heart has not been seen to beat; 0 if it does",
    ),
    ("beltline_store_writable", Gauge, "1 if the store takes writes"),
    ("beltline_store_bytes", Gauge, "what the files of the store take on the disk"),
    ("beltline_store_damaged", Gauge, "rows that cannot be read and were set aside"),
    (
        "beltline_store_checked_seconds",
        Gauge,
        "when the last check opened every row of the store, in Unix seconds",
    ),
    ("beltline_store_checked_rows", Gauge, "how many rows that check opened"),
    ("beltline_disk_free_bytes", Gauge, "what is free on the disk of the data folder"),
    ("beltline_disk_low", Gauge, "1 if new work is refused as there is no room for it, else 0"),
    (
        "beltline_processes_unsettled",
        Gauge,
        "processes that wait for the store, to be as it has them and to have their tasks woken",
    ),
    ("beltline_alarms_open", Gauge, "open alarms, at any number"),
    ("beltline_alarms_undelivered", Gauge, "open alarms that were told to nobody, at any number"),
    ("beltline_channel_failing", Gauge, "1 if the last message of that `channel` did not arrive"),
    (
        "beltline_channel_failing_since_seconds",
        Gauge,
        "since when it fails, in Unix seconds; 0 if it does not",
    ),
    ("beltline_channel_delivered_seconds", Gauge, "when it delivered last, in Unix seconds"),
    (
        "beltline_watchdog_open",
        Gauge,
        "values that need a person, and of which their processes have told nobody",
    ),
    (
        "beltline_watchdog_looked_seconds",
        Gauge,
        "when the watchdog looked last, in Unix seconds: it does every five seconds",
    ),
    ("beltline_watchdog_panics_total", Counter, "looks of the watchdog that panicked; it stays at 0"),
    ("beltline_waiters", Gauge, "what is held in memory for those who wait for a task; 0 when nobody does"),
    ("beltline_effects_waiting", Gauge, "requests and messages that wait for their turn"),
    ("beltline_batch_items", Histogram, "how many items were committed together"),
    ("beltline_lateness_seconds", Histogram, "how long after its moment a task that was due was taken up"),
    (
        "beltline_evaluation_seconds",
        Histogram,
        "how long those decisions took that were too long to be made in passing",
    ),
    (
        "beltline_evaluations_apart",
        Gauge,
        "how many of them are under way or wait, at most 5,000 or 64 MiB of params; more stays in the store",
    ),
    (
        "beltline_slow_evaluations_total",
        Counter,
        "decisions that took 250 ms and more, by `process` and `node`; the log has the expression",
    ),
    (
        "beltline_answers_fenced_total",
        Counter,
        "answers that came when another engine had the task already, and were not written",
    ),
    ("beltline_clock_steps_total", Counter, "how often the clock of the machine was set, by `way`"),
    (
        "beltline_schedule_times_total",
        Counter,
        "planned times by `process`, `schedule` and `outcome`: `submitted` or `left_out`",
    ),
    ("beltline_hook_requests_total", Counter, "requests to named hooks by `process`, `hook` and `outcome`"),
    (
        "beltline_connections_refused_total",
        Counter,
        "connections from addresses that had their share already",
    ),
    ("beltline_panics_total", Counter, "decisions of the engine that panicked; it stays at 0"),
    ("beltline_unwritable_total", Counter, "tasks that the store cannot write; it stays at 0"),
    ("beltline_set_aside_total", Counter, "tasks under which the engine died twice; it stays at 0"),
];

/// What was counted.
static COUNTS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Begins to count; gives what was counted as text. The counts are of this process, whatever runs in it.
pub fn begin() -> Result<Metrics> {
    if COUNTS.get().is_none() {
        let counts = PrometheusBuilder::new().install_recorder().context("the metrics do not begin")?;
        describe();
        // Somebody was faster, and counts for all.
        drop(COUNTS.set(counts));
    }
    let render = |counts: &PrometheusHandle| {
        counts.run_upkeep();
        counts.render()
    };
    Ok(Arc::new(move || COUNTS.get().map(render).unwrap_or_default()))
}

/// Sums up what was measured. Without it every single value is kept until somebody asks for the metrics,
/// which may be never.
pub fn sum_up() {
    if let Some(counts) = COUNTS.get() {
        counts.run_upkeep();
    }
}

fn describe() {
    for (name, way, help) in METRICS {
        match way {
            Counter => metrics::describe_counter!(name, help),
            Gauge => metrics::describe_gauge!(name, help),
            Histogram => metrics::describe_histogram!(name, help),
        }
    }
}

/// The manual's table of metrics.
pub fn table() -> String {
    let mut text = "| metric | is |\n|---|---|\n".to_owned();
    for (name, _, help) in METRICS {
        // Writing to a string does not fail.
        let _ = writeln!(text, "| `{name}` | {help} |");
    }
    text
}
