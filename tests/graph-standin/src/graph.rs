//! Graph's front door: who asks, whether the token's roles suffice, and who answers.

use crate::{
    answer::Answer,
    call::Call,
    delta,
    directory::{Directory, Kind},
    errors::GraphError,
    lists, passwords,
    token::Claims,
    world::World,
};

/// Roles, of which one is enough.
const USERS: &[&str] = &["Directory.Read.All", "Directory.ReadWrite.All", "User.Read.All", "User.ReadWrite.All"];
const GROUPS: &[&str] = &["Directory.Read.All", "Directory.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All"];
const ORGANIZATION: &[&str] = &["Directory.Read.All", "Directory.ReadWrite.All", "Organization.Read.All"];
const MAILBOX: &[&str] = &["MailboxSettings.Read", "MailboxSettings.ReadWrite"];

/// Answer a request below `/v1.0`.
pub(crate) fn answer(world: &mut World, call: &Call) -> Result<Answer, GraphError> {
    let claims = claims(world, call)?;
    let settings = world.settings.clone();
    let unknown = || GraphError::bad_token("Access token validation failure. Invalid tenant.");
    let directory = world.directories.iter_mut().find(|directory| directory.id == claims.tid).ok_or_else(unknown)?;
    let segments: Vec<_> = call.segments.iter().skip(1).map(String::as_str).collect();
    match (call.method.as_str(), segments.as_slice()) {
        ("POST", [applications, path @ ..]) if applications.starts_with("applications") => {
            let (key, action) = keyed(applications, path);
            match action {
                ["addPassword"] => passwords::add(directory, applications, key, &claims, call, &settings),
                ["removePassword"] => passwords::remove(directory, applications, key, &claims, call),
                _ => Err(no_resource(applications)),
            }
        }
        ("GET", segments) => read(directory, segments, &claims, call, &settings),
        (method, _) => {
            let message = format!("The stand-in knows no {method} request here.");
            Err(GraphError::new(405, "Request_BadRequest", message))
        }
    }
}

fn read(
    directory: &Directory,
    segments: &[&str],
    claims: &Claims,
    call: &Call,
    settings: &crate::settings::Settings,
) -> Result<Answer, GraphError> {
    match *segments {
        ["users", function] if is_delta(function) => {
            needs(claims, USERS)?;
            delta::page(directory, Kind::User, call, settings)
        }
        ["groups", function] if is_delta(function) => {
            needs(claims, GROUPS)?;
            delta::page(directory, Kind::Group, call, settings)
        }
        ["users"] => needs(claims, USERS).and_then(|()| lists::list(directory, Kind::User, call, settings)),
        ["groups"] => needs(claims, GROUPS).and_then(|()| lists::list(directory, Kind::Group, call, settings)),
        ["users", "$count"] => needs(claims, USERS).and_then(|()| lists::count(directory, Kind::User, call)),
        ["groups", "$count"] => needs(claims, GROUPS).and_then(|()| lists::count(directory, Kind::Group, call)),
        ["users", id] => {
            needs(claims, USERS)?;
            let mailbox = call.parameter("$select").is_some_and(|names| names.contains("mailboxSettings"));
            if mailbox {
                needs(claims, MAILBOX)?;
            }
            lists::one(directory, Kind::User, id, call)
        }
        ["groups", id] => needs(claims, GROUPS).and_then(|()| lists::one(directory, Kind::Group, id, call)),
        ["users", id, "mailboxSettings"] => needs(claims, MAILBOX).and_then(|()| lists::mailbox(directory, id, false)),
        ["users", id, "mailboxSettings", "userPurpose"] => {
            needs(claims, MAILBOX)?;
            lists::mailbox(directory, id, true)
        }
        ["groups", id, "members"] => {
            needs(claims, GROUPS)?;
            lists::members(directory, id, call, settings)
        }
        ["organization"] => needs(claims, ORGANIZATION).map(|()| lists::organization(directory, call)),
        [applications, ref path @ ..] if applications.starts_with("applications") => match keyed(applications, path) {
            (key, []) if key.is_some() || applications.contains('(') => {
                passwords::read(directory, applications, key, claims)
            }
            _ => Err(no_resource(applications)),
        },
        [first, ..] => Err(no_resource(first)),
        [] => Err(no_resource("")),
    }
}

fn claims(world: &World, call: &Call) -> Result<Claims, GraphError> {
    let token = call.bearer().filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| GraphError::bad_token("Access token is empty."))?;
    Claims::decode(token, world.salt, call.now).map_err(GraphError::bad_token)
}

fn needs(claims: &Claims, roles: &[&str]) -> Result<(), GraphError> {
    if roles.iter().any(|role| claims.roles.contains(*role)) { Ok(()) } else { Err(GraphError::forbidden()) }
}

/// The id that follows `applications` when the application is not named in brackets, and the rest.
fn keyed<'a, 'b>(applications: &str, path: &'b [&'a str]) -> (Option<&'a str>, &'b [&'a str]) {
    match path {
        [id, rest @ ..] if !applications.contains('(') => (Some(id), rest),
        rest => (None, rest),
    }
}

fn is_delta(function: &str) -> bool {
    ["delta", "delta()", "microsoft.graph.delta", "microsoft.graph.delta()"].contains(&function)
}

fn no_resource(segment: &str) -> GraphError {
    GraphError::bad_request(format!("Resource not found for the segment '{segment}'."))
}
