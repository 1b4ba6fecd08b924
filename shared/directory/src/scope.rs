//! What the rules want of one object of Entra, whatever the directory and other objects say (sections 2 and 5).

use std::collections::BTreeSet;

use crate::{
    Address, Addresses, BlockedSignIn, Domain, Entra, EntraGroup, EntraUser, Group, GroupKind, Mailbox, MailboxKind,
    Profile, Settings, SkipReason, User, UserType,
};

/// What the rules want of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope<W> {
    /// It belongs into the directory, like this.
    In(W),
    /// It is left alone: not imported, or as it is. With the unregistered domain, where that alone keeps it out (rule 2.6).
    Out(SkipReason, String, Option<Domain>),
    /// Its kind is off and it was never imported: not worth a word (rule 2.14).
    Unlisted,
    /// An imported user lost its mailbox: that is a deletion (rule 2.3).
    LostMailbox,
}

/// A user as the rules want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedUser {
    /// Primary and aliases on registered domains.
    pub addresses: Addresses,
    /// Names and numbers.
    pub profile: Profile,
    /// Whether it is active.
    pub active: bool,
    /// Whether it becomes a functional account (rule 5.2).
    pub functional: bool,
    /// What was left out.
    pub notes: Vec<String>,
}

/// A group as the rules want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedGroup {
    /// Primary and aliases on registered domains; none for security groups without mail.
    pub addresses: Addresses,
    /// Display name.
    pub name: String,
    /// Distribution, security or Microsoft 365.
    pub kind: GroupKind,
    /// What was left out.
    pub notes: Vec<String>,
}

/// What the rules want of a user. `held` is our record of it; `exempt` whether any of its addresses is exempt.
///
/// The first rule that says no gives the reason, in the order of rule 4.13. For an imported user what takes it out of
/// scope comes first, so that it is left as it is rather than deleted (rule 2.14).
pub fn user(entra: &EntraUser, held: Option<&User>, settings: &Settings, exempt: bool) -> Scope<WantedUser> {
    if !settings.sync_active_users {
        return not_selected(held.is_some(), "users");
    }
    let blocked = entra.account_enabled == Some(false);
    let is_functional = held.is_some_and(|user| user.kind == UserType::FunctionalAccount);
    let nobodys = settings.read_mailbox_kind && entra.mailbox_kind.is_some_and(MailboxKind::is_functional);
    let functional = nobodys || blocked && settings.blocked_sign_in == BlockedSignIn::FunctionalAccount;
    let inactive = blocked && settings.blocked_sign_in == BlockedSignIn::Disable && !is_functional && !functional;
    let guest = is_guest(entra) && !settings.sync_guests;
    let out = if inactive && held.is_none() {
        Some((SkipReason::SignInBlocked, "sign-in is blocked in Entra, and it is not here yet"))
    } else if guest {
        Some((SkipReason::Guest, "it is a guest, and guests are not synchronised"))
    } else if exempt {
        Some((SkipReason::Exempt, EXEMPT))
    } else {
        None
    };
    let proxies = entra.proxy_addresses.as_deref().unwrap_or_default();
    match (mailbox(proxies, entra.mail.as_deref(), settings), out) {
        (Err((SkipReason::NoSmtpAddress, _)), None) if held.is_some() => Scope::LostMailbox,
        (_, Some((reason, why))) if held.is_some() => Scope::Out(reason, why.to_owned(), None),
        (Err((reason, why)), out) => {
            let domain = if out.is_none() { foreign_domain(reason, proxies, entra.mail.as_deref()) } else { None };
            Scope::Out(reason, why, domain)
        }
        (Ok(_), Some((reason, why))) => Scope::Out(reason, why.to_owned(), None),
        (Ok((addresses, notes)), None) => {
            Scope::In(WantedUser { addresses, profile: profile(entra), active: !inactive, functional, notes })
        }
    }
}

fn is_guest(entra: &EntraUser) -> bool {
    entra.user_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("guest"))
}

/// Whether the kind of its mailbox matters and is not known yet (rule 5.2). Guests have none that could be asked.
pub fn lacks_mailbox_kind(entra: &EntraUser, settings: &Settings) -> bool {
    settings.read_mailbox_kind
        && settings.sync_active_users
        && entra.mailbox_kind.is_none()
        && !is_guest(entra)
        && mailbox(entra.proxy_addresses.as_deref().unwrap_or_default(), entra.mail.as_deref(), settings).is_ok()
}

/// What the rules want of a group.
pub fn group(entra: &EntraGroup, held: Option<&Group>, settings: &Settings, exempt: bool) -> Scope<WantedGroup> {
    let kind = group_kind(entra);
    let security = kind == GroupKind::Security;
    let (selected, what) = group_selection(kind, settings);
    if !selected {
        return not_selected(held.is_some(), what);
    }
    if exempt && held.is_some() {
        return Scope::Out(SkipReason::Exempt, EXEMPT.to_owned(), None);
    }
    let proxies = entra.proxy_addresses.as_deref().unwrap_or_default();
    let (addresses, mut notes) = match mailbox(proxies, entra.mail.as_deref(), settings) {
        Ok(found) => found,
        Err((SkipReason::NoSmtpAddress, _)) if security => Default::default(),
        Err((reason, why)) => {
            let domain = if exempt { None } else { foreign_domain(reason, proxies, entra.mail.as_deref()) };
            return Scope::Out(reason, why, domain);
        }
    };
    if exempt {
        return Scope::Out(SkipReason::Exempt, EXEMPT.to_owned(), None);
    }
    if entra.visibility.as_deref() == Some("HiddenMembership") {
        notes.push(
            "its membership is hidden: without the permission Member.Read.Hidden Entra does not name its members"
                .to_owned(),
        );
    }
    let name = entra.display_name.clone().or_else(|| addresses.primary.as_ref().map(Address::to_string));
    Scope::In(WantedGroup { addresses, name: name.unwrap_or_default(), kind, notes })
}

const EXEMPT: &str = "one of its addresses is exempt";

/// Whether an object's kind is switched on, and what people call the kind (rule 2.1).
pub fn selection(entra: &Entra, settings: &Settings) -> (bool, &'static str) {
    match entra {
        Entra::User(_) => (settings.sync_active_users, "users"),
        Entra::Group(group) => group_selection(group_kind(group), settings),
    }
}

fn group_selection(kind: GroupKind, settings: &Settings) -> (bool, &'static str) {
    if kind == GroupKind::Security {
        (settings.sync_security_groups, "security groups")
    } else {
        (settings.sync_distribution_groups, "distribution groups")
    }
}

/// Rule 2.9. Graph does not know dynamic distribution lists at all.
pub fn group_kind(entra: &EntraGroup) -> GroupKind {
    let unified = entra.group_types.iter().flatten().any(|kind| kind.eq_ignore_ascii_case("unified"));
    match (unified, entra.security_enabled.unwrap_or(false)) {
        (true, _) => GroupKind::Microsoft365,
        (false, true) => GroupKind::Security,
        (false, false) => GroupKind::Distribution,
    }
}

/// Every address that Entra gives an object, valid ones only: what it claims, in scope or not.
pub fn claimed(proxy_addresses: Option<&[String]>, mail: Option<&str>) -> BTreeSet<Address> {
    let mailbox = Mailbox::read(proxy_addresses.unwrap_or_default(), mail);
    mailbox.iter().flat_map(Mailbox::all).cloned().collect()
}

fn foreign_domain(reason: SkipReason, proxies: &[String], mail: Option<&str>) -> Option<Domain> {
    let mailbox = Mailbox::read(proxies, mail).filter(|_| reason == SkipReason::DomainNotRegistered)?;
    mailbox.primary.ok().map(|primary| primary.domain())
}

type Found = (Addresses, Vec<String>);

fn mailbox(proxies: &[String], mail: Option<&str>, settings: &Settings) -> Result<Found, (SkipReason, String)> {
    let Some(mailbox) = Mailbox::read(proxies, mail) else {
        return Err((SkipReason::NoSmtpAddress, "it has no SMTP address in Entra".to_owned()));
    };
    let primary = mailbox
        .primary
        .map_err(|err| (SkipReason::InvalidAddress, format!("its primary address is not valid: {err}")))?;
    let domain = primary.domain();
    if !settings.is_registered(&domain) {
        let why = format!("the domain {domain} of its primary address is not registered here");
        return Err((SkipReason::DomainNotRegistered, why));
    }
    let mut notes = Vec::new();
    let (aliases, foreign): (BTreeSet<_>, BTreeSet<_>) =
        mailbox.aliases.into_iter().partition(|alias| settings.is_registered(&alias.domain()));
    for alias in foreign {
        notes.push(format!("the alias {alias} is left out: its domain is not registered here"));
    }
    if mailbox.invalid_aliases > 0 {
        notes.push(format!("{} of its aliases are left out: they are not valid addresses", mailbox.invalid_aliases));
    }
    Ok((Addresses { primary: Some(primary), aliases }, notes))
}

fn profile(entra: &EntraUser) -> Profile {
    Profile {
        firstname: entra.given_name.clone(),
        surname: entra.surname.clone(),
        display_name: entra.display_name.clone(),
        job_title: entra.job_title.clone(),
        department: entra.department.clone(),
        mobile: entra.mobile.clone(),
        phone: entra.business_phones.as_ref().and_then(|phones| phones.first().cloned()),
        language: entra.language.clone(),
        upn: entra.upn.clone(),
    }
}

fn not_selected<W>(imported: bool, what: &str) -> Scope<W> {
    if imported {
        Scope::Out(SkipReason::KindNotSelected, format!("{what} are not synchronised; it stays as it is"), None)
    } else {
        Scope::Unlisted
    }
}
