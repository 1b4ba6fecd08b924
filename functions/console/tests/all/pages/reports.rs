//! The reports, as they are mailed.

use axum::http::StatusCode;
use serde_json::json;

use super::{door::administrator, plan::hostile};
use crate::world::{Post, TENANT, World, now};

fn today() -> String {
    now().strftime("%Y-%m-%d").to_string()
}

#[tokio::test]
async fn r6_1_a_report_is_read_as_it_is_mailed() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let list = browser.get("/reports").await;
    assert_eq!(list.title(), "Reports");
    assert!(list.body.contains("it@contoso.com") && list.body.contains(&format!("/reports/{}\"", today())), "{list:?}");
    let page = browser.get(&format!("/reports/{}", today())).await;
    assert_eq!(page.title(), format!("Report of {}", today()));
    assert!(page.body.contains("[Azure AD Summary] contoso.com"), "{page:?}");
    assert!(page.body.len() < 30_000, "{}", page.body.len());
    let mail = browser.get(&format!("/reports/{}/mail", today())).await;
    assert_eq!(mail.status, StatusCode::OK);
    let policy = mail.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
    assert!(!policy.contains("script-src") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(mail.body.contains("contoso.com") && !mail.body.contains("<script"), "{mail:?}");
}

#[tokio::test]
async fn r6_1_a_mailed_report_is_read_as_it_was_mailed() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let answer = world.report(&today()).await;
    assert_eq!(answer["sent"], true, "{answer}");
    let path = format!("/reports/{}", today());
    let (page, mail) = (browser.get(&path).await, browser.get(&format!("{path}/mail")).await);
    assert!(page.body.contains("it@contoso.com") && !page.body.contains("this is made now"), "{page:?}");
    // What happens later is not in it.
    world.microsoft.delete_user(TENANT, "leeg@contoso.com").unwrap();
    world.run(json!({"action": "sync"})).await;
    world.admin(json!({"action": "put_tenant", "settings": {"tech_contact": "other@contoso.com"}})).await;
    assert_eq!(browser.get(&format!("{path}/mail")).await.body, mail.body);
    let again = browser.get(&path).await;
    let text = |page: &crate::browser::Page| page.body.split_once("<dl").unwrap().1.to_owned();
    assert_eq!(text(&again), text(&page));
}

#[tokio::test]
async fn r6_1_a_mail_that_did_not_go_out_is_no_report() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let failed = world.report_with(Post::Away, &today()).await;
    assert_eq!(failed["error"]["code"], "unexpected", "{failed}");
    let page = browser.get(&format!("/reports/{}", today())).await;
    assert!(page.body.contains("this is made now") && page.body.contains("<dd>no</dd>"), "{page:?}");
    world.report(&today()).await;
    let page = browser.get(&format!("/reports/{}", today())).await;
    assert!(!page.body.contains("this is made now") && !page.body.contains("<dd>no</dd>"), "{page:?}");
}

#[tokio::test]
async fn r6_6_names_are_text_in_the_page_and_in_the_mail() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    let user = json!({
        "userPrincipalName": "mark@contoso.com", "displayName": hostile()[0], "mailNickname": "mark", "givenName": hostile()[1],
        "accountEnabled": true, "passwordProfile": {"password": "x"}, "proxyAddresses": ["SMTP:mark@contoso.com"],
    });
    world.microsoft.create_user(TENANT, user).unwrap();
    world.run(json!({"action": "sync"})).await;
    for path in ["", "/mail"] {
        let page = browser.get(&format!("/reports/{}{path}", today())).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.body.contains("mark@contoso.com") && !page.body.contains("alert(1)<"), "{page:?}");
    }
}

#[tokio::test]
async fn days_without_a_report_are_not_found() {
    let world = World::new().await;
    let browser = administrator(&world).await;
    for day in
        ["2020-01-01", "9999-12-31", "2026-13-45", "yesterday", "..", "2026-11-21T10:00:00", "+002026-11-21", "%22%3E"]
    {
        for path in ["", "/mail"] {
            let page = browser.get(&format!("/reports/{day}{path}")).await;
            assert_eq!(page.status, StatusCode::NOT_FOUND, "{day}{path}: {page:?}");
        }
    }
}
