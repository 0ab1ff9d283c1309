//! Which table of time zones is in use, with the real binary and machines that have other tables.

use std::fs;

use serde_json::Value;

use crate::cli::place::Place;

/// What `doctor` says of the time zones where the machine's table is of that release.
fn told(version: Option<&str>) -> String {
    let place = Place::new();
    fs::create_dir_all(place.path("zones/Europe")).unwrap();
    if let Some(version) = version {
        fs::write(place.path("zones/tzdata.zi"), format!("# version {version}\n")).unwrap();
    }
    let folder = place.path("zones").display().to_string();
    let place = place.env("TZDIR", &folder);
    let found: Value = serde_json::from_str(&place.run(&["doctor", "--json"]).out).unwrap();
    let items = found["items"].as_array().unwrap();
    let zones = items.iter().find(|it| it["what"] == "time zones").unwrap();
    assert_eq!(zones["level"], "ok");
    zones["found"].as_str().unwrap().replace(&folder, "zones")
}

#[test]
fn doctor_names_the_table_in_use_and_where_it_is_from() {
    assert!(told(Some("2999a")).starts_with("2999a, of `zones`; "));
    for (version, end) in [
        (Some("2000a"), "built in; `zones` has 2000a"),
        (None, "built in; `zones` does not say how old it is"),
    ] {
        let told = told(version);
        assert!(told.ends_with(end) && told.starts_with("20"), "{told}");
    }
}
