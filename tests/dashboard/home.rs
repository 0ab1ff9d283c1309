//! The first page when there is much: every process and every alarm can be reached.

use std::collections::BTreeSet;

use beltline::model::time::Span;
use beltline::outbound::batcher::Grouping;
use serde_json::json;

use crate::dashboard::visitor::Visitor;
use crate::support::house::{House, Plan};

/// More than three pages of processes.
const MANY: usize = 460;
/// More than a page of alarms.
pub(crate) const ALARMS: usize = 40;

const PLAIN: &str = "process: NAME
title: TITLE
nodes:
  start: {kind: input, next: done}
  done: {kind: end}
";

/// A task that tells a person at once.
pub(crate) const TELLS: &str = r#"process: a
nodes:
  start: {kind: input, next: tell}
  tell:
    kind: escalation
    message: "{{task.ref}}"
    notify: [author]
    wait: {for: 1d, next_on_timeout: done}
    next: done
  done: {kind: end}
"#;

#[tokio::test]
async fn every_process_is_reached_page_by_page() {
    let house = House::open().await;
    for at in 0..MANY {
        let text = PLAIN.replace("NAME", &format!("p{at:04}")).replace("TITLE", &format!("Number {at}"));
        house.deploy(&text).await;
    }
    let visitor = Visitor::operator(&house).await;
    let (mut seen, mut path, mut pages) = (BTreeSet::new(), "/dashboard".to_owned(), 0);
    loop {
        let page = visitor.page(&path).await;
        let ids =
            page.split("href=\"/dashboard/p/").skip(1).map(|it| it.split('"').next().unwrap().to_owned());
        seen.extend(ids);
        pages += 1;
        let Some(next) = page.split("href=\"/dashboard?after=").nth(1) else { break };
        path = format!("/dashboard?after={}", next.split(['"', '#']).next().unwrap());
    }
    assert_eq!((seen.len(), pages), (MANY, 4));
    assert!(visitor.page("/dashboard/search?q=p0455").await.contains("Number 455"));
}

#[tokio::test]
async fn every_alarm_is_reached() {
    let at_once = Grouping::new(Span(0), Span(0));
    let house = House::build(Plan { grouping: at_once, ..Plan::default() }).await;
    house.deploy(TELLS).await;
    for at in 0..ALARMS {
        house.submit("a", &format!("t{at}"), json!({})).await;
    }
    house.until("/alarms", |it| it["items"].as_array().unwrap().len() == ALARMS).await;
    let visitor = Visitor::operator(&house).await;
    let first = visitor.page("/dashboard").await;
    assert!(first.contains("and more: 10"), "{first}");
    let next = first.split("href=\"/dashboard?alarms_after=").nth(1).expect("a link to the rest");
    let next = next.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let second = visitor.page(&format!("/dashboard?alarms_after={next}")).await;
    let refs = |page: &str| {
        page.split("<bdi>t")
            .skip(1)
            .map(|it| it.split('<').next().unwrap().to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(refs(&first).union(&refs(&second)).count(), ALARMS);
    assert!(!second.contains("alarms_after="), "there is no third page");
    // The same over the API, with a page that ends exactly with the last.
    let page = house.api("GET", "/alarms?limit=30").send().await.ok(200);
    let rest = format!("/alarms?limit=10&cursor={}", page["next"].as_str().unwrap());
    let rest = house.api("GET", &rest).send().await.ok(200);
    let refs = |page: &serde_json::Value| -> BTreeSet<String> {
        page["items"].as_array().unwrap().iter().map(|it| it["ref"].to_string()).collect()
    };
    assert_eq!(refs(&page).union(&refs(&rest)).count(), ALARMS);
    assert_eq!(rest["next"], json!(null));
    house.api("GET", "/alarms?cursor=x").send().await.problem(422, "bad_cursor");
}
