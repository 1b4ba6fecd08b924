//! Where a directory signs people in, as Microsoft's discovery document says, and what of it is believed.

use directory::Cloud;
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::{Uuid, uuid};

use crate::endpoint::Endpoint;

use super::NotSignedIn;

/// The directory of all personal accounts: nobody's organisation (the page "ID token claims reference", `tid`).
pub(super) const PERSONAL: Uuid = uuid!("9188040d-6c67-4c5b-b112-36a304b66dad");

/// Where one directory signs people in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// The directory's GUID.
    pub directory: Uuid,
    /// What the `iss` of its tokens may be, exactly.
    pub(super) issuers: Vec<String>,
    /// Where people are sent.
    pub(super) authorize: Url,
    /// Where a code becomes a token.
    pub(super) token: Url,
    /// Where its keys are.
    pub(super) keys: Url,
}

/// Who issues the tokens of a cloud (the page "National clouds and authentication"); China's is not where it is asked.
fn issuers(cloud: Cloud) -> &'static [&'static str] {
    match cloud {
        Cloud::Global => &["https://login.microsoftonline.com"],
        Cloud::UsGov | Cloud::UsGovDod => &["https://login.microsoftonline.us"],
        Cloud::China => &["https://login.chinacloudapi.cn", "https://login.partner.microsoftonline.cn"],
    }
}

/// Whether two clouds sign people in at the same place, so that one application is known in both.
pub fn sign_in_together(one: Cloud, other: Cloud) -> bool {
    issuers(one) == issuers(other)
}

/// What a discovery document says.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

/// Read the discovery document of `authority`, a GUID or a domain, that came from `login`.
pub(super) fn read(document: &[u8], login: &Endpoint, cloud: Cloud, authority: &str) -> Result<Provider, NotSignedIn> {
    let document = serde_json::from_slice(document);
    let document = document.map_err(|_| NotSignedIn::Unfit("the discovery document cannot be read"))?;
    provider(document, login, cloud, authority)
}

/// Microsoft has no document for a directory that it does not know; another sign-in may have none at all.
pub(super) fn without_document(login: &Endpoint, cloud: Cloud, authority: &str) -> Result<Provider, NotSignedIn> {
    if is_microsoft(login, cloud) {
        return Err(NotSignedIn::Unfit("Microsoft knows no such directory"));
    }
    provider(Document::default(), login, cloud, authority)
}

fn provider(document: Document, login: &Endpoint, cloud: Cloud, authority: &str) -> Result<Provider, NotSignedIn> {
    // Documents for many directories leave the directory open.
    let issuer = document.issuer.replace("{tenantid}", authority);
    let document = Document { issuer, ..document };
    let directory = directory_of(&document.issuer);
    let asked = Uuid::try_parse(authority).ok();
    if [directory, asked].contains(&Some(PERSONAL)) {
        return Err(NotSignedIn::Personal);
    }
    if let (Some(directory), Some(asked)) = (directory, asked)
        && directory != asked
    {
        return Err(NotSignedIn::Unfit("its issuer is another directory"));
    }
    if is_microsoft(login, cloud) {
        microsofts(document, directory, cloud)
    } else {
        let directory = directory.or(asked).ok_or(NotSignedIn::Unfit("its directory is not told"))?;
        Ok(anothers(document, directory, login, cloud, authority))
    }
}

/// Microsoft is believed about its own hosts, which may name each other, and about nothing else.
fn microsofts(document: Document, directory: Option<Uuid>, cloud: Cloud) -> Result<Provider, NotSignedIn> {
    let here = |link: &str| hosts(cloud).find_map(|host| host.pin(link));
    here(&document.issuer).ok_or(NotSignedIn::Unfit("its issuer is not Microsoft"))?;
    let elsewhere = NotSignedIn::Unfit("one of its addresses is somewhere else");
    Ok(Provider {
        directory: directory.ok_or(NotSignedIn::Unfit("its issuer names no directory"))?,
        authorize: here(&document.authorization_endpoint).ok_or(elsewhere.clone())?,
        token: here(&document.token_endpoint).ok_or(elsewhere.clone())?,
        keys: here(&document.jwks_uri).ok_or(elsewhere)?,
        issuers: vec![document.issuer],
    })
}

/// Another sign-in is asked where it was configured and nowhere else, and issues tokens in its own name or in
/// Microsoft's.
fn anothers(document: Document, directory: Uuid, login: &Endpoint, cloud: Cloud, authority: &str) -> Provider {
    let here = |link: &str, path: &[&str]| login.pin(link).unwrap_or_else(|| login.at(&[&[authority], path].concat()));
    let own = match document.issuer.trim_end_matches('/') {
        "" => login.at(&[&directory.to_string(), "v2.0"]).into(),
        issuer => issuer.to_owned(),
    };
    let microsofts = issuers(cloud).iter().map(|host| format!("{host}/{directory}/v2.0"));
    let issuers = [format!("{own}/"), own].into_iter().chain(microsofts).collect();
    Provider {
        directory,
        authorize: here(&document.authorization_endpoint, &["oauth2", "v2.0", "authorize"]),
        token: here(&document.token_endpoint, &["oauth2", "v2.0", "token"]),
        keys: here(&document.jwks_uri, &["discovery", "v2.0", "keys"]),
        issuers,
    }
}

fn hosts(cloud: Cloud) -> impl Iterator<Item = Endpoint> {
    issuers(cloud).iter().filter_map(|host| Endpoint::parse(host).ok())
}

fn is_microsoft(login: &Endpoint, cloud: Cloud) -> bool {
    issuers(cloud).iter().any(|host| login.pin(host).is_some())
}

/// The directory that an issuer of Microsoft's form names.
fn directory_of(issuer: &str) -> Option<Uuid> {
    let mut parts = issuer.trim_end_matches('/').rsplit('/');
    (parts.next()? == "v2.0").then(|| parts.next()).flatten().and_then(|id| Uuid::try_parse(id).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const GUID: &str = "c0a70501-5d1e-4c0a-9d3f-1f0e5a7b0001";
    const GLOBAL: &str = "https://login.microsoftonline.com";
    const CHINA: &str = "https://login.chinacloudapi.cn";
    const PARTNER: &str = "https://login.partner.microsoftonline.cn";
    const LOCAL: &str = "http://127.0.0.1:4567";

    fn document(issuer: &str, host: &str) -> Value {
        json!({
            "issuer": format!("{issuer}/{GUID}/v2.0"), "authorization_endpoint": format!("{host}/{GUID}/oauth2/v2.0/authorize"),
            "token_endpoint": format!("{host}/{GUID}/oauth2/v2.0/token"), "jwks_uri": format!("{host}/{GUID}/discovery/v2.0/keys"),
        })
    }

    #[test]
    #[rustfmt::skip]
    fn r8_1_a_directory_is_believed_where_it_was_asked_and_nowhere_else() {
        let elsewhere = |field: &str| {
            let mut document = document(GLOBAL, GLOBAL);
            document[field] = json!("https://login.example.org/x");
            document
        };
        let upper = json!({"issuer": format!("{GLOBAL}/{}/v2.0", GUID.to_uppercase())});
        let mut other_case = document(GLOBAL, GLOBAL);
        other_case.as_object_mut().unwrap().extend(upper.as_object().unwrap().clone());
        let personal = json!({
            "issuer": format!("{GLOBAL}/{PERSONAL}/v2.0"), "authorization_endpoint": GLOBAL, "token_endpoint": GLOBAL, "jwks_uri": GLOBAL,
        });
        let mut common = document(GLOBAL, GLOBAL);
        common["issuer"] = json!(format!("{GLOBAL}/{{tenantid}}/v2.0"));
        let other = "11111111-2222-4333-8444-555555555555";
        let (global, china) = (Cloud::Global, Cloud::China);
        check("its own GUID",             global, GLOBAL, GUID,               &document(GLOBAL, GLOBAL),        "");
        check("a domain",                 global, GLOBAL, "contoso.com",      &document(GLOBAL, GLOBAL),        "");
        check("capital digits",           global, GLOBAL, GUID,               &other_case,                      "");
        check("a local sign-in",          global, LOCAL,  GUID,               &document(LOCAL, LOCAL),          "");
        check("that issues as Microsoft", global, LOCAL,  GUID,               &document(GLOBAL, LOCAL),         "");
        check("China",                    china,  CHINA,  GUID,               &document(PARTNER, PARTNER),      "");
        check("another directory",        global, GLOBAL, other,              &document(GLOBAL, GLOBAL),        "its issuer is another directory");
        check("another cloud",            global, GLOBAL, GUID,               &document(PARTNER, GLOBAL),       "its issuer is not Microsoft");
        check("another issuer",           global, GLOBAL, GUID,               &elsewhere("issuer"),             "its issuer is not Microsoft");
        check("another page",             global, GLOBAL, GUID,               &elsewhere("authorization_endpoint"), "somewhere else");
        check("another token endpoint",   global, GLOBAL, GUID,               &elsewhere("token_endpoint"),     "somewhere else");
        check("other keys",               global, GLOBAL, GUID,               &elsewhere("jwks_uri"),           "somewhere else");
        check("a template",               global, GLOBAL, GUID,               &common,                          "");
        check("no directory",             global, GLOBAL, "contoso.com",      &common,                          "its issuer names no directory");
        check("personal accounts",        global, GLOBAL, "outlook.com",      &personal,                        "a personal account");
        check("no document",              global, GLOBAL, GUID,               &json!("<html>"),                 "cannot be read");
    }

    #[test]
    #[rustfmt::skip]
    fn s9_another_sign_in_is_asked_where_it_is_and_nowhere_else() {
        let local = format!("{LOCAL}/{GUID}/v2.0");
        let issued = |issuer: &str| json!({"issuer": issuer});
        let docker = "http://entra:8080";
        //        its document                                            its own issuer, or nothing
        elsewhere(&document(LOCAL, LOCAL),                                &local);
        elsewhere(&document(LOCAL, GLOBAL),                               &local);
        elsewhere(&document(docker, docker),                              &format!("{docker}/{GUID}/v2.0"));
        elsewhere(&json!({}),                                             &local);
        elsewhere(&issued(&format!("{local}/")),                          &local);
        elsewhere(&issued(&format!("{local}/")),                          &format!("{local}/"));
        elsewhere(&issued(&format!("{LOCAL}/{{tenantid}}/v2.0")),         &local);
        elsewhere(&issued("https://issuer.example"),                      "https://issuer.example");
        elsewhere(&document(LOCAL, LOCAL),                                &format!("{GLOBAL}/{GUID}/v2.0"));
        let login = Endpoint::parse(LOCAL).unwrap();
        let unknown = without_document(&login, Cloud::Global, "contoso.com").unwrap_err();
        assert_eq!(unknown, NotSignedIn::Unfit("its directory is not told"));
        let microsoft = Endpoint::parse(GLOBAL).unwrap();
        assert!(without_document(&microsoft, Cloud::Global, GUID).is_err(), "Microsoft has a document for every directory");
    }

    #[track_caller]
    fn elsewhere(document: &Value, issuer: &str) {
        let login = Endpoint::parse(&format!("{LOCAL}/")).unwrap();
        let provider = read(document.to_string().as_bytes(), &login, Cloud::Global, GUID).unwrap();
        assert_eq!(provider.authorize.as_str(), format!("{LOCAL}/{GUID}/oauth2/v2.0/authorize"));
        assert_eq!(provider.token.as_str(), format!("{LOCAL}/{GUID}/oauth2/v2.0/token"));
        assert_eq!(provider.keys.as_str(), format!("{LOCAL}/{GUID}/discovery/v2.0/keys"));
        assert!(provider.issuers.iter().any(|one| one == issuer), "{provider:?}");
        assert!(!provider.issuers.iter().any(|one| one.trim_matches('/').is_empty()), "{provider:?}");
    }

    #[test]
    fn r1_4_which_clouds_sign_in_together() {
        assert!(sign_in_together(Cloud::UsGov, Cloud::UsGovDod) && sign_in_together(Cloud::China, Cloud::China));
        assert!(!sign_in_together(Cloud::Global, Cloud::UsGov) && !sign_in_together(Cloud::China, Cloud::Global));
    }

    #[track_caller]
    fn check(name: &str, cloud: Cloud, login: &str, authority: &str, document: &Value, expected: &str) {
        let login = Endpoint::parse(login).unwrap();
        let outcome = read(document.to_string().as_bytes(), &login, cloud, authority);
        match (outcome, expected) {
            (Ok(provider), "") => assert_eq!(provider.directory.to_string(), GUID, "{name}"),
            (Err(err), expected) if !expected.is_empty() => {
                assert!(err.to_string().contains(expected), "{name}: {err}");
            }
            (outcome, _) => panic!("{name}: {outcome:?}"),
        }
    }
}
