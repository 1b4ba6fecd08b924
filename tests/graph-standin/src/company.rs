//! Companies of any size, the same for the same numbers.

use std::collections::BTreeSet;

use fastrand::Rng;
use uuid::Uuid;

use crate::{
    application::{Application, ClientSecret},
    directory::{Directory, MemberKind},
    person::{Person, Team, TeamKind, id_of},
};

const GIVEN: &str = "Ada Adele Alex Amara Ana Anders Anna Ben Carla Chen Clara Daniel Diego Elena Emil Erik Fatima Felix Grace \
     Hana Hugo Ines Isaac Ivan Jana Joao Jonas Julia Kaito Karim Lara Leon Lina Luca Maja Marco Maria Mateo Mei Mila Nadia \
     Nils Noah Nora Olga Omar Oscar Paula Pedro Priya Rosa Ruth Sami Sara Sofia Tariq Theo Yuki Zoe";
const SURNAMES: &str = "Abbott Adams Ahmed Alvarez Andersen Bauer Becker Berg Bianchi Brown Carlsen Castillo Chaudhry Chen Costa \
     Cruz Dahl Davies Diaz Dubois Evans Fernandez Fischer Fontaine Garcia Gomez Green Haas Hansen Hoffmann Ibrahim Ito \
     Jansen Jensen Johansson Jones Kaya Keller Kim Klein Kovacs Kumar Larsen Lee Lehmann Lopez Martin Mendes Meyer Moreau \
     Nakamura Nguyen Novak Okafor Olsen Ortiz Patel Peters Petrov Ramos Reid Rossi Roth Santos Sato Schmidt Silva Singh \
     Smith Sousa Stein Suzuki Tanaka Taylor Torres Vargas Vogel Wagner Walker Weber White Wilson Wolf Yilmaz Zhang";
const JOBS: [(&str, &str); 8] = [
    ("Account Manager", "Sales"),
    ("Engineer", "Engineering"),
    ("Controller", "Finance"),
    ("Recruiter", "Human Resources"),
    ("Designer", "Product"),
    ("Planner", "Logistics"),
    ("Counsel", "Legal"),
    ("Analyst", "Operations"),
];

/// The largest group has no more members than this.
const EVERYBODY: usize = 25_000;

/// A company of `users` believable people and `groups` groups: everybody in the first, some in the others, now and then a
/// nested one. It is called `company-<seed>`, its domain is `company-<seed>.example`, and its client secret
/// `demo-company-value`; the application may do what scheduled runs need.
pub fn company(users: usize, groups: usize, seed: u64) -> Directory {
    let mut random = Rng::with_seed(seed);
    let id = uuid::Builder::from_random_bytes(random.u128(..).to_be_bytes()).into_uuid();
    let domain = format!("company-{seed}.example");
    let name = format!("company-{seed}");
    let mut directory = Directory::new(id, &name, &format!("Company {seed}"), &[&domain]);
    directory.applications.push(application(id, "demo-company-value", &["Directory.Read.All"]));
    let (given, surnames): (Vec<_>, Vec<_>) = (GIVEN.split(' ').collect(), SURNAMES.split(' ').collect());
    let people: Vec<Uuid> = (0..users)
        .map(|number| {
            let id = id_of(id, number as u64);
            directory.seed_user(id, &employee(number, &given, &surnames, &domain, &mut random));
            id
        })
        .collect();
    let mut earlier: Option<Uuid> = None;
    for number in 0..groups {
        let id = id_of(id, (users + number) as u64);
        let mut members: Vec<_> =
            pick(number, &people, &mut random).into_iter().map(|id| (id, MemberKind::User)).collect();
        members.extend(earlier.filter(|_| number % 10 == 9).map(|group| (group, MemberKind::Group)));
        directory.seed_group(id, &team(number, &domain), &members);
        earlier = Some(id);
    }
    directory
}

/// An application with one secret that lasts.
pub(crate) fn application(directory: Uuid, secret: &str, roles: &[&str]) -> Application {
    let ends = jiff::Timestamp::constant(1_896_084_000, 0);
    Application {
        client_id: id_of(directory, u64::MAX),
        object_id: id_of(directory, u64::MAX - 1),
        name: "Entra Sync".to_owned(),
        roles: roles.iter().map(|&role| role.to_owned()).collect(),
        disabled: false,
        owned: true,
        certificates: Vec::new(),
        federated: Vec::new(),
        secrets: vec![ClientSecret {
            key_id: id_of(directory, u64::MAX - 2),
            name: "Entra Sync".to_owned(),
            value: secret.to_owned(),
            starts: jiff::Timestamp::constant(1_735_689_600, 0),
            ends,
            unknown_for: 0,
        }],
    }
}

fn employee(number: usize, given: &[&str], surnames: &[&str], domain: &str, random: &mut Rng) -> Person {
    // Every pair of names comes once before the first comes again, with a number behind it.
    let pairs = given.len() * surnames.len();
    let pair = number.wrapping_mul(7919) % pairs;
    let (first, last) = (given[pair % given.len()], surnames[pair / given.len()]);
    let mut nickname = format!("{first}.{last}").to_lowercase();
    if number >= pairs {
        nickname.push_str(&(number / pairs + 1).to_string());
    }
    let (title, department) = JOBS[random.usize(..JOBS.len())];
    let mut person = Person::new(first, last, &nickname, domain).job(title, department);
    if random.u8(..) < 200 {
        person = person.mobile(format!("+1 425 555 {:04}", random.u16(..10_000)));
    }
    if random.u8(..) < 90 {
        person = person.alias(&format!("u{number}@{domain}"));
    }
    person.account_enabled = random.u8(..) > 4;
    person
}

fn team(number: usize, domain: &str) -> Team {
    let kind = match number % 4 {
        0 => TeamKind::Distribution,
        1 => TeamKind::Microsoft365,
        2 => TeamKind::MailSecurity,
        _ => TeamKind::Security,
    };
    let name = if number == 0 { "All employees".to_owned() } else { format!("Team {number}") };
    Team::new(kind, &name, &format!("team-{number}"), domain)
}

/// The members of a group: everybody in the first, one in a hundred in some, a handful in most.
fn pick(number: usize, people: &[Uuid], random: &mut Rng) -> Vec<Uuid> {
    if number == 0 || people.is_empty() {
        return people.iter().copied().take(EVERYBODY).collect();
    }
    let size = if number % 25 == 24 { people.len() / 100 } else { random.usize(3..40) };
    let picked: BTreeSet<usize> = (0..size).map(|_| random.usize(..people.len())).collect();
    picked.into_iter().map(|index| people[index]).collect()
}
