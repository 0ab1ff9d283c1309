//! Every template, against the simulated partners, in virtual time.

mod bitrix_lead;
mod bitrix_oauth;
mod bitrix_offline;
mod keeper;
<<<<<<< HEAD
mod keeping;
=======
mod oauth2_keeper;
mod provider;
>>>>>>> refs/heads/templates
mod small;
mod token_failures;
