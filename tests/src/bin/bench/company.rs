//! A company in a stand-in of its own process, so that its time and memory are not the run's.

use std::{
    error::Error,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use directory::ObjectId;
use serde_json::{Value, json};

use crate::start::beside;

const SEED: u64 = 7;

/// A running stand-in with one large company.
pub(crate) struct Company {
    process: Child,
    http: reqwest::Client,
    /// Where it is.
    pub(crate) endpoint: String,
    /// The settings of a tenant that is connected to it.
    pub(crate) settings: Value,
}

impl Company {
    /// The demo value that the stand-in gives every company.
    pub(crate) const SECRET: &str = "demo-company-value";

    /// Start one, and wait until it is ready.
    pub(crate) async fn start(users: usize, groups: usize) -> Result<Self, Box<dyn Error>> {
        let company = format!("{users},{groups},{SEED}");
        let mut command = Command::new(beside("graph-standin")?);
        let mut process = command.args(["--port", "0", "--company", &company]).stdout(Stdio::piped()).spawn()?;
        let mut ready = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut ready)?;
        let endpoint = ready.trim().rsplit(' ').next().unwrap_or_default().to_owned();
        let http = reqwest::Client::builder().no_proxy().build()?;
        let mut company = Self { process, http, endpoint, settings: Value::Null };
        let control: Value = company.http.get(format!("{}/_control", company.endpoint)).send().await?.json().await?;
        let directories = control["directories"].as_array().ok_or("the stand-in names no directories")?;
        let name = format!("company-{SEED}");
        let own = directories.iter().find(|directory| directory["name"] == json!(name)).ok_or("no such company")?;
        let domain = &own["domains"][0];
        company.settings = json!({
            "primary_domain": domain, "domains": [{"name": domain}], "directory_id": own["directory_id"],
            "application_id": own["applications"][0]["client_id"], "sync_security_groups": true,
        });
        Ok(company)
    }

    /// Give some people another department.
    pub(crate) async fn change(&self, users: &[ObjectId], department: &str) -> Result<(), Box<dyn Error>> {
        let change = |user| json!({"op": "update_user", "user": user, "properties": {"department": department}});
        let url = format!("{}/_control/company-{SEED}/changes", self.endpoint);
        for users in users.chunks(1000) {
            let changes: Vec<Value> = users.iter().map(change).collect();
            self.http.post(&url).json(&changes).send().await?.error_for_status()?;
        }
        Ok(())
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        // It is our own child; if it has ended already, that is as well.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
