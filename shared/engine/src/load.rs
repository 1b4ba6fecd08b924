//! Loading what a decision needs: for each object everybody who shares an address with it, in Entra or here.

use std::collections::{BTreeMap, BTreeSet};

use directory::{Address, Candidate, Held, Kind, ObjectId, PerKind, TenantId, settle::Local};

use crate::{
    keys,
    ports::{Fault, Key, Store},
    records::{Claim, Claimants, MirrorRow, read},
};

/// Objects that must be decided together, with Entra's name of each, where it has one.
pub type Unit = Vec<Candidate>;

/// The largest number of objects that are drawn in beside those that were asked for. Entra keeps addresses unique, so
/// that only something hostile comes near it; what is left out then fails for its address and is tried again.
const MOST_DRAWN_IN: usize = 400;

/// Where things are read.
pub struct Loader<'a, S> {
    /// The store.
    pub store: &'a S,
    /// Whose objects.
    pub tenant: &'a TenantId,
    /// The first round of the connection, by kind: older rows of the mirror belong to another directory.
    pub first_round: PerKind<u64>,
    /// The directory holds nobody at all, so that there is nothing to look up.
    pub empty: bool,
}

#[derive(Default)]
struct Nodes {
    all: Vec<Candidate>,
    by_entra: BTreeMap<(Kind, ObjectId), usize>,
    by_local: BTreeMap<Local, usize>,
    by_address: BTreeMap<Address, Vec<usize>>,
    asked: BTreeSet<Address>,
}

impl Nodes {
    fn add(&mut self, candidate: Candidate) {
        let at = self.all.len();
        if let Some((id, entra, _)) = &candidate.entra
            && self.by_entra.insert((entra.kind(), id.clone()), at).is_some()
        {
            return;
        }
        if let Some(held) = &candidate.held {
            self.by_local.insert((held.kind(), held.id().clone()), at);
        }
        for address in candidate.addresses() {
            self.by_address.entry(address).or_default().push(at);
        }
        self.all.push(candidate);
    }

    /// The connected components.
    fn units(self) -> Vec<Unit> {
        let mut root: Vec<usize> = (0..self.all.len()).collect();
        fn find(root: &mut [usize], mut at: usize) -> usize {
            while root[at] != at {
                root[at] = root[root[at]];
                at = root[at];
            }
            at
        }
        for nodes in self.by_address.values() {
            for node in nodes {
                let (a, b) = (find(&mut root, nodes[0]), find(&mut root, *node));
                root[a.max(b)] = a.min(b);
            }
        }
        let mut units: BTreeMap<usize, Unit> = BTreeMap::new();
        for (at, candidate) in self.all.into_iter().enumerate() {
            units.entry(find(&mut root, at)).or_default().push(candidate);
        }
        units.into_values().collect()
    }
}

impl<S: Store> Loader<'_, S> {
    /// The units of some objects of Entra: they themselves, and everybody who shares an address with them.
    ///
    /// # Errors
    /// The store's.
    pub async fn units(&self, seeds: Vec<(ObjectId, MirrorRow)>) -> Result<Vec<Unit>, Fault> {
        let mut nodes = Nodes::default();
        self.add(&mut nodes, seeds).await?;
        let most = nodes.all.len() + MOST_DRAWN_IN;
        while nodes.all.len() < most {
            let ask: Vec<Address> = nodes.by_address.keys().filter(|a| !nodes.asked.contains(*a)).cloned().collect();
            if ask.is_empty() {
                break;
            }
            nodes.asked.extend(ask.iter().cloned());
            let (owners, claimants) = self.who_has(&ask).await?;
            let owners: BTreeSet<Local> =
                owners.into_iter().filter(|owner| !nodes.by_local.contains_key(owner)).collect();
            let mut wanted: BTreeSet<(Kind, ObjectId)> =
                claimants.into_iter().filter(|id| !nodes.by_entra.contains_key(id)).collect();
            let owners: Vec<Local> = owners.into_iter().collect();
            let mut by_hand = Vec::new();
            for held in self.held(&owners).await?.into_iter().flatten() {
                match held.entra_id() {
                    Some(id) if !nodes.by_entra.contains_key(&(held.kind(), id.clone())) => {
                        wanted.insert((held.kind(), id.clone()));
                        by_hand.push(held);
                    }
                    _ => by_hand.push(held),
                }
            }
            let wanted: Vec<_> = wanted.into_iter().collect();
            let rows = self.rows(&wanted).await?;
            self.add(&mut nodes, rows).await?;
            for held in by_hand {
                if !nodes.by_local.contains_key(&(held.kind(), held.id().clone())) {
                    nodes.add(Candidate { entra: None, held: Some(held) });
                }
            }
        }
        Ok(nodes.units())
    }

    async fn add(&self, nodes: &mut Nodes, rows: Vec<(ObjectId, MirrorRow)>) -> Result<(), Fault> {
        let locals: Vec<Local> =
            rows.iter().map(|(id, row)| (row.entra.kind(), row.local.clone().unwrap_or_else(|| id.clone()))).collect();
        for ((id, row), held) in rows.into_iter().zip(self.held(&locals).await?) {
            let mut held = held.filter(|held| held.entra_id() == Some(&id));
            if held.is_none() && row.local.is_some() {
                // Whoever was adopted has been deleted by hand since, and came back under Entra's id.
                let name = (row.entra.kind(), id.clone());
                held = self.held(&[name]).await?.pop().flatten().filter(|held| held.entra_id() == Some(&id));
            }
            nodes.add(Candidate { entra: Some((id, row.entra, row.removed)), held });
        }
        Ok(())
    }

    /// Our records under some local names.
    ///
    /// # Errors
    /// The store's.
    pub async fn held(&self, locals: &[Local]) -> Result<Vec<Option<Held>>, Fault> {
        if self.empty {
            return Ok(locals.iter().map(|_| None).collect());
        }
        let keys: Vec<Key> = locals.iter().map(|(kind, id)| keys::object(self.tenant, *kind, id)).collect();
        let items = self.store.get(&keys).await?;
        items
            .into_iter()
            .zip(locals)
            .map(|(item, (kind, _))| item.map(|item| read_held(*kind, item)).transpose())
            .collect()
    }

    /// The rows of the mirror under Entra's ids, without those of a directory that was connected before.
    ///
    /// # Errors
    /// The store's.
    pub async fn rows(&self, ids: &[(Kind, ObjectId)]) -> Result<Vec<(ObjectId, MirrorRow)>, Fault> {
        let keys: Vec<Key> = ids.iter().map(|(kind, id)| keys::mirror(self.tenant, *kind, id)).collect();
        let mut rows = Vec::new();
        for ((kind, id), item) in ids.iter().zip(self.store.get(&keys).await?) {
            if let Some(item) = item {
                let row = MirrorRow::read(*kind, item)?;
                if row.round >= self.first_round[*kind] {
                    rows.push((id.clone(), row));
                }
            }
        }
        Ok(rows)
    }

    async fn who_has(&self, addresses: &[Address]) -> Result<(BTreeSet<Local>, BTreeSet<(Kind, ObjectId)>), Fault> {
        let (mut owners, mut claimants) = (BTreeSet::new(), BTreeSet::new());
        let mut keys: Vec<Key> = addresses.iter().map(|address| keys::mirror_address(self.tenant, address)).collect();
        if !self.empty {
            keys.extend(addresses.iter().map(|address| keys::claim(self.tenant, address)));
        }
        for (at, item) in self.store.get(&keys).await?.into_iter().enumerate() {
            let Some(item) = item else { continue };
            if at < addresses.len() {
                claimants.extend(read::<Claimants>("an address of the mirror", item)?.claimants);
            } else {
                let claim: Claim = read("an address", item)?;
                owners.insert((claim.kind, claim.owner));
            }
        }
        Ok((owners, claimants))
    }
}

/// Read a user or group.
///
/// # Errors
/// As [`read`].
pub fn read_held(kind: Kind, item: crate::ports::Item) -> Result<Held, Fault> {
    match kind {
        Kind::User => read("a user", item).map(Held::User),
        Kind::Group => read("a group", item).map(Held::Group),
    }
}
