//! Long values and long lists, cut so that a page stays small.

/// A value that leaves room for others; what is cut shows it at its end.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// How many lines have room on a page together, so that it stays below 30,000 bytes; at least one.
pub(crate) fn fitting(lines: &[String]) -> usize {
    const LONGEST: usize = 22_000;
    let mut size = 0;
    let fit = lines.iter().take_while(|line| {
        size += line.len();
        size <= LONGEST
    });
    fit.count().max(1).min(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_shows_it() {
        assert_eq!((cut("Zoë", 3), cut("Zoë B", 3)), ("Zoë".to_owned(), "Zoë…".to_owned()));
    }

    #[test]
    fn a_page_has_as_many_lines_as_fit_and_at_least_one() {
        let lines = |long: usize, many: usize| fitting(&vec!["x".repeat(long); many]);
        assert_eq!((lines(100, 50), lines(10_000, 50), lines(30_000, 50), lines(1, 0)), (50, 2, 1, 0));
    }
}
