//! What people type, paste and pipe.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::cli::place::{Place, until};

const PEM: &str = "-----BEGIN KEY-----\nbWFkZSB1cA==\n-----END KEY-----\n";
/// Gives back its params; ends badly if it is told to.
const ECHO: &str = "process: echo\nparams:\n  n: {type: integer}\n  price: {type: number}\n  \
                    on: {type: boolean}\n  list: {type: array}\n  name: {type: string}\n  \
                    k: {secret: true}\n  bad: {type: boolean, default: false}\nnodes:\n  \
                    start: {kind: input, next: which}\n  \
                    which: {kind: condition, branches: [{when: \"bad\", next: failed}], else: done}\n  \
                    done: {kind: end}\n  failed: {kind: end, ok: false}\n";

fn place() -> Place {
    let place = Place::new();
    place.write("processes/echo.yaml", ECHO);
    place
}

#[test]
fn a_value_is_what_the_process_says_it_is() {
    let place = place();
    let _served = place.serve();
    let pairs = ["n=5", "price=1.5", "on=true", "list=[1, \"a\"]", "name=007", "other=5", "exact:=5"];
    let task = place.json(&[&["submit", "echo", "--ref", "r"][..], &pairs].concat());
    assert_eq!(
        task["params"],
        serde_json::json!({"n": 5, "price": 1.5, "on": true, "list": [1, "a"], "name": "007", "other": "5",
            "exact": 5, "bad": false}),
        "{task}"
    );
    let wrong = place.run(&["submit", "echo", "n=five"]);
    wrong.failed(1, &["`n`", "is a text, not a whole number"]);
    assert!(!wrong.err.contains("quotes"), "nobody wrote any: {wrong:?}");
    place.run(&["submit", "echo", "n:=\"5\""]).failed(1, &["without quotes in JSON, with `:=`"]);
}

#[test]
fn who_waits_for_a_task_is_told_by_the_exit_code_how_it_ended() {
    let place = place();
    let _served = place.serve();
    let good = place.run(&["submit", "echo", "--wait", "20s"]);
    assert_eq!(good.code, Some(0), "{good:?}");
    let bad = place.run(&["submit", "echo", "--ref", "r", "--wait", "20s", "bad=true"]);
    bad.failed(1, &["error: echo/r failed at failed"]);
    assert!(bad.out.contains("failed"), "its timeline is shown all the same: {bad:?}");
    let unwaited = place.run(&["submit", "echo", "bad=true"]);
    assert_eq!(unwaited.code, Some(0), "{unwaited:?}");
}

#[test]
fn stdin_is_taken_whole_or_refused() {
    let place = place();
    let _served = place.serve();
    let kept = |reference: &str, stdin: &str, pairs: &[&str]| {
        let ran = place.run_with(&[&["submit", "echo", "--ref", reference], pairs].concat(), stdin);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        place.ok(&["get", "echo", reference, "k"])
    };
    assert_eq!(kept("pem", PEM, &["k=-"]), PEM);
    assert_eq!(kept("line", "abc\n", &["k=-"]), "abc");
    assert_eq!(kept("windows", "\u{feff}abc\r\n", &["k=-"]), "abc");
    assert_eq!(kept("two", "one\nabc\n", &["name=-", "k=-"]), "abc");
    let more = place.run_with(&["submit", "echo", "name=-", "k=-"], "one\ntwo\nthree\n");
    more.failed(2, &["more than the 2 lines"]);
    place.run_with(&["submit", "echo", "k=-"], "").failed(2, &["stdin has nothing for `k`"]);
}

#[test]
fn a_secret_is_all_that_is_piped() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let place = Place::new();
    place.write(
        "processes/post.yaml",
        &format!(
            "process: post\nnodes:\n  start: {{kind: input, next: ask}}\n  ask: {{kind: http, \
             url: \"http://127.0.0.1:{port}/\", body: \"{{{{secret.pem}}}}\", next: done}}\n  \
             done: {{kind: end}}\n"
        ),
    );
    let _served = place.serve_with(&["--allow-address", "127.0.0.0/8"]);
    assert_eq!(place.run_with(&["secret", "set", "pem"], PEM).code, Some(0));
    place.run_with(&["secret", "set", "none"], "").failed(2, &["stdin has nothing for `none`"]);
    place.ok(&["submit", "post"]);
    let (mut stream, _) = listener.accept().unwrap();
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&seen).ends_with(PEM) {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "all of it: {}", String::from_utf8_lossy(&seen));
        seen.extend(&buffer[..read]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
}

#[test]
fn a_token_in_a_variable_may_have_a_line_break_behind_it() {
    let place = place();
    let _served = place.serve();
    let token = std::fs::read_to_string(place.path("data/token")).unwrap();
    let address = format!("http://{}", place.address());
    let beside = Place::new().env("BELTLINE_TOKEN", &format!("{token}\r\n"));
    let list = beside.run(&["list", "--server", &address]);
    assert_eq!(list.code, Some(0), "{list:?}");
}

#[test]
fn a_tilde_is_a_home_or_told() {
    let place = place();
    let home = place.path("home").display().to_string();
    let place = place.env("HOME", &home);
    let config = place.json(&["config", "--data=~/d"]);
    assert_eq!(config["data"]["value"], format!("{home}/d"));
    place.run(&["config", "--data=~ada/d"]).failed(2, &["`~ada/d`", "write the whole path"]);
    place.write("beltline.yaml", "data: ~/from-file\n");
    assert_eq!(place.json(&["config"])["data"]["value"], format!("{home}/from-file"));
}

#[test]
fn what_cannot_be_served_is_refused_at_the_start() {
    let place = place();
    let start = |args: &[&str]| place.run(&[&["serve", "--listen", "127.0.0.1:0"], args].concat());
    start(&["--public-url", "https://b.example.org/flow"]).failed(2, &["the root of a host"]);
    for (channel, word) in [
        ("{via: telegram, chat_id: 1, tokn: x}", "there is no setting `tokn`"),
        ("{via: telegram, chat_id: 1}", "the setting `token` is missing"),
        ("{via: webhook, url: not a url}", "is no URL"),
        ("{via: smtp, host: h, from: a@b.c, to: d@e.f, port: x}", "`x` is no port"),
    ] {
        place.write("beltline.yaml", &format!("channels: {{author: {channel}}}\n"));
        start(&[]).failed(1, &["channel `author`", word]);
    }
}

#[test]
fn a_process_file_is_read_as_it_was_saved() {
    let place = place();
    let served = place.serve();
    let deployed = |id: &str| until(id, || (place.run(&["processes", id]).code == Some(0)).then_some(()));
    let text = ECHO.replace("process: echo", "process: marked");
    place.write("processes/marked.yaml", &format!("\u{feff}{text}"));
    deployed("marked");
    let wide: Vec<u8> = std::iter::once(0xfeff)
        .chain(ECHO.replace("process: echo", "process: wide").encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    std::fs::write(place.path("wide.tmp"), wide).unwrap();
    std::fs::rename(place.path("wide.tmp"), place.path("processes/wide.yaml")).unwrap();
    deployed("wide");
    std::fs::write(place.path("bad.yaml"), b"process: caf\xe9\n").unwrap();
    place.run(&["check", "bad.yaml"]).failed(1, &["`bad.yaml` is no text in UTF-8"]);
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn who_waits_need_not_say_how_long() {
    let place = place();
    let _served = place.serve();
    for args in [["n=5", "--wait"], ["--wait", "n=5"]] {
        let task = place.json(&[&["submit", "echo"][..], &args].concat());
        assert_eq!((&task["state"], &task["params"]["n"]), (&"done".into(), &5.into()), "{task}");
    }
    place.run(&["submit", "echo", "--wait", "soon"]).failed(1, &["`soon` is no length of time"]);
}

#[test]
fn a_value_that_does_not_fit_is_told_with_what_would() {
    let place = place();
    let _served = place.serve();
    assert_eq!(place.json(&["submit", "echo", "on=True"])["params"]["on"], true);
    for (pair, hint) in [
        ("on=yes", "hint: it is `true` or `false`"),
        ("on=1", "hint: it is `true` or `false`"),
        ("price=1,5", "with a point"),
        ("price=.5", "a digit before it"),
        ("list=1,2", "hint: it is a JSON list"),
        ("n=+7", "hint: it has digits alone"),
        ("n=007", "no 0 before them"),
    ] {
        place.run(&["submit", "echo", pair]).failed(1, &[hint]);
    }
    let chat = ["channel", "add", "news", "--via", "telegram", "token=1:a"];
    place.run(&[&chat[..], &["chat_id=@news"]].concat()).failed(1, &["chat_id:=\"@news\""]);
    place.ok(&[&chat[..], &["chat_id:=\"@news\""]].concat());
    place.run(&[&chat[..], &["chat_id=news"]].concat()).failed(1, &["`chat_id` is no chat", "@name"]);
    let token = ["channel", "add", "news", "--via", "telegram", "chat_id=1", "token=bot1:a"];
    place.run(&token).failed(1, &["begins with `bot`"]);
}

#[test]
fn a_file_of_tasks_is_read_as_it_was_saved_or_told_how_to_be() {
    let place = place();
    let _served = place.serve();
    for (text, words) in [
        ("[{\"params\": {\"n\": 1}}]", "jq -c '.[]'"),
        ("{\n \"params\": {\"n\": 1}\n}\n", "jq -c ."),
        ("{\"n\": 1}\n", "{\"params\": {…}}"),
        ("{}\n[1]\n", "this is a list, and must be an object"),
    ] {
        place.write("f", text);
        let ran = place.run(&["submit", "echo", "--from", "f"]);
        assert!(ran.code != Some(0) && ran.err.contains(words), "{text}: {ran:?}");
    }
    let wide = "\u{feff}{\"params\": {\"n\": 1}}\r\n".encode_utf16().flat_map(u16::to_le_bytes);
    std::fs::write(place.path("f"), wide.collect::<Vec<u8>>()).unwrap();
    assert_eq!(place.json(&["submit", "echo", "--from", "f"])["submitted"], 1);
}

#[test]
fn a_second_file_of_a_process_is_refused_until_it_is_alone() {
    let place = place();
    let served = place.serve();
    let second = |title: &str| ECHO.replace("process: echo", &format!("process: echo\ntitle: {title}"));
    let title = || place.json(&["processes", "echo"])["title"].clone();
    place.write("processes/two.yaml", &second("second"));
    let told = until("both files are named", || {
        let told = place.run(&["doctor", "--no-check"]).out;
        (told.matches("two.yaml").count() > 1).then_some(told)
    });
    assert!(told.contains("echo.yaml") && told.contains("`echo`"), "{told}");
    assert_eq!(title(), "echo");
    std::fs::remove_file(place.path("processes/echo.yaml")).unwrap();
    until("the second is alone", || (title() == "second").then_some(()));
    // Before it in the alphabet: at a start, too, the one that was deployed is the one.
    place.write("processes/a.yaml", &second("third"));
    let is_told = || (place.run(&["doctor", "--no-check"]).out.contains("a.yaml")).then_some(());
    until("the third is refused", is_told);
    assert_eq!(served.stop(), Some(0));
    let served = place.serve();
    until("the third is refused again", is_told);
    assert_eq!(title(), "second");
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_process_whose_file_was_refused_says_so() {
    let place = place();
    let _served = place.serve();
    place.write("processes/ech.yaml", "process: ech\nnodes: {}\n");
    let words = ["there is no process `ech`", "ech.yaml` was refused"];
    until("the refused file is named", || {
        let ran = place.run(&["submit", "ech"]);
        words.iter().all(|it| ran.err.contains(it)).then_some(())
    });
    place.run(&["processes", "ech"]).failed(1, &words);
    place.run(&["processes", "ecko"]).failed(1, &["did you mean `echo`"]);
}

#[test]
fn a_channel_that_names_a_secret_that_is_not_there_is_told() {
    let place = place();
    place.write(
        "beltline.yaml",
        "channels: {author: {via: telegram, chat_id: 1, token: \"{{secret.bot}}\"}}\n",
    );
    let _served = place.serve();
    place.run(&["doctor", "--no-check"]).failed(1, &[]);
    let told = place.run(&["doctor", "--no-check"]).out;
    assert!(told.contains("`author`") && told.contains("there is no secret `bot`"), "{told}");
    place.run_with(&["secret", "set", "bot"], "1:a");
    assert!(place.run(&["doctor", "--no-check"]).out.contains("1 set up, none is failing"));
    for token in ["{{var.bot}}", "${BOT}"] {
        let token = format!("token={token}");
        let add = ["channel", "add", "b", "--via", "telegram", "chat_id=1", &token];
        place.run(&add).failed(1, &["only `{{secret.NAME}}` is filled in"]);
    }
}
