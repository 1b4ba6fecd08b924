//! Every rule of the rulebook's sections 1 to 8 has a test that names it: a name that begins with `r`, the section, `_`
//! and the number is about that rule, and so is a row of a table that begins like this.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// How many rules each section has, from section 1 on.
const RULES: [u32; 8] = [10, 14, 7, 14, 5, 8, 3, 5];

#[test]
fn every_rule_is_named_by_a_test() {
    let mut tested: BTreeSet<(u32, u32)> = BTreeSet::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")) {
        for name in
            std::fs::read_to_string(&path).unwrap().split(['"', ' ', '(']).filter_map(|word| word.strip_prefix('r'))
        {
            let mut parts = name.split('_').map_while(|part| part.parse::<u32>().ok());
            if let (Some(section), Some(rule)) = (parts.next(), parts.next()) {
                tested.insert((section, rule));
            }
        }
    }
    let rules = RULES.iter().zip(1..).flat_map(|(rules, section)| (1..=*rules).map(move |rule| (section, rule)));
    let untested: Vec<String> =
        rules.filter(|rule| !tested.contains(rule)).map(|(section, rule)| format!("{section}.{rule}")).collect();
    assert!(untested.is_empty(), "no test names the rules {}", untested.join(", "));
}

/// Every source of this repository, of tests and of what is tested.
fn sources(root: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = ["shared", "functions", "tests"].iter().map(|folder| root.join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}
