//! The small ones: `notify-author`, and `hello` among the processes that are shipped.

use beltline::model::fault::Fault;
use beltline::model::task::State;
use beltline::model::time::Span;
use serde_json::json;

use crate::simulation::partners::Scripted;
use crate::simulation::universe::{Universe, process, template};

#[test]
fn every_shipped_text_is_without_problems_and_explains_every_node() {
    for folder in ["templates", "processes"] {
        let folder = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let process = process(&text);
            assert_eq!(path.file_stem().unwrap().to_str().unwrap(), process.id.as_str());
            assert!(!process.title.is_empty() && !process.about.is_empty(), "{}", process.id);
            for node in &process.nodes {
                assert!(!node.about.is_empty(), "{}/{} says nothing about itself", process.id, node.name);
                assert_ne!(node.title, node.name.to_string(), "{}/{}", process.id, node.name);
            }
            for param in &process.params {
                assert!(!param.about.is_empty(), "{}: {}", process.id, param.name);
            }
            assert!(text.lines().all(|line| line.chars().count() <= 120), "{}", path.display());
        }
    }
}

const ASKER: &str = r#"
process: asker
nodes:
  start: {kind: input, next: ask}
  ask:
    kind: call
    process: notify-author
    params: {message: "the kettle is on"}
    timeout: 1d
    next: good
    on_error: bad
  good: {kind: end, result: "{{notified}}"}
  bad: {kind: end, ok: false, result: "{{fault.code}}"}
"#;

#[test]
fn notify_author_tells_and_answers() {
    let partner = Box::new(Scripted::new(Vec::new()));
    let mut universe = Universe::new(partner, &[ASKER, &template("notify-author")]);
    universe.submit("asker/a", json!({}));
    universe.run(Span::mins(1));
    assert_eq!(universe.task("asker/a").result, Some(json!(true)));
    universe.edges.author().deaf = Some(Fault::passing("not_delivered", "no channel delivered"));
    universe.submit("asker/b", json!({}));
    universe.run(Span::hours(1));
    assert_eq!(universe.node("asker/b"), "ask", "a provider may be down for some hours");
    universe.run(Span::hours(23));
    assert_eq!((universe.task("asker/b").state, universe.node("asker/b").as_str()), (State::Failed, "bad"));
    assert_eq!(universe.task("asker/b").result, Some(json!("not_delivered")));
}

#[test]
fn hello_greets_and_rests() {
    let text =
        std::fs::read_to_string(format!("{}/processes/hello.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut universe = Universe::new(Box::new(Scripted::new(Vec::new())), &[&text]);
    universe.submit("hello/a", json!({"name": "Ada", "times": 3}));
    universe.run(Span::secs(1));
    assert_eq!(universe.node("hello/a"), "breathe");
    universe.run(Span::mins(1));
    let hello = "Hello, Ada!";
    assert_eq!(universe.task("hello/a").result, Some(json!([hello, hello, hello])));
}
