//! Asking for an access token (the page "OAuth 2.0 client credentials flow").

use std::sync::atomic::Ordering;

use directory::{Failure, Microsoft};
use engine::ports::{Connection, Identity};
use reqwest::{Method, StatusCode};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    clouds::{self, Place},
    credential,
    federation::Federation,
    http::{Http, exchange},
    patience::Patience,
    sentences::{self, Service},
    sign_in_errors,
    token::Token,
};

/// A new token for `who`, trying again what passes.
pub(crate) async fn sign_in<I: Identity>(
    http: &Http,
    place: &Place,
    federation: &Federation<I>,
    who: &Connection,
    mut patience: Patience,
) -> Result<Token, Failure> {
    let scope = clouds::scope(who.cloud);
    let url = place.login.at(&[&who.authority, "oauth2", "v2.0", "token"]);
    let (mut new_connection, mut another_assertion) = (false, true);
    loop {
        if patience.remaining().is_zero() {
            return Err(sentences::out_of_time(Service::SignIn));
        }
        let proof = match credential::proof(who, &url, federation, patience.remaining()).await {
            Ok(proof) => proof,
            Err(failure) if failure.code.passes() && patience.wait(None).await => continue,
            Err(failure) => return Err(failure),
        };
        let mut form =
            vec![("grant_type", "client_credentials"), ("client_id", &who.application_id), ("scope", &scope)];
        form.extend(proof.fields());
        let asked = Instant::now();
        let asked_as = Uuid::new_v4().to_string();
        who.meter.sign_in.fetch_add(1, Ordering::Relaxed);
        let request = http
            .request(Method::POST, url.clone(), new_connection)
            .header("client-request-id", &asked_as)
            .header("accept", "application/json")
            .form(&form);
        let nothing_said = || Microsoft { correlation_id: Some(asked_as.clone()), ..Microsoft::default() };
        let mut failure = match exchange(request, patience.remaining()).await {
            Ok(answer) if answer.status == StatusCode::OK => match Token::read(&answer.body, asked) {
                Some(token) => return Ok(token),
                None => sentences::bad_answer(Service::SignIn, "it holds no token", nothing_said()),
            },
            Ok(answer) => {
                new_connection = answer.status == StatusCode::SERVICE_UNAVAILABLE;
                sign_in_errors::failure(&answer, who, &asked_as)
            }
            Err(broken) => {
                new_connection = true;
                sentences::broken(Service::SignIn, broken, nothing_said())
            }
        };
        proof.explain(&mut failure);
        let microsoft = failure.microsoft.as_ref().and_then(|microsoft| microsoft.code.as_deref());
        tracing::warn!(tenant = %who.tenant, asked_as, microsoft, code = ?failure.code, "sign-in gave no token");
        // The assertion was too old, or our clock is wrong: another one tells which.
        if microsoft == Some("AADSTS700024") && std::mem::take(&mut another_assertion) {
            continue;
        }
        if !failure.code.passes() || !patience.wait(failure.retry_after).await {
            return Err(failure);
        }
    }
}
