//! A tenant without a tech contact (rule 4.2).

use engine::records::Action;
use serde_json::{Value, json};
use tests::world::World;

const DAY: i64 = 86_400;

#[test]
fn r4_2_without_a_tech_contact_a_tenant_is_warned_and_stopped_after_a_week() {
    let world = World::new();
    world.entra.hire("ann");
    world.set(json!({"tech_contact": null, "sync_frequency": 24}));
    let warned = |answer: &Value| answer["warnings"][0]["code"].as_str().map(str::to_owned);
    let answer = world.sync();
    assert_eq!(warned(&answer).as_deref(), Some("no_tech_contact"), "{answer}");
    assert_eq!(world.tenant().settings.sync_frequency.0, 24);
    world.wait(6 * DAY);
    world.sync();
    assert_eq!(world.tenant().settings.sync_frequency.0, 24, "not before the week is over");
    world.wait(2 * DAY);
    let last = world.sync();
    assert_eq!(last["state"], "applied", "the run itself is done: {last}");
    assert_eq!(world.tenant().settings.sync_frequency.0, 0);
    assert_eq!(world.schedule().due_at, None);
    let refused = world.once(world.scheduled());
    assert_eq!(refused["error"]["code"], "invalid_input", "a message that was still on its way: {refused}");
    let rev = world.tenant().rev;
    let by_hand = world.once(world.request(Action::Sync));
    assert_eq!(
        (by_hand["state"].as_str(), world.tenant().rev),
        (Some("applied"), rev),
        "by hand it runs, and nothing is set twice"
    );
    world.set(json!({"tech_contact": "it@contoso.com", "sync_frequency": 24}));
    assert_eq!(warned(&world.sync()), None);
}
