//! The manual in the dashboard: every page is there and whole, and every link on it leads somewhere.

use std::collections::BTreeMap;

use beltline::service::guide::GUIDES;
use beltline::service::manual::{Topic, pages};

use crate::dashboard::visitor::Visitor;
use crate::support::house::House;

/// What stands between two marks, everywhere.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    text.split(from).skip(1).filter_map(|rest| rest.split_once(to)).map(|(inner, _)| inner).collect()
}

#[tokio::test]
async fn every_page_of_the_manual_is_there_and_its_links_lead_somewhere() {
    let house = House::open().await;
    let visitor = Visitor::operator(&house).await;
    let contents = visitor.page("/dashboard/manual").await;
    let mut made: BTreeMap<String, String> = BTreeMap::new();
    for page in pages().iter().filter(|page| page.topic != Topic::Fault) {
        let path = format!("/dashboard/manual/{}", page.name);
        assert!(contents.contains(&format!("href=\"{path}\"")), "{path} is not in the contents");
        made.insert(path.clone(), visitor.page(&path).await);
    }
    assert!(contents.contains("href=\"/dashboard/faults/http_connect\""));
    let mut links = 0;
    for (path, html) in &made {
        let article = between(html, "<article class=\"prose\"", "</article>").concat();
        assert!(!article.contains(".md\"") && !article.contains("]("), "{path}: {article}");
        for link in between(&article, "<a href=\"", "\"").iter().filter(|it| !it.starts_with("https://")) {
            links += 1;
            let (to, anchor) = link.split_once('#').unwrap_or((link, ""));
            let to = if to.is_empty() { path } else { to };
            let target = made.get(to).unwrap_or_else(|| panic!("{path} leads to {link}"));
            let id = format!("id=\"{anchor}\"");
            assert!(anchor.is_empty() || target.contains(&id), "{path} leads to {link}");
        }
    }
    assert!(links > 15, "only {links} links");
    assert_eq!(visitor.get("/dashboard/manual/no-such-page").await.status, 404);
    let fault = visitor.get("/dashboard/manual/http_connect").await;
    assert_eq!((fault.status, fault.header("location")), (303, "/dashboard/faults/http_connect"));
    house.close().await;
}

#[tokio::test]
async fn headings_lists_tables_and_code_are_shown_as_such() {
    let house = House::open().await;
    let visitor = Visitor::operator(&house).await;
    let filters = visitor.page("/dashboard/manual/filters").await;
    for piece in [
        "<h1 lang=\"en\">Filters, tests and methods</h1>",
        "<a href=\"#tests\">Tests</a>",
        "<h2 id=\"tests\">Tests</h2>",
        "<th>filter</th>",
        // A stroke within a cell is no end of it.
        "<code>(1 - 3)|abs</code> → <code>2</code>",
        "\"a&lt;b\"|escape",
    ] {
        assert!(filters.contains(piece), "{piece}: {filters}");
    }
    let hooks = visitor.page("/dashboard/manual/hooks").await;
    assert!(hooks.contains("<pre><code>process: shop\n"), "{hooks}");
    let bitrix = visitor.page("/dashboard/manual/bitrix").await;
    assert!(bitrix.contains("<ol>\n<li>") && !bitrix.contains("<!--"), "{bitrix}");
    let found = visitor.page("/dashboard/search?q=daylight").await;
    assert!(!found.contains("/dashboard/manual/speed"), "{found}");
    let found = visitor.page("/dashboard/search?q=PROXY").await;
    assert!(found.contains("<a href=\"/dashboard/manual/proxies\">"), "{found}");
    house.close().await;
}

#[test]
fn every_guide_has_a_title_and_says_what_it_is_about() {
    for guide in GUIDES {
        let (title, about) = (guide.title(), guide.about());
        assert!(guide.source.starts_with(&format!("# {title}\n\n{about}")), "{}", guide.name);
        assert!((4..50).contains(&title.len()), "{title}");
        assert!((20..130).contains(&about.len()), "{about}");
    }
}
