//! What an ID token says, once it is verified: who somebody is, by directory and object, and nothing else.

use directory::ObjectId;
use jiff::Timestamp;
use openidconnect::{
    AdditionalClaims, IdToken, IdTokenClaims,
    core::{CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    NotSignedIn, SKEW,
    provider::{PERSONAL, Provider},
};

/// Somebody whom Microsoft has just signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// `tid`: the directory.
    pub directory: Uuid,
    /// `oid`: the object in it; Graph's `id` of the user.
    pub object: ObjectId,
    /// The account belongs to another directory. That only says what to tell somebody who is not known here.
    pub guest: bool,
}

/// Microsoft's claims beside OpenID's (the page "ID token claims reference").
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Microsofts {
    tid: Option<String>,
    oid: Option<String>,
    idp: Option<String>,
    /// 0 is a member, 1 a guest.
    acct: Option<Value>,
    nbf: Option<i64>,
}

impl AdditionalClaims for Microsofts {}

/// An ID token of Microsoft's.
pub(super) type Token =
    IdToken<Microsofts, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

/// Who a verified token is about, where that is somebody of the very directory that was asked.
pub(super) fn person(
    claims: &IdTokenClaims<Microsofts, CoreGenderClaim>,
    provider: &Provider,
    now: Timestamp,
) -> Result<Person, NotSignedIn> {
    if !provider.issuers.iter().any(|issuer| issuer == claims.issuer().as_str()) {
        return Err(NotSignedIn::Token("another issuer made it"));
    }
    decide(claims.additional_claims(), provider, now)
}

fn decide(claims: &Microsofts, provider: &Provider, now: Timestamp) -> Result<Person, NotSignedIn> {
    let Microsofts { tid, oid, idp, acct, nbf } = claims;
    let guid = |text: &Option<String>| text.as_deref().and_then(|text| Uuid::try_parse(text).ok());
    if nbf.is_some_and(|from| from > (now + SKEW).as_second()) {
        return Err(NotSignedIn::Token("it is not valid yet"));
    }
    let directory = guid(tid).ok_or(NotSignedIn::Token("it names no directory"))?;
    if directory == PERSONAL {
        return Err(NotSignedIn::Personal);
    }
    if directory != provider.directory {
        return Err(NotSignedIn::Token("it is of another directory"));
    }
    let member = match acct {
        None => true,
        Some(Value::Number(number)) => number.as_i64() == Some(0),
        Some(Value::String(text)) => text == "0",
        Some(_) => false,
    };
    // Where the claim is there for a member, it names the directory itself.
    let elsewhere = idp.as_ref().is_some_and(|idp| !idp.contains(&directory.to_string()));
    let object = guid(oid).ok_or(NotSignedIn::Token("it names no object"))?;
    let object = ObjectId::try_from(object.to_string()).map_err(|_| NotSignedIn::Token("it names no object"))?;
    Ok(Person { directory, object, guest: !member || elsewhere })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TID: &str = "c0a70501-5d1e-4c0a-9d3f-1f0e5a7b0001";
    const OID: &str = "5b6e1f4c-0c38-4b0e-9a47-0d4c1f9a0001";

    #[test]
    #[rustfmt::skip]
    fn r8_1_directory_and_object_say_who_it_is_and_nothing_else_does() {
        let other = "11111111-2222-4333-8444-555555555555";
        let guest = format!("{OID}, a guest");
        let issuer = format!("https://login.microsoftonline.com/{TID}/v2.0");
        let sts = format!("https://sts.windows.net/{TID}/");
        check("a member",                    json!({"tid": TID, "oid": OID}),                                    OID);
        check("who says so",                 json!({"tid": TID, "oid": OID, "acct": 0, "idp": issuer, "nbf": 0}), OID);
        check("in the older form",           json!({"tid": TID, "oid": OID, "idp": sts}),                        OID);
        check("in capital letters",          json!({"tid": TID.to_uppercase(), "oid": OID.to_uppercase()}),      OID);
        check("a guest",                     json!({"tid": TID, "oid": OID, "acct": 1}),                         &guest);
        check("a guest, as text",            json!({"tid": TID, "oid": OID, "acct": "1"}),                       &guest);
        check("an account of some kind",     json!({"tid": TID, "oid": OID, "acct": true}),                      &guest);
        check("somebody of another's",       json!({"tid": TID, "oid": OID, "idp": format!("https://sts.windows.net/{other}/")}), &guest);
        check("somebody with a Live id",     json!({"tid": TID, "oid": OID, "idp": "live.com"}),                 &guest);
        check("another directory",           json!({"tid": other, "oid": OID}),                                  "the ID token is refused: it is of another directory");
        check("no directory",                json!({"oid": OID}),                                                "the ID token is refused: it names no directory");
        check("a personal account",          json!({"tid": PERSONAL, "oid": OID}),                               "it is a personal account");
        check("no object",                   json!({"tid": TID}),                                                "the ID token is refused: it names no object");
        check("an object that is no GUID",   json!({"tid": TID, "oid": "../admin"}),                             "the ID token is refused: it names no object");
        check("somebody's address",          json!({"tid": TID, "email": "ann@contoso.com"}),                    "the ID token is refused: it names no object");
        check("not valid yet",               json!({"tid": TID, "oid": OID, "nbf": 1_000}),                      "the ID token is refused: it is not valid yet");
        check("clocks differ",               json!({"tid": TID, "oid": OID, "nbf": 200}),                        OID);
    }

    #[track_caller]
    fn check(name: &str, claims: Value, expected: &str) {
        let url = || "https://login.microsoftonline.com".parse().unwrap();
        let provider = Provider {
            directory: TID.parse().unwrap(),
            issuers: vec![format!("https://login.microsoftonline.com/{TID}/v2.0")],
            authorize: url(),
            token: url(),
            keys: url(),
        };
        let claims = serde_json::from_value(claims).unwrap();
        let outcome = decide(&claims, &provider, Timestamp::UNIX_EPOCH);
        let outcome = match outcome {
            Ok(Person { object, guest: false, .. }) => object.to_string(),
            Ok(Person { object, .. }) => format!("{object}, a guest"),
            Err(err) => err.to_string(),
        };
        assert_eq!(outcome, expected, "{name}");
    }
}
