//! Rounds of delta, read page by page.

use directory::{Kind, Observed, Removal, Told};
use engine::ports::{Graph, Next};
use graph_standin::{About, CONTOSO, FABRIKAM, Fault, Rule};
use serde_json::json;

use crate::support::{BUDGET, Stage, contoso, who};

#[tokio::test]
async fn an_undisturbed_run_asks_for_everything_once() {
    let (stage, who) = (Stage::new(), contoso());
    let (users, users_link) = stage.round(&who, Kind::User, None).await;
    let (groups, groups_link) = stage.round(&who, Kind::Group, None).await;
    assert_eq!((users.len(), groups.len()), (16, 7));
    assert_eq!(stage.requests(&who), (1, 2));
    stage.round(&who, Kind::User, Some(users_link)).await;
    stage.round(&who, Kind::Group, Some(groups_link)).await;
    assert_eq!(stage.requests(&who), (1, 4), "an unchanged round is one request for each kind");
    let mut ids: Vec<_> =
        stage.standin.requests().into_iter().map(|request| request.client_request_id.unwrap()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5, "each request has an id of its own");
}

#[tokio::test]
async fn pages_follow_one_another() {
    let (stage, who) = (Stage::new(), contoso());
    stage.standin.settings(|settings| (settings.page_size, settings.link_page_size) = (3, 2));
    let (users, _) = stage.round(&who, Kind::User, None).await;
    assert_eq!((users.len(), stage.requests(&who)), (16, (1, 6)));
    let (groups, _) = stage.round(&who, Kind::Group, None).await;
    let members: usize =
        groups.iter().map(|group| if let Observed::Group { members, .. } = group { members.len() } else { 0 }).sum();
    assert_eq!(members, 4 + 5 + 4 + 2 + 4 + 2 + 2, "slices of a group's members come in several pages");
}

#[tokio::test]
async fn a_later_round_tells_what_changed() {
    let (stage, who) = (Stage::new(), contoso());
    let (_, link) = stage.round(&who, Kind::User, None).await;
    stage
        .standin
        .update_user(CONTOSO.name, "AdeleV@contoso.com", json!({"mobilePhone": null, "jobTitle": "CEO"}))
        .unwrap();
    stage.standin.delete_user(CONTOSO.name, "AlexW@contoso.com").unwrap();
    let (told, link) = stage.round(&who, Kind::User, Some(link)).await;
    let [Observed::User { told: adele, .. }, Observed::Removed { id, how: Removal::Soft }] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!((&adele.mobile, &adele.job_title), (&Told::Null, &Told::Value("CEO".to_owned())));
    stage.standin.purge_user(CONTOSO.name, id.as_str()).unwrap();
    let (told, _) = stage.round(&who, Kind::User, Some(link)).await;
    assert_eq!(told, [Observed::Removed { id: id.clone(), how: Removal::Hard }]);
}

#[tokio::test]
async fn one_unreadable_object_does_not_stop_the_rest() {
    let stage = Stage::with(Rule::new(Fault::WrongTypes).on(About::Users));
    let (users, _) = stage.round(&contoso(), Kind::User, None).await;
    let [Observed::Unreadable { id, why }, rest @ ..] = users.as_slice() else { panic!("{users:?}") };
    assert_eq!((id.len(), rest.len()), (36, 15));
    assert!(why.starts_with("its ") && !why.contains("contoso"), "{why}");
    assert!(rest.iter().all(|user| matches!(user, Observed::User { .. })));
}

#[tokio::test]
async fn names_can_hold_anything() {
    let (stage, who) = (Stage::new(), who(FABRIKAM));
    let (users, _) = stage.round(&who, Kind::User, None).await;
    assert!(users.iter().all(|user| matches!(user, Observed::User { .. })), "{users:?}");
    let (groups, _) = stage.round(&who, Kind::Group, None).await;
    assert!(groups.iter().all(|group| matches!(group, Observed::Group { .. })), "{groups:?}");
}

#[tokio::test]
async fn an_empty_page_is_a_page() {
    let stage = Stage::with(Rule::new(Fault::EmptyPage).on(About::Users));
    let page = stage.page(&contoso(), Kind::User, None).await.unwrap();
    assert!(page.objects.is_empty() && matches!(page.next, Next::Page(_)));
}

#[tokio::test]
async fn r4_9_graphs_own_count() {
    let (stage, who) = (Stage::new(), contoso());
    assert_eq!(stage.client.count(&who, Kind::User, BUDGET).await.unwrap(), 16);
    assert_eq!(stage.client.count(&who, Kind::Group, BUDGET).await.unwrap(), 7);
    assert_eq!(stage.requests(&who), (1, 2));
}
