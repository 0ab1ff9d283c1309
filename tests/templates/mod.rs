//! Every template, against the simulated partners, in virtual time.

mod bitrix_install;
mod bitrix_lead;
mod bitrix_oauth;
mod bitrix_offline;
mod hands;
mod keeper;
mod keeping;
mod lost_answers;
mod oauth2_keeper;
mod provider;
mod small;
mod token_failures;
