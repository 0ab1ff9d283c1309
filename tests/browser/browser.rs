//! [`Browser`]: a real one, without a window, with a folder of its own; and what a person does with it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use thirtyfour::error::{WebDriverErrorInner, WebDriverResult};
use thirtyfour::prelude::*;

use crate::browser::make::Make;

/// What happens at all happens within that, on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// A desktop and a phone, in CSS pixels.
pub(super) const WIDE: (u32, u32) = (1280, 900);
pub(super) const NARROW: (u32, u32) = (390, 844);

/// A browser and its driver. Dropping it ends both.
pub(super) struct Browser {
    pub(super) make: Make,
    pub(super) driver: WebDriver,
    server: Child,
    profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one of that make.
    ///
    /// # Panics
    /// If there is none: `tests/run` installs what is missing.
    pub(super) async fn open(make: Make) -> Browser {
        // Installed by whoever needs it first.
        drop(rustls::crypto::ring::default_provider().install_default());
        let profile = tempfile::tempdir().unwrap();
        let (server, url) = make.start(profile.path());
        let wish = make.wish(profile.path());
        let driver = WebDriver::new(&url, wish).await.unwrap_or_else(|error| panic!("no {make:?}: {error}"));
        let browser = Browser { make, driver, server, profile };
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
        if self.make == Make::Firefox {
            return self.driver.set_window_rect(0, 0, width, height).await.unwrap();
        }
        let phone = width < 600;
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone});
        self.tell("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// What the reader likes: of Chromium alone.
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
        let query = self.driver.query(By::Css(css)).ignore_errors(true);
        let query = query.wait(PATIENCE, LOOK_PAUSE).and_displayed();
        query.first().await.unwrap_or_else(|error| panic!("`{css}` is not there: {error}"))
    }

    /// Presses what is called so, or begins so if nothing is: a button or a link. What a page that lives has
    /// replaced in between is looked for again.
    pub(super) async fn press(&self, name: &str) {
        let pressed = async || match self.try_press(name).await {
            Ok(()) => true,
            Err(error) if matches!(*error, WebDriverErrorInner::StaleElementReference(_)) => false,
            Err(error) => panic!("`{name}` cannot be pressed: {error}"),
        };
        self.until(&format!("`{name}` is pressed"), pressed).await;
    }

    async fn try_press(&self, name: &str) -> WebDriverResult<()> {
        let those = "//*[(self::button or self::a or self::summary)";
        let whole = format!("{those} and normalize-space(.) = \"{name}\"]");
        let begins = format!("{those} and starts-with(normalize-space(.), \"{name}\")]");
        let query = self.driver.query(By::XPath(whole)).ignore_errors(true).and_displayed();
        let query = query.or(By::XPath(begins)).wait(PATIENCE, LOOK_PAUSE).and_displayed();
        let found = query.first().await?;
        let middle = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})";
        self.driver.execute(middle, vec![found.to_json()?]).await?;
        found.click().await
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
        let query = self.driver.query(By::XPath(path)).ignore_errors(true);
        let query = query.wait(PATIENCE, LOOK_PAUSE).and_displayed();
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

    /// A picture of the whole page, in a folder that is not kept in the repository: of Chromium alone.
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
