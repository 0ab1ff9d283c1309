//! [`Guide`]: a page of the manual that was written by hand, `src/manual/NAME.md`. Its first line is its
//! title, and the paragraph below that says what it is about.

/// One such page.
#[derive(Clone, Copy, Debug)]
pub struct Guide {
    /// Its name, which is its file's.
    pub name: &'static str,
    /// The whole file.
    pub source: &'static str,
}

macro_rules! guides {
    ($($name:literal,)*) => {
        &[$(Guide { name: $name, source: include_str!(concat!("../manual/", $name, ".md")) },)*]
    };
}

/// All of them, in the order in which somebody new reads them.
pub const GUIDES: &[Guide] = guides![
    "bitrix",
    "tokens",
    "language",
    "values",
    "filters",
    "kinds",
    "http-requests",
    "hooks",
    "schedules",
    "faults",
    "testing",
    "recipes",
    "templates",
    "channels",
    "escalations",
    "secrets",
    "budget",
    "differences",
    "promises",
    "operations",
    "proxies",
    "dashboard",
    "people",
    "command-line",
    "rest",
    "metrics",
    "configuration",
    "security",
    "speed",
];

impl Guide {
    /// Its title.
    pub fn title(self) -> &'static str {
        self.source.lines().next().unwrap_or_default().trim_start_matches("# ")
    }

    /// What it is about, in one line.
    pub fn about(self) -> String {
        let lines = self.source.lines().skip(1).skip_while(|line| line.is_empty());
        let about: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
        about.join(" ").trim_end_matches('.').to_owned()
    }

    /// Its text, without the marks between which tests write tables.
    pub fn text(self) -> String {
        let lines = self.source.lines().filter(|line| !line.starts_with("<!--"));
        lines.collect::<Vec<&str>>().join("\n") + "\n"
    }
}

/// The page of that name.
pub fn find(name: &str) -> Option<Guide> {
    GUIDES.iter().copied().find(|guide| guide.name == name)
}
