//! A page of the manual as HTML. Headings can be linked to as they can on a forge, links between pages of the
//! manual lead to the dashboard's own, and what is wide scrolls by itself.

use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use crate::process::svg::escaped;

/// Where the pages of the manual are.
pub(super) const MANUAL: &str = "/dashboard/manual";

/// The HTML of a text, without its title. `label` names what can be scrolled.
pub(super) fn to_html(text: &str, label: &str) -> String {
    let events: Vec<Event> = Parser::new_ext(text, Options::ENABLE_TABLES).collect();
    let label = escaped(label);
    let mut made = Vec::with_capacity(events.len());
    let (mut at, mut inside_dead_link) = (0, false);
    while let Some(event) = events.get(at) {
        at += 1;
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) => {
                at = past_title(&events, at);
            }
            Event::Start(Tag::Heading { level, .. }) => {
                let id = Some(CowStr::from(slug(&words(&events, at))));
                let (classes, attrs) = (Vec::new(), Vec::new());
                made.push(Event::Start(Tag::Heading { level: *level, id, classes, attrs }));
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => match address(dest_url) {
                Some(to) => {
                    let (link_type, dest_url) = (*link_type, to.into());
                    let (title, id) = (title.clone(), id.clone());
                    made.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
                }
                None => inside_dead_link = true,
            },
            Event::End(TagEnd::Link) if inside_dead_link => inside_dead_link = false,
            Event::Start(Tag::Table(_)) => made.extend([region("tablebox", &label), event.clone()]),
            Event::Start(Tag::CodeBlock(_)) => {
                let block = Tag::CodeBlock(CodeBlockKind::Indented);
                made.extend([region("code", &label), Event::Start(block)]);
            }
            Event::End(TagEnd::Table | TagEnd::CodeBlock) => {
                made.extend([event.clone(), Event::Html("</div>\n".into())]);
            }
            // The pages are ours, and need none.
            Event::Html(_) | Event::InlineHtml(_) => {}
            _ => made.push(event.clone()),
        }
    }
    let mut out = String::new();
    html::push_html(&mut out, made.into_iter());
    out
}

/// The headings below the title: how each is linked to, and its words.
pub(super) fn headings(text: &str) -> Vec<(String, String)> {
    let events: Vec<Event> = Parser::new_ext(text, Options::ENABLE_TABLES).collect();
    let begins = |event: &Event| matches!(event, Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }));
    let places = events.iter().enumerate().filter(|(_, event)| begins(event)).map(|(at, _)| at + 1);
    places.map(|at| words(&events, at)).map(|words| (slug(&words), words)).collect()
}

/// A box that scrolls, also by the keyboard.
fn region(class: &str, label: &str) -> Event<'static> {
    let begin = format!("<div class=\"{class}\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">");
    Event::Html(begin.into())
}

/// Behind the end of a title.
fn past_title(events: &[Event], at: usize) -> usize {
    let end = events[at..].iter().position(|event| matches!(event, Event::End(TagEnd::Heading(_))));
    at + end.map_or(0, |end| end + 1)
}

/// The words of a heading, which begins there.
fn words(events: &[Event], at: usize) -> String {
    let inner = events[at..].iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let word = |event: &Event| match event {
        Event::Text(text) | Event::Code(text) => text.to_string(),
        _ => String::new(),
    };
    inner.map(word).collect()
}

/// How forges link to a heading.
pub(super) fn slug(words: &str) -> String {
    let kept = words.to_lowercase();
    let kept = kept.chars().filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

/// Where a link leads in the dashboard; none if it leads to a file that is not here.
fn address(link: &str) -> Option<String> {
    if link.starts_with('#') || link.starts_with("https://") {
        return Some(link.to_owned());
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let name = file.strip_suffix(".md").filter(|name| !name.contains('/'))?;
    let anchor = anchor.map(|it| format!("#{it}")).unwrap_or_default();
    Some(format!("{MANUAL}/{name}{anchor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_of_the_dashboard() {
        let text = "# T\n\n[a](kinds.md#one-two) [b](../lib.rs) [c](https://x.example/) [d](#e)\n";
        let made = "<p><a href=\"/dashboard/manual/kinds#one-two\">a</a> b \
                    <a href=\"https://x.example/\">c</a> <a href=\"#e\">d</a></p>\n";
        assert_eq!(to_html(text, "T"), made);
    }

    #[test]
    fn headings_are_linked_to_as_on_a_forge() {
        let text = "# T\n\n## In `hand`, now!\n\n```yaml\n# no heading\n```\n\n## Two\n";
        let all = [("in-hand-now", "In hand, now!"), ("two", "Two")];
        assert_eq!(headings(text), all.map(|(id, words)| (id.to_owned(), words.to_owned())));
        let made = to_html(text, "\"T\"");
        assert!(made.starts_with("<h2 id=\"in-hand-now\">In <code>hand</code>, now!</h2>"), "{made}");
        assert!(made.contains("aria-label=\"&quot;T&quot;\">\n<pre><code># no heading"), "{made}");
    }

    #[test]
    fn no_html_of_a_text_is_html_of_the_page() {
        let made = to_html("a <b>c</b>\n\n<script>x</script>\n\n| a |\n|---|\n| `<i>` |\n", "T");
        assert!(!made.contains("<b>") && !made.contains("<script>") && !made.contains("<i>"), "{made}");
        assert!(made.contains("<div class=\"tablebox\"") && made.contains("&lt;i&gt;"), "{made}");
    }
}
