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
    /// Exactly the `iss` of its tokens.
    pub(super) issuer: String,
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

/// Read the discovery document of `authority`, a GUID or a domain, that came from `login`.
pub(super) fn read(document: &[u8], login: &Endpoint, cloud: Cloud, authority: &str) -> Result<Provider, NotSignedIn> {
    #[derive(Deserialize)]
    struct Document {
        issuer: String,
        authorization_endpoint: String,
        token_endpoint: String,
        jwks_uri: String,
    }
    let unfit = NotSignedIn::Unfit;
    let document: Document =
        serde_json::from_slice(document).map_err(|_| unfit("the discovery document cannot be read"))?;
    let microsofts: Vec<Endpoint> = issuers(cloud).iter().filter_map(|host| Endpoint::parse(host).ok()).collect();
    let pinned = |link: &str| microsofts.iter().find_map(|host| host.pin(link));
    // A local sign-in is asked and nobody else; Microsoft's own hosts may name each other.
    let is_microsoft = issuers(cloud).iter().any(|host| login.pin(host).is_some());
    let here = |link: &str| login.pin(link).or_else(|| pinned(link).filter(|_| is_microsoft));

    let issuer = login.pin(&document.issuer).or_else(|| pinned(&document.issuer));
    let issuer = issuer.ok_or(unfit("its issuer is not Microsoft"))?;
    let path: Vec<&str> = issuer.path_segments().into_iter().flatten().collect();
    let [.., id, "v2.0"] = path.as_slice() else { return Err(unfit("its issuer names no directory")) };
    let directory = Uuid::try_parse(id).map_err(|_| unfit("its issuer names no directory"))?;
    if directory == PERSONAL {
        return Err(NotSignedIn::Personal);
    }
    if Uuid::try_parse(authority).is_ok_and(|asked| asked != directory) {
        return Err(unfit("its issuer is another directory"));
    }
    let elsewhere = unfit("one of its addresses is somewhere else");
    Ok(Provider {
        directory,
        authorize: here(&document.authorization_endpoint).ok_or(elsewhere.clone())?,
        token: here(&document.token_endpoint).ok_or(elsewhere.clone())?,
        keys: here(&document.jwks_uri).ok_or(elsewhere)?,
        issuer: document.issuer,
    })
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
        let common = json!({
            "issuer": format!("{GLOBAL}/{{tenantid}}/v2.0"), "authorization_endpoint": GLOBAL, "token_endpoint": GLOBAL, "jwks_uri": GLOBAL,
        });
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
        check("a local one, sent away",   global, LOCAL,  GUID,               &document(LOCAL, GLOBAL),         "somewhere else");
        check("no directory",             global, GLOBAL, "contoso.com",      &common,                          "its issuer names no directory");
        check("personal accounts",        global, GLOBAL, "outlook.com",      &personal,                        "a personal account");
        check("no document",              global, GLOBAL, GUID,               &json!([]),                       "cannot be read");
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
