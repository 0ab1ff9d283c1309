//! The picture in the README: a task on the dashboard, small enough to be looked at on any line.
//! `BELTLINE_WRITE=picture cargo test --test main by_clicking` makes it anew.

use crate::browser::browser::Browser;
use crate::support::manual;

/// Where it lies, below the README.
const PICTURE: &str = "src/manual/dashboard.png";
/// The heaviest it may be.
const BYTES_MAX: usize = 120 * 1024;
/// The screen it is made of.
const SCREEN: (u32, u32) = (1200, 800);

/// Its width and height, if it is a picture that is light enough.
fn size(png: &[u8]) -> Option<(u32, u32)> {
    let head = png.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    let number = |at: usize| Some(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?));
    (png.len() <= BYTES_MAX).then_some((number(8)?, number(12)?))
}

/// Takes it of the page that is shown. It is kept if that is asked for.
pub(super) async fn take(browser: &Browser) {
    browser.size(SCREEN).await;
    // Without the word of what was just done.
    let mut page = browser.driver.current_url().await.unwrap();
    let kept = page.query_pairs().into_owned().filter(|(name, _)| name != "said").collect::<Vec<_>>();
    page.query_pairs_mut().clear().extend_pairs(kept);
    browser.go(page.as_str()).await;
    browser.find("svg.bl").await;
    let png = browser.driver.screenshot_as_png().await.unwrap();
    assert!(size(&png).is_some_and(|(width, _)| width >= 1000), "{} bytes", png.len());
    if std::env::var_os("BELTLINE_WRITE").is_some_and(|it| it == "picture") {
        std::fs::write(manual::below(PICTURE), png).unwrap();
    }
}

#[test]
fn the_readme_shows_the_dashboard() {
    assert!(manual::readme().contains(&format!("]({PICTURE})")), "the README has no picture");
    let png = std::fs::read(manual::below(PICTURE)).unwrap();
    let (width, height) = size(&png).expect("a PNG of at most 120 KiB");
    assert!(width >= 1000 && height >= 500, "{width} × {height}");
}
