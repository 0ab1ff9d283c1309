//! A long time in a rehearsal: every renewal happens, and the story of it stays short.

use crate::cli::place::Place;

/// As much of a step is kept: its beginning and its end.
const BEATS_KEPT: usize = 120;

const MONTH: &str = r#"process: bitrix-oauth
submit: {ref: token, params: {portal: acme, client_id: local.1, client_secret: s, code: c1}}
world:
  - {node: exchange, answer: {json: {access_token: A0, refresh_token: R0, expires_in: 3600}}}
  - node: renew
    answer: {json: {access_token: "A{{n}}", refresh_token: "R{{n}}", expires_in: 3600}}
then:
  - after: 30d
  - expect: {node: nap, asked: {renew: 1728}, notified: [], params: {access_token: A1728}}
"#;

#[test]
fn a_month_of_renewals_is_rehearsed_whole_and_told_in_short() {
    let place = Place::new();
    place.write("month.yaml", MONTH);
    let told = place.json(&["try", "month.yaml"]);
    let case = &told["cases"][0];
    assert_eq!(case["ok"], true, "{}", case["misses"]);
    assert_eq!(case["virtual_seconds"], 30 * 24 * 3_600);
    assert!(case["events"].as_u64().unwrap() > 1_728 * 10);
    let month = case["story"].as_array().unwrap().last().unwrap();
    assert_eq!(month["beats"].as_array().unwrap().len(), BEATS_KEPT);
    assert!(month["skipped"].as_u64().unwrap() > 1_728 * 10 - 200);
}
