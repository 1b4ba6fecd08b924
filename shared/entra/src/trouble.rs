//! What an answer that is not a page means for the request: again, again with another token, or the end of it.

use directory::{Code, Failure, Microsoft};
use engine::ports::{Connection, NoPage};
use reqwest::StatusCode;

use crate::{
    ask::Ask,
    graph_errors::{self, Meaning},
    http::Answer,
    page::Misread,
    retry_after::retry_after,
    sentences::{self, Service},
    token::Token,
};

/// Why one attempt was not the last, or was.
pub(crate) enum Trouble {
    /// Try again.
    Passing(Failure),
    /// Try again; a link inside a round that stays lost will not come back.
    Lost(Failure),
    /// Try again with another token, once.
    Token(Failure),
    /// Try again with another token, some time later.
    NotReplicated(Failure),
    /// Give up.
    Final(NoPage),
}

/// 200, but not what was asked for.
pub(crate) fn misread(why: Misread, answer: &Answer, asked_as: &str) -> Trouble {
    let microsoft = Microsoft {
        code: None,
        correlation_id: Some(asked_as.to_owned()),
        request_id: graph_errors::header(&answer.headers, "request-id"),
    };
    let failure = sentences::bad_answer(Service::Graph, why, microsoft);
    match why {
        Misread::NotJson | Misread::NoLink | Misread::BothLinks => Trouble::Passing(failure),
        Misread::Elsewhere => Trouble::Final(NoPage::Failure(failure)),
    }
}

/// Anything but 200. Its body is never data.
pub(crate) fn refused(answer: &Answer, who: &Connection, token: &Token, ask: &Ask<'_>, asked_as: &str) -> Trouble {
    let graph_errors::Refusal { meaning, mut microsoft } = graph_errors::refusal(answer);
    microsoft.correlation_id.get_or_insert_with(|| asked_as.to_owned());
    let status = answer.status.as_u16();
    match meaning {
        Meaning::Throttled => Trouble::Passing(pausing(sentences::throttled(Service::Graph, microsoft), answer)),
        Meaning::Unavailable => Trouble::Passing(pausing(sentences::unavailable(Service::Graph, microsoft), answer)),
        Meaning::Lost => Trouble::Lost(pausing(sentences::unavailable(Service::Graph, microsoft), answer)),
        Meaning::NotGraph => {
            let what = format_args!("status {status} without a reason");
            Trouble::Passing(pausing(sentences::bad_answer(Service::Graph, what, microsoft), answer))
        }
        Meaning::Token => Trouble::Token(sentences::bad_answer(
            Service::Graph,
            "it refuses a token that Microsoft's sign-in has just given",
            microsoft,
        )),
        Meaning::NotReplicated => Trouble::NotReplicated(sentences::denied(microsoft, who, token.roles())),
        Meaning::Denied => Trouble::Final(sentences::denied(microsoft, who, token.roles()).into()),
        Meaning::Disabled => Trouble::Final(sentences::refused(Code::ApplicationDisabled, microsoft, who).into()),
        Meaning::StateGone if ask.link.is_some() => {
            let what = "it no longer has the state that the delta link names";
            Trouble::Final(NoPage::StateGone(sentences::bad_answer(Service::Graph, what, microsoft)))
        }
        Meaning::PageExpired if ask.link.is_some() => {
            let what = "it no longer has the page that the link names";
            Trouble::Final(NoPage::LinkDead(sentences::bad_answer(Service::Graph, what, microsoft)))
        }
        // Without a link there is no state that could be gone.
        Meaning::StateGone | Meaning::PageExpired => {
            Trouble::Passing(pausing(sentences::unavailable(Service::Graph, microsoft), answer))
        }
        // Graph made the link, and only the token in it can be what Graph does not like.
        Meaning::Unforeseen if answer.status == StatusCode::BAD_REQUEST && ask.link.is_some() => {
            let failure = sentences::unforeseen(microsoft);
            Trouble::Final(if ask.is_inside_a_round() { NoPage::LinkDead(failure) } else { NoPage::StateGone(failure) })
        }
        Meaning::Unforeseen => Trouble::Final(sentences::unforeseen(microsoft).into()),
    }
}

/// With the pause that the answer asks for.
fn pausing(mut failure: Failure, answer: &Answer) -> Failure {
    failure.retry_after = retry_after(&answer.headers);
    failure
}

impl Trouble {
    /// One line for the operator's log.
    pub(crate) fn log(&self, who: &Connection, asked_as: &str) {
        let failure = match self {
            Self::Passing(failure) | Self::Lost(failure) | Self::Token(failure) | Self::NotReplicated(failure) => {
                failure
            }
            Self::Final(NoPage::Failure(failure) | NoPage::StateGone(failure) | NoPage::LinkDead(failure)) => failure,
        };
        let microsoft = failure.microsoft.as_ref();
        let said = microsoft.and_then(|microsoft| microsoft.code.as_deref());
        let request_id = microsoft.and_then(|microsoft| microsoft.request_id.as_deref());
        tracing::warn!(
            tenant = %who.tenant, asked_as, request_id, microsoft = said, code = ?failure.code, "no answer from Graph: {failure}"
        );
    }
}
