//! Memory of the real daemon while the phone's history comes in, against the simulator:
//! before pairing, the peak, and idle after it. Prints; asserts nothing.
//!
//! `cargo build --features sim && cargo run --features sim --example history_memory -- 20000`
//!
//! The programs are those beside this one: the profile decides what is measured.
#![expect(clippy::disallowed_methods, reason = "a measurement waits and reads the clock")]

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Messages in each conversation.
const MESSAGES: usize = 5;
/// Conversations without an argument.
const CHATS: usize = 20_000;
/// The daemon is idle once its processor time stands still for so long.
const IDLE: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(100);

/// Ends with this one.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> io::Result<()> {
    let chats = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(CHATS);
    let folder = std::env::temp_dir().join(format!("history-memory-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = measure(&folder, chats);
    std::fs::remove_dir_all(&folder)?;
    result
}

fn measure(folder: &Path, chats: usize) -> io::Result<()> {
    let control = folder.join("sim.sock");
    let mut sim = Command::new(program("tether-sim")?);
    sim.args(["--listen", "127.0.0.1:0", "--control"]).arg(&control);
    sim.arg("--dir").arg(folder.join("sim")).stdout(Stdio::piped());
    let mut sim = Program(sim.spawn()?);
    let ready: Value = serde_json::from_str(&first_line(sim.0.stdout.take())?)?;
    let socket = folder.join("control.sock");
    let config = folder.join("tetherd.toml");
    let text = format!(
        "[state]\ndir = {:?}\n[socket]\npath = {socket:?}\n[session]\nendpoint = {}\nca_file = {}\n",
        folder.join("state"),
        ready["endpoint"],
        ready["ca_file"],
    );
    std::fs::write(&config, text)?;
    call(&control, "token.history", &json!({ "chats": chats, "messages": MESSAGES }))?;
    let mut daemon = Command::new(program("tetherd")?);
    daemon.arg("--config").arg(&config).stderr(Stdio::null());
    let daemon = Program(daemon.spawn()?);
    let pid = daemon.0.id();
    while !socket.exists() {
        sleep(TICK);
    }
    idle(pid)?;
    println!("before pairing     {}", memory(pid)?);
    let offer = call(&socket, "session.pair", &json!({}))?;
    let started = Instant::now();
    call(&control, "phone.scan", &json!({ "qr": offer["offer"]["qr"] }))?;
    let parts = u64::try_from(chats.div_ceil(1_000)).unwrap_or(u64::MAX);
    while call(&control, "media.stats", &json!({}))?["downloads"].as_u64() < Some(parts) {
        sleep(TICK);
    }
    println!("{parts} parts fetched after {:.1?}", started.elapsed());
    idle(pid)?;
    println!("idle after {:.1?}  {}", started.elapsed().saturating_sub(IDLE), memory(pid)?);
    Ok(())
}

/// Waits until it does nothing any more.
fn idle(pid: u32) -> io::Result<()> {
    let (mut last, mut since) = (cpu(pid)?, Instant::now());
    while since.elapsed() < IDLE {
        sleep(TICK);
        let now = cpu(pid)?;
        if now > last + 2 {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(())
}

/// Clock ticks of processor time.
fn cpu(pid: u32) -> io::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = fields.iter().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    Ok(ticks.sum())
}

fn memory(pid: u32) -> io::Result<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or("");
        line.split_once(':').map_or(String::new(), |(_, value)| value.trim().to_owned())
    };
    let (peak, now, own) = (of("VmHWM"), of("VmRSS"), of("RssAnon"));
    Ok(format!("peak {peak}, now {now}, of that anonymous {own}"))
}

fn program(name: &str) -> io::Result<PathBuf> {
    let here = std::env::current_exe()?;
    let beside = here.parent().and_then(Path::parent).map(|folder| folder.join(name));
    beside.ok_or_else(|| io::Error::other("no folder beside this program"))
}

fn first_line(output: Option<std::process::ChildStdout>) -> io::Result<String> {
    let output = output.ok_or_else(|| io::Error::other("no output"))?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    Ok(line)
}

fn call(socket: &Path, method: &str, params: &Value) -> io::Result<Value> {
    let mut stream = UnixStream::connect(socket)?;
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    writeln!(stream, "{request}")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let reply: Value = serde_json::from_str(&line)?;
    match reply.get("error") {
        Some(error) => Err(io::Error::other(format!("{method}: {error}"))),
        None => Ok(reply["result"].clone()),
    }
}
