//! Dispatch: who is due is asked, and nobody is lost when the world fails on the way.

use std::collections::BTreeSet;

use directory::TenantId;
use engine::{
    dispatch::{Dispatched, dispatch},
    keys,
    ports::{Fault, QueueName},
    schedule,
};
use serde_json::{Value, json};
use tests::{
    turnstile::{Deed, Side, Switch, drive},
    world::World,
};

fn ask(world: &World) -> Result<Dispatched, Fault> {
    world.store.fenced(false);
    drive(dispatch(&world.store, &world.queues, world.now(), false)).unwrap()
}

fn is_due(world: &World, tenant: &TenantId) {
    let item = json!({"due_shard": schedule::run_shard(tenant), "due_at": world.now().as_second()});
    let Value::Object(item) = item else { panic!("no item") };
    world.store.poke(keys::sync(tenant), item);
}

/// Whose messages are on the queue.
fn asked(world: &World) -> Vec<String> {
    world.queues.take(QueueName::Sync).into_iter().map(|message| message.group).collect()
}

#[test]
fn r4_1_who_is_asked_and_never_runs_is_overdue_until_a_run_ends() {
    let world = World::new();
    is_due(&world, &world.tenant);
    for quarter in 0..5 {
        let dispatched = ask(&world).unwrap();
        let expected = Dispatched { runs: 1, reports: 0, oldest_overdue_seconds: quarter * 900 };
        assert_eq!(dispatched, expected, "asked again, and due since the first time");
        world.wait(60);
        assert_eq!(ask(&world).unwrap(), Dispatched::default(), "not before the quarter is over");
        world.wait(840);
    }
    assert_eq!(asked(&world), ["contoso"; 5]);
    world.sync();
    assert_eq!(world.schedule().due_since, None);
    let due = world.schedule().due_at.unwrap();
    world.wait(due - world.now().as_second() + 30);
    assert_eq!(ask(&world).unwrap().oldest_overdue_seconds, 30, "a new time, from which it is counted anew");
}

#[test]
fn r4_1_a_fault_on_the_way_costs_nobody_else_the_turn() {
    let world = World::new();
    let tenants: BTreeSet<TenantId> = (0..60).map(|number| format!("tenant-{number}").parse().unwrap()).collect();
    tenants.iter().for_each(|tenant| is_due(&world, tenant));
    let start = world.moment();
    let calls = world.turnstile.calls();
    assert_eq!(ask(&world).unwrap().runs, 60);
    let calls = world.turnstile.calls() - calls;
    for at in 1..=calls {
        world.go_back(&start);
        world.turnstile.set(Some(Switch { at, side: Side::Before, deed: Deed::Fault { passes: true } }));
        ask(&world).unwrap_err();
        let first = asked(&world);
        assert!(first.len() >= 40, "call {at}: at most one shard waits, and {} are asked", first.len());
        world.wait(900);
        ask(&world).unwrap();
        let all: BTreeSet<String> = first.into_iter().chain(asked(&world)).collect();
        assert_eq!(all.len(), 60, "call {at}: nobody is lost");
    }
}
