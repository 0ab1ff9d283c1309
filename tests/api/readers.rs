//! Tools of others read the document of the API, and ask the real binary all that it tells of. `tests/run`
//! installs them, each of a version that is written down.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use beltline::api::router::described;
use reqwest::Client;
use serde_json::{Value, json};

use crate::cli::place::{HELLO, Place, Served};
use crate::support::call::Call;
use crate::support::document::operations;

/// How Schemathesis is used.
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/tools/schemathesis.toml");

/// A tool that `tests/run` has installed.
fn tool(path: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let tool = target.join("api-tools").join(path);
    assert!(
        tool.exists(),
        "`{}` is not installed, so nothing is tested; hint: run tests/run",
        tool.display()
    );
    tool
}

/// The document in a folder of its own, and what the tool says of it.
fn read_by(path: &str, args: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("openapi.json"), described().1.to_json().unwrap()).unwrap();
    let mut command = Command::new(tool(path));
    // Neither asks whether there is a newer one of it, nor tells anybody that it was used.
    command.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    let output = command.args(args).current_dir(folder.path()).output().unwrap();
    let both = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&both).into_owned())
}

#[test]
fn the_validator_finds_the_document_valid() {
    let (good, said) = read_by("venv/bin/openapi-spec-validator", &["openapi.json"]);
    assert!(good, "{said}");
}

#[test]
fn redocly_finds_no_error_and_nothing_to_warn_of_in_the_document() {
    let redocly = "node/node_modules/.bin/redocly";
    let (good, said) = read_by(redocly, &["lint", "--max-problems", "1000", "openapi.json"]);
    assert!(good && said.contains("is valid") && !said.contains("You have"), "{said}");
}

/// An engine with two processes and tasks in them, and tokens.
struct Asked {
    place: Place,
    served: Served,
    base: String,
    operator: String,
}

impl Asked {
    fn open() -> Asked {
        let place = Place::new();
        place.write("processes/other.yaml", &HELLO.replace("process: hello", "process: other"));
        let served = place.serve();
        for (process, reference) in
            [("hello", "1042"), ("hello", "1043"), ("other", "1042"), ("other", "1043")]
        {
            place.ok(&["submit", process, "--ref", reference, "city=Riga", "key=k"]);
        }
        let operator = fs::read_to_string(place.path("data/token")).unwrap().trim().to_owned();
        let base = format!("http://{}", place.address());
        Asked { place, served, base, operator }
    }

    async fn token(&self, scopes: &[&str], processes: Value) -> String {
        // Installed by whichever test is first.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder().no_proxy().build().unwrap();
        let body = json!({"name": "asker", "scopes": scopes, "processes": processes});
        let call = Call::new(&client, "POST", format!("{}/api/v1/tokens", self.base)).token(&self.operator);
        call.json(&body).send().await.ok(201)["token"].as_str().unwrap().to_owned()
    }

    /// Asks all there is with that token, or with none.
    fn by(self, token: Option<&str>) {
        let schema = self.place.path("openapi.json");
        fs::write(&schema, described().1.to_json().unwrap()).unwrap();
        let mut command = Command::new(tool("venv/bin/schemathesis"));
        command.args([
            "--config-file",
            CONFIG,
            "run",
            schema.to_str().unwrap(),
            "--url",
            &self.base,
            "--no-color",
        ]);
        if let Some(token) = token {
            command.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        let output = command.current_dir(self.place.path("data")).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let log = self.served.log();
        assert!(output.status.success(), "{said}\nand the engine said: {log}");
        let config = fs::read_to_string(CONFIG).unwrap();
        let told_of = config.split("[[operations]]").skip(1);
        let left_out = told_of.filter(|it| it.lines().any(|line| line == "enabled = false")).count();
        let tested = format!("{} selected / {} total", operations().len() - left_out, operations().len());
        assert!(said.contains(&tested), "not all were asked, {tested}: {said}");
        assert!(!log.contains("panic"), "{log}");
        assert_eq!(self.served.stop(), Some(0), "and it still does what it is told");
    }
}

#[test]
fn whatever_the_operator_asks_is_answered_as_the_document_says() {
    let asked = Asked::open();
    let operator = asked.operator.clone();
    asked.by(Some(&operator));
}

#[tokio::test]
async fn whatever_a_reader_asks_is_answered_as_the_document_says() {
    let asked = Asked::open();
    let token = asked.token(&["read"], Value::Null).await;
    asked.by(Some(&token));
}

#[tokio::test]
async fn whatever_somebody_asks_who_is_known_in_one_process_is_answered_as_the_document_says() {
    let asked = Asked::open();
    let token = asked.token(&["read", "run", "edit", "secrets"], json!(["hello"])).await;
    asked.by(Some(&token));
}

#[test]
fn whatever_nobody_asks_is_answered_as_the_document_says() {
    Asked::open().by(None);
}
