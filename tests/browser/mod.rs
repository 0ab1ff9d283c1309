//! The dashboard in real browsers: Debian's Chromium, and Firefox where what a browser sends counts. Both are
//! driven over `WebDriver`.

#[expect(clippy::module_inception, reason = "the folder is named for what it drives")]
mod browser;

mod forms;
mod front;
mod graph;
mod make;
mod pages;
mod proxied;
mod story;
mod work;
