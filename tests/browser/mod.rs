//! The dashboard in a real browser: Debian's Chromium, driven over `WebDriver`.

#[expect(clippy::module_inception, reason = "the folder is named for what it drives")]
mod browser;

mod forms;
mod front;
mod graph;
mod pages;
mod proxied;
mod story;
mod work;
