//! Users and groups a page at a time, filtered, at a bounded cost: for people who look for somebody in a browser.

use directory::{Address, Held, Kind, TenantId, UserType};
use serde::{Deserialize, Serialize};

use super::{Place, load, owner};
use crate::{
    browse::{MOST_ROWS, Page, folded, searched},
    keys,
    load::read_held,
    operator::{self, Refused},
    plan::exemptions,
    ports::{Range, Store, Table},
    records::{Counts, read},
};

/// A page looks at so many users or groups.
const MOST_LOOKED: usize = 2_000;
/// So many are read at once.
const AT_ONCE: usize = 500;

/// Who is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sought {
    /// Users or groups.
    pub kind: Kind,
    /// Users of this type.
    pub user_type: Option<UserType>,
    /// With this in a name or an address, in whatever case. Whoever has a whole address is found at once, and then nobody
    /// else is.
    pub text: Option<String>,
}

/// A user or group that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// It.
    pub held: Held,
    /// Whether it is exempt (rule 5.3): in a list by an address that it has here, as to ask the mirror takes a read for each.
    pub exempt: bool,
}

/// Where the list goes on, and how many it had before.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Begun {
    place: Place,
    before: u64,
}

/// A page of the users or groups of a tenant that are looked for.
///
/// # Errors
/// `invalid_input` for a cursor that is none or a text that is too long.
pub async fn browse(
    store: &impl Store,
    tenant: &TenantId,
    sought: &Sought,
    from: Option<&str>,
    most: usize,
) -> Result<Page<Found>, Refused> {
    let Begun { place, before } = operator::place(from)?;
    let sought = Sought { text: searched(sought.text.as_deref())?, ..sought.clone() };
    let exempt = exemptions(store, tenant).await?;
    let found = |held: Held| Found { exempt: held.addresses().any_in(&exempt), held };
    let most = most.clamp(1, MOST_ROWS);
    if let Some(address) = sought.text.as_deref().and_then(|text| Address::parse(text).ok())
        && let Some(claim) = owner(store, tenant, &address).await?.filter(|claim| claim.kind == sought.kind)
        && let Some(held) = load(store, tenant, claim.kind, &claim.owner).await?
    {
        let rows: Vec<Found> = Some(held).filter(|held| sought.is_of_type(held)).map(found).into_iter().collect();
        return Ok(Page { total: Some(rows.len() as u64), rows, next: None, before: 0, cut: false });
    }
    let mut rows = Vec::new();
    let mut looked = 0;
    let mut next = Some(place);
    while let Some(Place { shard, after }) = next.take() {
        let range = keys::all(Table::Directory, keys::objects_pk(tenant, sought.kind, shard));
        let page = store.list(&Range { after, limit: AT_ONCE, ..range }).await?;
        let many = page.items.len();
        next = keys::behind(shard, page.more).map(|(shard, after)| Place { shard, after });
        for (at, (id, item)) in page.items.into_iter().enumerate() {
            looked += 1;
            let held = read_held(sought.kind, item)?;
            if sought.is(&held) {
                rows.push(found(held));
            }
            if rows.len() >= most && at + 1 < many {
                next = Some(Place { shard, after: Some(id) });
                break;
            }
        }
        if rows.len() >= most || looked >= MOST_LOOKED {
            break;
        }
    }
    let total = if sought.text.is_none() { total(store, tenant, &sought).await? } else { None };
    let cut = next.is_some() && rows.len() < most;
    let through = before + rows.len() as u64;
    let next = next.map(|place| operator::cursor_text(&Begun { place, before: through }));
    Ok(Page { rows, next, before, total, cut })
}

/// How many there are, where the totals of the tenant tell.
async fn total(store: &impl Store, tenant: &TenantId, sought: &Sought) -> Result<Option<u64>, Refused> {
    let item = store.get(&[keys::counts(tenant)]).await?.pop().flatten();
    let counts: Counts = read("the totals", item.unwrap_or_default())?;
    let count = match (sought.kind, sought.user_type) {
        (Kind::User, None) => counts.users,
        (Kind::User, Some(UserType::FunctionalAccount)) => counts.functional,
        (Kind::Group, None) => counts.groups,
        _ => return Ok(None),
    };
    Ok(u64::try_from(count).ok())
}

impl Sought {
    fn is_of_type(&self, held: &Held) -> bool {
        let own = if let Held::User(user) = held { Some(user.kind) } else { None };
        self.user_type.is_none_or(|wanted| own == Some(wanted))
    }

    fn is(&self, held: &Held) -> bool {
        self.is_of_type(held)
            && self.text.as_deref().is_none_or(|text| {
                let has = |value: &str| folded(value).contains(text);
                let named = match held {
                    Held::User(user) => {
                        let profile = &user.profile;
                        let names = [&profile.display_name, &profile.firstname, &profile.surname];
                        names.into_iter().flatten().any(|name| has(name))
                    }
                    Held::Group(group) => has(&group.name),
                };
                named || held.addresses().all().any(|address| has(address.as_str()))
            })
    }
}
