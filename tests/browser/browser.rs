//! [`Browser`]: a real one, without a window, with a folder of its own; and what a person does with it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use thirtyfour::prelude::*;

/// What happens at all happens within that, on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// A desktop and a phone, in CSS pixels.
pub(super) const WIDE: (u32, u32) = (1280, 900);
pub(super) const NARROW: (u32, u32) = (390, 844);

/// A browser and its driver. Dropping it ends both.
pub(super) struct Browser {
    pub(super) driver: WebDriver,
    server: Child,
    profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one.
    ///
    /// # Panics
    /// If there is none: the packages are `chromium` and `chromium-driver`; `tests/run` installs them.
    pub(super) async fn open() -> Browser {
        // Installed by whoever needs it first.
        drop(rustls::crypto::ring::default_provider().install_default());
        let profile = tempfile::tempdir().unwrap();
        let mut server = Command::new("chromedriver")
            .args(["--port=0", "--allowed-ips=127.0.0.1"])
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("no `chromedriver`; hint: apt-get install chromium chromium-driver");
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| port_in(&line.unwrap())).expect("the driver says its port");
        // Whatever it says later is read by nobody, and must not block it.
        std::thread::spawn(move || lines.for_each(drop));
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
        wish.add_arg(&format!("--user-data-dir={}", profile.path().join("profile").display())).unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let driver = WebDriver::new(&url, wish).await.expect("the browser starts");
        let browser = Browser { driver, server, profile };
        browser.size(WIDE).await;
        browser
    }

    /// Closes it in order.
    pub(super) async fn close(self) {
        // The driver is ended by `drop` if it does not end the session.
        drop(self.driver.clone().quit().await);
    }

    /// A window of that size.
    pub(super) async fn size(&self, (width, height): (u32, u32)) {
        let phone = width < 600;
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone});
        self.tell("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// What the reader likes.
    pub(super) async fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": value}]);
        self.tell("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    async fn tell(&self, command: &str, params: Value) {
        self.driver.cdp().send_raw(command, params).await.unwrap();
    }

    pub(super) async fn go(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// Where it is.
    pub(super) async fn path(&self) -> String {
        self.driver.current_url().await.unwrap().path().to_owned()
    }

    /// The first element that fits, as soon as it is there and seen.
    pub(super) async fn find(&self, css: &str) -> WebElement {
        let query = self.driver.query(By::Css(css)).wait(PATIENCE, LOOK_PAUSE).and_displayed();
        query.first().await.unwrap_or_else(|error| panic!("`{css}` is not there: {error}"))
    }

    /// Presses what is called so, or begins so if nothing is: a button or a link.
    pub(super) async fn press(&self, name: &str) {
        let those = "//*[(self::button or self::a or self::summary)";
        let whole = format!("{those} and normalize-space(.) = \"{name}\"]");
        let begins = format!("{those} and starts-with(normalize-space(.), \"{name}\")]");
        let query = self.driver.query(By::XPath(whole)).and_displayed();
        let query = query.or(By::XPath(begins)).wait(PATIENCE, LOOK_PAUSE).and_displayed();
        let found = query.first().await.unwrap_or_else(|error| panic!("no `{name}` to press: {error}"));
        let middle = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})";
        self.driver.execute(middle, vec![found.to_json().unwrap()]).await.unwrap();
        found.click().await.unwrap_or_else(|error| panic!("`{name}` cannot be pressed: {error}"));
    }

    /// Types into the field of that label.
    pub(super) async fn fill(&self, label: &str, text: &str) {
        let field = self.field(label).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// The field of that label.
    pub(super) async fn field(&self, label: &str) -> WebElement {
        let path = format!("//label[starts-with(normalize-space(.), \"{label}\")]");
        let query = self.driver.query(By::XPath(path)).wait(PATIENCE, LOOK_PAUSE).and_displayed();
        let found = query.first().await.unwrap_or_else(|error| panic!("no field `{label}`: {error}"));
        let id = found.attr("for").await.unwrap().expect("a label is for a field");
        self.driver.find(By::Id(id)).await.unwrap()
    }

    /// Ticks or unticks the box of that label.
    pub(super) async fn tick(&self, label: &str, on: bool) {
        let field = self.field(label).await;
        if field.is_selected().await.unwrap() != on {
            field.click().await.unwrap();
        }
    }

    /// Waits until the page says so.
    pub(super) async fn reads(&self, text: &str) {
        self.until(&format!("the page reads `{text}`"), async || self.text().await.contains(text)).await;
    }

    /// What can be read.
    pub(super) async fn text(&self) -> String {
        // A page that is being replaced has no body for a moment.
        match self.driver.find(By::Tag("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Waits until it is so.
    #[expect(
        clippy::disallowed_methods,
        reason = "a page tells nobody that it has changed: it is looked at again"
    )]
    pub(super) async fn until(&self, what: &str, mut so: impl AsyncFnMut() -> bool) {
        let wait = async {
            while !so().await {
                tokio::time::sleep(LOOK_PAUSE).await;
            }
        };
        let done = tokio::time::timeout(PATIENCE, wait).await.is_ok();
        assert!(done, "it never came to that: {what}\n{}\n{}", self.path().await, self.text().await);
    }

    /// Runs a script on the page.
    pub(super) async fn ask(&self, script: &str) -> Value {
        self.driver.execute(script, Vec::new()).await.unwrap().json().clone()
    }

    /// A picture of the whole page, in a folder that is not kept in the repository.
    pub(super) async fn picture(&self, name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let params = json!({"captureBeyondViewport": true});
        let shot = self.driver.cdp().send_raw("Page.captureScreenshot", params).await.unwrap();
        let bytes = base64::Engine::decode(
            &base64::prelude::BASE64_STANDARD,
            shot["data"].as_str().expect("a picture"),
        );
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, bytes.unwrap()).unwrap();
        path
    }
}

/// `ChromeDriver was started successfully on port 40123.`
fn port_in(line: &str) -> Option<u16> {
    line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok()
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
        // What the driver has started, if a test ended too soon to say goodbye: it is known by its folder.
        let folder = self.profile.path().display().to_string();
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&line).contains(&folder) {
                let id = process.file_name();
                drop(Command::new("kill").arg("-KILL").arg(id).stderr(Stdio::null()).status());
            }
        }
    }
}
