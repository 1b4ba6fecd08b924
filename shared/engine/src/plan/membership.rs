//! The membership changes of a group, in the wake of its own verdict.

use directory::{Category, Held, Kind, ObjectId, Verdict};
use serde_json::json;

use super::{Batch, Groups, Planner, verdict::count};
use crate::{
    chunk,
    lease::Stop,
    members::{self, Memberships},
    ports::Store,
    records::{Entry, Run},
    undo,
};

impl<S: Store> Planner<'_, S> {
    /// Whether a person has undone what a run did to a group, and Entra has not changed it since, its members neither.
    async fn is_undone(&self, id: &ObjectId) -> Result<bool, Stop> {
        let name = (Kind::Group, id.clone());
        Ok(self.undone && undo::of(&self.loader, std::slice::from_ref(&name)).await?.contains_key(&name))
    }

    /// What changes among the members of a group, in the wake of its own verdict.
    pub(super) async fn members_of(
        &self,
        run: &mut Run,
        batch: &mut Batch,
        id: &ObjectId,
        evaluated: Option<&(Verdict, Option<Held>)>,
        which: &Memberships,
        groups: &mut Groups<'_, S>,
    ) -> Result<(), Stop> {
        let Some((verdict, held)) = evaluated else { return Ok(()) };
        let held = held.as_ref();
        let here = held.is_some_and(|held| held.deleted_at().is_none() && held.entra_id() == Some(id));
        let (planned, which) = match verdict {
            Verdict::Change(planned) if planned.change.category == Category::Adding => {
                (Some(planned), &Memberships::All)
            }
            Verdict::Change(planned)
                if planned.change.fields.contains_key("entra_id")
                    || planned.change.fields.contains_key("managed_by") =>
            {
                (Some(planned), &Memberships::All)
            }
            Verdict::Change(planned) if planned.change.category == Category::Updating => {
                let back = planned.change.fields.contains_key("deleted_at");
                (Some(planned), if back { &Memberships::All } else { which })
            }
            Verdict::Settled if here => (None, which),
            Verdict::NotEnabled(planned) if here && planned.change.fields.keys().all(|field| field != "deleted_at") => {
                (None, which)
            }
            _ => return Ok(()),
        };
        let local = held.map_or_else(|| planned.map_or(id, |planned| &planned.local), Held::id).clone();
        let difference = members::difference(&self.loader, &self.rules, id, &local, which, groups).await?;
        if difference.join.is_empty() && difference.leave.is_empty() {
            return Ok(());
        }
        let before = match held {
            Some(Held::Group(group)) => group.member_count,
            _ => 0,
        };
        let after = before + difference.join.len() as u64 - (difference.leave.len() as u64).min(before);
        let empties = before > u64::from(self.rules.settings.brake.members_min) && after == 0;
        let members = directory::Field { from: json!(before), to: json!(after) };
        let note = format!("{} join, {} leave", difference.join.len(), difference.leave.len());
        let digest =
            blake3::hash(format!("{:?}{:?}", difference.join, difference.leave).as_bytes()).to_hex().to_string();
        let own = batch.entries.iter_mut().rev().find_map(|entry| match entry {
            Entry::Unit { changes, empties, .. } => {
                let planned =
                    changes.iter_mut().find(|p| p.change.object == Kind::Group && p.change.object_id == *id)?;
                Some((planned, empties))
            }
            _ => None,
        });
        let (change_id, undone) = if let Some((planned, unit_empties)) = own {
            let change = &mut planned.change;
            change.fields.insert("members".to_owned(), members);
            change.notes.push(note);
            change.seal(&digest);
            *unit_empties = empties;
            (change.id.clone(), planned.undone)
        } else if let Some(planned) = planned {
            (planned.change.id.clone(), planned.undone)
        } else {
            let Some(held) = held else { return Ok(()) };
            let mut planned = members::change(held, id, members, note);
            planned.change.seal(&digest);
            planned.undone = self.is_undone(id).await?;
            if !self.rules.settings.update_groups {
                planned.change.category = Category::NotEnabled;
                planned.change.selected = false;
                planned.change.why += "; update_groups is off";
                planned.change.seal(&digest);
                let mut none = Vec::new();
                self.verdict(run, batch, (Kind::Group, id.clone()), Verdict::NotEnabled(Box::new(planned)), &mut none);
                return Ok(());
            }
            let name = (planned.change.id.clone(), planned.undone);
            count(run, &planned);
            batch.weight += 1;
            batch.entries.push(Entry::Unit {
                changes: vec![planned],
                bystanders: Vec::new(),
                empties,
                waiting: Vec::new(),
            });
            name
        };
        run.tally.empties += u64::from(empties);
        let (mut join, mut leave) = (difference.join.into_iter().peekable(), difference.leave.into_iter().peekable());
        while join.peek().is_some() || leave.peek().is_some() {
            let join: Vec<_> = join.by_ref().take(chunk::MOST_MEMBERS).collect();
            let leave: Vec<_> = leave.by_ref().take(chunk::MOST_MEMBERS - join.len()).collect();
            batch.weight += 1 + (join.len() + leave.len()) / chunk::MEMBERS_PER_ENTRY;
            batch.entries.push(Entry::Members {
                change: change_id.clone(),
                group: id.clone(),
                local: local.clone(),
                join,
                leave,
                empties,
                undone,
                undoes: false,
            });
        }
        Ok(())
    }
}
