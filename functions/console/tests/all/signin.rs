//! Sign-in with Microsoft, from the first page to the last (section 8).

mod events;
mod forgeries;
mod people;
mod safety;
mod sessions;
mod thieves;
mod ways;
