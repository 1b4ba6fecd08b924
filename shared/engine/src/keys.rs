//! Where everything is kept: the key of every item, in one place.
//!
//! `<h>` below is one hexadecimal digit of a hash of the sort key: sixteen key ranges, so that a large tenant is not
//! bound to one partition's write rate. Memberships have none: one worker writes them in sequence, and a group of three
//! members should be one query.

use directory::{Address, Category, Domain, Kind, ObjectId, RunId, TenantId};
use jiff::{Timestamp, civil::Date};

use crate::ports::{Key, Range, Table};

/// The sixteen digits of `<h>`.
pub const SHARDS: &str = "0123456789abcdef";

/// The digit of a sort key.
pub fn shard(sk: &str) -> char {
    let digit = blake3::hash(sk.as_bytes()).as_bytes()[0] & 15;
    char::from(SHARDS.as_bytes()[usize::from(digit)])
}

/// Where a way through all key ranges goes on: behind the last key of a page, else at the next digit; nowhere at the end.
pub fn behind(shard: char, more: Option<String>) -> Option<(char, Option<String>)> {
    if more.is_some() {
        return Some((shard, more));
    }
    SHARDS.chars().skip_while(|digit| *digit != shard).nth(1).map(|next| (next, None))
}

fn control(pk: String, sk: impl Into<String>) -> Key {
    Key { table: Table::Control, pk, sk: sk.into() }
}

fn directory(pk: String, sk: impl Into<String>) -> Key {
    Key { table: Table::Directory, pk, sk: sk.into() }
}

fn letter(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "U",
        Kind::Group => "G",
    }
}

/// The register of tenants, for listing them.
pub const TENANTS: &str = "TENANTS";

/// A tenant in the register.
pub fn registered(tenant: &TenantId) -> Key {
    control(TENANTS.to_owned(), tenant.as_str())
}

/// Which tenant a domain belongs to (rule 1.1).
pub fn domain(domain: &Domain) -> Key {
    control(format!("D#{domain}"), "DOMAIN")
}

/// Everything small of a tenant.
pub fn tenant_pk(tenant: &TenantId) -> String {
    format!("T#{tenant}")
}

/// Settings and connection.
pub fn meta(tenant: &TenantId) -> Key {
    control(tenant_pk(tenant), "META")
}

/// Schedule, lease, fence.
pub fn sync(tenant: &TenantId) -> Key {
    control(tenant_pk(tenant), "SYNC")
}

/// When the next report is due.
pub fn report(tenant: &TenantId) -> Key {
    control(tenant_pk(tenant), "REPORT")
}

/// Totals.
pub fn counts(tenant: &TenantId) -> Key {
    control(tenant_pk(tenant), "COUNTS")
}

/// How often sessions were ended.
pub fn sessions(tenant: &TenantId) -> Key {
    control(tenant_pk(tenant), "SESSIONS")
}

/// Graph cursor of a collection.
pub fn cursor(tenant: &TenantId, kind: Kind) -> Key {
    control(tenant_pk(tenant), format!("CUR#{}s", kind.name()))
}

/// A run.
pub fn run(tenant: &TenantId, run: &RunId) -> Key {
    control(tenant_pk(tenant), format!("RUN#{run}"))
}

/// An exemption.
pub fn exemption(tenant: &TenantId, address: &Address) -> Key {
    control(tenant_pk(tenant), format!("EX#{address}"))
}

/// An entry of the audit; `at` and `nonce` order it.
pub fn audit(tenant: &TenantId, at: Timestamp, nonce: &str) -> Key {
    control(tenant_pk(tenant), format!("AUD#{at:.3}#{nonce}"))
}

/// A mail that was or is being sent.
pub fn mail(owner: &str, what: &str) -> Key {
    control(format!("T#{owner}"), format!("MAIL#{what}"))
}

/// A daily report as it was mailed.
pub fn report_copy(tenant: &TenantId, date: Date) -> Key {
    control(tenant_pk(tenant), format!("COPY#report#{date}"))
}

/// The worklist of a tenant.
pub fn work_pk(tenant: &TenantId) -> String {
    format!("W#{tenant}")
}

/// An object to evaluate.
pub fn work(tenant: &TenantId, kind: Kind, id: &ObjectId) -> Key {
    control(work_pk(tenant), format!("0#{}#{id}", letter(kind)))
}

/// A user whose membership of a group is to be evaluated.
pub fn work_link(tenant: &TenantId, group: &ObjectId, member: &ObjectId) -> Key {
    control(work_pk(tenant), format!("0#M#{group}#{member}"))
}

/// The users whose kind of mailbox is still to be asked for (rule 5.2).
pub fn unasked(tenant: &TenantId) -> Range {
    starting(Table::Control, work_pk(tenant), "1#U#")
}

/// A user whose kind of mailbox is still to be asked for.
pub fn unasked_user(tenant: &TenantId, id: &ObjectId) -> Key {
    control(work_pk(tenant), format!("1#U#{id}"))
}

/// An alarm: at `at` the object is to be evaluated.
pub fn alarm(tenant: &TenantId, at: Timestamp, kind: Kind, id: &ObjectId) -> Key {
    control(work_pk(tenant), format!("9#{at:.0}#{}#{id}", letter(kind)))
}

/// What an alarm's sort key names.
pub fn read_alarm(sk: &str) -> Option<(Kind, ObjectId)> {
    let mut parts = sk.splitn(4, '#').skip(2);
    let kind = if parts.next()? == "U" { Kind::User } else { Kind::Group };
    Some((kind, ObjectId::try_from(parts.next()?).ok()?))
}

/// The standing verdicts of a tenant: who is not imported, not enabled, or waits for a retry.
pub fn standing_pk(tenant: &TenantId) -> String {
    format!("S#{tenant}")
}

/// The standing verdict of an object.
pub fn standing(tenant: &TenantId, kind: Kind, id: &ObjectId) -> Key {
    control(standing_pk(tenant), format!("{}#{id}", letter(kind)))
}

/// Every standing verdict on objects of a kind.
pub fn standings(tenant: &TenantId, kind: Kind) -> Range {
    starting(Table::Control, standing_pk(tenant), &format!("{}#", letter(kind)))
}

/// What a person has undone of an object.
pub fn undone(tenant: &TenantId, kind: Kind, id: &ObjectId) -> Key {
    control(tenant_pk(tenant), format!("UN#{}#{id}", letter(kind)))
}

/// The plan of a run.
pub fn plan_pk(tenant: &TenantId, run: &RunId) -> String {
    format!("P#{tenant}#{run}")
}

/// A compressed part of a plan.
pub fn chunk(tenant: &TenantId, run: &RunId, number: u32) -> Key {
    control(plan_pk(tenant, run), format!("K#{number:06}"))
}

/// What some parts of a plan hold.
pub fn contents(tenant: &TenantId, run: &RunId, number: u32) -> Key {
    control(plan_pk(tenant, run), format!("KI#{number:06}"))
}

/// Objects that were evaluated ahead of their turn while planning.
pub fn ahead(tenant: &TenantId, run: &RunId, part: u32) -> Key {
    control(plan_pk(tenant, run), format!("AH#{part:06}"))
}

/// How far a part of a plan was carried out, and what did not go as planned.
pub fn chunk_progress(tenant: &TenantId, run: &RunId, number: u32) -> Key {
    control(plan_pk(tenant, run), format!("KP#{number:06}"))
}

/// The changes that a person left out of a plan.
pub fn unchecked(tenant: &TenantId, run: &RunId, part: usize) -> Key {
    control(plan_pk(tenant, run), format!("SEL#{part:06}"))
}

/// Changes of a category of which a person has chosen only some to be carried out.
pub fn only(tenant: &TenantId, run: &RunId, category: Category, kind: Kind) -> Key {
    control(plan_pk(tenant, run), format!("ONLY#{}#{}", category.name(), kind.name()))
}

/// What people have left out of a category of a plan while reviewing it.
pub fn review(tenant: &TenantId, run: &RunId, category: Category, kind: Kind) -> Key {
    control(plan_pk(tenant, run), format!("REV#{}#{}", category.name(), kind.name()))
}

/// The partition of users or groups under one digit.
pub fn objects_pk(tenant: &TenantId, kind: Kind, shard: char) -> String {
    format!("{}#{tenant}#{shard}", letter(kind))
}

/// A user or group as we hold it.
pub fn object(tenant: &TenantId, kind: Kind, id: &ObjectId) -> Key {
    directory(objects_pk(tenant, kind, shard(id.as_str())), id.as_str())
}

/// Who owns an address.
pub fn claim(tenant: &TenantId, address: &Address) -> Key {
    directory(format!("A#{tenant}#{}", shard(address.as_str())), address.as_str())
}

/// The partition of users made by hand that sign in as an object of Entra, under one digit.
pub fn signs_in_pk(tenant: &TenantId, shard: char) -> String {
    format!("I#{tenant}#{shard}")
}

/// The user made by hand that signs in as an object of Entra.
pub fn signs_in(tenant: &TenantId, entra_id: &ObjectId) -> Key {
    directory(signs_in_pk(tenant, shard(entra_id.as_str())), entra_id.as_str())
}

/// The partition of the mirror of users or groups under one digit.
pub fn mirror_pk(tenant: &TenantId, kind: Kind, shard: char) -> String {
    format!("M{}#{tenant}#{shard}", letter(kind))
}

/// What Entra last told of an object.
pub fn mirror(tenant: &TenantId, kind: Kind, id: &ObjectId) -> Key {
    directory(mirror_pk(tenant, kind, shard(id.as_str())), id.as_str())
}

/// Which objects of Entra list an address.
pub fn mirror_address(tenant: &TenantId, address: &Address) -> Key {
    directory(format!("MA#{tenant}#{}", shard(address.as_str())), address.as_str())
}

/// The direct members of a group in Entra.
pub fn mirror_members_pk(tenant: &TenantId, group: &ObjectId) -> String {
    format!("MM#{tenant}#{group}")
}

/// A direct membership in Entra.
pub fn mirror_member(tenant: &TenantId, group: &ObjectId, member: &ObjectId) -> Key {
    directory(mirror_members_pk(tenant, group), member.as_str())
}

/// The groups that have somebody as a direct member in Entra.
pub fn mirror_parents_pk(tenant: &TenantId, member: &ObjectId) -> String {
    format!("MR#{tenant}#{member}")
}

/// The same membership, found from the member. A second item rather than an index, since an index may lag behind.
pub fn mirror_parent(tenant: &TenantId, member: &ObjectId, group: &ObjectId) -> Key {
    directory(mirror_parents_pk(tenant, member), group.as_str())
}

/// The members of a group of the directory.
pub fn members_pk(tenant: &TenantId, group: &ObjectId) -> String {
    format!("GM#{tenant}#{group}")
}

/// A member of a group of the directory: our ids.
pub fn member(tenant: &TenantId, group: &ObjectId, user: &ObjectId) -> Key {
    directory(members_pk(tenant, group), user.as_str())
}

/// Every item of a partition.
pub fn all(table: Table, pk: String) -> Range {
    starting(table, pk, "")
}

/// The items of a partition whose sort key starts with `prefix`.
pub fn starting(table: Table, pk: String, prefix: &str) -> Range {
    let from = if prefix.is_empty() { " ".to_owned() } else { prefix.to_owned() };
    Range { table, pk, from, to: format!("{prefix}\u{10FFFF}"), after: None, limit: 1000, newest_first: false }
}
