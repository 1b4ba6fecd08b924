//! For whom identity tokens are meant: each cloud's token exchange has a name of its own (the page "Configure an
//! application to trust a managed identity").

use directory::Cloud;

/// The audience of identity tokens in each cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audiences {
    global: String,
    us_gov: String,
    us_gov_dod: String,
    china: String,
}

/// Why a text names no audiences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("audiences are written global=api://…,us_gov=…,us_gov_dod=…,china=…, each once at most and none empty")]
pub struct BadAudiences;

impl Default for Audiences {
    fn default() -> Self {
        Self {
            global: "api://AzureADTokenExchange".to_owned(),
            us_gov: "api://AzureADTokenExchangeUSGov".to_owned(),
            us_gov_dod: "api://AzureADTokenExchangeUSGov".to_owned(),
            china: "api://AzureADTokenExchangeChina".to_owned(),
        }
    }
}

impl Audiences {
    /// Microsoft's own, but for the clouds that are named. An empty text is none.
    ///
    /// # Errors
    /// A part that is not `cloud=audience`, or a cloud that comes twice.
    pub fn parse(text: Option<&str>) -> Result<Self, BadAudiences> {
        let mut audiences = Self::default();
        let mut named = Vec::new();
        for part in text.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (cloud, audience) = part.split_once('=').ok_or(BadAudiences)?;
            let (cloud, audience) = (cloud.trim(), audience.trim());
            let place = match cloud {
                "global" => &mut audiences.global,
                "us_gov" => &mut audiences.us_gov,
                "us_gov_dod" => &mut audiences.us_gov_dod,
                "china" => &mut audiences.china,
                _ => return Err(BadAudiences),
            };
            if audience.is_empty() || named.contains(&cloud) {
                return Err(BadAudiences);
            }
            audience.clone_into(place);
            named.push(cloud);
        }
        Ok(audiences)
    }

    /// That of one cloud.
    pub(crate) fn of(&self, cloud: Cloud) -> &str {
        match cloud {
            Cloud::Global => &self.global,
            Cloud::UsGov => &self.us_gov,
            Cloud::UsGovDod => &self.us_gov_dod,
            Cloud::China => &self.china,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn r1_3_each_cloud_has_its_audience() {
        let microsofts = "api://AzureADTokenExchange api://AzureADTokenExchangeUSGov api://AzureADTokenExchangeUSGov api://AzureADTokenExchangeChina";
        check("nothing",         None,                                 microsofts);
        check("an empty text",   Some(" "),                            microsofts);
        check("one of them",     Some("us_gov=api://x"),               &microsofts.replacen("api://AzureADTokenExchangeUSGov", "api://x", 1));
        check("all of them",     Some("global=a, us_gov=b ,us_gov_dod = c,china=d,"), "a b c d");
        let bad = BadAudiences.to_string();
        check("no cloud",        Some("api://x"),                      &bad);
        check("an odd cloud",    Some("mars=api://x"),                 &bad);
        check("no audience",     Some("china="),                       &bad);
        check("one twice",       Some("china=a,china=b"),              &bad);
    }

    #[track_caller]
    fn check(name: &str, text: Option<&str>, expected: &str) {
        let clouds = [Cloud::Global, Cloud::UsGov, Cloud::UsGovDod, Cloud::China];
        let outcome = Audiences::parse(text)
            .map_or_else(|bad| bad.to_string(), |audiences| clouds.map(|cloud| audiences.of(cloud)).join(" "));
        assert_eq!(outcome, expected, "{name}");
    }
}
