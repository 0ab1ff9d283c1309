//! How the dashboard does: [`pages`] on a full store, and what open [`dashboards`] cost the engine.

use anyhow::{Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::browse::Browse;
use crate::cli::load::{LoadPlan, instant};
use crate::cli::remote::{Remote, encoded, process_path};
use crate::cli::stream::send;

/// How many processes there are.
const PROCESSES: u64 = 1_000;
/// How many of them are deployed at once.
const DEPLOYS_MAX: usize = 8;
/// How many tasks go in one request, and how many requests are under way.
const PIECE: u64 = 1_000;
const PIECES_MAX: usize = 4;
/// One task in so many is in the first process; the others have equal parts.
const FIRST_PART: u64 = 10;
/// How often each page is asked for.
const LOOKS: usize = 200;
/// How many pages are asked for at once.
const READERS: usize = 4;
/// How many dashboards are open.
const OPEN: usize = 200;
/// How often it is measured with them and without them.
const ROUNDS: usize = 3;

fn id(at: u64) -> String {
    format!("bench-{at:04}")
}

/// Fills the store with a thousand processes, made of `text`, and with `tasks`, then asks for every kind of
/// page. Times are from the request to the last byte; a weight is that of the page, its style and script.
pub async fn pages(remote: &Remote, text: &str, tasks: u64) -> Result<Value> {
    let begin = instant();
    fill(remote, text, tasks).await?;
    let filled_s = begin.elapsed().as_secs_f64();
    let browse = Browse::login(remote).await?;
    let (mut all, mut slowest, mut heaviest) = (Vec::new(), 0.0_f64, 0.0_f64);
    let mut times = Histogram::<u64>::new(3)?;
    for path in paths() {
        let own = measure(&browse, &path).await?;
        times.add(&own)?;
        let kib = kib(browse.weight(&browse.page(&path).await?).await?);
        let p99 = millis(own.value_at_quantile(0.99));
        (slowest, heaviest) = (slowest.max(p99), heaviest.max(kib));
        all.push(
            json!({"page": path, "p50_ms": millis(own.value_at_quantile(0.5)), "p99_ms": p99, "kib": kib}),
        );
    }
    Ok(json!({
        "processes": PROCESSES, "tasks": tasks, "filled_s": filled_s, "count": times.len(),
        "p50_ms": millis(times.value_at_quantile(0.5)), "p99_ms": millis(times.value_at_quantile(0.99)),
        "slowest_page_p99_ms": slowest, "heaviest_page_kib": heaviest, "pages": all,
    }))
}

async fn fill(remote: &Remote, text: &str, tasks: u64) -> Result<()> {
    let deploys = stream::iter(0..PROCESSES).map(async |at| {
        let own = text.replacen("bench-pages", &id(at), 1);
        let request = remote.request(reqwest::Method::PUT, &process_path(&id(at)));
        remote.json(request.body(own).header("content-type", "application/yaml")).await
    });
    deploys.buffer_unordered(DEPLOYS_MAX).try_collect::<Vec<_>>().await?;
    let bar = ProgressBar::new(tasks);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} tasks {eta}")?);
    let first = tasks / FIRST_PART;
    let each = (tasks - first) / (PROCESSES - 1);
    let pieces = (0..PROCESSES).flat_map(|at| {
        let own = if at == 0 { tasks - each * (PROCESSES - 1) } else { each };
        (0..own.div_ceil(PIECE)).map(move |piece| (at, piece * PIECE, own.min((piece + 1) * PIECE)))
    });
    let sent = stream::iter(pieces).map(async |(at, from, to)| {
        let lines = (from..to).map(|it| json!({"ref": format!("order-{it}")}).to_string());
        let answers = send(remote, &id(at), lines.collect::<Vec<_>>().join("\n"), None).await?;
        match answers.iter().find_map(|it| it.get("error")) {
            Some(error) => bail!("a task was refused: {error}"),
            None => Ok(answers.len() as u64),
        }
    });
    let mut sent = sent.buffer_unordered(PIECES_MAX);
    while let Some(taken) = sent.next().await {
        bar.inc(taken?);
    }
    bar.finish_and_clear();
    Ok(())
}

/// One of every kind of page that grows with what there is.
fn paths() -> Vec<String> {
    let (many, few) = (format!("/dashboard/p/{}", id(0)), format!("/dashboard/p/{}", id(PROCESSES / 2)));
    let task = |of: &str, reference: &str| format!("{of}/task?ref={}", encoded(reference));
    let of = |base: &str, rest: &str| format!("{base}{rest}");
    vec![
        "/dashboard".to_owned(),
        many.clone(),
        of(&many, "?node=wait&state=waiting"),
        of(&many, "?ref=order-99"),
        few.clone(),
        task(&many, "order-77"),
        task(&few, "order-77"),
        of(&few, "/add"),
        of(&few, "/yaml"),
        of(&few, "/edit"),
        "/dashboard/search?q=bench-07".to_owned(),
        "/dashboard/search?q=order-7".to_owned(),
        "/dashboard/search?q=nothing-like-that".to_owned(),
        "/dashboard/templates".to_owned(),
        "/dashboard/templates/bitrix-oauth".to_owned(),
        "/dashboard/channels".to_owned(),
        "/dashboard/users".to_owned(),
        "/dashboard/audit".to_owned(),
        "/dashboard/about".to_owned(),
    ]
}

async fn measure(browse: &Browse, path: &str) -> Result<Histogram<u64>> {
    let looks = stream::iter(0..LOOKS).map(async |_| {
        let begin = instant();
        browse.page(path).await.map(|_| begin.elapsed())
    });
    let mut times = Histogram::new(3)?;
    let mut looks = looks.buffer_unordered(READERS);
    while let Some(took) = looks.next().await {
        times.record(u64::try_from(took?.as_micros())?)?;
    }
    Ok(times)
}

/// Measures `load` without and with open dashboards, in turn. Half of them show the home page, half the page
/// of the process `id`.
pub async fn dashboards(remote: &Remote, load: &LoadPlan, id: &str) -> Result<Value> {
    let browse = Browse::login(remote).await?;
    let process = format!("/dashboard/p/{id}");
    let paths = [
        ("/dashboard".to_owned(), "/dashboard/events".to_owned()),
        (process, format!("/dashboard/events?process={id}")),
    ];
    let (mut alone, mut watched, mut looks) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        alone.push(load.run().await?.rate());
        let open = browse.open(OPEN, &paths).await?;
        watched.push(load.run().await?.rate());
        looks += open.looks();
    }
    let (alone, watched) = (middle(alone), middle(watched));
    Ok(json!({
        "dashboards": OPEN, "looks": looks, "alone_per_s": alone, "per_s": watched,
        "cost_percent": (1.0 - watched / alone) * 100.0,
    }))
}

fn middle(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn millis(micros: u64) -> f64 {
    u32::try_from(micros).map_or(f64::MAX, f64::from) / 1_000.0
}

fn kib(bytes: u64) -> f64 {
    u32::try_from(bytes).map_or(f64::MAX, f64::from) / 1024.0
}
