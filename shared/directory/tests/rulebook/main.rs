//! The rulebook as tables: each row is a directory, what Entra says, the rules, the plan, and the directory afterwards.
//! Beside them, what holds for any unit.

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod addresses;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod deletions;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod scope;
#[cfg(test)]
mod world;
