//! Every template, against the simulated partners, in virtual time.

mod bitrix_oauth;
