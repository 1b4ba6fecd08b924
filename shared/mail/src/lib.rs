//! The mails: facts go in; a subject, a text and the same as HTML come out. Sends nothing.
//!
//! Each mail is built once as a [`page::Page`], plain words in order, and two templates lay it out. So the text and the
//! HTML cannot say different things, and what Entra wrote is made harmless in one place.

mod daily;
mod escape;
mod expiry;
mod page;
mod roll_up;
mod verdict;
pub mod words;

pub use daily::daily;
pub use expiry::expiry;
pub use roll_up::roll_up;

/// A mail without its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line, without control characters.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML, which loads nothing from elsewhere.
    pub html: String,
}
