//! How the stand-in behaves, where Microsoft leaves it open or a test wants it small.

use serde::{Deserialize, Serialize};

/// Everything that can be set. Over HTTP a partial object keeps the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Objects on a delta page at most (200).
    pub page_size: usize,
    /// Memberships on a delta page at most (500).
    pub link_page_size: usize,
    /// Objects on a page of a list without `$top` (100).
    pub list_page_size: usize,
    /// Lifetime of access tokens in seconds (3599).
    pub token_seconds: i64,
    /// Lifetime of delta tokens in days (7).
    pub delta_days: i64,
    /// A first round also tells who left a group (`@removed`), as was seen in the field.
    pub past_members: bool,
    /// A first round also tells of objects in deleted items.
    pub deleted_in_first_round: bool,
    /// A purged user or group also leaves its groups visibly, as documented; it was seen not to.
    pub purge_tells_groups: bool,
    /// So many sign-ins with a secret that was just added are refused, as it is not known everywhere yet (0).
    pub new_secret_delay: u32,
    /// The role that identity tokens are about.
    pub identity_subject: String,
    /// The account's outbound identity federation is off: no identity tokens.
    pub identity_disabled: bool,
}

/// The role of the local stack.
const ROLE: &str = "arn:aws:iam::000000000000:role/entra-sync-local-eu-west-1-identity";

impl Default for Settings {
    fn default() -> Self {
        Self {
            page_size: 200,
            link_page_size: 500,
            list_page_size: 100,
            token_seconds: 3599,
            delta_days: 7,
            past_members: true,
            deleted_in_first_round: true,
            purge_tells_groups: true,
            new_secret_delay: 0,
            identity_subject: ROLE.to_owned(),
            identity_disabled: false,
        }
    }
}
