//! What all pages behind the sign-in have in common: the way between them, who is signed in, and what has just happened.

use directory::Failure;

use crate::{arrival::Arrival, assets, form::Fields, health::for_whoever_asked, session::Person};

/// The pages, as the navigation names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// How things stand.
    Overview,
    /// Import & Sync.
    Settings,
    /// Runs and their plans.
    Runs,
    /// People and why they are (not) here.
    People,
    /// Exemptions.
    Exemptions,
    /// Reports as they were mailed.
    Reports,
    /// Who changed what.
    Audit,
    /// All tenants.
    Operator,
}

/// The frame of a page.
#[derive(Debug)]
pub(crate) struct Shell<'a> {
    /// The console's own address.
    pub(crate) base: &'a str,
    /// Who is signed in.
    pub(crate) person: &'a Person,
    /// Which page it is.
    pub(crate) here: Place,
    /// What has just been done, in a sentence.
    pub(crate) done: Option<&'static str>,
    /// What has just been refused.
    pub(crate) refused: Option<Box<Failure>>,
}

/// A link of the navigation.
pub(crate) struct Link {
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) current: bool,
}

const LINKS: [(Place, &str, &str); 7] = [
    (Place::Overview, "/", "Overview"),
    (Place::Settings, "/settings", "Import & Sync"),
    (Place::Runs, "/runs", "Runs"),
    (Place::People, "/people", "People"),
    (Place::Exemptions, "/exemptions", "Exemptions"),
    (Place::Reports, "/reports", "Reports"),
    (Place::Audit, "/audit", "Audit"),
];

impl<'a> Shell<'a> {
    /// The frame of a page that is looked at; the query tells what has just been done.
    pub(crate) fn new(arrival: &'a Arrival, person: &'a Person, here: Place, query: &Fields) -> Self {
        let done = query.text("done").and_then(|name| DONE.iter().find(|(known, _)| *known == name));
        Self { base: &arrival.base, person, here, done: done.map(|(_, sentence)| *sentence), refused: None }
    }

    /// The same page with what was refused.
    pub(crate) fn refused(self, failure: Box<Failure>) -> Self {
        Self { done: None, refused: Some(Box::new(for_whoever_asked(*failure))), ..self }
    }

    pub(crate) fn style(&self) -> &'static str {
        assets::style_path()
    }

    pub(crate) fn script(&self) -> &'static str {
        assets::script_path()
    }

    pub(crate) fn links(&self) -> Vec<Link> {
        let shown = LINKS.into_iter().filter(|(place, ..)| self.person.manages || *place == Place::Overview);
        let operator = self.person.operates.then_some((Place::Operator, "/operator", "All tenants"));
        shown.chain(operator).map(|(place, path, name)| Link { path, name, current: place == self.here }).collect()
    }
}

/// What pages say after a form was taken: the address names it, and can say nothing else.
const DONE: &[(&str, &str)] = &[
    ("exempt", "The address is exempt. The next run leaves its owner alone."),
    ("unexempt", "The exemption has ended. The next run looks at its owner again."),
    ("converted", "The account is converted. No run turns it back."),
    ("converted-exempt", "The account is converted and exempt. No run touches it, and its mail keeps flowing."),
    ("digests", "From now on it is as you chose for digests."),
    ("saved", "The settings are saved."),
    ("unchanged", "Nothing was changed: the settings are as they were."),
    ("connected", "Connected: Microsoft accepts the connection."),
    ("unconnected", "The connection was tested, and does not work yet. It is said below why."),
    ("saved-unconnected", "The connection is saved, and does not work yet. It is said below why."),
    (
        "already",
        "This was carried out already, and once. Below is what became of it; what was marked since does not count.",
    ),
    ("secret", "SUCCESS: the secret works, and is saved. Connected."),
    ("secret-kept", "The secret is saved. It is tried as soon as the connection is complete."),
];
