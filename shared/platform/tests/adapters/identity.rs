//! Identity tokens: minted by one role, kept for a while, and what AWS says where it mints none.

use engine::ports::{Fault, Identity};
use platform::RoleIdentity;
use secrecy::ExposeSecret;

use crate::script::{Answer, Script, ok};

const ROLE: &str = "arn:aws:iam::123456789012:role/entra-sync-prod-eu-west-1-identity";
const SESSION: &str = r#"<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
    <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/entra-sync-prod-eu-west-1-identity/entra-sync</Arn>
    <AssumedRoleId>AROAEXAMPLE:entra-sync</AssumedRoleId></AssumedRoleUser>
    <Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>roleKey</SecretAccessKey>
    <SessionToken>roleSession</SessionToken><Expiration>2026-11-22T10:00:00Z</Expiration></Credentials>
    </AssumeRoleResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></AssumeRoleResponse>"#;

fn token(text: &str) -> Answer {
    ok(&format!(
        r#"<GetWebIdentityTokenResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetWebIdentityTokenResult>
        <WebIdentityToken>{text}</WebIdentityToken><Expiration>2026-11-22T09:15:00Z</Expiration>
        </GetWebIdentityTokenResult><ResponseMetadata><RequestId>r-2</RequestId></ResponseMetadata>
        </GetWebIdentityTokenResponse>"#
    ))
}

fn refused(status: u16, code: &str) -> Answer {
    let body = format!(
        r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
        <Code>{code}</Code><Message>no luck</Message></Error><RequestId>r-3</RequestId></ErrorResponse>"#
    );
    Answer::Http(status, body)
}

async fn fault(answers: impl IntoIterator<Item = Answer>) -> Fault {
    RoleIdentity::new(&Script::new(answers).config(), ROLE, None).token("api://a").await.unwrap_err()
}

#[tokio::test]
async fn s1_3_a_token_is_minted_by_the_role_in_its_region_and_kept_for_each_audience() {
    let script = Script::new([ok(SESSION), token("one"), ok(SESSION), token("two")]);
    let identity = RoleIdentity::new(&script.regional(), ROLE, None);
    assert!(script.urls().is_empty(), "nothing is asked before a token is needed");
    for (audience, expected) in [("api://a", "one"), ("api://b", "two"), ("api://a", "one"), ("api://b", "two")] {
        assert_eq!(identity.token(audience).await.unwrap().expose_secret(), expected);
    }
    assert_eq!(script.urls(), ["https://sts.eu-west-1.amazonaws.com/"; 4], "the global endpoint mints no tokens");
    assert_eq!(script.signers(), ["id", "ASIAROLE", "id", "ASIAROLE"]);
    let forms = script.forms();
    let assume = "Action=AssumeRole&Version=2011-06-15\
        &RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fentra-sync-prod-eu-west-1-identity&RoleSessionName=entra-sync";
    let mint = "Action=GetWebIdentityToken&Version=2011-06-15&Audience.member.1=api%3A%2F%2Fa&DurationSeconds=900\
        &SigningAlgorithm=RS256";
    assert_eq!(forms[..2], [assume, mint]);
    assert_eq!(format!("{identity:?}"), format!("RoleIdentity({ROLE})"));
}

#[tokio::test]
async fn another_endpoint_mints_but_does_not_hand_out_the_role() {
    let script = Script::new([ok(SESSION), token("one")]);
    let identity = RoleIdentity::new(&script.regional(), ROLE, Some("http://127.0.0.1:4567/identity"));
    identity.token("api://a").await.unwrap();
    assert_eq!(script.urls(), ["https://sts.eu-west-1.amazonaws.com/", "http://127.0.0.1:4567/identity/"]);
}

#[tokio::test]
async fn what_an_operator_can_mend_names_the_command() {
    let disabled = fault([ok(SESSION), refused(403, "OutboundWebIdentityFederationDisabledException")]).await;
    assert!(!disabled.passes);
    let expected = "cannot get an identity token for api://a: the AWS account gives out no identity tokens yet; \
        run `make bootstrap`, and deploy the stack again if that was done";
    assert_eq!(disabled.to_string(), expected);
    let denied = fault([ok(SESSION), refused(403, "AccessDenied")]).await;
    assert!(!denied.passes && denied.to_string().contains("`make bootstrap`"), "{denied}");
    let no_role = fault([refused(403, "AccessDenied")]).await;
    assert!(!no_role.passes && no_role.to_string().contains("cannot assume the role"), "{no_role}");
}

#[tokio::test]
async fn what_passes_is_said_to_pass_and_nothing_is_kept_of_it() {
    assert!(fault([ok(SESSION), refused(400, "Throttling")]).await.passes);
    assert!(fault([refused(503, "ServiceUnavailable")]).await.passes);
    assert!(fault([Answer::Lost]).await.passes);
    assert!(fault([ok(SESSION), token("")]).await.passes);
    let script = Script::new([ok(SESSION), refused(403, "AccessDenied"), ok(SESSION), token("one")]);
    let identity = RoleIdentity::new(&script.config(), ROLE, None);
    assert!(identity.token("api://a").await.is_err());
    assert!(identity.token("api://a").await.is_ok(), "the next call asks again");
}

#[tokio::test]
async fn a_fault_holds_no_token_and_no_key() {
    let fault = fault([ok(SESSION), refused(403, "SessionDurationEscalationException")]).await;
    let text = format!("{fault:?}");
    assert!(!fault.passes && !text.contains("roleKey") && !text.contains("roleSession"), "{text}");
}
