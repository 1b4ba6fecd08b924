//! Signing in with the identity of the cloud account, which nobody keeps (rule 1.3).

use std::time::Duration;

use directory::{Cloud, Code, CredentialKind, Kind};
use engine::ports::{Connection, Fault, Graph, Identity};
use entra::{Audiences, Client};
use graph_standin::{About, ApplicationChange, Fault as Played, Federated, Rule, Standin, demo};
use secrecy::SecretString;

use crate::{
    logged::Log,
    support::{BUDGET, Stage, contoso, failure, told},
};

const ROLE: &str = "arn:aws:iam::000000000000:role/entra-sync-local-eu-west-1-identity";

/// AWS's token service, asked in its own protocol.
struct Aws {
    http: reqwest::Client,
    url: String,
}

impl Identity for Aws {
    async fn token(&self, audience: &str) -> Result<SecretString, Fault> {
        let form = [("Action", "GetWebIdentityToken"), ("Audience.member.1", audience), ("SigningAlgorithm", "RS256")];
        let asked = self.http.post(&self.url).form(&form).send().await;
        let answer = asked.map_err(|_| Fault::passing("no answer from STS"))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|_| Fault::passing("no answer from STS"))?;
        if status.is_server_error() {
            return Err(Fault::passing("STS is not available"));
        }
        let token = text.split_once("<WebIdentityToken>").and_then(|(_, rest)| rest.split_once('<'));
        token.map(|(token, _)| token.into()).ok_or_else(|| {
            let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once('<')).unwrap().0;
            Fault::permanent(format!("STS refuses: {code}"))
        })
    }
}

fn stage(audiences: Option<&str>) -> Stage<Aws> {
    let standin = Standin::start(demo()).unwrap();
    let aws = Aws { http: reqwest::Client::new(), url: format!("{}/", standin.identity_endpoint()) };
    let (graph, login) = (standin.graph_endpoint(), standin.login_endpoint());
    let client = Client::new(Some(&graph), Some(&login), aws, Audiences::parse(audiences).unwrap()).unwrap();
    Stage { standin, client: client.with_first_pause(Duration::from_millis(1)) }
}

fn federated() -> Connection {
    let mut who = contoso();
    (who.kind, who.secret) = (CredentialKind::Federated, "".into());
    who
}

fn trust(stage: &Stage<Aws>, subject: &str, audience: &str) {
    let issuer = stage.standin.identity_endpoint();
    let federated = Some(vec![Federated { issuer, subject: subject.to_owned(), audience: audience.to_owned() }]);
    stage.application(ApplicationChange { federated, ..Default::default() });
}

#[tokio::test]
async fn r1_3_nothing_is_kept_and_it_signs_in() {
    let (log, _guard) = Log::start();
    for (cloud, audience) in [
        (Cloud::Global, "api://AzureADTokenExchange"),
        (Cloud::UsGov, "api://AzureADTokenExchangeUSGov"),
        (Cloud::UsGovDod, "api://dod"),
        (Cloud::China, "api://AzureADTokenExchangeChina"),
    ] {
        let (stage, who) = (stage(Some("us_gov_dod=api://dod")), Connection { cloud, ..federated() });
        trust(&stage, ROLE, audience);
        stage.client.try_out(&who, BUDGET).await.unwrap();
        assert_eq!(told(stage.page(&who, Kind::User, None).await), "16 objects", "{cloud:?}");
        assert_eq!(stage.requests(&who), (1, 3), "{cloud:?}");
    }
    log.without(&[]);
}

#[tokio::test]
async fn r1_3_a_mismatch_names_the_federated_credential_that_is_wanted() {
    let (log, _guard) = Log::start();
    let (stage, who) = (stage(None), federated());
    trust(&stage, "arn:aws:iam::1:role/another", "api://AzureADTokenExchange");
    let Err(outcome) = stage.page(&who, Kind::User, None).await else { panic!("it succeeded") };
    assert_eq!(stage.requests(&who), (1, 0), "a scheduled run does not wait for it");
    let failure = failure(Err::<(), _>(outcome), Code::CredentialFederationMismatch);
    let issuer = stage.standin.identity_endpoint();
    let wanted = format!("issuer {issuer}, subject {ROLE}, audience api://AzureADTokenExchange");
    assert!(failure.help.contains(&wanted) && failure.help.contains("takes some minutes"), "{failure:?}");
    assert_eq!(failure.microsoft.unwrap().code.as_deref(), Some("AADSTS700213"));
    log.without(&[]);
}

#[tokio::test]
async fn r1_3_somebody_who_waits_sees_a_new_federated_credential_spread() {
    for number in [70_021, 70_025, 700_211, 700_212, 700_213] {
        let (stage, who) = (stage(None), federated());
        trust(&stage, ROLE, "api://AzureADTokenExchange");
        stage.standin.fault(Rule::new(Played::Aadsts { code: number }).on(About::Token).times(2));
        stage.client.try_out(&who, BUDGET).await.unwrap();
        assert_eq!(stage.requests(&who), (3, 2), "{number}");
    }
    let (stage, who) = (stage(None), federated());
    failure(stage.client.try_out(&who, BUDGET).await, Code::CredentialFederationMismatch);
    assert_eq!(stage.requests(&who), (5, 0), "not for ever");
}

#[tokio::test]
async fn r1_3_what_a_directory_or_a_cloud_forbids_is_not_waited_for() {
    for (number, code, word) in [
        (700_223, Code::CredentialFederationMismatch, "the directory forbids federated credentials"),
        (700_238, Code::CredentialFederationMismatch, "the directory forbids federated credentials"),
        (900_382, Code::WrongCloud, "it forbids federated credentials"),
        (50_013, Code::CredentialFederationMismatch, "cannot verify the identity token"),
    ] {
        let (stage, who) = (stage(None), federated());
        stage.standin.fault(Rule::new(Played::Aadsts { code: number }).on(About::Token).times(99));
        let failure = failure(stage.client.try_out(&who, BUDGET).await, code);
        assert!(format!("{} {}", failure.message, failure.help).contains(word), "{failure:?}");
        assert_eq!(stage.requests(&who), (1, 0), "{number}");
    }
}

#[tokio::test]
async fn r1_3_an_account_that_issues_no_tokens() {
    let (stage, who) = (stage(None), federated());
    stage.standin.settings(|settings| settings.identity_disabled = true);
    let failure = failure(stage.client.try_out(&who, BUDGET).await, Code::CredentialFederationMismatch);
    assert!(failure.message.contains("OutboundWebIdentityFederationDisabledException"), "{failure}");
    assert!(failure.help.contains("make bootstrap"), "{failure:?}");
    assert_eq!((stage.requests(&who), stage.standin.count(About::Identity)), ((0, 0), 1));
}

#[tokio::test]
async fn r1_3_trouble_of_the_token_service_passes() {
    let unavailable = Rule::new(Played::Status { code: 503, body: None }).on(About::Identity).path("/identity/");
    let (once, who) = (stage(None), federated());
    trust(&once, ROLE, "api://AzureADTokenExchange");
    once.standin.fault(unavailable.clone());
    assert_eq!(told(once.page(&who, Kind::User, None).await), "16 objects");
    assert_eq!(once.requests(&who), (1, 1));
    let (always, who) = (stage(None), federated());
    always.standin.fault(unavailable.times(99));
    let failure = failure(always.page(&who, Kind::User, None).await, Code::MicrosoftUnavailable);
    assert!(failure.message.contains("the AWS account issues no identity token at the moment"), "{failure}");
    assert_eq!((always.requests(&who), always.standin.count(About::Identity)), ((0, 0), 5));
}
