//! What a run costs: requests, processor time and memory for tenants of three sizes, read from a stand-in over HTTP into
//! tables in memory; and how large the functions are and how soon they ask for work.
//!
//! What the tables in memory take themselves, time and memory, is measured apart and not counted.
#![expect(clippy::print_stdout, reason = "a program whose output is its purpose")]

mod company;
mod measured;
mod start;

use std::{error::Error, time::Duration};

use engine::records::Action;
use serde_json::{Value, json};
use tests::{ports::Invocation, world::World};

use self::{
    company::Company,
    measured::{Cost, Measured},
};

const SIZES: [usize; 3] = [1_000, 20_000, 100_000];
/// So many users change between two runs, a few and, where there are so many, a lot.
const FEW: usize = 100;
const MANY: usize = 10_000;

#[global_allocator]
static HEAP: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

fn main() -> Result<(), Box<dyn Error>> {
    start::print()?;
    println!("\n{:>8} {:>7}  {}", "users", "groups", Cost::HEADER);
    let tenants = SIZES.iter().map(|users| tenant(*users)).collect::<Result<Vec<_>, _>>()?;
    let largest = SIZES[SIZES.len() - 1];
    println!("\nagainst {} users, {largest} users take", SIZES[0]);
    let [first, last] = [0, SIZES.len() - 1].map(|at| &tenants[at]);
    let (small, large, of_many) = (first[0], last[0], (first[3], last[3]));
    println!("  {:6.2} times the processor time for each user", large.cpu(largest) / small.cpu(SIZES[0]));
    println!("  {:6.2} times the memory", large.heap() / small.heap());
    let (few, many) = (SIZES[0].min(MANY), largest.min(MANY));
    println!("  {:6.2} times the processor time for each changed user", of_many.1.cpu(many) / of_many.0.cpu(few));
    println!("  {:6.2} times the store requests for each changed user", of_many.1.store(many) / of_many.0.store(few));
    println!("\nfor {largest} users                      aim");
    println!("  first sync      {:6.2} s         10 s", large.cpu(1));
    println!("  its memory      {:6.1} MB       200 MB", large.heap());
    println!("  unchanged run   {:6.1} ms        50 ms", 1000.0 * last[1].cpu(1));
    Ok(())
}

/// The runs of one tenant, each with its cost.
fn tenant(users: usize) -> Result<Vec<Cost>, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let groups = users / 50;
        let company = Company::start(users, groups).await?;
        let world = World::new();
        world.set(company.settings.clone());
        world.vault.renew(&world.tenant, Company::SECRET);
        let graph = entra::Client::new(
            Some(&company.endpoint),
            Some(&company.endpoint),
            entra::NoIdentity,
            entra::Audiences::default(),
        )?;
        let mut costs = Vec::new();
        for (what, changed) in [
            ("first sync", 0),
            ("unchanged", 0),
            ("few changed", FEW),
            ("many changed", MANY.min(users)),
            ("unchanged", 0),
        ] {
            company.change(&Measured::ids(&world, changed).await?, what).await?;
            let store = Measured::new(&world.store);
            let answer = run(&graph, &store, &world, costs.len()).await?;
            let cost = store.cost(&answer);
            println!("{users:>8} {groups:>7}  {what:<12} {cost}");
            costs.push(cost);
        }
        Ok(costs)
    })
}

/// One run, in one invocation whose time does not run out.
async fn run(
    graph: &entra::Client,
    store: &Measured<'_>,
    world: &World,
    number: usize,
) -> Result<Value, Box<dyn Error>> {
    world.wait(60);
    let run = engine::run::World {
        graph,
        store,
        secrets: &world.vault,
        queue: &world.queues,
        clock: &Invocation::new(world.turnstile.clone(), world.now(), None),
        owner: &format!("bench-{number}"),
        grace: Duration::from_secs(30),
        fixed_clock: false,
    };
    let mut answer = run.run(&world.request(Action::Sync)).await?;
    if answer["state"] != json!("applied") {
        return Err(format!("the run was not applied: {answer}").into());
    }
    let stored = world.stored_run(answer["run"].as_str().unwrap_or_default());
    answer["graph"] = json!(stored.requests.graph);
    Ok(answer)
}
