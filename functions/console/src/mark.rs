//! A word with a colour.

use askama::{Template, filters::HtmlSafe};

/// A word with a colour, which says nothing that the word does not. A template writes it as markup of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Template)]
#[template(source = "<span class=\"mark {{ class }}\">{{ words }}</span>", ext = "html")]
pub(crate) struct Mark {
    /// The class of the style sheet.
    class: &'static str,
    pub(crate) words: &'static str,
}

impl HtmlSafe for Mark {}

impl Mark {
    pub(crate) const fn good(words: &'static str) -> Self {
        Self { class: "good", words }
    }

    pub(crate) const fn bad(words: &'static str) -> Self {
        Self { class: "bad", words }
    }

    /// Something waits for a person.
    pub(crate) const fn held(words: &'static str) -> Self {
        Self { class: "held", words }
    }

    pub(crate) const fn quiet(words: &'static str) -> Self {
        Self { class: "quiet", words }
    }
}
