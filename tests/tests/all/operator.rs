//! What operators do through the function `admin`, story by story.

mod explain;
mod first;
mod people;
mod purge;
mod runs;
mod secrets;
mod tenants;

use std::cell::RefCell;

use admin::Parts;
use engine::{
    keys,
    records::{Schedule, read},
};
use lambda_runtime::{Context, LambdaEvent};
use platform::Environment;
use serde_json::{Value, json};
use tests::{integrity, turnstile::drive, world::World};

/// The world, seen from an operator's desk. The application has the secrets `good` and `good-one`.
struct Desk {
    world: World,
    invocations: RefCell<u64>,
}

impl Desk {
    fn new() -> Self {
        let world = World::new();
        world.vault.renew(&world.tenant, "good");
        for secret in ["good", "good-one"] {
            world.entra.add_password("by hand", secret, 10_000);
        }
        Self { world, invocations: RefCell::new(0) }
    }

    /// One invocation; nothing where it was killed.
    fn invoke(&self, event: Value) -> Option<Value> {
        let environment = Environment::from_lookup(|name| (name == "TEST_CLOCK").then(|| "on".to_owned()));
        let parts = Parts {
            graph: &self.world.entra,
            store: &self.world.store,
            secrets: &self.world.vault,
            environment: &environment,
        };
        *self.invocations.borrow_mut() += 1;
        let mut event = event;
        event["now"] = json!(self.world.now());
        let mut context = Context::default();
        context.request_id = format!("request-{}", self.invocations.borrow());
        context.deadline = u64::MAX / 4_000_000;
        self.world.store.fenced(false);
        drive(admin::handle(&parts, LambdaEvent::new(event, context))).map(|answer| answer.unwrap())
    }

    /// An action for the tenant `contoso`.
    fn ask(&self, action: &str, more: Value) -> Value {
        let mut event = more;
        event["action"] = json!(action);
        if event.get("tenant").is_none() {
            event["tenant"] = json!("contoso");
        }
        self.world.wait(1);
        self.invoke(event).unwrap()
    }

    /// An action that is carried out.
    #[track_caller]
    fn done(&self, action: &str, more: Value) -> Value {
        let answer = self.ask(action, more);
        assert!(answer.get("error").is_none(), "{action}: {answer}");
        answer
    }

    /// An action that is refused, and changes nothing.
    #[track_caller]
    fn refused(&self, action: &str, more: Value) -> String {
        let before = self.world.store.snapshot();
        let answer = self.ask(action, more);
        assert_eq!(before, self.world.store.snapshot(), "{action} is refused and changes something");
        let error = answer.get("error").unwrap_or_else(|| panic!("{action} is not refused: {answer}"));
        format!("{}: {}", error["code"].as_str().unwrap(), error["message"].as_str().unwrap())
    }

    fn at_rest(&self) {
        integrity::of_rest(&self.world.store.snapshot());
    }

    fn schedule(&self, tenant: &str) -> Schedule {
        read("a schedule", self.world.store.peek(&keys::sync(&tenant.parse().unwrap())).unwrap_or_default()).unwrap()
    }

    fn addresses(&self, action: &str) -> Vec<String> {
        let kind = if action == "list_users" { "users" } else { "groups" };
        let answer = self.done(action, json!({}));
        let mut found: Vec<String> = answer[kind]
            .as_array()
            .unwrap()
            .iter()
            .map(|object| object["primary_email"].as_str().unwrap_or("-").to_owned())
            .collect();
        found.sort();
        found
    }
}

const DIRECTORY: &str = "aaaaaaaa-2222-4333-8444-555555555555";
const OTHER: &str = "bbbbbbbb-2222-4333-8444-555555555555";

fn complete(domain: &str) -> Value {
    json!({"directory_id": DIRECTORY, "application_id": DIRECTORY, "domains": [{"name": domain}], "tech_contact": format!("it@{domain}")})
}
