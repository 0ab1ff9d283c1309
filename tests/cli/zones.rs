//! Which table of time zones is in use, with the real binary and machines that have other tables.

use std::fs;

use serde_json::Value;

use crate::cli::place::Place;

/// A process with a time of day in Riga.
const MORNING: &str = "
process: morning
schedule: [{name: nine, cron: \"0 9 * * *\", zone: Europe/Riga}]
nodes:
  start: {kind: input, next: done}
  done: {kind: end}
";

/// A machine whose Riga never changes its clocks and is five hours ahead, of that release.
fn machine(version: Option<&str>) -> Place {
    let place = Place::new();
    fs::create_dir_all(place.path("zones/Europe")).unwrap();
    let mut header = b"TZif2".to_vec();
    header.extend([0; 15]);
    header.extend([0, 0, 0, 0, 1, 4].iter().flat_map(|it: &u32| it.to_be_bytes()));
    let kind = [&18_000i32.to_be_bytes()[..], &[0, 0], b"RIX\0"].concat();
    let riga = [&header[..], &kind, &header, &kind, b"\nRIX-5\n"].concat();
    fs::write(place.path("zones/Europe/Riga"), riga).unwrap();
    if let Some(version) = version {
        fs::write(place.path("zones/tzdata.zi"), format!("# version {version}\n")).unwrap();
    }
    let folder = place.path("zones").display().to_string();
    place.env("TZDIR", &folder)
}

/// What `doctor` says of the time zones.
fn told(place: &Place) -> String {
    let found: Value = serde_json::from_str(&place.run(&["doctor", "--json", "--no-check"]).out).unwrap();
    let items = found["items"].as_array().unwrap();
    let mut zones = items.iter().filter(|it| it["what"] == "time zones");
    let (zones, other) = (zones.next().unwrap(), zones.next());
    assert_eq!((&zones["level"], other), (&Value::from("ok"), None));
    zones["found"].as_str().unwrap().replace(&place.path("zones").display().to_string(), "zones")
}

#[test]
fn doctor_names_the_table_in_use_and_where_it_is_from() {
    assert!(told(&machine(Some("2999a"))).starts_with("2999a, of `zones`; "));
    for (version, end) in [
        (Some("2000a"), "built in; `zones` has 2000a"),
        (None, "built in; `zones` does not say how old it is"),
    ] {
        let told = told(&machine(version));
        assert!(told.ends_with(end) && told.starts_with("20"), "{told}");
    }
}

#[test]
fn an_engine_goes_by_the_newer_table_and_doctor_says_by_which() {
    for (version, offsets) in [("2999a", &["+05:00"][..]), ("2000a", &["+02:00", "+03:00"])] {
        let place = machine(Some(version));
        place.write("processes/morning.yaml", MORNING);
        let _served = place.serve();
        let planned = place.json(&["schedule", "morning"])["items"][0]["next"][0]["at"].clone();
        assert!(offsets.iter().any(|it| planned.as_str().unwrap().ends_with(it)), "{version}: {planned}");
        // What comes to the machine later is for the next start.
        let before = told(&place);
        fs::write(place.path("zones/tzdata.zi"), "# version 2998a\n").unwrap();
        assert_eq!(told(&place), before);
        assert!(before.contains(version), "{before}");
    }
}
