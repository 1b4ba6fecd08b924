//! A mail as words in order, and the two templates that lay it out.

use askama::Template;
use directory::facts::{Listed, MOST_CHANGES, Runs};

use crate::{Rendered, escape, words};

/// How a mail is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mood {
    /// Nothing to do.
    Ok,
    /// Something is wrong.
    Attention,
    /// Something waits for a person.
    Held,
}

impl Mood {
    /// The word of the subject (rule 6.2).
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Attention => "ATTENTION",
            Self::Held => "HELD",
        }
    }

    /// The style sheet's name for it.
    fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Attention => "attention",
            Self::Held => "held",
        }
    }

    /// Background, text and edge for mail programs that ignore the style sheet.
    fn colours(self) -> [&'static str; 3] {
        match self {
            Self::Ok => ["#e6f4ea", "#14532d", "#15803d"],
            Self::Attention => ["#fef3c7", "#6b3410", "#b45309"],
            Self::Held => ["#ede9fe", "#4c1d95", "#6d28d9"],
        }
    }
}

/// A whole mail.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) subject: String,
    /// What kind of mail it is.
    pub(crate) kind: &'static str,
    /// Whom it is about.
    pub(crate) title: String,
    /// Which day.
    pub(crate) date: String,
    pub(crate) mood: Mood,
    /// The verdict in words: one headline and what it means.
    pub(crate) headline: String,
    pub(crate) meaning: String,
    pub(crate) sections: Vec<Section>,
    /// Why this mail came.
    pub(crate) footer: Vec<String>,
}

/// A heading and what stands below it.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) blocks: Vec<Block>,
}

/// A piece of a mail.
#[derive(Debug)]
pub(crate) enum Block {
    /// A paragraph.
    Words(String),
    /// A paragraph that explains, or says that there is nothing to say.
    Note(String),
    /// Figures side by side: what is counted, and how many.
    Figures([(&'static str, String); 4]),
    /// Figures by row and column.
    Table(Table),
    /// Names and what they are.
    Pairs(Vec<(&'static str, String)>),
    /// Things of the same kind.
    Items(Vec<Item>),
    /// What to do, in order.
    Steps(Vec<Step>),
    /// A place to go to: what it is, and its address.
    Link(&'static str, String),
}

/// Figures by row and column.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) columns: [&'static str; 3],
    pub(crate) rows: Vec<Row>,
}

/// One row of figures.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) label: &'static str,
    pub(crate) cells: [String; 3],
    /// A total rather than a part.
    pub(crate) total: bool,
}

/// One thing of a list.
#[derive(Debug, Default)]
pub(crate) struct Item {
    /// What happened to it, or how many of it.
    pub(crate) tag: String,
    /// What it is.
    pub(crate) name: String,
    /// What else tells it from others.
    pub(crate) aside: String,
    /// What there is to say of it.
    pub(crate) detail: String,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) what: String,
    pub(crate) how: String,
    /// A place to go to: what it is, and its address.
    pub(crate) link: Option<(&'static str, String)>,
}

impl Row {
    /// How bold it stands.
    fn weight(&self) -> &'static str {
        if self.total { "600" } else { "400" }
    }
}

impl Section {
    /// A section.
    pub(crate) fn new(title: &'static str, blocks: impl Into<Vec<Block>>) -> Self {
        Self { title, blocks: blocks.into() }
    }
}

/// The runs of a day, in figures: they prove that it ran.
pub(crate) fn runs(runs: &Runs) -> Block {
    let figures = [
        ("Expected", runs.expected),
        ("Started", runs.started),
        ("Succeeded", runs.succeeded),
        ("Failed", runs.failed),
    ];
    Block::Figures(figures.map(|(label, number)| (label, words::figure(number))))
}

/// The first of a list, and how many more there are.
pub(crate) fn listed<T>(list: &Listed<T>, item: impl Fn(&T) -> Item) -> Vec<Block> {
    let shown: Vec<_> = list.shown.iter().take(MOST_CHANGES).map(item).collect();
    let more = words::more(list.total, shown.len()).map(|more| Block::Words(format!("… {more}.")));
    [Block::Items(shown)].into_iter().chain(more).collect()
}

/// A block that links to `url`, where there is one that a mail may link to.
pub(crate) fn link(label: &'static str, url: Option<&str>) -> Option<Block> {
    safe_link(label, url).map(|(label, url)| Block::Link(label, url))
}

/// A link, if it leads to a web page and nowhere else.
pub(crate) fn safe_link(label: &'static str, url: Option<&str>) -> Option<(&'static str, String)> {
    let url = url?;
    let web =
        url.starts_with("https://") || url.starts_with("http://127.0.0.1:") || url.starts_with("http://localhost:");
    (web && !url.chars().any(|c| c.is_whitespace() || c.is_control())).then(|| (label, url.to_owned()))
}

#[derive(Template)]
#[template(path = "page.txt")]
struct Text<'a> {
    page: &'a Page,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Html<'a> {
    page: &'a Page,
}

impl Page {
    /// Both parts and the subject.
    pub(crate) fn render(&self) -> Rendered {
        Rendered {
            subject: escape::line(&self.subject, 250),
            text: written(Text { page: self }.render()),
            html: written(Html { page: self }.render()),
        }
    }
}

/// Writing to memory does not fail; should it ever, the mail says so instead of arriving empty.
fn written(outcome: askama::Result<String>) -> String {
    outcome.unwrap_or_else(|err| format!("This mail could not be written: {err}. Please contact support."))
}
