//! Which secrets and variables a process names, so that a person sees what it needs.

use crate::model::expr::Expr;
use crate::model::text::StringTemplate;
use crate::process::parsed::ParsedProcess;
use crate::process::process::Named;

/// All that the nodes, the hooks and the schedules name.
pub fn named(parsed: &ParsedProcess) -> Named {
    let mut named = Named::default();
    for parsed_node in &parsed.nodes {
        parsed_node.texts().into_iter().for_each(|(under, text, _)| add(&mut named, under, text));
    }
    let hooks = parsed.hooks.iter().map(|(_, _, tree)| tree);
    for tree in hooks.chain(parsed.schedules.iter().map(|(_, tree)| tree)) {
        for (key, part) in tree.entries().iter().filter(|(key, _)| key.text != "about") {
            for (under, text, _) in part.texts() {
                add(&mut named, if under.is_empty() { &key.text } else { under }, text);
            }
        }
    }
    named
}

/// A text that does not parse names nothing.
fn add(named: &mut Named, under: &str, text: &str) {
    let expr = text.strip_prefix('=').or(matches!(under, "when" | "ok").then_some(text));
    let uses = match expr {
        Some(expr) => Expr::parse(expr).map(|it| it.uses()),
        None => StringTemplate::parse(text).map(|it| it.uses()),
    };
    if let Ok(uses) = uses {
        named.secrets.extend(uses.secrets);
        named.vars.extend(uses.vars);
    }
}

#[cfg(test)]
mod tests {
    use crate::process::parse::parse;

    #[test]
    fn what_nodes_and_hooks_name_is_known_and_what_is_only_told_is_not() {
        let text = r#"
process: p
params: {key: {type: string}}
hooks:
  paid:
    about: "{{secret.told}}"
    check: {hmac: {secret: "{{secret.hook}}", header: X-Signature, signed: "{body}"}}
    ref: "{{body.id}}"
    params: {body: "= body"}
nodes:
  start: {kind: input, next: ask}
  ask:
    kind: http
    title: "{{secret.title}}"
    url: "https://{{var.host}}/x"
    headers: {Authorization: "Bearer {{secret.api}}"}
    ok: "response.status < var.limit"
    next: done
  done: {kind: end, result: "= var['far away']"}
"#;
        let named = parse(text).unwrap().named;
        assert_eq!(named.secrets.iter().collect::<Vec<_>>(), ["api", "hook"]);
        assert_eq!(named.vars.iter().collect::<Vec<_>>(), ["far away", "host", "limit"]);
    }
}
