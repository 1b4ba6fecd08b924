//! The three demo companies.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use crate::{
    company::application,
    directory::{Directory, MemberKind},
    person::{Person, Team, TeamKind, id_of},
};

/// What a tenant's settings need to name of a demo company. The client secret is a demo value that opens nothing.
#[derive(Clone, Copy, Debug)]
pub struct Demo {
    /// Short name, for control addresses and library calls.
    pub name: &'static str,
    /// The tenant's GUID.
    pub directory_id: Uuid,
    /// The first verified domain.
    pub primary_domain: &'static str,
    /// The client id.
    pub application_id: Uuid,
    /// The value of the client secret.
    pub client_secret: &'static str,
}

/// A clean company: everything can be synchronised.
pub const CONTOSO: Demo = Demo {
    name: "contoso",
    directory_id: uuid!("c0a70501-5d1e-4c0a-9d3f-1f0e5a7b0001"),
    primary_domain: "contoso.com",
    application_id: uuid!("c0a70501-a991-4d5a-8f2e-2b6c9d1e0001"),
    client_secret: "demo-contoso-value",
};

/// A company with everything that goes wrong in real ones.
pub const FABRIKAM: Demo = Demo {
    name: "fabrikam",
    directory_id: uuid!("fab71ca0-5d1e-4c0a-9d3f-1f0e5a7b0002"),
    primary_domain: "fabrikam.com",
    application_id: uuid!("fab71ca0-a991-4d5a-8f2e-2b6c9d1e0002"),
    client_secret: "demo-fabrikam-value",
};

/// A company whose client secret has expired.
pub const NORTHWIND: Demo = Demo {
    name: "northwind",
    directory_id: uuid!("0a07b31d-5d1e-4c0a-9d3f-1f0e5a7b0003"),
    primary_domain: "northwindtraders.com",
    application_id: uuid!("0a07b31d-a991-4d5a-8f2e-2b6c9d1e0003"),
    client_secret: "demo-northwind-value",
};

/// The three demo companies.
pub fn demo() -> Vec<Directory> {
    vec![contoso(), fabrikam(), northwind()]
}

/// The id of a demo user or group: people count from 1, groups from 101.
fn id(demo: Demo, number: u64) -> Uuid {
    id_of(demo.directory_id, number)
}

fn empty(demo: Demo, display_name: &str, domains: &[&str], roles: &[&str]) -> Directory {
    let mut directory = Directory::new(demo.directory_id, demo.name, display_name, domains);
    let mut application = application(demo.directory_id, demo.client_secret, roles);
    application.client_id = demo.application_id;
    directory.applications.push(application);
    directory
}

/// Put a group with members given by their numbers into the directory; from 101 on they are groups.
fn group(directory: &mut Directory, demo: Demo, number: u64, team: &Team, members: &[u64]) {
    let kind = |number: u64| if number > 100 { MemberKind::Group } else { MemberKind::User };
    let members: Vec<_> = members.iter().map(|&number| (id(demo, number), kind(number))).collect();
    directory.seed_group(id(demo, number), team, &members);
}

/// Adele Vance and her colleagues, whom Microsoft's examples made known.
#[rustfmt::skip]
const CONTOSO_PEOPLE: [(&str, &str, &str, &str, &str); 16] = [
    ("Adele",     "Vance",     "AdeleV",     "Retail Manager",           "Retail"),
    ("Alex",      "Wilber",    "AlexW",      "Marketing Assistant",      "Marketing"),
    ("Diego",     "Siciliani", "DiegoS",     "HR Manager",               "HR"),
    ("Grady",     "Archie",    "GradyA",     "Designer",                 "R&D"),
    ("Henrietta", "Mueller",   "HenriettaM", "Developer",                "R&D"),
    ("Isaiah",    "Langer",    "IsaiahL",    "Sales Rep",                "Sales"),
    ("Johanna",   "Lorenz",    "JohannaL",   "Senior Engineer",          "Engineering"),
    ("Joni",      "Sherman",   "JoniS",      "Paralegal",                "Legal"),
    ("Lee",       "Gu",        "LeeG",       "Director",                 "Manufacturing"),
    ("Lidia",     "Holloway",  "LidiaH",     "Product Manager",          "Engineering"),
    ("Lynne",     "Robbins",   "LynneR",     "Planner",                  "Retail"),
    ("Megan",     "Bowen",     "MeganB",     "Marketing Manager",        "Marketing"),
    ("Miriam",    "Graham",    "MiriamG",    "Director",                 "Sales & Marketing"),
    ("Nestor",    "Wilke",     "NestorW",    "Director",                 "Operations"),
    ("Patti",     "Fernandez", "PattiF",     "President",                "Executive Management"),
    ("Pradeep",   "Gupta",     "PradeepG",   "Accountant",               "Finance"),
];

fn contoso() -> Directory {
    let domain = CONTOSO.primary_domain;
    let roles = ["Directory.Read.All", "Application.Read.All"];
    let mut directory = empty(CONTOSO, "Contoso", &[domain, "contoso.onmicrosoft.com"], &roles);
    for (number, (given, surname, nickname, title, department)) in (1_u64..).zip(CONTOSO_PEOPLE) {
        let mut person = Person::new(given, surname, nickname, domain).job(title, department);
        person = person.alias(&format!("{given}.{surname}@{domain}").to_lowercase());
        person.business_phones = vec![format!("+1 425 555 01{number:02}")];
        person.office_location = Some(format!("{number}/1106"));
        // Lee Gu and Pradeep Gupta have no mobile phone.
        if ![9, 16].contains(&number) {
            person = person.mobile(format!("+1 425 555 02{number:02}"));
        }
        directory.seed_user(id(CONTOSO, number), &person);
    }
    let team = |kind, name, nickname| Team::new(kind, name, nickname, domain);
    let sales = team(TeamKind::Microsoft365, "Sales and Marketing", "SalesandMarketing");
    group(&mut directory, CONTOSO, 101, &sales, &[2, 6, 12, 13]);
    let mark8 = team(TeamKind::Microsoft365, "Mark 8 Project Team", "Mark8ProjectTeam");
    group(&mut directory, CONTOSO, 102, &mark8, &[4, 5, 7, 10, 12]);
    let leaders = team(TeamKind::Distribution, "Leadership", "leadership");
    group(&mut directory, CONTOSO, 103, &leaders, &[9, 13, 14, 15]);
    let retail = team(TeamKind::Distribution, "Retail", "retail");
    group(&mut directory, CONTOSO, 104, &retail, &[1, 11]);
    // Nested: the leaders, and a few more.
    let managers = team(TeamKind::Distribution, "All Managers", "managers");
    group(&mut directory, CONTOSO, 105, &managers, &[103, 1, 3, 12]);
    let finance = team(TeamKind::MailSecurity, "Finance Approvers", "finance-approvers");
    group(&mut directory, CONTOSO, 106, &finance, &[15, 16]);
    let hr = team(TeamKind::Security, "sg-HR", "sg-HR");
    group(&mut directory, CONTOSO, 107, &hr, &[3, 8]);
    directory
}

fn fabrikam() -> Directory {
    let domain = FABRIKAM.primary_domain;
    let roles = ["Directory.Read.All", "MailboxSettings.Read"];
    let domains = [domain, "fabrikam.onmicrosoft.com", "fabrikam-labs.com"];
    let mut directory = empty(FABRIKAM, "Fabrikam, Inc.", &domains, &roles);
    let plain = [
        Person::new("Cameron", "White", "cameron.white", domain).job("Owner", "Management").mobile("+1 425 555 0301"),
        Person::new("Delia", "Dennis", "delia.dennis", domain).job("Buyer", "Purchasing").alias("dd@fabrikam.com"),
        Person::new("Mallory", "Cortez", "mallory.cortez", domain).job("Buyer", "Purchasing"),
        // Unregistered domains: as primary, Microsoft's own, and as alias.
        Person::new("Irvin", "Sayers", "irvin.sayers", "fabrikam-labs.com").job("Researcher", "Labs"),
        Person::new("Debra", "Berger", "debra.berger", "fabrikam.onmicrosoft.com").job("Assistant", "Management"),
        Person::new("Emily", "Braun", "emily.braun", domain).alias("emily@fabrikam-labs.com"),
        Person::new("Enrico", "Cattaneo", "enrico.cattaneo", domain).alias("enrico@fabrikam-m\u{fc}nchen.com"),
    ];
    let blocked = Person { account_enabled: false, ..Person::new("Raul", "Razo", "raul.razo", domain) };
    let no_mailbox = Person {
        mail: None,
        proxy_addresses: Vec::new(),
        ..Person::new("Backup", "Service", "svc-backup", "fabrikam.onmicrosoft.com")
    };
    let no_domain = Person {
        proxy_addresses: vec!["SMTP:kiosk".to_owned()],
        ..Person::new("Front Desk", "Kiosk", "kiosk", domain)
    };
    let schemes = [
        "SIP:bianca.pisani@fabrikam.com",
        "X500:/o=Fabrikam/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=bpisani",
        "x400:c=US;a= ;p=Fabrikam;o=Exchange;s=Pisani;g=Bianca;",
        "EUM:4711;phone-context=fabrikam.com",
        "SPO:SPO_0dbffe23-f6fb-4478-adcd-880daf88bb12@SPO_fab71ca0-5d1e-4c0a-9d3f-1f0e5a7b0002",
        "smtp:bianca@fabrikam.com",
        "SMTP:Bianca.Pisani@Fabrikam.com",
    ];
    let odd_schemes = Person {
        proxy_addresses: schemes.map(str::to_owned).to_vec(),
        ..Person::new("Bianca", "Pisani", "bianca.pisani", domain)
    };
    let hostile = [
        ("<b>Robert</b>", "O'Tables\" & <script>alert(1)</script>", "robert.tables"),
        ("Ann\u{7}\r\nBcc: everybody@fabrikam.com", "Beebe", "ann.beebe"),
        ("\u{202e}nimda", "\u{5d3}\u{5d5}\u{5d3} \u{0628}\u{0646}", "rtl"),
    ];
    let people = plain.into_iter().chain([blocked, no_mailbox, no_domain, odd_schemes]);
    let people = people.chain(hostile.map(|(given, surname, nickname)| Person::new(given, surname, nickname, domain)));
    for (number, person) in (1_u64..).zip(people) {
        directory.seed_user(id(FABRIKAM, number), &person);
    }
    directory.seed_user(id(FABRIKAM, 20), &json!({
        "accountEnabled": true, "userType": "Guest", "displayName": "Jane Doe (Partner)", "creationType": "Invitation",
        "externalUserState": "Accepted", "mail": "jane@adventure-works.com", "mailNickname": "jane_adventure-works.com#EXT#",
        "userPrincipalName": "jane_adventure-works.com#EXT#@fabrikam.onmicrosoft.com",
        "proxyAddresses": ["SMTP:jane@adventure-works.com"],
    }));
    directory.seed_user(id(FABRIKAM, 21), &mailbox("Conference Room Rainier", "rainier", "room"));
    directory.seed_user(id(FABRIKAM, 22), &mailbox("Info", "info", "shared"));

    let team = |kind, name, nickname| Team::new(kind, name, nickname, domain);
    // Two lists that contain each other.
    let buyers = team(TeamKind::Distribution, "Buyers", "buyers");
    group(&mut directory, FABRIKAM, 101, &buyers, &[2, 3, 102]);
    let office = team(TeamKind::Distribution, "Office", "office");
    group(&mut directory, FABRIKAM, 102, &office, &[1, 4, 8, 20, 101]);
    let labs = Team::new(TeamKind::Distribution, "Labs", "labs", "fabrikam-labs.com");
    group(&mut directory, FABRIKAM, 103, &labs, &[4, 6]);
    let no_address =
        Team { mail: None, proxy_addresses: Vec::new(), ..team(TeamKind::Distribution, "Old list", "old") };
    group(&mut directory, FABRIKAM, 104, &no_address, &[1]);
    let everybody = Team {
        group_types: vec!["Unified", "DynamicMembership"],
        membership_rule: Some("(user.accountEnabled -eq true)"),
        ..team(TeamKind::Microsoft365, "Everybody <all@fabrikam.com>", "everybody")
    };
    group(&mut directory, FABRIKAM, 105, &everybody, &[1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14]);
    let devices = team(TeamKind::Security, "Managed devices", "managed-devices");
    let device = (id(FABRIKAM, 901), MemberKind::Device);
    let contact = (id(FABRIKAM, 902), MemberKind::OrgContact);
    directory.seed_group(id(FABRIKAM, 106), &devices, &[(id(FABRIKAM, 1), MemberKind::User), device, contact]);
    directory
}

/// A mailbox that is not a person's: its sign-in is blocked.
fn mailbox(name: &str, nickname: &str, purpose: &str) -> Value {
    json!({
        "accountEnabled": false, "userType": "Member", "displayName": name, "mailNickname": nickname,
        "mail": format!("{nickname}@fabrikam.com"), "userPrincipalName": format!("{nickname}@fabrikam.com"),
        "proxyAddresses": [format!("SMTP:{nickname}@fabrikam.com")], "mailboxSettings": { "userPurpose": purpose },
    })
}

fn northwind() -> Directory {
    let domain = NORTHWIND.primary_domain;
    let domains = [domain, "northwindtraders.onmicrosoft.com"];
    let mut directory = empty(NORTHWIND, "Northwind Traders", &domains, &["Directory.Read.All"]);
    for secret in directory.applications.iter_mut().flat_map(|application| &mut application.secrets) {
        // The last day of 2025.
        secret.ends = Timestamp::constant(1_767_139_200, 0);
    }
    let people = [("Nancy", "Davolio"), ("Andrew", "Fuller"), ("Janet", "Leverling"), ("Steven", "Buchanan")];
    for (number, (given, surname)) in (1_u64..).zip(people) {
        let nickname = given.to_lowercase();
        let person = Person::new(given, surname, &nickname, domain).job("Sales Representative", "Sales");
        directory.seed_user(id(NORTHWIND, number), &person);
    }
    let sales = Team::new(TeamKind::Distribution, "Sales", "sales", domain);
    group(&mut directory, NORTHWIND, 101, &sales, &[1, 2, 3, 4]);
    directory
}
