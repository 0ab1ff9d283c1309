//! The makes of browser that there are: how each one's driver is started, and what is asked of it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use thirtyfour::common::capabilities::firefox::FirefoxPreferences;
use thirtyfour::prelude::*;

/// Whose engine shows the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Make {
    Chromium,
    Firefox,
}

impl Make {
    /// Starts its driver, with all that it writes below `folder`; the driver, and where it listens.
    ///
    /// # Panics
    /// If there is none: `tests/run` installs the browsers and their drivers.
    pub(super) fn start(self, folder: &Path) -> (Child, String) {
        let mut command = match self {
            Make::Chromium => {
                let mut command = Command::new("chromedriver");
                command.args(["--port=0", "--allowed-ips=127.0.0.1"]);
                command
            }
            Make::Firefox => {
                let browser = "/usr/bin/firefox-esr";
                assert!(Path::new(browser).exists(), "no `{browser}`; hint: apt-get install firefox-esr");
                let root = folder.join("profile");
                fs::create_dir_all(&root).unwrap();
                let mut command = Command::new(geckodriver());
                // Ports that are free; the second one is a number of its own unless one asks for any.
                command.args(["--port=0", "--websocket-port=0", "--binary", browser, "--profile-root"]);
                command.arg(root);
                command
            }
        };
        let mut driver = command
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("no driver for {self:?}: {error}; hint: run tests/run"));
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| port_in(&line.unwrap())).expect("the driver says its port");
        // Whatever it says later is read by nobody, and must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        (driver, format!("http://127.0.0.1:{port}"))
    }

    /// What is asked of the browser: no window, nobody to call but the tests, any certificate, English.
    pub(super) fn wish(self, folder: &Path) -> Capabilities {
        match self {
            Make::Chromium => chromium(folder),
            Make::Firefox => firefox(),
        }
    }
}

fn chromium(folder: &Path) -> Capabilities {
    let mut wish = DesiredCapabilities::chrome();
    for argument in [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        // Those of the tests are signed by nobody.
        "--ignore-certificate-errors",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--lang=en-US",
        "--no-proxy-server",
    ] {
        wish.add_arg(argument).unwrap();
    }
    wish.add_arg(&format!("--user-data-dir={}", folder.join("profile").display())).unwrap();
    wish.into()
}

/// Its driver turns off by itself whatever would call home.
fn firefox() -> Capabilities {
    let mut wish = DesiredCapabilities::firefox();
    wish.add_arg("-headless").unwrap();
    wish.accept_insecure_certs(true).unwrap();
    let mut likes = FirefoxPreferences::new();
    likes.set("intl.accept_languages", "en-US, en").unwrap();
    likes.set("network.proxy.type", 0).unwrap();
    wish.set_preferences(likes).unwrap();
    wish.into()
}

/// Debian has none, so it is built by `tests/run`.
fn geckodriver() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join("gecko/bin/geckodriver")
}

/// `ChromeDriver was started successfully on port 40123.`, `… INFO Listening on 127.0.0.1:40123`
fn port_in(line: &str) -> Option<u16> {
    let said =
        line.split_once("successfully on port ").or_else(|| line.split_once("Listening on 127.0.0.1:"));
    said?.1.trim_end_matches('.').parse().ok()
}
