//! The events that the portal sends to an application's handler: ONAPPINSTALL with a first pair, and
//! ONAPPUNINSTALL, which has none. As forms, the way the vendor sends them.

use url::form_urlencoded::Serializer;

use crate::sim::bitrix::{Bitrix, host_of};

/// An event, by its name in the control API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SimEvent {
    /// The application was installed.
    Install,
    /// It was removed.
    Uninstall,
}

/// Lets `event` happen to the application and gives the form that tells of it; none if it is not known.
pub fn happen(bitrix: &mut Bitrix, event: SimEvent, client_id: &str, now: i64) -> Option<String> {
    let scope = bitrix.app(client_id)?.scope.clone();
    let application_token = bitrix.application_token(client_id, event == SimEvent::Install);
    bitrix.settings.installed = event == SimEvent::Install;
    let portal = bitrix.portal_url().to_owned();
    let mut form = vec![
        ("event", if event == SimEvent::Install { "ONAPPINSTALL" } else { "ONAPPUNINSTALL" }.to_owned()),
        ("ts", now.div_euclid(1_000).to_string()),
        ("auth[domain]", host_of(&portal).to_owned()),
        ("auth[client_endpoint]", format!("{portal}/rest/")),
        ("auth[server_endpoint]", format!("{}/rest/", bitrix.config().token_url)),
        ("auth[member_id]", bitrix.config().member_id.clone()),
        ("auth[application_token]", application_token),
    ];
    if event == SimEvent::Uninstall {
        form.push(("data[CLEAN]", "0".to_owned()));
        return Some(encoded(&form));
    }
    let code = bitrix.code(client_id, now)?;
    let rules = bitrix.settings.rules(bitrix.config().user_id);
    let pair = bitrix.tokens.exchange(&code, client_id, now, rules).ok()?;
    let pair = bitrix.tokens.pair(pair)?;
    form.extend([
        ("data[VERSION]", "1".to_owned()),
        ("data[LANGUAGE_ID]", "en".to_owned()),
        ("auth[access_token]", pair.access.clone()),
        ("auth[refresh_token]", pair.refresh.clone()),
        ("auth[expires]", pair.access_until.div_euclid(1_000).to_string()),
        ("auth[expires_in]", (pair.access_until - now).div_euclid(1_000).to_string()),
        ("auth[scope]", scope),
        ("auth[status]", "L".to_owned()),
        ("auth[user_id]", bitrix.config().user_id.to_string()),
    ]);
    Some(encoded(&form))
}

fn encoded(form: &[(&str, String)]) -> String {
    Serializer::new(String::new()).extend_pairs(form).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::bitrix::BitrixConfig;
    use crate::sim::request::SimRequest;
    use crate::sim::settings::{BitrixSettings, SimApp};

    const NOW: i64 = 1_728_409_697_000;

    fn bitrix() -> Bitrix {
        let app = SimApp {
            client_id: "local.1".to_owned(),
            client_secret: "s3cret".to_owned(),
            redirect_url: String::new(),
            scope: "crm".to_owned(),
        };
        Bitrix::new(BitrixConfig {
            portal_url: "http://portal.test".to_owned(),
            token_url: "http://oauth.test".to_owned(),
            member_id: "a".repeat(32),
            user_id: 1,
            seed: 1,
            apps: vec![app],
            settings: BitrixSettings::default(),
        })
    }

    fn auth(bitrix: &mut Bitrix, event: SimEvent) -> serde_json::Value {
        let body = happen(bitrix, event, "local.1", NOW).unwrap();
        let request = SimRequest {
            body: body.into_bytes(),
            content_type: "application/x-www-form-urlencoded".to_owned(),
            ..SimRequest::get("/")
        };
        request.fields().unwrap().all["auth"].clone()
    }

    #[test]
    fn an_installation_brings_a_pair_and_a_removal_none() {
        let mut bitrix = bitrix();
        let first = auth(&mut bitrix, SimEvent::Install);
        assert!(bitrix.is_valid(first["access_token"].as_str().unwrap(), NOW));
        assert_eq!((&first["domain"], &first["expires_in"]), (&"portal.test".into(), &"3600".into()));
        let removed = auth(&mut bitrix, SimEvent::Uninstall);
        assert_eq!(removed["application_token"], first["application_token"]);
        assert!(removed.get("refresh_token").is_none() && !bitrix.settings.installed);
        let again = auth(&mut bitrix, SimEvent::Install);
        assert_ne!(again["application_token"], first["application_token"], "a new installation, a new one");
        assert_eq!(happen(&mut bitrix, SimEvent::Install, "local.2", NOW), None);
    }
}
