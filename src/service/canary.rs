//! [`Canary`]: when a channel is tried though nothing is wrong, so that a dead one is not found out by an
//! alarm.

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::channels::spec::{CANARY, CANARY_ZONE};
use crate::model::calendar::cron::Cron;
use crate::model::calendar::zone as zones;
use crate::model::time::Timestamp;

/// What `weekly` is: Monday at nine.
const WEEKLY: &str = "0 9 * * MON";

/// When a channel is tried.
#[derive(Debug)]
pub struct Canary {
    cron: Cron,
    zone: TimeZone,
}

impl Canary {
    /// The canary of these settings, if it is switched on.
    ///
    /// # Errors
    /// What is wrong with the setting, and a hint.
    pub fn read(config: &Map<String, Value>) -> Result<Option<Canary>, String> {
        let text = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default().trim();
        let (cron, zone) = (text(CANARY), text(CANARY_ZONE));
        if cron.is_empty() || cron == "off" {
            return match zone {
                "" => Ok(None),
                _ => Err(format!("`{CANARY_ZONE}` belongs to `{CANARY}`; hint: `{CANARY}: weekly`")),
            };
        }
        let zone = if zone.is_empty() { "UTC" } else { zone };
        let zone = zones::get(zone).map_err(|error| format!("`{CANARY_ZONE}`: {error}"))?;
        let written = if cron == "weekly" { WEEKLY } else { cron };
        let cron = written.parse().map_err(|error: String| {
            let why = error.split("; hint: ").next().unwrap_or_default();
            format!("`{CANARY}`: {why}; hint: `weekly`, or `{WEEKLY}`")
        })?;
        Ok(Some(Canary { cron, zone }))
    }

    /// When it sings next after `at`; never if its years are over.
    pub fn after(&self, at: Timestamp) -> Option<Timestamp> {
        self.cron.next(&self.zone, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn canary(config: &Value) -> Result<Option<Canary>, String> {
        Canary::read(config.as_object().unwrap())
    }

    #[test]
    fn a_canary_sings_on_monday_or_by_cron_where_people_are() {
        // A Saturday.
        let now = Timestamp("2026-11-21T12:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let next = |config: &Value| canary(config).unwrap().unwrap().after(now).unwrap().to_string();
        assert_eq!(next(&json!({"canary": "weekly"})), "2026-11-23T09:00:00Z");
        let riga = json!({"canary": "30 8 * * TUE", "canary_zone": "Europe/Riga"});
        assert_eq!(next(&riga), "2026-11-24T06:30:00Z");
        assert!(canary(&json!({"chat_id": 1})).unwrap().is_none());
        for (config, says) in [
            (json!({"canary": "sometimes"}), "`weekly`"),
            (json!({"canary": "weekly", "canary_zone": "Riga"}), "`Europe/Riga`"),
            (json!({"canary_zone": "Europe/Riga"}), "belongs to `canary`"),
        ] {
            let error = canary(&config).unwrap_err();
            assert!(error.contains(says) && error.contains("hint: "), "{error}");
        }
    }
}
