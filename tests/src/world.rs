//! The whole world in memory, around one tenant, and what people and the schedule do in it.

use std::{cell::Cell, collections::BTreeSet, rc::Rc, time::Duration};

use directory::{Address, Cloud, CredentialKind, RunId, Settings, TenantId};
use engine::{
    keys,
    lease::Stop,
    ports::{Connection, Message, Meter, QueueName},
    records::{Action, Exemption, Run, Schedule, Standing, Status, Tenant, read, write},
    run::{Job, Request},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    entra::{DOMAIN, Entra, State},
    integrity,
    ports::{Invocation, Post, Queues},
    tables::{Items, Tables, Tally},
    turnstile::{Switch, Turnstile, drive},
    vault::Vault,
    view::View,
};

/// Everything at a moment.
#[derive(Debug, Clone)]
pub struct Moment {
    items: Items,
    entra: State,
    now: Timestamp,
    invocations: u64,
}

/// One tenant, its Entra, and the tables.
#[derive(Debug)]
pub struct World {
    /// Counts and stops port calls.
    pub turnstile: Rc<Turnstile>,
    /// The tables.
    pub store: Tables,
    /// Microsoft.
    pub entra: Entra,
    /// The credentials.
    pub vault: Vault,
    /// The queues.
    pub queues: Queues,
    /// The post.
    pub post: Post,
    /// The tenant.
    pub tenant: TenantId,
    now: Rc<Cell<Timestamp>>,
    invocations: Cell<u64>,
    calls: Cell<Option<u64>>,
    tick: Cell<i64>,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A tenant `contoso` with a connection and the domain `contoso.com`, nobody in it and nobody in Entra. Both removes
    /// are on.
    pub fn new() -> Self {
        let turnstile = Turnstile::new();
        let tenant: TenantId = "contoso".parse().expect("a tenant");
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().expect("a time");
        let entra = Entra::new(turnstile.clone());
        entra.now.set(now);
        let world = Self {
            store: Tables::new(turnstile.clone()),
            now: entra.now.clone(),
            entra,
            vault: Vault::new(turnstile.clone()),
            queues: Queues::new(turnstile.clone()),
            post: Post::new(turnstile.clone()),
            turnstile,
            tenant,
            invocations: Cell::new(0),
            calls: Cell::new(None),
            tick: Cell::new(1),
        };
        world.vault.renew(&world.tenant, "a secret");
        let settings = json!({
            "name": "Contoso", "primary_domain": DOMAIN, "domains": [{"name": DOMAIN}],
            "application_id": "11111111-2222-4333-8444-555555555555", "tech_contact": format!("it@{DOMAIN}"),
            "remove_deleted_users": true, "remove_deleted_groups": true,
        });
        let tenant = Tenant {
            settings: Settings::default().with(&settings).expect("settings"),
            rev: 1,
            connection: 1,
            status: Status::default(),
            created_at: now,
            credential: None,
            federated_since: None,
            no_contact_since: None,
            contact_saved_at: None,
            contact_bounced: None,
        };
        world.store.poke(keys::meta(&world.tenant), write(&tenant));
        world
    }

    /// A tenant that has synchronised so many people, all of them in the group `all`.
    pub fn company(people: usize) -> Self {
        let world = Self::new();
        let all = world.entra.list("all");
        for number in 0..people {
            let person = world.entra.hire(&format!("p{number:04}"));
            world.entra.join(&all, &person);
        }
        world.sync();
        world
    }

    // ---- Time and state ----

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.now.get()
    }

    /// Time passes.
    pub fn wait(&self, seconds: i64) {
        let later = Timestamp::from_second(self.now.get().as_second() + seconds).expect("a time");
        self.now.set(later);
    }

    /// Seconds that pass before each invocation (1).
    pub fn tick(&self, seconds: i64) {
        self.tick.set(seconds);
    }

    /// From now on an invocation may make so many port calls before its time is nearly up.
    pub fn calls_per_invocation(&self, calls: Option<u64>) {
        self.calls.set(calls);
    }

    /// Everything as it is now.
    pub fn moment(&self) -> Moment {
        Moment {
            items: self.store.snapshot(),
            entra: self.entra.snapshot(),
            now: self.now.get(),
            invocations: self.invocations.get(),
        }
    }

    /// Go back to a moment; messages on the way are lost.
    pub fn go_back(&self, moment: &Moment) {
        self.store.restore(moment.items.clone());
        self.entra.restore_state(moment.entra.clone());
        self.now.set(moment.now);
        self.invocations.set(moment.invocations);
        self.turnstile.set(None);
        self.queues.take(QueueName::Sync);
    }

    /// The directory as people see it.
    pub fn view(&self) -> View {
        View::of(&self.store.snapshot(), &self.tenant)
    }

    /// The directory in a few lines.
    pub fn shown(&self) -> String {
        self.view().to_string()
    }

    /// Who is not imported, or waits, and why: in a few lines.
    pub fn standing(&self) -> String {
        let mut lines = Vec::new();
        for (key, item) in self.store.snapshot() {
            if key.pk != keys::standing_pk(&self.tenant) {
                continue;
            }
            lines.push(match read("a standing verdict", item).expect("a standing verdict") {
                Standing::Skipped(skipped) => {
                    format!("{} {}", key.sk, json!(skipped.reason).as_str().unwrap_or_default())
                }
                Standing::NotEnabled(change) => format!("{} not enabled: {}", key.sk, change.why),
                Standing::Waiting(waiting) => format!("{} waits: {}", key.sk, waiting.skipped.why),
            });
        }
        lines.join("\n")
    }

    /// The schedule and lease.
    pub fn schedule(&self) -> Schedule {
        read("the schedule", self.store.peek(&keys::sync(&self.tenant)).unwrap_or_default()).expect("a schedule")
    }

    /// A stored run.
    pub fn stored_run(&self, run: &str) -> Run {
        let run = RunId::try_from(run.to_owned()).expect("a run");
        read("a run", self.store.peek(&keys::run(&self.tenant, &run)).expect("a run")).expect("a run")
    }

    /// The tenant's settings.
    pub fn tenant(&self) -> Tenant {
        read("the tenant", self.store.peek(&keys::meta(&self.tenant)).expect("a tenant")).expect("a tenant")
    }

    // ---- What administrators do ----

    /// Change settings.
    pub fn set(&self, patch: Value) {
        let mut tenant = self.tenant();
        let before = tenant.settings.clone();
        tenant.settings = before.with(&patch).expect("settings");
        tenant.rev += 1;
        let anew = tenant.settings.decides_otherwise_than(&before);
        self.store.poke(keys::meta(&self.tenant), write(&tenant));
        if anew {
            self.everybody();
        }
    }

    /// Exempt an address.
    pub fn exempt(&self, address: &str) {
        let address = Address::parse(address).expect("an address");
        let exemption = Exemption { address: address.clone(), at: self.now(), by: "ann".to_owned() };
        self.store.poke(keys::exemption(&self.tenant, &address), write(&exemption));
        self.everybody();
    }

    /// Take an exemption back.
    pub fn unexempt(&self, address: &str) {
        self.store.unpoke(&keys::exemption(&self.tenant, &Address::parse(address).expect("an address")));
        self.everybody();
    }

    /// Point the tenant at another directory, and adopt by address.
    pub fn replace_connection(&self) {
        let mut tenant = self.tenant();
        tenant.connection += 1;
        tenant.rev += 1;
        self.store.poke(keys::meta(&self.tenant), write(&tenant));
        self.entra.restore_state(State::default());
        self.everybody();
    }

    /// Ask for everybody to be evaluated by the next run (rule 4.10).
    pub fn everybody(&self) {
        let key = keys::sync(&self.tenant);
        let mut item = self.store.peek(&key).unwrap_or_default();
        for name in ["everybody_users", "everybody_groups"] {
            let before = item.get(name).and_then(Value::as_u64).unwrap_or_default();
            item.insert(name.to_owned(), json!(before + 1));
        }
        self.store.poke(key, item);
    }

    // ---- Runs ----

    /// A request for this tenant.
    pub fn request(&self, action: Action) -> Request {
        Request {
            tenant: self.tenant.clone(),
            action,
            run: None,
            name: None,
            except: BTreeSet::new(),
            reviewed: None,
            full: false,
            settings: None,
            by: "ann".to_owned(),
            queued: false,
        }
    }

    /// What the schedule asks for.
    pub fn scheduled(&self) -> Request {
        Request { by: "schedule".to_owned(), queued: true, ..self.request(Action::Sync) }
    }

    /// One invocation.
    ///
    /// # Errors
    /// The engine's.
    pub async fn invoke(&self, request: Request) -> Result<Value, Stop> {
        self.wait(self.tick.get());
        self.invocations.set(self.invocations.get() + 1);
        let clock = Invocation::new(self.turnstile.clone(), self.now(), self.calls.get());
        let owner = format!("invocation-{}", self.invocations.get());
        self.store.fenced(true);
        let world = engine::run::World {
            graph: &self.entra,
            store: &self.store,
            secrets: &self.vault,
            queue: &self.queues,
            clock: &clock,
            owner: &owner,
            grace: Duration::from_secs(30),
            fixed_clock: false,
        };
        world.run(&request).await
    }

    /// One invocation under a switch: what it answered, or nothing where it was killed.
    pub fn invoke_under(&self, request: Request, switch: Switch) -> Option<Result<Value, Stop>> {
        self.turnstile.set(Some(switch));
        let answer = drive(self.invoke(request));
        self.turnstile.set(None);
        answer
    }

    /// Invocations until the run is done, through the queue.
    pub fn ask(&self, request: Request) -> Value {
        let mut answer = self.once(request);
        let mut slices = 0;
        while answer["state"] == "continuing" {
            slices += 1;
            assert!(slices < 2000, "a run without an end");
            let messages = self.queues.take(QueueName::Sync);
            assert_eq!(messages.len(), 1, "a run that continues goes on by one message");
            answer = self.once(self.of_message(&messages[0]));
        }
        integrity::of_rest(&self.store.snapshot());
        answer
    }

    /// One invocation that is not stopped.
    pub fn once(&self, request: Request) -> Value {
        match drive(self.invoke(request)) {
            Some(Ok(answer)) => {
                assert!(answer["run"].is_string() || answer["error"].is_object(), "{answer}");
                answer
            }
            Some(Err(stop)) => panic!("the run stopped: {stop}"),
            None => panic!("the run stands still"),
        }
    }

    /// The request that a message is.
    pub fn of_message(&self, message: &Message) -> Request {
        let job: Job = serde_json::from_str(&message.body).expect("a job");
        Request { tenant: job.tenant, run: job.run, ..self.scheduled() }
    }

    /// What the schedule does; it must not be refused.
    pub fn sync(&self) -> Value {
        let answer = self.ask(self.scheduled());
        assert!(answer["run"].is_string(), "the run was refused: {answer}");
        answer
    }

    /// A preview by a person.
    pub fn preview(&self) -> Value {
        self.ask(self.request(Action::Preview))
    }

    /// Apply a preview without some of its changes.
    pub fn apply(&self, preview: &Value, except: &[&str]) -> Value {
        let run = preview["run"].as_str().expect("a run").to_owned().try_into().expect("a run");
        let except = except.iter().map(|id| (*id).to_owned()).collect();
        self.ask(Request { run: Some(run), except, ..self.request(Action::Apply) })
    }

    /// Release what a run holds.
    pub fn release(&self, held: &Value) -> Value {
        let run = held["run"].as_str().expect("a run").to_owned().try_into().expect("a run");
        self.ask(Request { run: Some(run), ..self.request(Action::Release) })
    }

    /// Plan the inverse of a run.
    pub fn undo(&self, done: &Value) -> Value {
        let run = done["run"].as_str().expect("a run").to_owned().try_into().expect("a run");
        self.ask(Request { run: Some(run), ..self.request(Action::Undo) })
    }

    /// Sync, and then once more: the second run must find nothing to do.
    pub fn sync_twice(&self) -> Value {
        let answer = self.sync();
        self.assert_settled();
        answer
    }

    /// A run now plans nothing and writes nothing to the directory.
    #[track_caller]
    pub fn assert_settled(&self) {
        // What a run removed for good is looked at once more, and its row of the mirror forgotten.
        let before = self.view();
        let (answer, _) = self.measured(Self::sync);
        let changes = ["adding", "updating", "disabling", "deleting"];
        let planned: Vec<_> =
            changes.iter().filter(|name| answer["counts"][**name] != json!({"users": 0, "groups": 0})).collect();
        assert!(planned.is_empty(), "a second run plans {planned:?}: {answer}");
        assert_eq!(before, self.view(), "a second run changes something");
        let (answer, tally) = self.measured(Self::sync);
        assert_eq!(tally.directory_writes, 0, "a further run writes to the directory: {answer}");
    }

    /// Do something, and count what it asked of the store.
    pub fn measured<T>(&self, work: impl FnOnce(&Self) -> T) -> (T, Tally) {
        let before = self.store.tally();
        let result = work(self);
        (result, self.store.tally().since(before))
    }
}

/// A connection to nowhere.
pub fn connection_for_tests() -> Connection {
    Connection {
        tenant: "contoso".parse().expect("a tenant"),
        authority: DOMAIN.to_owned(),
        application_id: "app".to_owned(),
        cloud: Cloud::Global,
        kind: CredentialKind::Secret,
        secret: "secret".to_owned().into(),
        meter: Meter::default(),
    }
}
