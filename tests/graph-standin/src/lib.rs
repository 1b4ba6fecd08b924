//! A local Microsoft Graph and Entra sign-in, as a library and as a program, on 127.0.0.1 only.
//!
//! # As a library
//!
//! ```
//! use graph_standin::{About, CONTOSO, Fault, Rule, Standin, demo};
//!
//! let standin = Standin::start(demo())?;
//! let (graph, login) = (standin.graph_endpoint(), standin.login_endpoint());
//! standin.delete_user(CONTOSO.name, "AdeleV@contoso.com")?;
//! standin.fault(Rule::new(Fault::Cut).on(About::Groups).after(2));
//! assert_eq!(standin.count(About::Token), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The stand-in has a thread and a runtime of its own and stops when dropped. [`demo`] are three companies, [`company`]
//! makes one of any size, and [`Directory`] builds one by hand.
//!
//! # As a program
//!
//! `graph-standin [--port 8085] [--role ARN] [--company USERS,GROUPS,SEED]…` serves the demo companies and says when it is ready.
//!
//! # Control addresses
//!
//! Bodies and answers are JSON. A tenant is named by short name, GUID or domain. Errors are `{"error": "…"}` with 400
//! (not understood), 404 (no such thing) or 409 (not possible now).
//!
//! | address | body |
//! |---|---|
//! | `GET /_control` | none; the answer lists directories, applications and their demo secrets |
//! | `POST /_control/{tenant}/changes` | one [`Change`] or a list: `[{"op": "update_user", "user": "AdeleV@contoso.com", "properties": {"mobilePhone": null}}]`; the answer is `{"ids": […]}` |
//! | `POST /_control/{tenant}/sign-ins` | [`SignIns`]: who signs in, and what is wrong with the ID token: `{"user": "AdeleV@contoso.com", "claims": {"aud": "another"}}`; `{}` is as Microsoft does it |
//! | `POST /_control/companies` | `{"users": 10000, "groups": 200, "seed": 1}`: adds `company-1` |
//! | `POST /_control/faults` | one [`Rule`] or a list: `{"match": {"kind": "users", "tenant": "contoso", "path": "delta"}, "after": 1, "times": 2, "fault": {"throttle": {"retry_after": "2"}}}` |
//! | `GET`, `DELETE /_control/faults` | none (`?tenant=` deletes those of one directory); what is left of the rules |
//! | `GET`, `DELETE /_control/requests` | none; `{"counters": {"total", "token", "users", "users_delta", …}, "requests": […]}` |
//! | `GET`, `POST /_control/settings` | some of [`Settings`]: `{"page_size": 5}` |
//! | `POST /_control/clock` | `{"now": "2026-11-22T10:00:00Z"}`, or `{"now": null}` to let it run |
//! | `POST /_control/reset` | none; back to the beginning |
//!
//! Faults are `{"throttle": {"retry_after": "2"}}`, `{"status": {"code": 503, "body": {…}}}`, `{"aadsts": {"code": 53003}}`,
//! `"expire_token"`, `"forbidden"`, `{"expire_delta": {"status": 410, "code": "syncStateNotFound"}}`, `"cut"`, `"not_json"`,
//! `{"stall": {"milliseconds": 500}}`, `{"foreign_link": {"origin": "https://graph.example.net"}}`, `"loop"`, `"empty_page"`,
//! `"nothing"`, `"twice"`, `"wrong_types"` and `"garble"`.
//!
//! # Credentials of an application
//!
//! `{"op": "set_application", …}` takes, beside `roles` and `disabled`:
//!
//! | field | what it holds |
//! |---|---|
//! | `secrets` | `[{"value": "demo-value", "ends": "2030-01-01T00:00:00Z"}]` and, where wanted, `key_id`, `name`, `starts`, `unknown_for` (so many sign-ins are still refused) |
//! | `certificates` | `[{"certificate": "PEM, or DER in Base64"}]` and, where wanted, `key_id`, `name`, `starts`, `ends`; signatures of assertions are checked (PS256, RS256) |
//! | `federated` | `[{"issuer": "http://127.0.0.1:8085/identity", "subject": "arn:…", "audience": "api://AzureADTokenExchange"}]`, 20 at most; the issuer's keys are read over HTTP from loopback, and signatures (RS256) are checked |
//! | `owned` | whether the application's own service principal is among its owners, as `Application.ReadWrite.OwnedBy` wants |
//!
//! `{"op": "set_policy", "password_lifetime_days": 90, "passwords_forbidden": false}` is the directory's policy on new
//! credentials. The setting `new_secret_delay` makes so many sign-ins with a newly added secret fail.
//!
//! # Identity tokens of AWS
//!
//! `POST /identity/` answers `GetWebIdentityToken` as STS does, with a token of the setting `identity_subject` (or
//! `--role`), signed with RS256; `GET /identity/.well-known/openid-configuration` and `GET /identity/jwks.json` are its
//! issuer's. The setting `identity_disabled` makes it refuse. Faults and the log know these requests as `identity`.
//!
//! # What is believed of Graph
//!
//! Where Microsoft's words leave it open, a first round tells links to users in deleted items like any others, a restored
//! object is told without its memberships, and an object that changes while pages are read is told again in the next round.

mod answer;
mod application;
mod assertion;
mod batch;
mod call;
mod certificate;
mod change;
mod clock;
mod company;
mod control;
mod cursor;
mod delta;
mod demo;
mod directory;
mod errors;
mod faults;
mod graph;
mod identity;
mod issuers;
mod lists;
mod openid;
mod passwords;
mod person;
mod policy;
mod properties;
mod requests;
mod round;
mod server;
mod settings;
mod sign_in;
mod sign_in_errors;
mod standin;
mod token;
mod world;

pub use application::{Application, ApplicationChange, ClientSecret, Federated};
pub use certificate::{Certificate, NotACertificate};
pub use change::{Change, Refusal};
pub use company::company;
pub use demo::{CONTOSO, Demo, FABRIKAM, NORTHWIND, demo};
pub use directory::{Cloud, Directory, MemberKind, Properties};
pub use faults::{Fault, Match, Rule};
pub use openid::{SIGN_IN_CLIENT_ID, SIGN_IN_SECRET, SignIns, Signing};
pub use person::{distribution_list, person, security_group};
pub use policy::Policy;
pub use requests::{About, Request};
pub use settings::Settings;
pub use standin::Standin;
