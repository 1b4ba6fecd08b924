//! Administrators without a mobile number (rule 2.12). How many there are stands in the totals, so that nobody is looked
//! for in vain.

use directory::{
    Address, Held, Kind, TenantId, UserType,
    facts::{Listed, MOST_CHANGES, Person, WithoutMobile},
};

use super::sums::TIME_TO_WRITE;
use crate::{
    keys,
    load::read_held,
    ports::{Clock, Fault, Store, Table},
    records::Counts,
};

/// Who lacks a mobile number. The names are as complete as time allows, the numbers always are.
///
/// # Errors
/// The store's.
pub(crate) async fn without_mobile(
    store: &impl Store,
    clock: &impl Clock,
    tenant: &TenantId,
    counts: &Counts,
) -> Result<WithoutMobile, Fault> {
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    let total = number(counts.administrators_without_mobile);
    let mut found: Vec<Person> = Vec::new();
    for shard in keys::SHARDS.chars() {
        let mut range = keys::all(Table::Directory, keys::objects_pk(tenant, Kind::User, shard));
        let mut ends = false;
        while !ends && (found.len() as u64) < total && TIME_TO_WRITE <= clock.remaining() {
            let page = store.list(&range).await?;
            for (_, item) in page.items {
                found.extend(immobile(read_held(Kind::User, item)?));
            }
            ends = page.more.is_none();
            range.after = page.more;
        }
    }
    found.sort();
    found.truncate(MOST_CHANGES);
    Ok(WithoutMobile { administrators: Listed { shown: found, total }, others: number(counts.others_without_mobile) })
}

fn immobile(held: Held) -> Option<Person> {
    let Held::User(user) = held else { return None };
    let lacks = user.kind == UserType::OrganizationAdmin && user.is_active && user.profile.mobile.is_none();
    lacks.then(|| Person {
        address: user.addresses.primary.as_ref().map(Address::to_string).unwrap_or_default(),
        name: user.profile.display_name.unwrap_or_default(),
    })
}
