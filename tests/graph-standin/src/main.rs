//! The stand-in as a program: `graph-standin [--port N] [--role ARN] [--company USERS,GROUPS,SEED]…`.

use std::{
    error::Error,
    io::{Write, stdout},
};

use graph_standin::{Standin, company, demo};

const PORT: u16 = 8085;

fn main() -> Result<(), Box<dyn Error>> {
    let mut port = PORT;
    let mut role = None;
    let mut directories = demo();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--port" => port = value.parse()?,
            "--role" => role = Some(value),
            "--company" => match value.split(',').collect::<Vec<_>>().as_slice() {
                [users, groups, seed] => directories.push(company(users.parse()?, groups.parse()?, seed.parse()?)),
                _ => return Err("--company wants USERS,GROUPS,SEED".into()),
            },
            _ => return Err(format!("unknown argument {argument}").into()),
        }
    }
    let mut standin = Standin::start_at(port, directories)?;
    if let Some(role) = role {
        standin = standin.with_role(&role);
    }
    writeln!(stdout(), "graph-standin ready on {}", standin.graph_endpoint())?;
    loop {
        std::thread::park();
    }
}
