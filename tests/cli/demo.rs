//! The flagship's tale, and the load generator, as users start them.

use crate::cli::place::Place;

#[test]
fn the_demo_is_played_to_its_end() {
    let place = Place::new();
    let played = place.json(&["demo", "--once"]);
    assert_eq!((played["ok"].as_bool(), played["steps"].as_array().unwrap().len()), (Some(true), 9));
}

#[test]
fn the_bench_measures_what_it_says() {
    let place = Place::new();
    let scenarios = ["compute", "http", "one", "sleep", "each"];
    let args =
        [&["bench"], &scenarios[..], &["--time", "200ms", "--count", "200", "--clients", "8"]].concat();
    let measured = place.json(&args);
    for scenario in scenarios {
        let it = &measured[scenario];
        assert!(it["count"].as_u64().unwrap() > 0 && it["errors"] == 0, "{scenario}: {it}");
        assert!(it["rss_mb"].as_u64().unwrap() > 0, "{scenario}: {it}");
    }
}
