//! Memberships: slices, changes, and what delta does not tell of them.

use std::collections::BTreeSet;

use graph_standin::{Change, MemberKind, Standin, company, distribution_list};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{GROUPS, Reader, names};

/// `+` who is told as a member, `-` who is told to have left.
fn told(object: &Value) -> BTreeSet<(char, Uuid)> {
    let links = object["members@delta"].as_array().map(Vec::as_slice).unwrap_or_default();
    let sign = |link: &Value| if link.get("@removed").is_some() { '-' } else { '+' };
    links.iter().map(|link| (sign(link), link["id"].as_str().unwrap().parse().unwrap())).collect()
}

fn list(standin: &Standin, members: &[Uuid]) -> Uuid {
    let properties = Value::Object(distribution_list("Committee", "committee", "contoso.com"));
    standin.create_group("contoso", properties, members).unwrap()
}

#[tokio::test]
async fn a_large_group_comes_in_slices() {
    let mut reader = Reader::contoso().await;
    let big = company(1200, 3, 7);
    let demo = graph_standin::Demo {
        name: "company-7",
        directory_id: big.id,
        primary_domain: "company-7.example",
        application_id: big.applications[0].client_id,
        client_secret: "demo-company-value",
    };
    reader.standin.add(big);
    reader.sign_in(demo).await;
    let (pages, _) = reader.pages(GROUPS).await;
    let slices: Vec<Vec<_>> = pages.iter().map(|page| page.iter().map(|group| told(group).len()).collect()).collect();
    assert_eq!((slices.len(), &slices[0][..], &slices[1][..], slices[2][0]), (3, &[500][..], &[500][..], 200));
    assert!(pages.iter().all(|page| page[0]["displayName"] == "All employees"));
    assert_eq!(slices[2].len(), 3);
    let everybody: BTreeSet<_> = pages.iter().flat_map(|page| told(&page[0])).collect();
    assert_eq!(everybody.len(), 1200);
    let (users, _) = reader.pages("users/delta?$select=mail").await;
    assert_eq!(users.iter().map(Vec::len).collect::<Vec<_>>(), [200; 6]);
    let addresses: BTreeSet<_> = users.concat().iter().map(|user| user["mail"].to_string()).collect();
    assert_eq!(addresses.len(), 1200);
}

#[tokio::test]
async fn joining_and_leaving_is_told_with_the_group() {
    let reader = Reader::contoso().await;
    let (first, link) = reader.round(GROUPS).await;
    assert_eq!(first.len(), 7);
    let nested = first.iter().find(|group| group["displayName"] == "All Managers").unwrap();
    assert_eq!(nested["members@delta"][0]["@odata.type"], "#microsoft.graph.group");
    let (_, users) = reader.get("users?$select=id,displayName").await;
    let id = |index: usize| users["value"][index]["id"].as_str().unwrap().parse::<Uuid>().unwrap();
    let (adele, alex, diego, grady) = (id(0), id(1), id(2), id(3));

    let standin = &reader.standin;
    let committee = list(standin, &[adele, alex]);
    standin.add_member("contoso", "Retail", diego).unwrap();
    standin.remove_member("contoso", "Retail", adele).unwrap();
    let device = Uuid::from_u128(1);
    let add = |kind| Change::AddMember { group: "sg-HR".to_owned(), member: device.to_string(), kind };
    assert!(standin.change("contoso", add(None)).is_err());
    standin.change("contoso", add(Some(MemberKind::Device))).unwrap();
    let (changed, link) = reader.round(&link).await;
    assert_eq!(names(&changed), ["Committee", "Retail", "sg-HR"]);
    assert_eq!(told(&changed[0]), [('+', adele), ('+', alex)].into());
    assert_eq!(told(&changed[1]), [('+', diego), ('-', adele)].into());
    assert_eq!(changed[1]["members@delta"][1]["@removed"]["reason"], "deleted");
    assert_eq!(changed[2]["members@delta"][0]["@odata.type"], "#microsoft.graph.device");

    // In and out again: the last word counts.
    standin.add_member("contoso", committee, grady).unwrap();
    standin.remove_member("contoso", committee, grady).unwrap();
    standin.update_group("contoso", "Retail", json!({ "displayName": "Shops" })).unwrap();
    let (changed, link) = reader.round(&link).await;
    assert_eq!(told(&changed[0]), [('-', grady)].into());
    assert_eq!((&changed[1]["displayName"], changed[1].get("members@delta")), (&json!("Shops"), None));

    // A distribution list is gone at once, a security group can be restored.
    standin.delete_group("contoso", committee).unwrap();
    standin.delete_group("contoso", "sg-HR").unwrap();
    let (changed, _) = reader.round(&link).await;
    assert_eq!(changed[0]["@removed"]["reason"], "deleted");
    assert_eq!(changed[1]["@removed"]["reason"], "changed");

    // A first round also tells who left.
    let (first, _) = reader.round(GROUPS).await;
    let shops = first.iter().find(|group| group["displayName"] == "Shops").unwrap();
    assert!(told(shops).contains(&('-', adele)));
    reader.standin.settings(|settings| settings.past_members = false);
    let (first, _) = reader.round(GROUPS).await;
    let shops = first.iter().find(|group| group["displayName"] == "Shops").unwrap();
    assert!(!told(shops).contains(&('-', adele)));
}

#[tokio::test]
async fn a_deleted_user_keeps_memberships_in_silence_until_purged() {
    let reader = Reader::contoso().await;
    let (_, link) = reader.round(GROUPS).await;
    let standin = &reader.standin;
    let adele = standin.delete_user("contoso", "Adele Vance").unwrap();
    let (_, groups) = reader.get("groups?$select=id,displayName").await;
    let retail = groups["value"].as_array().unwrap().iter().find(|group| group["displayName"] == "Retail").unwrap();
    let members = format!("groups/{}/members?$select=displayName", retail["id"].as_str().unwrap());
    let (_, shown) = reader.get(&members).await;
    assert_eq!(names(shown["value"].as_array().unwrap()), ["Lynne Robbins"]);
    standin.restore_user("contoso", adele).unwrap();
    let (changed, link) = reader.round(&link).await;
    assert!(changed.is_empty(), "{changed:?}");
    let (_, shown) = reader.get(&members).await;
    assert_eq!(names(shown["value"].as_array().unwrap()), ["Adele Vance", "Lynne Robbins"]);

    standin.purge_user("contoso", adele).unwrap();
    let (changed, link) = reader.round(&link).await;
    assert_eq!(names(&changed), ["Retail", "All Managers"]);
    assert!(changed.iter().all(|group| told(group) == [('-', adele)].into()));
    standin.settings(|settings| settings.purge_tells_groups = false);
    standin.purge_user("contoso", "Lynne Robbins").unwrap();
    assert!(reader.round(&link).await.0.is_empty());
}
