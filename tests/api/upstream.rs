//! What became of a template since a process was cloned from it.

use std::path::PathBuf;

use beltline::engine::ports::{Collection, Record};
use beltline::model::time::Timestamp;
use beltline::process::parse::version;
use beltline::service::templates::find;
use serde_json::json;
use tempfile::TempDir;

use crate::support::house::{House, Plan};

/// What the template said of its second node when the clone was made, and says now.
pub(crate) const THEN: &str = "about: Tried for a while.";
pub(crate) const NOW: &str = "about: Tried for some hours; a provider may be down that long.";

/// A process that was cloned from `notify-author` as it was once, and changed by its owner.
pub(crate) struct Old {
    pub(crate) house: House,
    folder: TempDir,
    /// The template's version then.
    from: String,
}

impl Old {
    /// `known`: the text of then was kept. `mine`: what the owner has changed, as old and new text.
    pub(crate) async fn new(known: bool, mine: &[(&str, &str)]) -> Old {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan { processes: Some(folder.path().to_owned()), ..Plan::default() };
        let house = House::build(plan).await;
        let template = find("notify-author").unwrap().text;
        let base = template.replace(NOW, THEN);
        assert_ne!(base, template);
        let from = version(&base);
        if known {
            let value = json!({"text": base, "by": "template", "at": Timestamp(0)});
            let name = format!("template:notify-author@{from}");
            let record = Record { collection: Collection::Version, name, value, at: Timestamp(0) };
            house.store.put(vec![record]).await.unwrap();
        }
        let clone = base
            .replace("process: notify-author", "process: tell")
            .replace("title: Notify the author", "title: \"Tell: me\"");
        let clone = mine.iter().fold(clone, |text, (old, new)| {
            assert!(text.contains(old), "{old}");
            text.replace(old, new)
        });
        let old = Old { house, folder, from };
        let clone = format!("# from template notify-author@{}\n{clone}", old.from);
        std::fs::write(old.path(), &clone).unwrap();
        old.house.service.deploy_file(&old.path()).await.unwrap();
        old
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("tell.yaml")
    }

    fn file(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn what_changed_upstream_is_shown_and_merged_with_ones_own_changes() {
    let old = Old::new(true, &[("times: 12", "times: 20"), ("default: Beltline", "default: \"Ours\"")]).await;
    let to = find("notify-author").unwrap().version();
    let diff = old.house.api("GET", "/processes/tell/template").send().await.ok(200);
    assert_eq!((&diff["from"], &diff["to"], &diff["known"]), (&json!(old.from), &json!(to), &json!(true)));
    let shown = diff["diff"].as_str().unwrap();
    assert!(shown.contains(&format!("-    {THEN}\n+    {NOW}\n")) && !shown.contains("times"), "{shown}");

    let (before, path) = (old.file(), "/processes/tell/template/update");
    let would = old.house.api("POST", path).json(&json!({"dry_run": true})).send().await.ok(200);
    assert_eq!((&would["changed"], &would["path"]), (&json!(true), &json!(null)));
    assert_eq!((old.file(), old.files().len()), (before.clone(), 1), "nothing was written");

    let done = old.house.api("POST", path).json(&json!({})).send().await.ok(200);
    let text = old.file();
    assert_eq!(version(&text), done["version"].as_str().unwrap());
    assert_eq!(done["version"], would["version"]);
    for kept in ["times: 20", "default: \"Ours\"", "process: tell", "title: \"Tell: me\"", NOW] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    assert!(text.starts_with(&format!("# from template notify-author@{to}\n")), "{text}");
    assert_eq!(std::fs::read_to_string(done["backup"].as_str().unwrap()).unwrap(), before);
    let process = old.house.api("GET", "/processes/tell").send().await.ok(200);
    assert_eq!((&process["version"], &process["origin"]["version"]), (&done["version"], &json!(to)));
    let again = old.house.api("POST", path).json(&json!({})).send().await.ok(200);
    assert_eq!((&again["changed"], old.files().len()), (&json!(false), 2));
}

#[tokio::test]
async fn what_both_changed_is_listed_and_nothing_is_written() {
    let old = Old::new(true, &[(THEN, "about: Tried as I like it.")]).await;
    let before = old.file();
    let refused = old.house.api("POST", "/processes/tell/template/update").json(&json!({})).send().await;
    let problem = refused.problem(409, "merge_conflicts");
    let conflict = &problem["conflicts"][0];
    let line = before.lines().position(|it| it.contains("Tried as I like it.")).unwrap() + 1;
    assert_eq!(conflict["line"], line);
    assert!(conflict["theirs"].as_str().unwrap().contains(NOW), "{conflict}");
    assert!(problem["detail"].as_str().unwrap().contains(&format!("line {line}")), "{problem}");
    assert!(problem["marked"].as_str().unwrap().contains("<<<<<<< ours"), "{problem}");
    assert_eq!((old.file(), old.files().len()), (before, 1));
}

#[tokio::test]
async fn without_the_text_of_then_it_is_said_and_shown_as_far_as_it_goes() {
    let old = Old::new(false, &[("times: 12", "times: 20")]).await;
    let diff = old.house.api("GET", "/processes/tell/template").send().await.ok(200);
    assert_eq!(diff["known"], false);
    let shown = diff["diff"].as_str().unwrap();
    assert!(shown.contains("times: 20") && shown.contains(NOW) && !shown.contains("-process:"), "{shown}");
    let refused = old.house.api("POST", "/processes/tell/template/update").json(&json!({})).send().await;
    let problem = refused.problem(409, "unknown_base");
    assert!(problem["hint"].as_str().unwrap().contains("templates diff tell"), "{problem}");
}

#[tokio::test]
async fn a_clone_of_today_is_remembered_for_the_day_the_template_changes() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::build(Plan { processes: Some(folder.path().to_owned()), ..Plan::default() }).await;
    house.api("POST", "/templates/notify-author/clone").json(&json!({"as": "tell"})).send().await.ok(201);
    let diff = house.api("GET", "/processes/tell/template").send().await.ok(200);
    assert_eq!((&diff["from"], &diff["diff"]), (&diff["to"], &json!("")));
    let name = format!("template:notify-author@{}", diff["from"].as_str().unwrap());
    let kept = house.store.record(Collection::Version, &name).await.unwrap().expect("the base is kept");
    assert_eq!(kept.value["text"], find("notify-author").unwrap().text);
    let versions = house.api("GET", "/processes/tell/versions").send().await.ok(200);
    assert_eq!(versions["items"].as_array().unwrap().len(), 1, "and is no version of a process");
}

#[tokio::test]
async fn who_is_no_clone_is_told_so_and_rights_are_asked() {
    let house = House::open().await;
    house.deploy("process: own\nnodes: {start: {kind: input, next: done}, done: {kind: end}}").await;
    let refused = house.api("GET", "/processes/own/template").send().await.problem(409, "no_template");
    assert!(refused["hint"].as_str().unwrap().contains("# from template NAME@VERSION"), "{refused}");
    house.api("GET", "/processes/none/template").send().await.problem(404, "no_such_process");
    let reader = house.token("reader", &["read"], None).await;
    let denied = house.api("POST", "/processes/own/template/update").token(&reader).json(&json!({}));
    denied.send().await.problem(403, "denied");
    let stranger = "# from template no-such@1\nprocess: odd\nnodes: \
                    {start: {kind: input, next: done}, done: {kind: end}}";
    house.deploy(stranger).await;
    house.api("GET", "/processes/odd/template").send().await.problem(404, "no_such_template");
}
