//! `bitrix-oauth` against everything the token server can do.

use beltline::model::time::Span;
use beltline::sim::settings::Settings;

use crate::simulation::portal::Portal;
use crate::simulation::universe::{Universe, template};

#[test]
fn first() {
    let portal = Portal::new(Settings::default(), 1);
    let mut universe = Universe::new(Box::new(portal.clone()), &[&template("bitrix-oauth")]);
    universe.submit("bitrix-oauth/token", portal.params());
    universe.run(Span::mins(1));
    println!("{:?}", universe.way("bitrix-oauth/token"));
    println!("{:#?}", universe.task("bitrix-oauth/token"));
}
