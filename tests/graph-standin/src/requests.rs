//! The log of requests, so that a test can count them.

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::{call::Call, token::Claims, world::World};

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The sign-in.
    Token,
    /// `/users` and everything below.
    Users,
    /// `/groups` and everything below.
    Groups,
    /// AWS's identity tokens, and the keys that check them.
    Identity,
    /// The rest of Graph.
    Other,
}

/// One request and what became of it. Requests to control addresses are not logged.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// What it was about.
    pub kind: About,
    /// The short name of the directory, where one was recognised.
    pub tenant: Option<String>,
    /// The status that was answered.
    pub status: u16,
    /// The fault that was played, by name.
    pub fault: Option<String>,
    /// `client-request-id` as sent.
    pub client_request_id: Option<String>,
}

impl About {
    pub(crate) fn of(call: &Call) -> Self {
        let segments: Vec<_> = call.segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            [_, "oauth2" | "discovery", ..] | [_, "v2.0", ".well-known", ..] => Self::Token,
            ["identity", ..] => Self::Identity,
            ["v1.0", "users", ..] => Self::Users,
            ["v1.0", "groups", ..] => Self::Groups,
            _ => Self::Other,
        }
    }
}

/// The directory that a request is for, by its path or its token.
pub(crate) fn tenant_of(world: &World, call: &Call) -> Option<Uuid> {
    if About::of(call) == About::Token {
        return world.directory(call.segments.first()?).map(|directory| directory.id);
    }
    let claims = Claims::decode(call.bearer()?, world.salt, call.now).ok()?;
    Some(claims.tid)
}

/// `any` is the same as nothing.
pub(crate) fn any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<About>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Word {
        One(About),
        Any(Any),
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Any {
        Any,
    }
    Ok(match Option::<Word>::deserialize(deserializer)? {
        Some(Word::One(about)) => Some(about),
        Some(Word::Any(Any::Any)) | None => None,
    })
}
