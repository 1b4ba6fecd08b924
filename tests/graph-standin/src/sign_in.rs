//! `POST /{tenant}/oauth2/v2.0/token`: client credentials for Graph.

use serde_json::json;
use uuid::Uuid;

use crate::{
    answer::Answer,
    application::Application,
    assertion,
    call::{Call, pairs},
    directory::{Cloud, Directory},
    sign_in_errors::SignInError,
    token::Claims,
    world::World,
};

/// The Graph roots whose `/.default` is a scope.
const GRAPH_ROOTS: [(&str, Cloud); 4] = [
    ("https://graph.microsoft.com", Cloud::Global),
    ("https://graph.microsoft.us", Cloud::UsGov),
    ("https://dod-graph.microsoft.us", Cloud::UsGovDod),
    ("https://microsoftgraph.chinacloudapi.cn", Cloud::China),
];

/// Hand out a token, or say why not.
pub(crate) fn token(world: &mut World, authority: &str, call: &Call) -> Result<Answer, SignInError> {
    let form = pairs(&String::from_utf8_lossy(&call.body));
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let required = |name: &str| {
        let missing = format!("The request body must contain the following parameter: '{name}'.");
        field(name).ok_or_else(|| SignInError::new(400, "invalid_request", 900_144, missing))
    };

    if call.method != "POST" {
        let text = "The endpoint only accepts POST requests. Received a GET request.";
        return Err(SignInError::new(400, "invalid_request", 900_561, text));
    }
    let grant = required("grant_type")?;
    let spreads = field("client_secret").is_some_and(|secret| spreads(world, authority, secret));
    let directory = find_directory(world, authority)?;
    if grant != "client_credentials" {
        let text = format!("The app requested an unsupported grant type '{grant}'.");
        return Err(SignInError::new(400, "unsupported_grant_type", 70_003, text));
    }
    let client_id = required("client_id")?;
    let (root, cloud) = find_root(required("scope")?)?;
    let application = find_application(directory, client_id)?;
    if directory.cloud.is_some_and(|home| home != cloud) {
        let text = "Confidential Client is not supported in Cross Cloud request.";
        return Err(SignInError::new(400, "invalid_request", 900_382, text));
    }
    match (field("client_secret"), field("client_assertion")) {
        (Some(secret), _) => check_secret(application, if spreads { "" } else { secret }, call)?,
        (None, Some(assertion)) => {
            assertion::check(directory, application, &world.keys, field("client_assertion_type"), assertion, call)?;
        }
        (None, None) => {
            let text =
                "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.";
            return Err(SignInError::new(401, "invalid_client", 7_000_216, text));
        }
    }

    let now = call.now.as_second();
    let seconds = world.settings.token_seconds;
    let claims = Claims {
        aud: root.to_owned(),
        iss: format!("https://sts.windows.net/{}/", directory.id),
        iat: now,
        nbf: now,
        exp: now + seconds,
        appid: application.client_id,
        oid: application.object_id,
        sub: application.object_id,
        tid: directory.id,
        roles: application.roles.clone(),
        ver: "1.0".to_owned(),
    };
    Ok(Answer::json(json!({
        "token_type": "Bearer",
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": claims.encode(world.salt),
    })))
}

fn find_directory<'a>(world: &'a World, authority: &str) -> Result<&'a Directory, SignInError> {
    if let Some(directory) = world.directories.iter().find(|directory| directory.answers_to(authority)) {
        return Ok(directory);
    }
    if ["common", "organizations", "consumers"].contains(&authority) {
        let text =
            "No tenant-identifying information found in either the request or implied by any provided credentials.";
        return Err(SignInError::new(400, "invalid_request", 50_059, text));
    }
    if Uuid::try_parse(authority).is_err() && !authority.contains('.') {
        let text = format!(
            "Specified tenant identifier '{authority}' is neither a valid DNS name, nor a valid external domain."
        );
        return Err(SignInError::new(400, "invalid_request", 900_023, text));
    }
    let text = format!(
        "Tenant '{authority}' not found. Check to make sure you have the correct tenant ID and are signing into the \
         correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions \
         for the tenant."
    );
    Err(SignInError::new(400, "invalid_request", 90_002, text))
}

fn find_root(scope: &str) -> Result<(&'static str, Cloud), SignInError> {
    let root = GRAPH_ROOTS.into_iter().find(|(root, _)| scope.strip_prefix(root) == Some("/.default"));
    root.ok_or_else(|| {
        let text =
            format!("The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid.");
        SignInError::new(400, "invalid_scope", 70_011, text)
    })
}

fn find_application<'a>(directory: &'a Directory, client_id: &str) -> Result<&'a Application, SignInError> {
    let id = Uuid::try_parse(client_id).ok();
    let found = directory.applications.iter().find(|application| Some(application.client_id) == id);
    let application = found.ok_or_else(|| {
        let text = format!(
            "Application with identifier '{client_id}' was not found in the directory '{}'. This can happen if the \
             application has not been installed by the administrator of the tenant or consented to by any user in the \
             tenant. You may have sent your authentication request to the wrong tenant.",
            directory.display_name
        );
        SignInError::new(400, "unauthorized_client", 700_016, text)
    })?;
    if application.disabled {
        let text = format!("Application '{client_id}'({}) is disabled.", application.name);
        return Err(SignInError::new(400, "unauthorized_client", 7_000_112, text));
    }
    Ok(application)
}

/// Is this a secret that is not known everywhere yet? Each sign-in brings it nearer.
fn spreads(world: &mut World, authority: &str, secret: &str) -> bool {
    let directory = world.directory_mut(authority).into_iter();
    let mut secrets = directory.flat_map(|one| &mut one.applications).flat_map(|one| &mut one.secrets);
    let new = secrets.find(|known| known.value == secret && known.unknown_for > 0);
    new.map(|new| new.unknown_for -= 1).is_some()
}

fn check_secret(application: &Application, secret: &str, call: &Call) -> Result<(), SignInError> {
    let mut known = application.secrets.iter().filter(|known| known.value == secret).peekable();
    let id = application.client_id;
    if known.peek().is_none() {
        let text = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not \
             the client secret ID, for a secret added to app '{id}'."
        );
        return Err(SignInError::new(401, "invalid_client", 7_000_215, text));
    }
    if known.any(|known| known.starts <= call.now && call.now < known.ends) {
        return Ok(());
    }
    let text = format!(
        "The provided client secret keys for app '{id}' are expired. Visit the Azure portal to create new keys for your \
         app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: \
         https://aka.ms/certCreds."
    );
    Err(SignInError::new(401, "invalid_client", 7_000_222, text))
}
