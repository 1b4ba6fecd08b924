//! One whole cycle over three demo tenants on the local stack, shown: dispatch, sync, report, changes, sync again; then the
//! console has somebody to sign in.
#![expect(clippy::print_stdout, reason = "a program whose output is its purpose")]

use std::{path::Path, time::Duration};

use graph_standin::{CONTOSO, Demo, FABRIKAM, NORTHWIND};
use serde_json::{Value, json};
use tests::stack::{Error, Stack};

/// Manages Contoso, and is in the group that the local stack takes for the operators.
const ADMINISTRATOR: &str = "pattif@contoso.com";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let stack = Stack::from_env()?;
    stack.control("reset", &json!({})).await?;
    title("Three tenants are configured");
    for (demo, text) in [
        (CONTOSO, "a clean directory"),
        (FABRIKAM, "unregistered domains and odd accounts"),
        (NORTHWIND, "its secret is about to expire"),
    ] {
        if demo.name == NORTHWIND.name {
            end_secret(&stack, &demo, "2030-01-31T00:00:00Z").await?;
        }
        configure(&stack, &demo, text).await?;
    }
    end_secret(&stack, &NORTHWIND, "2026-01-01T00:00:00Z").await?;
    println!("  northwind's secret expires now, as every secret does one day");

    title("Dispatch asks every tenant that is due, and the queue brings the runs");
    let dispatched = stack.invoke("Dispatch", &json!({})).await?;
    println!("  asked {} tenants to run", dispatched["runs"]);
    for demo in [CONTOSO, FABRIKAM, NORTHWIND] {
        let run = newest_run(&stack, demo.name, None).await?;
        show_run(&stack, demo.name, &run).await?;
    }

    title("The daily report, as it is mailed");
    let today = today();
    for demo in [CONTOSO, FABRIKAM, NORTHWIND] {
        let event = json!({"tenant": demo.name, "date": today, "preview": true});
        let report = answer(stack.invoke("Report", &event).await?)?;
        let file = Path::new(stack_dir().as_str()).join(format!("report-{}.html", demo.name));
        std::fs::write(&file, report["html"].as_str().unwrap_or_default())?;
        println!("  {}\n    to {}, as HTML in {}", text(&report, "subject"), text(&report, "to"), file.display());
        let sent = answer(stack.invoke("Report", &json!({"tenant": demo.name, "date": today})).await?)?;
        println!("    {}", if sent["sent"] == json!(true) { "sent" } else { "not sent again: it went out before" });
        if demo.name == CONTOSO.name {
            println!();
            for line in text(&report, "text").lines() {
                println!("    | {line}");
            }
            println!();
        }
    }
    println!("  SES holds {} mails", stack.mails().await?.len());

    title("Four people change in Contoso's Entra");
    stack
        .control("contoso/changes", &json!([
            {"op": "update_user", "user": "adelev@contoso.com", "properties": {"department": "Product", "jobTitle": "Head of Product"}},
            {"op": "update_user", "user": "Lee Gu", "properties": {"mobilePhone": "+41 79 555 01 17"}},
            {"op": "update_user", "user": "Nestor Wilke", "properties": {"accountEnabled": false}},
            {"op": "delete_user", "user": "Grady Archie"},
        ]))
        .await?;
    println!(
        "  Adele Vance has another department, Lee Gu a mobile number, Nestor Wilke's sign-in is blocked, Grady Archie is deleted"
    );
    let before = stack.graph_requests().await?["counters"].clone();
    let run = answer(stack.invoke("Sync", &json!({"tenant": CONTOSO.name, "action": "sync"})).await?)?;
    show_run(&stack, CONTOSO.name, &run).await?;
    let after = stack.graph_requests().await?["counters"].clone();
    let made = |kind: &str| after[kind].as_i64().unwrap_or_default() - before[kind].as_i64().unwrap_or_default();
    println!("  Microsoft Graph was asked {} times: only what changed was read", made("users") + made("groups"));

    title("The console is open");
    let convert =
        json!({"action": "convert", "tenant": CONTOSO.name, "address": ADMINISTRATOR, "to": "organization_admin"});
    answer(stack.invoke("Admin", &convert).await?)?;
    println!(
        "  {}/\n  Sign in as {ADMINISTRATOR}, who manages Contoso and sees all tenants",
        stack.value("ConsoleUrl")?
    );
    Ok(())
}

async fn configure(stack: &Stack, demo: &Demo, what: &str) -> Result<(), Error> {
    stack.invoke("Admin", &json!({"action": "delete_tenant", "tenant": demo.name, "purge": true})).await?;
    let settings = json!({
        "name": demo.name, "primary_domain": demo.primary_domain, "directory_id": demo.directory_id,
        "application_id": demo.application_id, "domains": [{"name": demo.primary_domain, "kind": "relay"}],
        "tech_contact": format!("it@{}", demo.primary_domain), "sync_frequency": 1, "sync_security_groups": true,
        "remove_deleted_users": true,
    });
    answer(stack.invoke("Admin", &json!({"action": "put_tenant", "tenant": demo.name, "settings": settings})).await?)?;
    let saved = stack
        .invoke("Admin", &json!({"action": "put_secret", "tenant": demo.name, "ad_key": demo.client_secret}))
        .await?;
    let tenant = answer(stack.invoke("Admin", &json!({"action": "get_tenant", "tenant": demo.name})).await?)?;
    let status = tenant.pointer("/connection/status").and_then(Value::as_str).unwrap_or("?");
    println!("  {:<10} {what}: connection {status}", demo.name);
    let error = saved.get("error").or(tenant.pointer("/connection/error")).filter(|error| !error.is_null());
    if let Some(error) = error {
        println!("             {}\n             → {}", text(error, "message"), text(error, "help"));
    }
    Ok(())
}

async fn end_secret(stack: &Stack, demo: &Demo, ends: &str) -> Result<(), Error> {
    let secrets = json!([{"value": demo.client_secret, "ends": ends}]);
    let change = json!([{"op": "set_application", "secrets": secrets}]);
    stack.control(&format!("{}/changes", demo.name), &change).await.map(drop)
}

/// The newest finished run of a tenant, waiting for the queue to bring it.
async fn newest_run(stack: &Stack, tenant: &str, not: Option<&str>) -> Result<Value, Error> {
    for _ in 0..240 {
        let runs = answer(stack.invoke("Admin", &json!({"action": "list_runs", "tenant": tenant})).await?)?;
        if let Some(run) =
            runs.pointer("/runs/0").filter(|run| run["state"] != "continuing" && run["run"].as_str() != not)
        {
            return Ok(run.clone());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Err(format!("no run of {tenant} was done within a minute").into())
}

async fn show_run(stack: &Stack, tenant: &str, run: &Value) -> Result<(), Error> {
    println!("\n  {tenant}: run {} is {}", text(run, "run"), text(run, "state"));
    if let Some(error) = run.get("error").filter(|error| !error.is_null()) {
        println!("    {}\n    → {}", text(error, "message"), text(error, "help"));
        return Ok(());
    }
    for category in ["adding", "updating", "disabling", "deleting"] {
        let (users, groups) = (&run["counts"][category]["users"], &run["counts"][category]["groups"]);
        if users != 0 || groups != 0 {
            println!("    {category}: {users} users, {groups} groups");
        }
    }
    let mut cursor = Value::Null;
    loop {
        let event = json!({"action": "get_run", "tenant": tenant, "run": run["run"], "cursor": cursor});
        let page = answer(stack.invoke("Admin", &event).await?)?;
        for change in page["changes"].as_array().into_iter().flatten() {
            let outcome = change["outcome"].as_str().unwrap_or("-");
            let name = change["address"]
                .as_str()
                .or(change.pointer("/fields/name/to").and_then(Value::as_str))
                .unwrap_or_default();
            println!(
                "      {:<9} {:<5} {name:<38} {} ({outcome})",
                text(change, "category"),
                text(change, "object"),
                text(change, "why")
            );
        }
        for skipped in page["skipped"].as_array().into_iter().flatten() {
            println!(
                "      not here  {:<5} {:<38} {}",
                text(skipped, "object"),
                text(skipped, "address"),
                text(skipped, "why")
            );
        }
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            return Ok(());
        }
    }
}

fn answer(answer: Value) -> Result<Value, Error> {
    match answer.get("error").filter(|error| !error.is_null() && answer.get("run").is_none()) {
        Some(error) => Err(format!("{}: {}", text(error, "code"), text(error, "message")).into()),
        None => Ok(answer),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn title(title: &str) {
    println!("\n{title}\n{}", "─".repeat(title.chars().count()));
}

fn stack_dir() -> String {
    let path = std::env::var("STACK_ENV").unwrap_or_else(|_| ".local/stack.env".to_owned());
    Path::new(&path).parent().map_or_else(String::new, |dir| dir.display().to_string())
}

#[expect(clippy::disallowed_methods, reason = "the demo happens today")]
fn today() -> String {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}
