//! What is missing when Graph denies access, and what an operator reads then (rule 1.7).

use directory::{Code, Kind};
use engine::ports::{Connection, Graph};
use graph_standin::{About, CONTOSO, Fault, Rule, Standin, demo};
use serde_json::json;

use crate::support::{BUDGET, Stage, client, contoso, failure, told};

/// Every company's application with these roles instead of its own.
pub(crate) fn with_roles(roles: &[&str]) -> Stage {
    let mut directories = demo();
    for application in directories.iter_mut().flat_map(|directory| &mut directory.applications) {
        application.roles = roles.iter().map(|&role| role.to_owned()).collect();
    }
    let standin = Standin::start(directories).unwrap();
    let client = client(&standin.graph_endpoint(), &standin.login_endpoint());
    Stage { standin, client }
}

#[tokio::test]
async fn r1_9_directory_read_all_is_enough() {
    let (stage, who) = (with_roles(&["Directory.Read.All"]), contoso());
    stage.client.try_out(&who, BUDGET).await.unwrap();
    for kind in Kind::ALL {
        let (_, link) = stage.round(&who, kind, None).await;
        stage.round(&who, kind, Some(link)).await;
        stage.client.count(&who, kind, BUDGET).await.unwrap();
    }
}

#[tokio::test]
async fn r1_7_a_token_without_any_role_is_consent_missing() {
    let (stage, who) = (with_roles(&[]), contoso());
    let failure = failure(stage.client.try_out(&who, BUDGET).await, Code::ConsentMissing);
    assert!(
        failure.message.contains("Directory.Read.All") && failure.message.contains("Grant admin consent"),
        "{failure}"
    );
    assert!(
        failure.help.contains("move to Microsoft Graph: Directory.Read.All, application permission"),
        "{failure:?}"
    );
    assert_eq!(failure.consent_link.as_deref(), Some(consent_link(&who).as_str()));
    let microsoft = failure.microsoft.unwrap();
    assert_eq!(microsoft.code.as_deref(), Some("Authorization_RequestDenied"));
    assert!(microsoft.request_id.is_some() && microsoft.correlation_id.is_some());
    assert_eq!(stage.requests(&who), (1, 1), "what is denied is not asked again");
}

fn consent_link(who: &Connection) -> String {
    let (directory, application) = (CONTOSO.directory_id, &who.application_id);
    format!("https://login.microsoftonline.com/{directory}/adminconsent?client_id={application}")
}

#[tokio::test]
async fn r1_7_a_token_that_lacks_a_role_is_permission_missing() {
    let (stage, who) = (with_roles(&["User.Read.All"]), contoso());
    assert_eq!(told(stage.page(&who, Kind::User, None).await), "16 objects");
    let failure = failure(stage.page(&who, Kind::Group, None).await, Code::PermissionMissing);
    assert!(failure.message.contains("lacks the permission Directory.Read.All"), "{failure}");
    assert!(failure.message.contains("Grant admin consent"), "{failure}");
    assert!(failure.consent_link.is_some());
}

#[tokio::test]
async fn a_denial_in_spite_of_the_permission_says_so() {
    let stage = Stage::with(Rule::new(Fault::Forbidden).on(About::Groups));
    let failure = failure(stage.page(&contoso(), Kind::Group, None).await, Code::PermissionMissing);
    assert!(failure.message.contains("although the token carries Directory.Read.All"), "{failure}");
}

#[tokio::test]
async fn an_application_that_is_not_replicated_yet_gets_other_tokens_for_a_while() {
    let body = json!({"error": {"code": "Authorization_IdentityNotFound", "message": ""}});
    let rule = Rule::new(Fault::Status { code: 403, body: Some(body) }).on(About::Users);
    let (thrice, who) = (Stage::with(rule.clone().times(3)), contoso());
    assert_eq!(told(thrice.page(&who, Kind::User, None).await), "16 objects");
    assert_eq!(thrice.requests(&who), (4, 4), "each time with a token of its own");
    let (always, who) = (Stage::with(rule.times(99)), contoso());
    assert_eq!(told(always.page(&who, Kind::User, None).await), "permission_missing");
    assert_eq!(always.requests(&who), (5, 5));
}

#[tokio::test]
async fn a_disabled_application() {
    let body = json!({"error": {"code": "accessDenied", "innererror": {"code": "Authorization_IdentityDisabled"}}});
    let stage = Stage::with(Rule::new(Fault::Status { code: 403, body: Some(body) }).on(About::Users));
    failure(stage.page(&contoso(), Kind::User, None).await, Code::ApplicationDisabled);
}
