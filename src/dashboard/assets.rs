//! The style, the script and the icon: built in, and named by what is in them, so that a browser may keep
//! each for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest, Sha256};

use crate::process::svg;

/// Where they are.
pub(super) const FOLDER: &str = "/dashboard/assets/";
/// As long as browsers keep anything.
pub(super) const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// All three. The colours of the page are laid over those of a picture.
pub(super) static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: Asset::new(
        "css",
        "text/css; charset=utf-8",
        &format!("{}\n{}", svg::style(), include_str!("pages/style.css")),
    ),
    script: Asset::new(
        "js",
        "text/javascript; charset=utf-8",
        concat!(include_str!("pages/script.js"), include_str!("pages/edit.js")),
    ),
    icon: Asset::new("svg", "image/svg+xml", include_str!("pages/icon.svg")),
});

/// All three.
pub(super) struct Assets {
    pub(super) style: Asset,
    pub(super) script: Asset,
    pub(super) icon: Asset,
}

/// One of them.
pub(super) struct Asset {
    /// Its path.
    pub(super) path: String,
    kind: &'static str,
    text: String,
}

impl Asset {
    fn new(ending: &str, kind: &'static str, text: &str) -> Asset {
        let hash = BASE64.encode(Sha256::digest(text));
        Asset { path: format!("{FOLDER}{}.{ending}", &hash[..16]), kind, text: text.to_owned() }
    }
}

/// Gives one.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let all = [&ASSETS.style, &ASSETS.script, &ASSETS.icon];
    match all.into_iter().find(|it| it.path.strip_prefix(FOLDER) == Some(&name)) {
        Some(it) => ([(header::CONTENT_TYPE, it.kind), (header::CACHE_CONTROL, FOR_EVER)], it.text.as_str())
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
