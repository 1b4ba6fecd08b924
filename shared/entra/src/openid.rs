//! Sign-in with Microsoft: the authorization code flow of OpenID Connect with PKCE, by the crate `openidconnect`.
//!
//! Who signed in is told by directory id and object id alone. What a person can set, or an administrator of another
//! directory (`email`, `preferred_username`, `upn`), is not even read.

mod claims;
mod kept;
mod keys;
mod provider;

use std::{
    fmt,
    pin::Pin,
    str::FromStr,
    time::{Duration, SystemTime},
};

use directory::Cloud;
use jiff::{SignedDuration, Timestamp};
use openidconnect::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    HttpRequest, HttpResponse, IdTokenVerifier, IssuerUrl, LoginHint, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, Scope, SignatureVerificationError, TokenResponse as _, TokenUrl,
    core::{
        CoreAuthenticationFlow, CoreClient, CoreErrorResponseType, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
        CoreTokenResponse,
    },
};
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    client::NotBuilt,
    clouds::Clouds,
    http::{Broken, Http, exchange},
};

pub use claims::Person;
pub use provider::{Provider, sign_in_together};

use claims::Token;
use kept::Kept;
use keys::Keys;

/// How long Microsoft may take to say where it signs in: a person waits, and has another way in.
const DISCOVERY: Duration = Duration::from_secs(3);
/// How long the answer to that is believed, be it good or bad: a burst of requests asks once in each environment, and an
/// outage is noticed at once.
const BELIEVED: Duration = Duration::from_secs(1);
/// How long Microsoft may take to turn a code into a token.
const EXCHANGE: Duration = Duration::from_secs(6);

/// Microsoft's sign-in for people, for any number of directories.
#[derive(Debug)]
pub struct SignIn {
    clouds: Clouds,
    http: Http,
    keys: Keys,
    providers: Kept<(Cloud, String), Result<Provider, NotSignedIn>>,
}

/// Clocks may differ by so much.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The application that signs people in: the operator's own, for all tenants.
pub struct Application<'a> {
    /// Its client id.
    pub client_id: &'a str,
    /// Its client secret; a public client has none.
    pub secret: Option<&'a SecretString>,
    /// Where Microsoft sends people back to.
    pub redirect: &'a str,
}

impl fmt::Debug for Application<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Application({}, {})", self.client_id, self.redirect)
    }
}

/// What one sign-in is known by until the person comes back. Only the browser that began may hold it, sealed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Begun {
    /// Comes back in the address.
    pub state: String,
    nonce: String,
    verifier: String,
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Begun(***)")
    }
}

/// Why nobody is signed in. Names no person and repeats nothing that Microsoft sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSignedIn {
    /// Microsoft did not answer, or said that it cannot now.
    #[error("Microsoft cannot be reached: {0}")]
    Unreachable(String),
    /// What Microsoft said of itself does not fit the directory.
    #[error("the directory cannot sign people in: {0}")]
    Unfit(&'static str),
    /// Microsoft refused the code, under this number of its own: it was used before, is too old, belongs to another
    /// sign-in, or the directory does not let the person in after all.
    #[error("Microsoft refuses the code")]
    Code(Option<u64>),
    /// Microsoft refused the application itself.
    #[error("Microsoft refuses the application: {0}")]
    Application(&'static str, Option<u64>),
    /// The ID token is not one to believe.
    #[error("the ID token is refused: {0}")]
    Token(&'static str),
    /// A personal Microsoft account.
    #[error("it is a personal account")]
    Personal,
}

impl SignIn {
    /// Sign-in at Microsoft's own hosts, or at the one given: a base URL without a tenant. An empty text is none.
    ///
    /// # Errors
    /// An endpoint that is no base URL, or plain `http` to somewhere else than loopback.
    pub fn new(login: Option<&str>) -> Result<Self, NotBuilt> {
        let (clouds, http) = (Clouds::new(None, login)?, Http::new()?);
        Ok(Self { clouds, http, keys: Keys::default(), providers: Kept::default() })
    }

    /// Where a directory signs in: a GUID, or a domain of it. What Microsoft says counts for a moment only, since it
    /// also tells whether Microsoft can be reached.
    ///
    /// # Errors
    /// Microsoft cannot be reached, knows no such directory, or answers for another one.
    pub async fn provider(&self, cloud: Cloud, authority: &str) -> Result<Provider, NotSignedIn> {
        let key = (cloud, authority.to_owned());
        if let Some(outcome) = self.providers.get(&key) {
            return outcome;
        }
        let outcome = self.discover(cloud, authority).await;
        self.providers.keep(key, outcome.clone(), BELIEVED);
        outcome
    }

    async fn discover(&self, cloud: Cloud, authority: &str) -> Result<Provider, NotSignedIn> {
        let login = &self.clouds.place(cloud).login;
        let url = login.at(&[authority, "v2.0", ".well-known", "openid-configuration"]);
        let answer = exchange(self.http.request(Method::GET, url, false), DISCOVERY).await.map_err(unreachable)?;
        match answer.status.as_u16() {
            200 => provider::read(&answer.body, login, cloud, authority),
            404 => provider::without_document(login, cloud, authority),
            status @ (429 | 500..) => Err(NotSignedIn::Unreachable(format!("it answers {status}"))),
            _ => Err(NotSignedIn::Unfit("Microsoft knows no such directory")),
        }
    }

    /// The address that a person is sent to, and what to keep until they come back. `hint` fills in Microsoft's form.
    ///
    /// # Errors
    /// The redirect is no URL.
    pub fn begin(
        &self,
        provider: &Provider,
        application: &Application<'_>,
        hint: &str,
    ) -> Result<(Url, Begun), NotSignedIn> {
        let client = client(provider, application)?.set_auth_uri(AuthUrl::from_url(provider.authorize.clone()));
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let (url, state, nonce) = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(challenge)
            .set_login_hint(LoginHint::new(hint.to_owned()))
            .url();
        let begun =
            Begun { state: state.into_secret(), nonce: nonce.secret().clone(), verifier: verifier.into_secret() };
        Ok((url, begun))
    }

    /// Turn the code that a person came back with into who they are.
    ///
    /// # Errors
    /// [`NotSignedIn`]: nothing of the token is believed unless all of it holds.
    pub async fn finish(
        &self,
        provider: &Provider,
        application: &Application<'_>,
        begun: &Begun,
        code: String,
        now: Timestamp,
    ) -> Result<Person, NotSignedIn> {
        let response = self.exchange_code(provider, application, begun, code).await?;
        let token = response.id_token().ok_or(NotSignedIn::Token("there is none"))?;
        let token = Token::from_str(&token.to_string()).map_err(|_| NotSignedIn::Token("it cannot be read"))?;
        let nonce = Nonce::new(begun.nonce.clone());
        let keys = self.keys.of(&self.http, &provider.keys).await?;
        let verified = match token.claims(&verifier(provider, application, keys, now)?, &nonce) {
            // Microsoft signs with a new key now and then, perhaps under a name that is known, or under none.
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey
                | SignatureVerificationError::AmbiguousKeyId(_)
                | SignatureVerificationError::CryptoError(_),
            )) => {
                let keys = self.keys.of_afresh(&self.http, &provider.keys).await?;
                token.claims(&verifier(provider, application, keys, now)?, &nonce)
            }
            verified => verified,
        };
        let claims = verified.map_err(|err| NotSignedIn::Token(reason(&err)))?;
        claims::person(claims, provider, now)
    }

    async fn exchange_code(
        &self,
        provider: &Provider,
        application: &Application<'_>,
        begun: &Begun,
        code: String,
    ) -> Result<CoreTokenResponse, NotSignedIn> {
        let client = client(provider, application)?
            .set_token_uri(TokenUrl::from_url(provider.token.clone()))
            // In the body, where a secret needs no escaping that servers disagree about.
            .set_auth_type(AuthType::RequestBody);
        client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(begun.verifier.clone()))
            .request_async(&self.http)
            .await
            .map_err(|err| match err {
                RequestTokenError::Request(trouble) => NotSignedIn::Unreachable(trouble.to_string()),
                RequestTokenError::ServerResponse(refusal) => {
                    refused(refusal.error(), aadsts(refusal.error_description().map_or("", String::as_str)))
                }
                RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                    NotSignedIn::Unreachable("its answer cannot be read".to_owned())
                }
            })
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = Trouble;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Trouble>> + Send + 'c>>;

    /// One request of the crate's over our own client: no redirects, no proxy, a time and a size.
    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let url = Url::parse(&parts.uri.to_string()).map_err(|_| Trouble::Broken(Broken::NoAnswer))?;
            let request = self.request(parts.method, url, false).headers(parts.headers).body(body);
            let answer = exchange(request, EXCHANGE).await.map_err(Trouble::Broken)?;
            if answer.status.is_server_error() || answer.status.as_u16() == 429 {
                return Err(Trouble::Status(answer.status.as_u16()));
            }
            let mut response = HttpResponse::new(answer.body);
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            Ok(response)
        })
    }
}

/// No answer to go on with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("{0}")]
    Broken(Broken),
    #[error("it answers {0}")]
    Status(u16),
}

fn unreachable(broken: Broken) -> NotSignedIn {
    NotSignedIn::Unreachable(broken.to_string())
}

fn client(provider: &Provider, application: &Application<'_>) -> Result<CoreClient, NotSignedIn> {
    let id = ClientId::new(application.client_id.to_owned());
    let redirect = RedirectUrl::new(application.redirect.to_owned());
    let client = CoreClient::new(id, issuer(provider)?, CoreJsonWebKeySet::default())
        .set_redirect_uri(redirect.map_err(|_| NotSignedIn::Unfit("the redirect is no URL"))?);
    Ok(match application.secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned())),
        None => client,
    })
}

fn issuer(provider: &Provider) -> Result<IssuerUrl, NotSignedIn> {
    IssuerUrl::new(provider.issuers.first().cloned().unwrap_or_default())
        .map_err(|_| NotSignedIn::Unfit("its issuer is no URL"))
}

/// Signature, audience, time and nonce; [`claims`] look at the issuer, of which there can be two. RS256 only: no token without a signature, none signed with a secret.
fn verifier(
    provider: &Provider,
    application: &Application<'_>,
    keys: CoreJsonWebKeySet,
    now: Timestamp,
) -> Result<IdTokenVerifier<'static, openidconnect::core::CoreJsonWebKey>, NotSignedIn> {
    let id = ClientId::new(application.client_id.to_owned());
    let verifier = IdTokenVerifier::new_public_client(id, issuer(provider)?, keys);
    Ok(verifier
        .require_issuer_match(false)
        .set_allowed_algs([CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256])
        .set_time_fn(move || SystemTime::from(now - SKEW).into()))
}

/// What the token endpoint said (RFC 6749 section 5.2). Whatever the code can be the cause of is the code's fault:
/// anybody can come back with any code.
fn refused(error: &CoreErrorResponseType, number: Option<u64>) -> NotSignedIn {
    match error {
        CoreErrorResponseType::InvalidClient => NotSignedIn::Application("invalid_client", number),
        CoreErrorResponseType::UnauthorizedClient => NotSignedIn::Application("unauthorized_client", number),
        CoreErrorResponseType::Extension(code) if code == "temporarily_unavailable" => {
            NotSignedIn::Unreachable("it says that it is temporarily unavailable".to_owned())
        }
        _ => NotSignedIn::Code(number),
    }
}

/// Microsoft's own number of an error: the rest of what it says can name people.
pub fn aadsts(description: &str) -> Option<u64> {
    let digits = description.strip_prefix("AADSTS")?;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Why a token is refused, in words that repeat nothing of it.
fn reason(err: &ClaimsVerificationError) -> &'static str {
    match err {
        ClaimsVerificationError::Expired(_) => "it has expired",
        ClaimsVerificationError::InvalidAudience(_) => "it is for another application",
        ClaimsVerificationError::InvalidNonce(_) => "it belongs to another sign-in",
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::DisallowedAlg(_) | SignatureVerificationError::NoSignature,
        ) => "its algorithm is not RS256",
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            "Microsoft has no such key"
        }
        ClaimsVerificationError::SignatureVerification(_) => "its signature is wrong",
        _ => "it does not hold",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn r8_4_only_what_no_code_can_cause_is_the_applications_fault() {
        check("invalid_client",          "Microsoft refuses the application: invalid_client");
        check("unauthorized_client",     "Microsoft refuses the application: unauthorized_client");
        check("invalid_grant",           "Microsoft refuses the code");
        check("invalid_request",         "Microsoft refuses the code");
        check("interaction_required",    "Microsoft refuses the code");
        check("temporarily_unavailable", "Microsoft cannot be reached: it says that it is temporarily unavailable");
    }

    #[track_caller]
    fn check(error: &str, expected: &str) {
        let error = serde_json::from_value(error.into()).unwrap();
        assert_eq!(refused(&error, None).to_string(), expected);
    }

    #[test]
    fn only_the_number_of_an_error_is_read() {
        assert_eq!(aadsts("AADSTS50105: The signed in user 'ann@contoso.com' is not assigned to a role"), Some(50_105));
        for other in ["", "AADSTS", "AADSTS: ann", "ann@contoso.com", "AADSTS99999999999999999999999"] {
            assert_eq!(aadsts(other), None, "{other}");
        }
    }
}
