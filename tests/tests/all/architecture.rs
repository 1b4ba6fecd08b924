//! What the rulebook and the engine may not reach: AWS, HTTP, a runtime, a clock.

use std::{path::Path, process::Command};

#[test]
fn directory_and_engine_reach_no_cloud_and_no_network() {
    for crate_name in ["directory", "engine", "mail"] {
        let tree = ["tree", "--offline", "--edges=normal", "--prefix=none", "--package", crate_name];
        let output = Command::new(env!("CARGO")).args(tree).output().unwrap();
        let reached = String::from_utf8(output.stdout).unwrap();
        assert!(reached.lines().count() > 5, "the tree was read: {}", String::from_utf8_lossy(&output.stderr));
        for name in reached.lines() {
            let forbidden = ["aws", "hyper", "reqwest", "http", "tokio", "rustls", "lambda"];
            assert!(!forbidden.iter().any(|start| name.starts_with(start)), "{crate_name} reaches {name}");
        }
    }
}

#[test]
fn directory_and_engine_read_no_clock() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let mut files = 0;
    for crate_name in ["directory", "engine", "mail"] {
        let mut folders = vec![shared.join(crate_name).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                files += 1;
                for clock in ["Timestamp::now", "SystemTime::now", "Instant::now", "Zoned::now"] {
                    assert!(!text.contains(clock), "{} reads a clock", path.display());
                }
            }
        }
    }
    assert!(files > 30, "the sources were read");
}
