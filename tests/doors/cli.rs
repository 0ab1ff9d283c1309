//! What is typed, read from files and piped on the command line.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::json;

use crate::cli::place::{Place, Ran};
use crate::doors::api::{ANY, judge, kept, posts, told};
use crate::doors::partner::Partner;
use crate::doors::raw::Raw;
use crate::doors::values::{all_values, text_values};
use crate::support::house::{House, OPERATOR, task_path};

/// How many values go through each door, and how many at once.
const MANY: usize = 120;
const AT_ONCE: usize = 20;

/// A house, and the real binary at its door.
async fn scene() -> (House, Place) {
    let house = House::open().await;
    house.deploy(ANY).await;
    let place = Place::new().env("BELTLINE_TOKEN", OPERATOR);
    let place = place.env("BELTLINE_SERVER", &format!("http://{}", house.address));
    (house, place)
}

fn run(place: &Place, reference: &str, pairs: &[String]) -> Ran {
    let mut args = vec!["submit", "any", "--ref", reference, "--"];
    args.extend(pairs.iter().map(String::as_str));
    tokio::task::block_in_place(|| place.run(&args))
}

/// Hands in all of them, each under a name of its own; what is refused together is handed in one by one.
async fn all_in(scene: &(House, Place), all: &[(Raw, String)], door: &str) -> Vec<String> {
    let (house, place) = scene;
    let mut wrong = Vec::new();
    for (nth, some) in all.chunks(AT_ONCE).enumerate() {
        let named = |(at, (_, it)): (usize, &(Raw, String))| format!("v{at}{it}");
        let pairs: Vec<String> = some.iter().enumerate().map(named).collect();
        let together = format!("r{nth}");
        let is_taken = run(place, &together, &pairs).code == Some(0);
        for (at, (sent, _)) in some.iter().enumerate() {
            let (alone, param) = (format!("r{nth}-{at}"), format!("v{at}"));
            let (ran, reference) = match is_taken {
                true => (None, &together),
                false => (Some(run(place, &alone, &pairs[at..=at])), &alone),
            };
            let refused = ran.filter(|it| it.code != Some(0)).map(|it| it.err);
            let named = refused.as_deref().is_none_or(|it| it.contains(&param));
            wrong.extend((!named).then(|| format!("{refused:?} does not say which")));
            let kept = kept(house, "any", reference, &param).await;
            wrong.extend(judge(door, sent, kept.as_ref(), refused.as_deref()));
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_of_text() {
    let scene = scene().await;
    // No argument holds a NUL; `@` and `-` say where the text is.
    let texts =
        text_values(MANY).into_iter().filter(|it| !it.contains('\0') && !it.starts_with('@') && it != "-");
    let all: Vec<(Raw, String)> = texts.map(|it| (Raw::text(&it), format!("={it}"))).collect();
    told(&all_in(&scene, &all, "name=text").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_of_json() {
    let scene = scene().await;
    let all: Vec<(Raw, String)> =
        all_values(MANY).into_iter().map(|it| (it.clone(), format!(":={}", it.write()))).collect();
    told(&all_in(&scene, &all, "name:=JSON").await);
}

/// What is one line in a file is that line.
fn line(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.strip_suffix('\n').filter(|it| !it.contains('\n')) {
        Some(line) => line.strip_suffix('\r').unwrap_or(line),
        None => text,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_of_a_file() {
    let scene = scene().await;
    let mut all = Vec::new();
    let more = ["k\r\r\n", "\r\n", "k\n\n"].map(str::to_owned);
    for (at, text) in text_values(MANY).into_iter().chain(more).enumerate() {
        let path = scene.1.path(&format!("f{at}"));
        fs::write(&path, &text).unwrap();
        all.push((Raw::text(line(&text)), format!("=@{}", path.display())));
    }
    told(&all_in(&scene, &all, "name=@FILE").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_from_stdin() {
    let (house, place) = scene().await;
    let mut wrong = Vec::new();
    let more = ["k\r\r\n", "\u{feff}k\r\n", "k\n\n"].map(str::to_owned);
    for (at, text) in text_values(25).into_iter().chain(more).enumerate() {
        let reference = format!("r{at}");
        let args = ["submit", "any", "--ref", &reference, "v=-"];
        let ran = tokio::task::block_in_place(|| place.run_with(&args, &text));
        let kept = kept(&house, "any", &reference, "v").await;
        match line(&text).is_empty() {
            true => assert!(ran.code != Some(0) && ran.err.contains("stdin has nothing for `v`"), "{ran:?}"),
            false => {
                let refused = (ran.code != Some(0)).then_some(ran.err);
                wrong.extend(judge("stdin", &Raw::text(line(&text)), kept.as_ref(), refused.as_deref()));
            }
        }
    }
    told(&wrong);
}

/// Pipes bytes to a verb.
fn piped(place: &Place, args: &[&str], bytes: &[u8]) -> Ran {
    let mut command = place.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    Ran::from(child.wait_with_output().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_piped() {
    let (house, place) = scene().await;
    let partner = Partner::start(Vec::new()).await;
    posts(&house, &partner.url).await;
    let mut last = "first".to_owned();
    for (at, bytes) in [
        b"  made-up 1 ".as_slice(),
        b"made-up\r\r\n",
        b"-----BEGIN-----\r\nbWFkZSB1cA==\r\n-----END-----\r\n",
        b"\xef\xbb\xbfmade-up 2\n",
        b"\xff\xfem\0a\0",
        "made-up \u{e9}\u{1F600}\u{85}".as_bytes(),
        b"{\"a\": 1.50}",
        b"caf\xe9",
        b"made-up\xff\n",
        b"\n",
        b"",
    ]
    .into_iter()
    .enumerate()
    {
        let ran = tokio::task::block_in_place(|| piped(&place, &["secret", "set", "key"], bytes));
        let text = match bytes.starts_with(b"\xff\xfe") {
            true => Ok("ma"),
            false => std::str::from_utf8(bytes).map(line),
        };
        match text.ok().filter(|it| !it.is_empty()) {
            Some(text) => text.clone_into(&mut last),
            // What is refused leaves the one before in its place.
            None => assert!(ran.code == Some(2) && ran.err.contains("`key`"), "{bytes:?}: {ran:?}"),
        }
        house.submit("posts", &format!("r{at}"), json!({"n": at})).await;
        house.until(&task_path("posts", &format!("r{at}")), |it| it["state"] == "done").await;
        assert_eq!(partner.heard(at).as_deref(), Some(last.as_bytes()), "{bytes:?}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_lines() {
    let (house, place) = scene().await;
    let all = all_values(MANY);
    let line =
        |(at, it): (usize, &Raw)| format!("{{\"ref\": \"r{at}\", \"params\": {{\"v\": {}}}}}\n", it.write());
    // Between them an empty line, and at the beginning a mark that some editors make.
    let lines: Vec<String> = all.iter().enumerate().map(line).collect();
    place.write("all.ndjson", &format!("\u{feff}\n{}", lines.join("\n")));
    let ran = tokio::task::block_in_place(|| place.run(&["submit", "any", "--from", "all.ndjson"]));
    let mut wrong = Vec::new();
    for (at, sent) in all.iter().enumerate() {
        let place = format!("line {}: ", 2 + 2 * at);
        let refused = ran.err.lines().find(|it| it.starts_with(&place));
        let kept = kept(&house, "any", &format!("r{at}"), "v").await;
        wrong.extend(judge("--from", sent, kept.as_ref(), refused));
    }
    told(&wrong);
}

/// What a file has is what the process says that it is, as what is typed.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_and_a_number_of_a_file() {
    let (house, place) = scene().await;
    let file = |name: &str, text: &str| {
        let path = place.path(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (list, number) = (file("list.json", "[1]\n"), file("number", "7\n"));
    for (at, pairs) in [format!("j=@{list} n=@{number} t=@{number}"), format!("j:=@{list} n:=@{number} t=7")]
        .into_iter()
        .enumerate()
    {
        let reference = format!("r{at}");
        let pairs: Vec<String> = pairs.split(' ').map(str::to_owned).collect();
        let ran = run(&place, &reference, &pairs);
        let read = async |param: &str| kept(&house, "any", &reference, param).await;
        assert_eq!(read("j").await, Some(Raw::List(vec![Raw::Number("1".to_owned())])), "{ran:?}");
        assert_eq!(read("n").await, Some(Raw::Number("7".to_owned())), "{ran:?}");
        assert_eq!(read("t").await, Some(Raw::text("7")), "{ran:?}");
    }
}

/// A number is what is typed where the process says that it is one, or it is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_typed() {
    let (house, place) = scene().await;
    for (at, typed) in
        ["5", "-0", "1.50", "18446744073709551615", "1e3", "007", "1,5", "0x1F", "1e400", "½", ""]
            .into_iter()
            .enumerate()
    {
        let reference = format!("r{at}");
        let ran = run(&place, &reference, &[format!("n={typed}")]);
        let kept = kept(&house, "any", &reference, "n").await;
        let is_number = typed.starts_with(|it: char| it.is_ascii_digit() || it == '-')
            && typed.chars().all(|it| it.is_ascii_digit() || "-.e".contains(it))
            && !["007", "1e400"].contains(&typed);
        match is_number {
            true => {
                assert_eq!(judge("n=", &Raw::Number(typed.to_owned()), kept.as_ref(), None), None, "{ran:?}");
            }
            false => {
                assert!(kept.is_none() && ran.code == Some(1) && ran.err.contains("`n`"), "{typed}: {ran:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_address_leads_to_is_no_name() {
    let (_house, place) = scene().await;
    for name in [".", ".."] {
        let pair = format!("{name}=x");
        let pair = pair.as_str();
        for args in [
            ["var", "set", pair],
            ["var", "remove", name],
            ["secret", "remove", name],
            ["channel", "remove", name],
        ] {
            let ran = tokio::task::block_in_place(|| place.run(&args));
            assert!(
                ran.code == Some(2) && ran.err.contains(&format!("`{name}` is no name")),
                "{args:?}: {ran:?}"
            );
        }
    }
}
