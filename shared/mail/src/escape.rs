//! What Entra wrote, made harmless: names there can hold anything (rule 6.6).

use std::fmt::{self, Write};

use askama::filters::Escaper;

/// For plain text: line breaks become spaces, and what steers a terminal or turns text around becomes visible.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Text;

/// For HTML: the same, then `& < > " '` escaped.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Html;

impl Escaper for Text {
    fn write_escaped_str<W: Write>(&self, mut to: W, text: &str) -> fmt::Result {
        text.chars().map(harmless).try_for_each(|c| to.write_char(c))
    }
}

impl Escaper for Html {
    fn write_escaped_str<W: Write>(&self, mut to: W, text: &str) -> fmt::Result {
        text.chars().map(harmless).try_for_each(|c| askama::filters::Html.write_escaped_char(&mut to, c))
    }
}

/// One character that can neither break a line nor reorder or hide its neighbours.
///
/// Joiners (U+200C, U+200D) stay: Persian names and emoji are spelt with them.
fn harmless(c: char) -> char {
    match c {
        '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}' => '\u{fffd}',
        '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' => '\u{fffd}',
        '\u{e0000}'..='\u{e007f}' => '\u{fffd}',
        _ if c.is_control() => '\u{fffd}',
        _ => c,
    }
}

/// At most `most` characters of a text that somebody else wrote, on one line.
pub(crate) fn line(text: &str, most: usize) -> String {
    let text = text.trim();
    let mut line: String = text.chars().take(most).map(harmless).collect();
    if most < text.chars().count() {
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn r6_6_names_are_made_harmless() {
        check("a plain name",          "Ann Lee",                     "Ann Lee");
        check("markup",                "<script>alert('x')</script>", "&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62;");
        check("an attribute's end",    "\" onload=\"x",               "&#34; onload=&#34;x");
        check("header line breaks",    "Ann\r\nBcc: eve@evil.example", "Ann  Bcc: eve@evil.example");
        check("Unicode line breaks",   "a\u{2028}b\u{2029}c\u{85}d",  "a b c d");
        check("tab and form feed",     "a\tb\u{b}c\u{c}d",            "a b c d");
        check("right-to-left override", "ann\u{202e}gpj.exe",         "ann\u{fffd}gpj.exe");
        check("isolates and marks",    "\u{2067}x\u{2069}\u{200f}",   "\u{fffd}x\u{fffd}\u{fffd}");
        check("terminal escape",       "\u{1b}[2Jx\u{0}\u{7f}",       "\u{fffd}[2Jx\u{fffd}\u{fffd}");
        check("invisible characters",  "a\u{200b}b\u{feff}c\u{e0041}", "a\u{fffd}b\u{fffd}c\u{fffd}");
        check("Hebrew and emoji stay", "שרה 👩‍🔬",                      "שרה 👩‍🔬");
    }

    #[track_caller]
    fn check(name: &str, text: &str, expected: &str) {
        let mut html = String::new();
        Html.write_escaped_str(&mut html, text).unwrap();
        assert_eq!(html, expected, "{name}");
    }

    #[test]
    fn r6_6_no_character_at_all_gets_through_raw() {
        let mut html = String::new();
        let all: String = (char::MIN..=char::MAX).collect();
        Html.write_escaped_str(&mut html, &all).unwrap();
        let raw = |c: char| {
            c.is_control() || matches!(c, '<' | '>' | '"' | '\'' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert_eq!(html.find(raw), None);
        assert!(!line(&all, usize::MAX).contains(|c: char| c != '<' && c != '>' && c != '"' && c != '\'' && raw(c)));
    }

    #[test]
    fn lines_have_an_end() {
        assert_eq!(line(" Ann ", 3), "Ann");
        assert_eq!(line("Anna", 3), "An…");
        assert_eq!(line(&"é".repeat(10_000), 80).chars().count(), 80);
    }
}
