//! Flags over `BELTLINE_*` over `beltline.yaml` over defaults.

use crate::cli::place::Place;

#[test]
fn each_layer_stands_over_the_next_and_says_so() {
    let place = Place::new().env("BELTLINE_DATA", "from-env").env("BELTLINE_STORE", "memory");
    place.write(
        "beltline.yaml",
        "listen: 127.0.0.1:7711\ndata: from-file\nallow:\n  addresses: [10.20.0.0/16]\n",
    );
    let config = place.json(&["config", "--store", "sqlite"]);
    for (key, value, from) in [
        ("listen", "127.0.0.1:7711", "beltline.yaml:1"),
        ("data", "from-env", "BELTLINE_DATA"),
        ("store", "sqlite", "--store"),
        ("allow.addresses", "10.20.0.0/16", "beltline.yaml:4"),
        ("processes", "./processes", "default"),
    ] {
        assert_eq!((&config[key]["value"], &config[key]["from"]), (&value.into(), &from.into()), "{key}");
    }
}

#[test]
fn a_slip_in_the_file_is_shown_where_it_is() {
    let place = Place::new();
    place.write("beltline.yaml", "listn: 127.0.0.1:7711\n");
    place.run(&["config"]).failed(1, &["listn", "beltline.yaml:1:1", "did you mean `listen`"]);
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let place = Place::new();
    place.run(&["config", "--config", "other.yaml"]).failed(1, &["`other.yaml` cannot be read"]);
    place.write("sub/other.yaml", "data: here\n");
    let config = place.json(&["config", "--config", "sub/other.yaml"]);
    assert_eq!(config["data"]["value"], "sub/here", "a path is meant from where the file lies");
}

#[test]
fn secrets_are_masked() {
    let place = Place::new().env("BELTLINE_TOKEN", "hush-token").env("BELTLINE_KEY", "hush-key");
    place.write("beltline.yaml", "channels: {author: {via: telegram, chat_id: 1, token: hush-bot}}\n");
    for args in [&["config"][..], &["config", "--json"]] {
        let shown = place.ok(args);
        assert!(shown.contains("BELTLINE_TOKEN") && shown.contains("telegram"), "{shown}");
        assert!(!shown.contains("hush"), "{shown}");
    }
}

#[test]
fn others_are_not_let_in() {
    let ran = Place::new().run(&["serve", "--listen", "0.0.0.0:0"]);
    ran.failed(1, &["others can reach", "hint: "]);
}
