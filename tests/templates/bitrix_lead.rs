//! `bitrix-lead`: a lead with a token that another task keeps.

use beltline::model::task::State;
use beltline::model::time::Span;
use beltline::sim::script::Plan;
use beltline::sim::settings::BitrixSettings;
use beltline::sim::troubles::SimTrouble;
use serde_json::{Value, json};

use crate::simulation::portal::Portal;
use crate::simulation::universe::{Universe, template};

const CALLER: &str = r#"
process: caller
params: {title: {type: string}}
nodes:
  start: {kind: input, next: ask}
  ask:
    {kind: call, process: bitrix-lead, params: {title: "{{title}}", phone: "1"}, next: good, on_error: bad}
  good: {kind: end, result: "{{lead_id}}"}
  bad: {kind: end, ok: false, result: "{{fault.code}}: {{fault.message}}"}
"#;

struct Office {
    portal: Portal,
    universe: Universe,
}

impl Office {
    fn new() -> Office {
        let portal = Portal::new(BitrixSettings::default(), 1);
        let keeper = template("bitrix-oauth").replacen("process: bitrix-oauth", "process: bitrix", 1);
        let processes = [keeper.as_str(), &template("bitrix-lead"), CALLER];
        let mut universe = Universe::new(Box::new(portal.clone()), &processes);
        let mut given = Portal::params();
        given["code"] = portal.code(universe.now()).into();
        universe.submit("bitrix/token", given);
        universe.run(Span::mins(5));
        assert_eq!(universe.node("bitrix/token"), "nap");
        Office { portal, universe }
    }

    fn lead(&mut self) -> (State, Value) {
        self.universe.submit("caller/a", json!({"title": "Call back"}));
        self.universe.run(Span::mins(10));
        let task = self.universe.task("caller/a");
        (task.state, task.result.unwrap_or_default())
    }
}

#[test]
fn a_lead_is_made_with_the_kept_token() {
    let mut office = Office::new();
    assert_eq!(office.lead(), (State::Done, json!(1)));
    let leads = office.portal.bitrix().leads();
    assert_eq!(leads[0].fields["TITLE"], "Call back");
    assert_eq!(office.lead(), (State::Done, json!(2)));
    assert_eq!(office.portal.bitrix().counts.url_secrets, 0);
}

#[test]
fn a_dead_token_wakes_the_keeper_and_the_lead_is_made_once() {
    let mut office = Office::new();
    let now = office.universe.now().0;
    office.portal.bitrix().tokens.expire_access(now);
    assert_eq!(office.lead(), (State::Done, json!(1)));
    assert_eq!(office.portal.bitrix().leads().len(), 1);
    assert_eq!(office.portal.bitrix().counts.rotations, 1);
}

#[test]
fn what_a_new_token_does_not_mend_is_told_clearly() {
    let mut office = Office::new();
    office.portal.bitrix().troubles.rest.set(vec![Plan::always(SimTrouble::ExpiredToken)]);
    let (state, result) = office.lead();
    assert_eq!(
        (state, result),
        (State::Failed, json!("lead_failed: expired_token: The access token provided has expired."))
    );
    let mut office = Office::new();
    office.portal.bitrix().troubles.rest.set(vec![Plan::always(SimTrouble::InvalidToken)]);
    office.portal.bitrix().troubles.token.set(vec![Plan::always(SimTrouble::Http503)]);
    let (_, result) = office.lead();
    assert!(result.as_str().unwrap().contains("did not renew it in two minutes"), "{result}");
}

#[test]
fn a_lost_answer_makes_no_second_lead() {
    let mut office = Office::new();
    office.portal.bitrix().troubles.rest.set(vec![Plan::times(SimTrouble::Lost, 1)]);
    let (state, result) = office.lead();
    assert_eq!(state, State::Failed);
    assert!(result.as_str().unwrap().contains("outcome_unknown"), "{result}");
    assert_eq!(office.portal.bitrix().leads().len(), 1);
    office.portal.bitrix().troubles.rest.set(vec![Plan::times(SimTrouble::QueryLimitExceeded, 2)]);
    assert_eq!(office.lead().0, State::Done, "what was refused before it ran is asked again");
}

#[test]
fn without_a_keeper_it_fails_and_says_so() {
    let portal = Portal::new(BitrixSettings::default(), 1);
    let mut universe =
        Universe::new(Box::new(portal), &[&template("bitrix-lead"), &template("bitrix-oauth")]);
    universe.submit("bitrix-lead/a", json!({"title": "x"}));
    universe.run(Span::mins(1));
    let task = universe.task("bitrix-lead/a");
    assert_eq!((task.state, task.at.as_str()), (State::Failed, "no_lead"));
    assert!(task.result.unwrap().as_str().unwrap().contains("no process `bitrix`"));
}
