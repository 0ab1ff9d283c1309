//! A whole house on loopback: a store, the runner, the service and the REST API, as `serve` puts them
//! together.

pub(crate) mod document;
pub(crate) mod call;
pub(crate) mod daemon;
pub(crate) mod fickle;
pub(crate) mod house;
pub(crate) mod shifted;
pub(crate) mod issuer;
pub(crate) mod refusing;
pub(crate) mod log;
pub(crate) mod manual;
