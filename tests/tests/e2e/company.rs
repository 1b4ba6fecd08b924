//! A tenant of a story, with its own directory in the stand-in for Microsoft.

use std::time::Duration;

use serde_json::{Value, json};
use tests::stack::Stack;

/// A tenant, its directory and the stack that they are on.
pub(crate) struct Company {
    pub(crate) stack: Stack,
    pub(crate) tenant: String,
    pub(crate) directory: String,
    pub(crate) domain: String,
    application: Value,
    directory_id: Value,
}

/// The value of every generated company's client secret.
pub(crate) const SECRET: &str = "demo-company-value";

impl Company {
    /// A company of some size. Stories run side by side: `seed` is the story's own number.
    pub(crate) async fn new(users: usize, groups: usize, seed: u64) -> Self {
        let stack = Stack::from_env().unwrap();
        let body = json!({"users": users, "groups": groups, "seed": seed});
        let described = stack.control("companies", &body).await.unwrap();
        // A story that was cut short may have left some.
        stack.clear_faults(&format!("company-{seed}")).await.unwrap();
        Self {
            stack,
            tenant: format!("story-{seed}"),
            directory: described["name"].as_str().unwrap().to_owned(),
            domain: format!("company-{seed}.example"),
            application: described["applications"][0]["client_id"].clone(),
            directory_id: described["directory_id"].clone(),
        }
    }

    /// The same, configured and with its secret saved.
    pub(crate) async fn connected(users: usize, groups: usize, seed: u64) -> Self {
        let company = Self::new(users, groups, seed).await;
        company.connect(Value::Null).await;
        company
    }

    /// A company of nobody yet, configured and with its secret saved at some time of the test clock.
    pub(crate) async fn empty_at(seed: u64, now: &str) -> Self {
        let company = Self::new(0, 0, seed).await;
        company.connect(json!(now)).await;
        company
    }

    async fn connect(&self, now: Value) {
        self.admin(json!({"action": "delete_tenant", "purge": true})).await;
        let settings = self.settings();
        let saved = self.admin(json!({"action": "put_tenant", "settings": settings, "now": now})).await;
        assert!(saved.get("error").is_none(), "{saved}");
        let saved = self.admin(json!({"action": "put_secret", "ad_key": SECRET, "now": now})).await;
        assert_eq!(
            (&saved["message"], &saved["connection"]["status"]),
            (&json!("SUCCESS"), &json!("green")),
            "{saved}"
        );
    }

    /// Settings with which everything is synchronised.
    pub(crate) fn settings(&self) -> Value {
        json!({
            "name": self.tenant, "primary_domain": self.domain, "directory_id": self.directory_id,
            "application_id": self.application, "domains": [{"name": self.domain}],
            "tech_contact": format!("it@{}", self.domain), "sync_frequency": 1, "sync_security_groups": true,
            "remove_deleted_users": true, "remove_deleted_groups": true, "brake": {"enabled": false},
        })
    }

    /// Invoke `admin` for this tenant.
    pub(crate) async fn admin(&self, event: Value) -> Value {
        self.invoke("Admin", event).await
    }

    /// Invoke `sync` for this tenant.
    pub(crate) async fn sync(&self, event: Value) -> Value {
        self.invoke("Sync", event).await
    }

    /// Invoke a function for this tenant.
    pub(crate) async fn invoke(&self, function: &str, mut event: Value) -> Value {
        event["tenant"] = json!(self.tenant);
        self.stack.invoke(function, &event).await.unwrap()
    }

    /// Somebody's address.
    pub(crate) fn address(&self, name: &str) -> String {
        format!("{name}@{}", self.domain)
    }

    /// The change that makes a person with a mailbox, and perhaps with other properties than most.
    pub(crate) fn person(&self, name: &str, properties: &Value) -> Value {
        let address = self.address(name);
        let mut person = json!({
            "displayName": format!("The {name}"), "userPrincipalName": address, "mail": address,
            "proxyAddresses": [format!("SMTP:{address}")], "mobilePhone": "+1 425 555 0100",
        });
        let own = properties.as_object().unwrap().clone();
        person.as_object_mut().unwrap().extend(own);
        json!({"op": "create_user", "properties": person})
    }

    /// The change that makes a distribution list with these members, people and groups.
    pub(crate) fn list(&self, name: &str, members: &[&str]) -> Value {
        let address = self.address(name);
        let members: Vec<String> = members.iter().map(|member| self.address(member)).collect();
        let properties = json!({
            "displayName": format!("The {name}"), "mail": address, "proxyAddresses": [format!("SMTP:{address}")],
            "mailEnabled": true, "securityEnabled": false,
        });
        json!({"op": "create_group", "properties": properties, "members": members})
    }

    /// The change after which somebody has these `proxyAddresses`.
    pub(crate) fn readdress(&self, name: &str, addresses: &[&str]) -> Value {
        let proxies: Vec<String> = addresses.iter().map(|entry| self.address(entry)).collect();
        json!({"op": "update_user", "user": self.address(name), "properties": {"proxyAddresses": proxies}})
    }

    /// The automatic run, by hand.
    pub(crate) async fn automatic(&self) -> Value {
        self.sync(json!({"action": "sync"})).await
    }

    /// The user with an address, or null.
    pub(crate) async fn user(&self, name: &str) -> Value {
        self.admin(json!({"action": "get_user", "address": self.address(name)})).await["user"].clone()
    }

    /// The names of a group's members, in order.
    pub(crate) async fn members(&self, name: &str) -> Vec<String> {
        let group = self.admin(json!({"action": "get_group", "address": self.address(name)})).await["group"].clone();
        let mut names = Vec::new();
        for id in group["members"].as_array().unwrap_or_else(|| panic!("{group}")) {
            let user = self.admin(json!({"action": "get_user", "id": id})).await["user"].clone();
            names.push(user["display_name"].as_str().unwrap_or_else(|| panic!("{user}")).replace("The ", ""));
        }
        names.sort();
        names
    }

    /// Everything that is here: users and groups.
    pub(crate) async fn everything(&self) -> (Vec<Value>, Vec<Value>) {
        (self.all("list_users", "users").await, self.all("list_groups", "groups").await)
    }

    /// The subjects of the mails to the tenant's contact, oldest first.
    pub(crate) async fn subjects(&self) -> Vec<String> {
        let mails = self.stack.mails().await.unwrap();
        let ours = mails.iter().filter(|mail| mail.to_string().contains(&self.address("it")));
        ours.map(|mail| mail["Subject"].as_str().unwrap_or_else(|| panic!("{mail}")).to_owned()).collect()
    }

    /// Change something in Entra.
    pub(crate) async fn change(&self, changes: Value) {
        self.stack.control(&format!("{}/changes", self.directory), &changes).await.unwrap();
    }

    /// Every page of a list.
    pub(crate) async fn all(&self, action: &str, list: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = Value::Null;
        loop {
            let page = self.admin(json!({"action": action, "cursor": cursor})).await;
            items.extend(page[list].as_array().unwrap_or_else(|| panic!("{page}")).iter().cloned());
            cursor = page["cursor"].clone();
            if cursor.is_null() {
                return items;
            }
        }
    }

    /// Every page of a run's changes and skipped objects.
    pub(crate) async fn changes(&self, run: &Value) -> (Vec<Value>, Vec<Value>) {
        let (mut changes, mut skipped) = (Vec::new(), Vec::new());
        let mut cursor = Value::Null;
        loop {
            let page = self.admin(json!({"action": "get_run", "run": run["run"], "cursor": cursor})).await;
            changes.extend(page["changes"].as_array().unwrap_or_else(|| panic!("{page}")).iter().cloned());
            skipped.extend(page["skipped"].as_array().unwrap().iter().cloned());
            cursor = page["cursor"].clone();
            if cursor.is_null() {
                return (changes, skipped);
            }
        }
    }

    /// The newest run once it is done: the queue takes a moment to bring it.
    pub(crate) async fn newest_run(&self) -> Value {
        for _ in 0..400 {
            let runs = self.admin(json!({"action": "list_runs"})).await;
            if let Some(run) = runs["runs"].get(0).filter(|run| run["state"] != "continuing") {
                return run.clone();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no run of {} was done in time", self.tenant);
    }

    /// How often Graph was asked about this directory so far, tokens not counted.
    pub(crate) async fn graph_requests(&self) -> usize {
        let log = self.stack.graph_requests().await.unwrap();
        let of_ours = |request: &&Value| {
            request["tenant"]
                .as_str()
                .is_some_and(|tenant| tenant == self.directory || json!(tenant) == self.directory_id)
                && request["kind"] != "token"
        };
        log["requests"].as_array().unwrap().iter().filter(of_ours).count()
    }
}

/// The counts of a run that are not zero, as `adding users 3, …`.
pub(crate) fn counts(run: &Value) -> String {
    let mut shown = Vec::new();
    for category in ["adding", "updating", "disabling", "deleting", "skipped", "not_enabled", "failed", "stale"] {
        for kind in ["users", "groups"] {
            let number = &run["counts"][category][kind];
            if number != &json!(0) {
                shown.push(format!("{category} {kind} {number}"));
            }
        }
    }
    shown.join(", ")
}
