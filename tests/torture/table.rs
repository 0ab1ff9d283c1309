//! The table of all rows in the manual: what the last whole run has measured, and nothing else.

use std::fs;

use serde_json::Value;

use crate::torture::tally::{Tally, kept};

/// A row: the name it is kept under, what is done to the engine, and the promises that are broken on purpose
/// to show that the row sees it.
struct Row {
    name: &'static str,
    about: &'static str,
    controls: &'static [&'static str],
}

const ROWS: [Row; 12] = [
    Row { name: "sigkill", about: "SIGKILL under load", controls: &["early_acknowledge", "late_signals"] },
    Row {
        name: "struck",
        about: "killed at the N-th read, write, sync or rename of a renewal",
        controls: &["half_pair"],
    },
    Row { name: "power cut", about: "power cut under load", controls: &["normal_sync", "lying_sync"] },
    Row { name: "disk full", about: "disk full for a while, under load", controls: &["early_acknowledge"] },
    Row { name: "disk failing", about: "EIO on syncs and writes, disk read-only", controls: &[] },
    Row { name: "damage", about: "bytes flipped or cut in any file of the data folder", controls: &[] },
    Row { name: "clock", about: "wall clock ±1 h, ±2 h, ±200 d, 2015", controls: &["wall_timer"] },
    Row { name: "sigstop", about: "frozen with SIGSTOP under load", controls: &[] },
    Row { name: "replaced", about: "frozen, replaced by another engine, thawed", controls: &["no_fence"] },
    Row { name: "hostile token server", about: "hostile token server: statuses × bodies", controls: &[] },
    Row { name: "sigterm", about: "SIGTERM under load", controls: &[] },
    Row { name: "simulated hours", about: "simulated hours of all these, drawn at random", controls: &[] },
];
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/manual/promises.md");
const MARK: &str = "<!-- torture: written by tests/torture/run -->\n";
const END: &str = "<!-- /torture -->";
const HEAD: &str = "| fault | rounds | acknowledged | lost | wrong | pairs lost | renewals | repeats \
                    | sees, when broken on purpose |\n|---|---|---|---|---|---|---|---|---|\n";

impl Row {
    fn line(&self) -> String {
        let Some(tally) = kept(self.name) else {
            return format!("| {} | not run | | | | | | | |\n", self.about);
        };
        let tally: Tally = serde_json::from_value(tally).unwrap();
        let seen = |control: &&str| {
            let how = match kept(&format!("{}.{control}", self.name)) {
                Some(Value::Bool(true)) => "",
                Some(_) => " (not seen)",
                None => " (not run)",
            };
            format!("`{control}`{how}")
        };
        let controls: Vec<String> = self.controls.iter().map(seen).collect();
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            self.about,
            tally.rounds,
            counted(tally.acknowledged),
            tally.lost.len(),
            tally.wrong.len(),
            tally.pairs_lost.len(),
            counted(tally.renewals),
            counted(tally.repeats),
            controls.join(", ")
        )
    }
}

/// A row that does not count it says so.
fn counted(many: u64) -> String {
    if many == 0 { "–".to_owned() } else { many.to_string() }
}

/// What stands between the marks.
fn present() -> (String, usize, usize) {
    let text = fs::read_to_string(PATH).unwrap();
    let start = text.find(MARK).expect("the manual has the table of torture") + MARK.len();
    let end = start + text[start..].find(END).unwrap();
    (text, start, end)
}

#[test]
fn the_table_has_every_row_and_nothing_lost() {
    let (mut text, start, end) = present();
    #[expect(clippy::disallowed_methods, reason = "a test is told from outside to write")]
    if std::env::var("BELTLINE_WRITE").as_deref() == Ok("torture") {
        let lines: String = ROWS.iter().map(Row::line).collect();
        text.replace_range(start..end, &format!("{HEAD}{lines}"));
        fs::write(PATH, text).unwrap();
    }
    let (text, start, end) = present();
    let lines: Vec<&str> = text[start..end].lines().skip(2).collect();
    let abouts: Vec<&str> = lines.iter().map(|line| line.split('|').nth(1).unwrap().trim()).collect();
    assert_eq!(abouts, ROWS.iter().map(|row| row.about).collect::<Vec<_>>(), "`tests/torture/run` writes it");
    for line in lines {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert!(cells[2] == "not run" || cells[4..7] == ["0", "0", "0"], "{line}");
        assert!(!line.contains("not seen"), "{line}");
    }
}
