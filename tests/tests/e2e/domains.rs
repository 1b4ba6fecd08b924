//! A change of settings looks at everybody again, and Graph is not read again for it.

use serde_json::json;

use crate::company::{Company, counts};

#[tokio::test]
async fn r4_10_a_domain_registered_later_brings_its_users_with_the_next_run() {
    let company = Company::connected(0, 0, 1601).await;
    let elsewhere = "company-1601-late.example";
    let late = |name: &str| {
        let address = format!("{name}@{elsewhere}");
        let own = json!({"userPrincipalName": address, "mail": address, "proxyAddresses": [format!("SMTP:{address}")]});
        company.person(name, &own)
    };
    company.change(json!([company.person("ann", &json!({})), late("lea"), late("leo")])).await;
    company.change(company.list("all", &["ann"])).await;
    let add = |name: &str| json!({"op": "add_member", "group": company.address("all"), "member": format!("{name}@{elsewhere}")});
    company.change(json!([add("lea"), add("leo")])).await;
    let first = company.automatic().await;
    assert_eq!(counts(&first), "adding users 1, adding groups 1, skipped users 2", "{first}");
    let (_, skipped) = company.changes(&first).await;
    assert!(skipped.iter().all(|skipped| skipped["reason"] == "domain_not_registered"), "{skipped:?}");
    assert_eq!(company.members("all").await, ["ann"]);

    let domains = json!([{"name": company.domain}, {"name": elsewhere, "kind": "management"}]);
    let saved = company.admin(json!({"action": "put_tenant", "settings": {"domains": domains}})).await;
    assert!(saved.get("error").is_none(), "{saved}");
    let before = company.graph_requests().await;
    let run = company.automatic().await;
    assert_eq!(company.graph_requests().await - before, 2, "what Entra said before is still known");
    assert_eq!(run["counts"]["adding"]["users"], json!(2), "{run}");
    assert_eq!(company.members("all").await, ["ann", "lea", "leo"]);
    let here = company.everything().await;
    let again = company.automatic().await;
    assert_eq!(counts(&again), "", "{again}");
    assert_eq!(company.everything().await, here);

    let domains = json!([{"name": company.domain}]);
    company.admin(json!({"action": "put_tenant", "settings": {"domains": domains}})).await;
    for _ in 0..2 {
        let without = company.automatic().await;
        assert_eq!(counts(&without), "skipped users 2", "r2_14: out of scope, and left as they are: {without}");
        assert_eq!(company.everything().await, here);
    }
}
