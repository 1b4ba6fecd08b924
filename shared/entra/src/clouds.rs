//! Microsoft's clouds: where each signs in, where its Graph is, and what a token is asked for (rules 1.4 and 1.10).

use directory::Cloud;

use crate::endpoint::{BadEndpoint, Endpoint};

/// The hosts of one cloud as they are used, perhaps overridden.
#[derive(Debug)]
pub(crate) struct Place {
    /// Signs in.
    pub(crate) login: Endpoint,
    /// Answers.
    pub(crate) graph: Endpoint,
}

/// The hosts of every cloud.
#[derive(Debug)]
pub(crate) struct Clouds {
    global: Place,
    us_gov: Place,
    us_gov_dod: Place,
    china: Place,
}

/// The public hosts: sign-in, then Graph (the page "National cloud deployments").
fn hosts(cloud: Cloud) -> (&'static str, &'static str) {
    match cloud {
        Cloud::Global => ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
        Cloud::UsGov => ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
        Cloud::UsGovDod => ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
        Cloud::China => ("https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"),
    }
}

impl Clouds {
    /// The public hosts, or the ones given, for every cloud. An empty text is none.
    pub(crate) fn new(graph: Option<&str>, login: Option<&str>) -> Result<Self, BadEndpoint> {
        let given = |text: Option<&str>, public: &str| match text.map(str::trim) {
            None | Some("") => Endpoint::parse(public),
            Some(text) => Endpoint::parse(text),
        };
        let place = |cloud| {
            let (public_login, public_graph) = hosts(cloud);
            Ok(Place { login: given(login, public_login)?, graph: given(graph, public_graph)? })
        };
        Ok(Self {
            global: place(Cloud::Global)?,
            us_gov: place(Cloud::UsGov)?,
            us_gov_dod: place(Cloud::UsGovDod)?,
            china: place(Cloud::China)?,
        })
    }

    /// The hosts of a cloud.
    pub(crate) fn place(&self, cloud: Cloud) -> &Place {
        match cloud {
            Cloud::Global => &self.global,
            Cloud::UsGov => &self.us_gov,
            Cloud::UsGovDod => &self.us_gov_dod,
            Cloud::China => &self.china,
        }
    }
}

/// The scope of a token: always the cloud's own Graph, wherever the endpoint points (rule 1.10).
pub(crate) fn scope(cloud: Cloud) -> String {
    format!("{}/.default", hosts(cloud).1)
}

/// Where an administrator grants consent: always the cloud's own sign-in (the page "Grant tenant-wide admin consent to
/// an application", whose link needs no redirect URI).
pub fn consent_link(cloud: Cloud, authority: &str, application_id: &str) -> Option<String> {
    let mut url = Endpoint::parse(hosts(cloud).0).ok()?.at(&[authority, "adminconsent"]);
    url.query_pairs_mut().append_pair("client_id", application_id);
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn r1_4_each_cloud_has_its_own_hosts() {
        check(Cloud::Global,   "https://login.microsoftonline.com/", "https://graph.microsoft.com/");
        check(Cloud::UsGov,    "https://login.microsoftonline.us/",  "https://graph.microsoft.us/");
        check(Cloud::UsGovDod, "https://login.microsoftonline.us/",  "https://dod-graph.microsoft.us/");
        check(Cloud::China,    "https://login.chinacloudapi.cn/",    "https://microsoftgraph.chinacloudapi.cn/");
    }

    #[track_caller]
    fn check(cloud: Cloud, login: &str, graph: &str) {
        let clouds = Clouds::new(None, Some("")).unwrap();
        let place = clouds.place(cloud);
        assert_eq!((place.login.at(&[""]).as_str(), place.graph.at(&[""]).as_str()), (login, graph));
        assert_eq!(scope(cloud), format!("{graph}.default"));
        let consent = format!("{login}contoso.com/adminconsent?client_id=app");
        assert_eq!(consent_link(cloud, "contoso.com", "app"), Some(consent));
    }

    #[test]
    fn r1_10_the_scope_is_the_clouds_own_also_on_a_local_stack() {
        let local = Clouds::new(Some("http://127.0.0.1:1"), Some("http://127.0.0.1:2")).unwrap();
        assert_eq!(local.place(Cloud::UsGov).graph.at(&["v1.0"]).as_str(), "http://127.0.0.1:1/v1.0");
        assert_eq!(local.place(Cloud::UsGov).login.at(&["t"]).as_str(), "http://127.0.0.1:2/t");
        assert_eq!(scope(Cloud::UsGov), "https://graph.microsoft.us/.default");
        assert_eq!(Clouds::new(Some("http://example.com"), None).unwrap_err(), BadEndpoint::NotLoopback);
    }
}
