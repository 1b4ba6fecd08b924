//! What mailboxes are for, asked for many at a time (rule 5.2).

use std::time::Duration;

use directory::{Code, Failure, ObjectId};
use engine::ports::{Connection, Identity, Mailboxes};

use crate::{
    ask::Ask,
    batch::{self, Part},
    client::{Client, PAGE, failure},
    patience::Patience,
    sentences,
};

impl<I: Identity> Client<I> {
    /// Ask until every part is answered, refused, or has no time left.
    pub(crate) async fn ask_mailboxes(
        &self,
        who: &Connection,
        users: &[ObjectId],
        budget: Duration,
    ) -> Result<Mailboxes, Failure> {
        let place = self.clouds.place(who.cloud);
        let mut patience = Patience::within(budget, self.first_pause);
        let mut told = Mailboxes::default();
        let mut left = users.to_vec();
        loop {
            let ask = Ask::new(place, &["$batch"], None, PAGE).post(&batch::purposes(&left));
            let parts = match self.ask(who, ask, &mut patience, |body| batch::read(body, &left)).await.map_err(failure)
            {
                Ok(parts) => parts,
                Err(failure) if matches!(failure.code, Code::PermissionMissing | Code::ConsentMissing) => {
                    let microsoft = failure.microsoft.unwrap_or_default();
                    let denied = Some(sentences::mailboxes_denied(microsoft, who));
                    return Ok(Mailboxes { denied, stopped: true, ..told });
                }
                Err(failure) if left.len() == users.len() => return Err(failure),
                Err(_) => return Ok(Mailboxes { stopped: true, ..told }),
            };
            let mut pause = None;
            left.clear();
            for (id, part) in parts {
                match part {
                    Part::Kind(kind) => drop(told.kinds.insert(id, kind)),
                    Part::Denied(microsoft) => told.denied = Some(sentences::mailboxes_denied(microsoft, who)),
                    Part::Throttled(asked) => {
                        pause = pause.max(asked);
                        left.push(id);
                    }
                    Part::Unknown => (),
                }
            }
            if left.is_empty() {
                return Ok(told);
            }
            if !patience.wait(pause).await {
                return Ok(Mailboxes { stopped: true, ..told });
            }
        }
    }
}
