//! What only the operator of the service may say of a tenant, because nobody here can prove it.
//!
//! Who registers a domain gets its people's sign-ins and keeps others from it; without it they cannot sign in. And all federated connections show Microsoft
//! the same identity, so that naming somebody else's directory and application would be enough to read them; a secret or a
//! certificate proves that it is one's own.

use std::collections::BTreeSet;

use directory::{Code, CredentialKind, Domain, Failure, Settings};
use serde_json::{Map, Value};

use super::fields;

/// Why a change is the operator's, and the field that it is about.
pub(crate) fn reserved(patch: &Map<String, Value>, settings: &Settings) -> Option<(Failure, (&'static str, String))> {
    let (field, why) = federated(patch, settings).or_else(|| domains(patch, settings))?;
    let help = "Ask the operator of this service to do it. The rest of what you typed is still in the form.";
    Some((Failure::new(Code::InvalidInput, format!("Nothing was saved. {why}"), help), (field, why)))
}

fn federated(patch: &Map<String, Value>, settings: &Settings) -> Option<(&'static str, String)> {
    let kind = patch.get("credential").and_then(|credential| credential.get("kind")).and_then(Value::as_str);
    let federated = kind.map_or(settings.credential.kind == CredentialKind::Federated, |kind| kind == "federated");
    let connects = patch.keys().any(|key| fields::is_of_the_connection(key));
    (federated && connects).then(|| {
        ("credential.kind", "A federated connection is set up and changed by the operator of this service.".to_owned())
    })
}

fn domains(patch: &Map<String, Value>, settings: &Settings) -> Option<(&'static str, String)> {
    let registered: BTreeSet<Domain> = settings.domains.iter().map(|domain| domain.name.clone()).collect();
    let typed = patch.get("domains")?.as_array()?.iter().filter_map(|domain| domain["name"].as_str());
    // What is no domain is refused where everything is.
    let typed = typed.map(Domain::parse).collect::<Result<BTreeSet<_>, _>>().ok()?;
    let new = typed.difference(&registered).next().map(|name| format!("{name} is not registered yet."));
    let gone = registered.difference(&typed).next().map(|name| format!("{name} is missing."));
    let why = new.or(gone)?;
    Some(("domains", format!("{why} The operator of this service registers domains, and takes them away.")))
}
