//! Tokens for programs: a new one, shown once, and one less.

use std::collections::BTreeSet;

use axum::extract::State;

use crate::dashboard::dash::Dash;
use crate::dashboard::page::Given;
use crate::dashboard::take::{Form, Who};
use crate::dashboard::users::{Beside, Typed, done, page, process_id, words};
use crate::model::time::Span;
use crate::service::actor::Right;
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::tokens::Wanted;

/// Makes one. It stands on the page that answers, and nowhere else.
pub(super) async fn make(State(dash): State<Dash>, who: Who, form: Form) -> Given {
    let made = async {
        let wanted = wanted(&dash, &form)?;
        dash.service.make_token(&who.0, wanted).await
    };
    match made.await {
        Ok(it) => {
            let made = Some((it.name, it.token.unwrap_or_default()));
            page(&dash, &who, Beside { made, ..Beside::default() })
        }
        Err(refusal) => {
            let typed = Typed::Token(&form);
            page(&dash, &who, Beside { refusal: Some(&refusal), typed, ..Beside::default() })
        }
    }
}

fn wanted(dash: &Dash, form: &Form) -> ServiceResult<Wanted> {
    let all = [Right::Read, Right::Run, Right::Edit, Right::Secrets, Right::Admin];
    let scopes = all.into_iter().filter(|it| form.has(&format!("scope.{it}"))).collect();
    let processes = words(form.get("processes")).map(process_id).collect::<ServiceResult<BTreeSet<_>>>()?;
    let expires = match form.get("expires") {
        "" => None,
        text => {
            let span: Span = text.parse().map_err(|_| {
                ServiceError::bad("bad_expiry", format!("`{text}` is no length of time, such as 90d"))
            })?;
            Some(dash.service.now() + span)
        }
    };
    let processes = Some(processes).filter(|it| !it.is_empty());
    Ok(Wanted { name: form.get("name").trim().to_owned(), scopes, processes, expires })
}

/// Takes one back.
pub(super) async fn forget(State(dash): State<Dash>, who: Who, form: Form) -> Given {
    let forgotten = dash.service.forget_token(&who.0, form.get("name")).await;
    done(&dash, &who, forgotten, "token_forgotten")
}
