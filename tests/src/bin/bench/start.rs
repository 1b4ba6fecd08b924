//! How large each function is, and how soon after its start it asks for work, with how much memory.

use std::{
    error::Error,
    io::{ErrorKind, Read as _},
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const FUNCTIONS: [&str; 6] = ["dispatch", "sync", "report", "admin", "rotate", "console"];
const STARTS: usize = 9;

/// A program built beside this one.
pub(crate) fn beside(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() { Ok(path) } else { Err(format!("{} is not built", path.display()).into()) }
}

/// Print a line for each function.
pub(crate) fn print() -> Result<(), Box<dyn Error>> {
    println!("{:<10} {:>9}  {:>13}  {:>11}", "function", "binary MB", "first poll ms", "resident MB");
    for function in FUNCTIONS {
        let path = beside(function)?;
        #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
        let size = std::fs::metadata(&path)?.len() as f64 / 1e6;
        let mut starts = (0..STARTS).map(|_| start(&path)).collect::<Result<Vec<_>, _>>()?;
        starts.sort_by_key(|(time, _)| *time);
        let (time, resident) = starts[STARTS / 2];
        println!("{function:<10} {size:>9.1}  {:>13.1}  {resident:>11.1}", time.as_secs_f64() * 1000.0);
    }
    Ok(())
}

/// Start a function as Lambda would: the time until it asks for work, and the memory in MB that it has then.
fn start(path: &PathBuf) -> Result<(Duration, f64), Box<dyn Error>> {
    let runtime_api = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    runtime_api.set_nonblocking(true)?;
    let began = Instant::now();
    let mut process = Command::new(path)
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", runtime_api.local_addr()?.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", "bench".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "bench".to_owned()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "bench".to_owned()),
            ("STAGE", "bench".to_owned()),
            ("CONTROL_TABLE", "control".to_owned()),
            ("DIRECTORY_TABLE", "directory".to_owned()),
            ("SYNC_QUEUE_URL", "http://127.0.0.1/sync".to_owned()),
            ("REPORT_QUEUE_URL", "http://127.0.0.1/report".to_owned()),
            ("SECRET_PREFIX", "entra-sync/bench/".to_owned()),
            ("SEALING_KEY_ARN", "arn:aws:kms:eu-west-1:000000000000:key/bench".to_owned()),
            ("IDENTITY_ROLE_ARN", "arn:aws:iam::000000000000:role/bench".to_owned()),
            ("CONFIGURATION_SET", "bench".to_owned()),
            ("REPORT_CONCURRENCY", "5".to_owned()),
            ("ADMIN_FUNCTION", "admin".to_owned()),
            ("SYNC_FUNCTION", "sync".to_owned()),
            ("REPORT_FUNCTION", "report".to_owned()),
            ("CONSOLE_URL", "https://bench.example".to_owned()),
            ("SESSION_KEY_SECRET", "bench".to_owned()),
            ("MAIL_FROM", "bench@mail.example".to_owned()),
            ("OPERATOR_MAIL", "bench@mail.example".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "bench".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "bench".to_owned()),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut asked = loop {
        match runtime_api.accept() {
            Ok((asked, _)) => break asked,
            Err(err) if err.kind() == ErrorKind::WouldBlock => (),
            Err(err) => return Err(err.into()),
        }
        if let Some(status) = process.try_wait()? {
            return Err(format!("{} ended before it asked for work: {status}", path.display()).into());
        }
        std::thread::yield_now();
    };
    asked.set_nonblocking(false)?;
    asked.read_exact(&mut [0; 4])?;
    let time = began.elapsed();
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    process.kill()?;
    process.wait()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no resident memory")?;
    let kilobytes: f64 = resident.trim().trim_end_matches(" kB").parse()?;
    Ok((time, kilobytes / 1000.0))
}
