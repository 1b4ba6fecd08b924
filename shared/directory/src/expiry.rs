//! When people are warned that a credential ends, and how a credential does (rules 6.4 and 7.1).

use jiff::civil::Date;

use crate::facts::CredentialState;

/// Days before the end on which a warning is due; the first of them makes a credential *expiring*.
const STEPS: [i32; 7] = [60, 30, 14, 7, 3, 1, 0];

/// Calendar days from `today` until `on`; negative once it has passed.
pub fn days_left(today: Date, on: Date) -> i32 {
    today.until(on).map(|span| span.get_days()).unwrap_or_default()
}

/// The newest step that has come with `days_left`: before the end those of the ladder, then every day for a week, then
/// every week.
pub fn step(days_left: i32) -> Option<i32> {
    match days_left {
        0.. => STEPS.into_iter().rfind(|step| *step >= days_left),
        -7..=-1 => Some(days_left),
        _ => Some(days_left - days_left % 7),
    }
}

/// The step to warn of now, where `last` was the newest that was warned of. Of missed steps only the nearest is left.
pub fn due(days_left: i32, last: Option<i32>) -> Option<i32> {
    step(days_left).filter(|step| last.is_none_or(|last| *step < last))
}

/// The step that a warning stands for which spoke of another day, now that the true one is known, where `left` days were
/// left until the true one when it was sent. While that is about what it said, it stands for what it said: nobody is told
/// of a step twice for a day or two. Else it stands for the step that had come by then, if any: the true day is months
/// away, and its steps are still to come.
pub fn said_for_another_day(said: i32, left: i32) -> Option<i32> {
    if left <= said + (said / 4).max(2) { Some(said) } else { step(left) }
}

/// How a credential does, from whether it was ever configured, whether Entra refuses it, and the days it has left.
pub fn state(configured: bool, refused: bool, days_left: Option<i32>) -> CredentialState {
    match days_left {
        _ if !configured => CredentialState::Configure,
        Some(..0) => CredentialState::Expired,
        _ if refused => CredentialState::Refused,
        Some(days) if days <= STEPS[0] => CredentialState::Expiring,
        _ => CredentialState::Working,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every day from `from` to `to` days before the end: the days on which a mail goes out.
    fn mails(from: i32, to: i32, missed: &[i32]) -> Vec<i32> {
        let mut last = None;
        let days = (to..=from).rev().filter(|day| !missed.contains(day));
        days.filter(|day| {
            let step = due(*day, last);
            last = step.or(last);
            step.is_some() && due(*day, last).is_none()
        })
        .collect()
    }

    #[test]
    fn r6_4_warnings_come_on_the_steps_and_never_twice() {
        let all = [60, 30, 14, 7, 3, 1, 0, -1, -2, -3, -4, -5, -6, -7, -14, -21, -28];
        assert_eq!(mails(730, -30, &[]), all);
    }

    #[test]
    #[rustfmt::skip]
    fn r6_4_a_missed_step_sends_the_nearest_only() {
        //    what happens                              days left  last       step
        check("long before",                            61,        None,      None);
        check("the first step",                         60,        None,      Some(60));
        check("between steps, and warned",              45,        Some(60),  None);
        check("saved with 45 days left",                45,        None,      Some(60));
        check("a day late",                             29,        Some(60),  Some(30));
        check("three steps missed",                     5,         Some(60),  Some(7));
        check("its day",                                0,         Some(1),   Some(0));
        check("the day after",                          -1,        Some(0),   Some(-1));
        check("all of it missed",                       -3,        None,      Some(-3));
        check("the last daily one",                     -7,        Some(-6),  Some(-7));
        check("between weeks",                          -8,        Some(-7),  None);
        check("between weeks",                          -13,       Some(-7),  None);
        check("two weeks after",                        -14,       Some(-7),  Some(-14));
        check("two weeks after, two days late",         -16,       Some(-7),  Some(-14));
        check("three weeks after",                      -21,       Some(-14), Some(-21));
        check("the clock was set back",                 20,        Some(7),   None);
    }

    #[test]
    #[rustfmt::skip]
    fn r6_4_a_warning_of_another_day_counts_for_the_true_one() {
        //            what turns out                              said  left  stands for
        check_another("the true day is as good as that",          14,   14,   Some(14));
        check_another("a day later",                              14,   15,   Some(14));
        check_another("a day later, at the first step",           60,   61,   Some(60));
        check_another("a day later, on the day",                  0,    1,    Some(0));
        check_another("sooner",                                   14,   4,    Some(14));
        check_another("it had passed already",                    30,   -2,   Some(30));
        check_another("weeks later",                              14,   29,   Some(30));
        check_another("months later",                             0,    46,   Some(60));
        check_another("years later",                              1,    400,  None);
        check_another("it had not passed yet",                    -3,   20,   Some(30));
        check_another("it passed a day later",                    -7,   -6,   Some(-7));
        check_another("it passed a week later",                   -7,   0,    Some(0));
    }

    #[track_caller]
    fn check_another(name: &str, said: i32, left: i32, expected: Option<i32>) {
        assert_eq!(said_for_another_day(said, left), expected, "{name}");
    }

    #[track_caller]
    fn check(name: &str, days_left: i32, last: Option<i32>, expected: Option<i32>) {
        assert_eq!(due(days_left, last), expected, "{name}");
    }

    #[test]
    fn r7_1_states() {
        for (configured, refused, days_left, expected) in [
            (false, true, Some(-1), CredentialState::Configure),
            (true, false, None, CredentialState::Working),
            (true, false, Some(61), CredentialState::Working),
            (true, false, Some(60), CredentialState::Expiring),
            (true, false, Some(0), CredentialState::Expiring),
            (true, true, Some(0), CredentialState::Refused),
            (true, true, None, CredentialState::Refused),
            (true, true, Some(-1), CredentialState::Expired),
        ] {
            assert_eq!(state(configured, refused, days_left), expected, "{configured} {refused} {days_left:?}");
        }
    }

    #[test]
    fn r6_4_days_are_calendar_days() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        assert_eq!(days_left(day("2026-02-27"), day("2026-03-01")), 2);
        assert_eq!(days_left(day("2026-03-01"), day("2026-02-27")), -2);
        assert_eq!(days_left(day("2024-11-22"), day("2026-11-22")), 730);
    }
}
