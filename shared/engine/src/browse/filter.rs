//! What of a plan is looked for.

use directory::{Category, Change, Failure, Kind, Outcome, SkipReason, Skipped};

use super::Row;
use crate::{operator::Refused, records::Contents};

/// No text that is searched for is longer.
const LONGEST_TEXT: usize = 200;
/// The fields that hold names and addresses of people and groups.
const NAMES: [&str; 5] = ["primary_email", "firstname", "surname", "display_name", "name"];

/// Which changes of a plan are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this category.
    pub category: Option<Category>,
    /// Of users or of groups.
    pub kind: Option<Kind>,
    /// Of which this became.
    pub outcome: Option<Outcome>,
    /// With this in an address or a name, in whatever case.
    pub text: Option<String>,
}

/// Whom to look for among those who are left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// Users or groups.
    pub kind: Option<Kind>,
    /// For this reason.
    pub reason: Option<SkipReason>,
    /// With this in the address, in whatever case.
    pub text: Option<String>,
}

/// How one of the lists is filtered.
pub(super) trait Admits<T> {
    /// How many of a part of a plan it may admit: exactly so many where it is [`Self::is_exact`].
    fn among(&self, contents: &Contents) -> u64;
    /// Whether what a part holds tells how many it admits.
    fn is_exact(&self) -> bool;
    /// Whether it admits something.
    fn admits(&self, found: &T) -> bool;
    /// Users or groups, where it admits no others.
    fn kind(&self) -> Option<Kind>;
    /// The text that it looks for.
    fn text(&self) -> Option<&str>;
    /// The outcome that it looks for, where the progress of a part says whether the part has it.
    fn outcome(&self) -> Option<Outcome> {
        None
    }
    /// The same with its text as it is compared.
    ///
    /// # Errors
    /// `invalid_input` for a text that is too long.
    fn ready(&self) -> Result<Self, Refused>
    where
        Self: Sized;
}

impl Admits<Row> for Filter {
    fn among(&self, contents: &Contents) -> u64 {
        contents.changes(self.category, self.kind)
    }

    fn is_exact(&self) -> bool {
        self.outcome.is_none() && self.text.is_none()
    }

    fn admits(&self, found: &Row) -> bool {
        let change = &found.change;
        self.category.is_none_or(|category| change.category == category)
            && self.outcome.is_none_or(|outcome| change.outcome == Some(outcome))
            && names(change, self.kind, self.text.as_deref())
    }

    fn kind(&self) -> Option<Kind> {
        self.kind
    }

    fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// What was applied leaves no mark.
    fn outcome(&self) -> Option<Outcome> {
        self.outcome.filter(|outcome| *outcome != Outcome::Applied)
    }

    fn ready(&self) -> Result<Self, Refused> {
        Ok(Self { text: searched(self.text.as_deref())?, ..self.clone() })
    }
}

/// What is not enabled: neither its category nor its outcome is asked for.
impl Admits<Change> for Filter {
    fn among(&self, contents: &Contents) -> u64 {
        contents.changes(Some(Category::NotEnabled), self.kind)
    }

    fn is_exact(&self) -> bool {
        self.text.is_none()
    }

    fn admits(&self, found: &Change) -> bool {
        names(found, self.kind, self.text.as_deref())
    }

    fn kind(&self) -> Option<Kind> {
        self.kind
    }

    fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    fn ready(&self) -> Result<Self, Refused> {
        Ok(Self { text: searched(self.text.as_deref())?, ..self.clone() })
    }
}

impl Admits<Skipped> for Left {
    fn among(&self, contents: &Contents) -> u64 {
        contents.skipped(self.kind)
    }

    fn is_exact(&self) -> bool {
        self.reason.is_none() && self.text.is_none()
    }

    fn admits(&self, found: &Skipped) -> bool {
        let has = |text: &str| found.address.as_deref().is_some_and(|address| folded(address).contains(text));
        self.kind.is_none_or(|kind| found.object == kind)
            && self.reason.is_none_or(|reason| found.reason == reason)
            && self.text.as_deref().is_none_or(has)
    }

    fn kind(&self) -> Option<Kind> {
        self.kind
    }

    fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    fn ready(&self) -> Result<Self, Refused> {
        Ok(Self { text: searched(self.text.as_deref())?, ..self.clone() })
    }
}

/// Whether a change is one of a kind, with a text in its address or in a name, before or after.
fn names(change: &Change, kind: Option<Kind>, text: Option<&str>) -> bool {
    let has = |text: &str| {
        let fields = NAMES.iter().filter_map(|name| change.fields.get(*name));
        let values = fields.flat_map(|field| [field.from.as_str(), field.to.as_str()]).flatten();
        let address = change.address.as_ref().map(directory::Address::as_str);
        values.chain(address).any(|value| folded(value).contains(text))
    };
    kind.is_none_or(|kind| change.object == kind) && text.is_none_or(has)
}

/// A text that is searched for, as it is compared; nothing where it is blank.
pub(crate) fn searched(text: Option<&str>) -> Result<Option<String>, Refused> {
    let text = folded(text.unwrap_or_default().trim());
    if text.len() > LONGEST_TEXT {
        return Err(Failure::invalid(format!("text: expected at most {LONGEST_TEXT} bytes to search for")).into());
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// A text in letters of one case, letter by letter: what stands around a letter does not matter.
pub(crate) fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Whole parts of plans go through here.
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() {
            folded.push(letter.to_ascii_lowercase());
        } else {
            folded.extend(letter.to_lowercase());
        }
    }
    folded
}
