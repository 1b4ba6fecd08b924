//! What mailboxes are for, asked for twenty at a time; each part of an answer stands for itself (rule 5.2).

use std::collections::BTreeMap;

use directory::{Code, Kind, ObjectId, Observed, Told};
use engine::ports::{Connection, Graph, Mailboxes};
use graph_standin::{FABRIKAM, Fault, Rule};

use crate::{
    permissions::with_roles,
    support::{BUDGET, Stage, failure, who},
};

/// Fabrikam, and its users by the beginning of their addresses.
async fn fabrikam(roles: &[&str]) -> (Stage, Connection, BTreeMap<String, ObjectId>) {
    let (stage, who) = (with_roles(roles), who(FABRIKAM));
    let (users, _) = stage.round(&who, Kind::User, None).await;
    let named = |user| match user {
        Observed::User { id, told } => match told.mail {
            Told::Value(mail) => Some((mail.split('@').next()?.to_owned(), id)),
            Told::Nothing | Told::Null => None,
        },
        _ => None,
    };
    (stage, who, users.into_iter().filter_map(named).collect())
}

const ENOUGH: [&str; 2] = ["Directory.Read.All", "MailboxSettings.Read"];

/// Ask for three users under a rule: who is what, and what was asked of Graph for it.
async fn three(rule: Option<Rule>) -> (String, Mailboxes, usize) {
    let (stage, who, users) = fabrikam(&ENOUGH).await;
    let (_, before) = stage.requests(&who);
    let ids = ["cameron.white", "info", "rainier"].map(|name| users[name].clone());
    rule.into_iter().for_each(|rule| stage.standin.fault(rule));
    let told = stage.client.mailboxes(&who, &ids, BUDGET).await.unwrap();
    let kind = |id: &ObjectId| told.kinds.get(id).map_or("-".to_owned(), |kind| format!("{kind:?}"));
    (ids.each_ref().map(kind).join(" "), told, stage.requests(&who).1 - before)
}

#[tokio::test]
async fn r5_2_one_request_for_many() {
    let (kinds, told, requests) = three(None).await;
    assert_eq!((kinds.as_str(), requests), ("User Shared Room", 1));
    assert!(told.denied.is_none() && !told.stopped);
    let (stage, who, users) = fabrikam(&ENOUGH).await;
    let twenty: Vec<ObjectId> = users.values().cycle().take(20).cloned().collect();
    assert!(!stage.client.mailboxes(&who, &twenty, BUDGET).await.unwrap().kinds.is_empty());
}

#[tokio::test]
async fn a_part_that_is_throttled_is_asked_again_alone() {
    let throttle = |after: &str| Rule::new(Fault::Throttle { retry_after: Some(after.to_owned()) });
    let (kinds, told, requests) = three(Some(throttle("0.002").path("mailboxSettings").times(2))).await;
    assert_eq!((kinds.as_str(), requests), ("User Shared Room", 2));
    assert!(!told.stopped);
    let (kinds, told, requests) = three(Some(throttle("120").path("mailboxSettings"))).await;
    assert_eq!((kinds.as_str(), requests), ("- Shared Room", 1), "the pause outlasts the budget");
    assert!(told.stopped);
    let (kinds, told, requests) = three(Some(throttle("0.001").path("mailboxSettings").times(99))).await;
    assert_eq!((kinds.as_str(), requests), ("- - -", 5), "not for ever");
    assert!(told.stopped);
}

#[tokio::test]
async fn a_part_that_fails_leaves_its_kind_unknown() {
    let fault = Fault::Status { code: 503, body: None };
    let (kinds, told, requests) = three(Some(Rule::new(fault).path("mailboxSettings"))).await;
    assert_eq!((kinds.as_str(), requests), ("- Shared Room", 1));
    assert!(told.denied.is_none() && !told.stopped);
}

#[tokio::test]
async fn r1_9_the_missing_permission_is_named() {
    let (stage, who, users) = fabrikam(&["Directory.Read.All"]).await;
    let (_, before) = stage.requests(&who);
    let ids: Vec<ObjectId> = users.into_values().take(3).collect();
    let told = stage.client.mailboxes(&who, &ids, BUDGET).await.unwrap();
    assert!(told.kinds.is_empty());
    let denied = failure(Err::<(), _>(told.denied.unwrap()), Code::PermissionMissing);
    assert!(denied.message.contains("MailboxSettings.Read") && denied.message.contains("Grant admin consent"));
    assert!(denied.consent_link.is_some());
    assert_eq!(stage.requests(&who).1 - before, 1, "what is denied is not asked again");

    let (kinds, told, _) = three(Some(Rule::new(Fault::Forbidden).path("mailboxSettings"))).await;
    assert_eq!(kinds, "- Shared Room", "some mailboxes may be kept from us");
    assert!(told.denied.is_some() && !told.stopped);
    let (kinds, told, _) = three(Some(Rule::new(Fault::Forbidden).path("$batch"))).await;
    assert_eq!(kinds, "- - -");
    assert!(told.denied.unwrap().message.contains("MailboxSettings.Read") && told.stopped);
}

#[tokio::test]
async fn the_whole_question_is_tried_again() {
    let fault = Fault::Status { code: 502, body: None };
    let (kinds, _, requests) = three(Some(Rule::new(fault.clone()).path("$batch"))).await;
    assert_eq!((kinds.as_str(), requests), ("User Shared Room", 2));
    let (stage, who, users) = fabrikam(&ENOUGH).await;
    stage.standin.fault(Rule::new(fault).path("$batch").times(99));
    let ids: Vec<ObjectId> = users.into_values().take(1).collect();
    failure(stage.client.mailboxes(&who, &ids, BUDGET).await, Code::MicrosoftUnavailable);
}
