//! What operators read (rule 1.7): for each code one sentence, what to do next, and never anything secret.

use directory::{Code, Failure, Microsoft};
use engine::ports::Connection;

use crate::{clouds, http::Broken};

/// The permission that everything needs (rule 1.9).
const PERMISSION: &str = "Directory.Read.All";
/// What else carries it.
const MORE_THAN_ENOUGH: &str = "Directory.ReadWrite.All";

/// Entra or Graph refuses, with this code, to let `who` in.
pub(crate) fn refused(code: Code, microsoft: Microsoft, who: &Connection) -> Failure {
    let (message, help) = match code {
        Code::CredentialSecretExpired => (
            connect("the client secret has expired"),
            "make a new client secret in the Entra portal (App registrations, Certificates & secrets) and save its Value with put_secret",
        ),
        Code::CredentialSecretInvalid => (
            connect("Entra does not know the client secret"),
            "save the secret's Value (not its Secret ID) with put_secret; if it was not kept, make a new client secret in the Entra portal",
        ),
        Code::CredentialCertificateInvalid => (
            connect("Entra does not know the certificate, or refuses what was signed with it"),
            "upload the certificate to the application in the Entra portal, or save the key and certificate that are there",
        ),
        Code::CredentialFederationMismatch => (
            connect("no federated credential of the application matches"),
            "compare issuer, subject and audience of the application's federated credential; a new one takes some minutes to work",
        ),
        Code::ApplicationNotFound => (
            connect("the application is not in this directory"),
            "check application_id and directory_id, and that an administrator of this directory has granted admin consent",
        ),
        Code::ApplicationDisabled => (
            connect("the application is disabled"),
            "an administrator of the directory enables it in the Entra portal: Enterprise applications, Properties, Enabled for users to sign in",
        ),
        Code::DirectoryNotFound => (
            connect("the directory was not found"),
            "check directory_id (or primary_domain, where there is none) and cloud",
        ),
        Code::WrongCloud => (
            connect("the directory is in another Microsoft cloud"),
            "set cloud to global, us_gov, us_gov_dod or china; the application must be registered in that cloud",
        ),
        Code::ConditionalAccess => (
            connect("a Conditional Access policy of the directory blocks the application"),
            "an administrator of the directory excludes the application from the policy, or allows the addresses that this service calls from",
        ),
        Code::ConsentMissing => (
            format!(
                "The application has no permission in this directory: {PERMISSION} is missing. Grant admin consent"
            ),
            CONSENT,
        ),
        Code::PermissionMissing => {
            (format!("The application lacks the permission {PERMISSION}. Add it, then Grant admin consent"), CONSENT)
        }
        _ => return unforeseen(microsoft),
    };
    let mut failure = Failure::new(code, message, help);
    failure.microsoft = Some(microsoft);
    if matches!(code, Code::ConsentMissing | Code::PermissionMissing) {
        failure.consent_link = clouds::consent_link(who.cloud, &who.authority, &who.application_id);
    }
    failure
}

/// For both kinds of missing permission: no token tells whether an application was only ever given Azure AD Graph.
const CONSENT: &str = "add Microsoft Graph's application permission Directory.Read.All to the application, then an administrator of the directory opens \
    the consent link (or presses Grant admin consent in the Entra portal); an application that was only ever given Azure AD Graph, which Microsoft has \
    retired, must move to Microsoft Graph: Directory.Read.All, application permission";

/// The sentence of every refused credential, and its precise cause.
pub(crate) fn connect(cause: &str) -> String {
    format!("Failed to connect. Please check your Azure (Entra ID) Credential: {cause}")
}

/// Graph denies access to a token with these roles (`None`: a token that does not show them).
pub(crate) fn denied(microsoft: Microsoft, who: &Connection, roles: Option<&[String]>) -> Failure {
    match roles {
        Some([]) => refused(Code::ConsentMissing, microsoft, who),
        Some(roles) if roles.iter().any(|role| role == PERMISSION || role == MORE_THAN_ENOUGH) => {
            let mut failure = refused(Code::PermissionMissing, microsoft, who);
            failure.message = format!(
                "Microsoft Graph denies access although the token carries {PERMISSION}. Grant admin consent again"
            );
            failure
        }
        Some(_) | None => refused(Code::PermissionMissing, microsoft, who),
    }
}

/// Graph keeps the kind of some mailboxes from us (rule 5.2).
pub(crate) fn mailboxes_denied(microsoft: Microsoft, who: &Connection) -> Failure {
    let message = "The kind of mailboxes cannot be read: the application lacks the permission MailboxSettings.Read, or is kept from \
        some mailboxes. Add it, then Grant admin consent";
    let help = "add Microsoft Graph's application permission MailboxSettings.Read to the application, then an administrator of the \
        directory opens the consent link (or presses Grant admin consent in the Entra portal); or switch read_mailbox_kind off";
    let mut failure = Failure::new(Code::PermissionMissing, message, help);
    failure.consent_link = clouds::consent_link(who.cloud, &who.authority, &who.application_id);
    failure.microsoft = Some(microsoft);
    failure
}

/// The application may not change its own registration (rule 7.3).
pub(crate) fn registration_denied(microsoft: Microsoft, who: &Connection) -> Failure {
    let message = "The application may not change its own client secrets: it lacks the permission Application.ReadWrite.OwnedBy, or its \
        own service principal is not among the owners of its registration. Grant admin consent";
    let help = "add Microsoft Graph's application permission Application.ReadWrite.OwnedBy to the application, have an administrator of the \
        directory open the consent link, and make the application's own service principal an owner of its registration (Graph: POST \
        /applications/{id}/owners/$ref; the portal cannot); or switch rotate_secret off";
    let mut failure = Failure::new(Code::PermissionMissing, message, help);
    failure.consent_link = clouds::consent_link(who.cloud, &who.authority, &who.application_id);
    failure.microsoft = Some(microsoft);
    failure
}

/// Credentials are added where the application is registered.
pub(crate) fn registered_elsewhere(microsoft: Microsoft) -> Failure {
    let message = "The application is registered in another directory, and only that one can change its client secrets";
    let mut failure = Failure::new(Code::NotFound, message, "switch rotate_secret off, and renew the secret by hand");
    failure.microsoft = Some(microsoft);
    failure
}

/// The directory's policy wants a shorter life.
pub(crate) fn secret_too_long(failure: Failure) -> Failure {
    let message =
        "The directory's policy on application credentials allows client secrets only a shorter life".to_owned();
    let help = "nothing, where a shorter life is tried by itself; otherwise an administrator of the directory raises the longest life in \
        the policy (Entra portal: Enterprise applications, Application policies), or exempts the application from it";
    Failure { code: Code::PermissionMissing, message, help: help.to_owned(), consent_link: None, ..failure }
}

/// The directory's policy wants no client secrets.
pub(crate) fn secrets_forbidden(failure: Failure) -> Failure {
    let message = "The directory's policy on application credentials forbids new client secrets".to_owned();
    let help = "use a certificate or a federated credential instead (credential.kind), or an administrator of the directory exempts the \
        application from the policy (Entra portal: Enterprise applications, Application policies)";
    Failure { code: Code::PermissionMissing, message, help: help.to_owned(), consent_link: None, ..failure }
}

/// Which of Microsoft's two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    SignIn,
    Graph,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::SignIn => "Microsoft's sign-in",
            Self::Graph => "Microsoft Graph",
        }
    }
}

/// Microsoft asks us to slow down.
pub(crate) fn throttled(service: Service, microsoft: Microsoft) -> Failure {
    let message = format!("{} asks us to send fewer requests", service.name());
    passing(Code::Throttled, message, "nothing: what is left is done later by itself", Some(microsoft))
}

/// Microsoft has trouble of its own.
pub(crate) fn unavailable(service: Service, microsoft: Microsoft) -> Failure {
    let message = format!("{} is not available at the moment", service.name());
    passing(Code::MicrosoftUnavailable, message, WAIT, Some(microsoft))
}

/// What came is not what was asked for.
pub(crate) fn bad_answer(service: Service, what: impl std::fmt::Display, microsoft: Microsoft) -> Failure {
    let message = format!("{} gave an answer that makes no sense: {what}", service.name());
    passing(Code::BadAnswer, message, WAIT, Some(microsoft))
}

/// Nothing came, or not all of it.
pub(crate) fn broken(service: Service, broken: Broken, microsoft: Microsoft) -> Failure {
    match broken {
        Broken::Cut | Broken::TooLarge => bad_answer(service, broken, microsoft),
        Broken::NoConnection | Broken::TimedOut | Broken::NoAnswer => {
            let message = format!("{} cannot be reached: {broken}", service.name());
            passing(Code::MicrosoftUnavailable, message, WAIT, None)
        }
    }
}

/// The time was over before anything could be asked.
pub(crate) fn out_of_time(service: Service) -> Failure {
    let message = format!("no time was left to ask {}", service.name());
    passing(Code::MicrosoftUnavailable, message, WAIT, None)
}

const WAIT: &str = "nothing at first: it is tried again by itself; if it stays, look at Microsoft's service health";

fn passing(code: Code, message: String, help: &str, microsoft: Option<Microsoft>) -> Failure {
    let mut failure = Failure::new(code, message, help);
    failure.microsoft = microsoft;
    failure
}

/// Anything unforeseen, quoting the id under which it was asked; the log has it too.
pub(crate) fn unforeseen(microsoft: Microsoft) -> Failure {
    let mut failure = Failure::unexpected(microsoft.correlation_id.as_deref().unwrap_or("unknown"));
    failure.microsoft = Some(microsoft);
    failure
}
