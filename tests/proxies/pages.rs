//! People on the other side of a proxy.

use std::io::Read;

use flate2::read::GzDecoder;
use reqwest::{Method, RequestBuilder};

use crate::proxies::front::{Front, Proxy, VISITOR};

/// What is answered to somebody who takes packed answers, unpacked.
async fn unpacked(request: RequestBuilder) -> String {
    let answer = request.header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-encoding"], "gzip", "the proxy packs {}", answer.url());
    let mut text = String::new();
    GzDecoder::new(&*answer.bytes().await.unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// Pages and what they load arrive packed, and a login is kept in a cookie that stays on sealed lines.
pub(super) async fn a_person_comes_in(proxy: &Proxy) {
    let front = Front::open(proxy).await;
    let login = front.ask(Method::GET, "/dashboard/login").send().await.unwrap();
    assert!(login.headers()["strict-transport-security"].to_str().unwrap().contains("max-age"));
    assert!(unpacked(front.ask(Method::GET, "/dashboard/login")).await.contains("name=\"password\""));
    let cookie = front.cookie().await;
    let look = async |path: &str| unpacked(front.ask(Method::GET, path).header("cookie", &cookie)).await;
    let page = look("/dashboard/p/hello").await;
    assert!(page.contains("Hello"), "{page}");
    for kind in [".js", ".css"] {
        let asset = |it: &&str| it.starts_with("/dashboard/assets/") && it.contains(kind);
        let asset = page.split('"').find(asset).unwrap();
        assert!(look(asset).await.len() > 1_000, "{asset}");
    }
}

/// Who somebody is, the proxy says and they themselves do not; and whoever comes around it is not believed.
pub(super) async fn a_visitor_is_who_the_proxy_says(proxy: &Proxy) {
    let front = Front::open(proxy).await;
    let (login, lie) = ("/dashboard/login", ("x-forwarded-for", "6.6.6.6"));
    for request in [front.ask(Method::POST, login), front.around(Method::POST, login)] {
        let request = Front::log_in(request.header(lie.0, lie.1), "a wrong guess");
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    let audit = front.place.json(&["audit", "list"]).to_string();
    assert_eq!(audit.matches(&format!("ann from {VISITOR}")).count(), 2, "{audit}");
    assert!(!audit.contains("6.6.6.6"), "{audit}");
}
